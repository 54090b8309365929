#include "nn/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/elementary.h"
#include "core/parallel.h"

namespace mesagrad {
namespace {

std::vector<Tensor> zeros_like(const Parameters& parameters) {
  std::vector<Tensor> result;
  for (const Parameter& p : parameters) result.emplace_back(p.tensor->shape());
  return result;
}

}  // namespace

void clip_by_value(const Parameters& parameters, double bound) {
  check(bound > 0, "clip_by_value: the bound is ", bound, ", it must be positive");
  for (const Parameter& p : parameters) {
    elementwise(p.tensor->size(), [g = p.tensor->grad(), b = static_cast<real>(bound)](Index i) {
      g[i] = std::min(std::max(g[i], -b), b);
    });
  }
}

double clip_by_norm(const Parameters& parameters, double bound) {
  check(bound > 0, "clip_by_norm: the bound is ", bound, ", it must be positive");
  double squares = 0;
  for (const Parameter& p : parameters) {
    const real* g = p.tensor->grad();
    for (Index i = 0; i < p.tensor->size(); ++i) squares += static_cast<double>(g[i]) * g[i];
  }
  const double norm = std::sqrt(squares);
  if (norm <= bound) return norm;
  for (const Parameter& p : parameters) {
    elementwise(p.tensor->size(), [g = p.tensor->grad(), f = static_cast<real>(bound / norm)](Index i) {
      g[i] *= f;
    });
  }
  return norm;
}

void zero_grad(const Parameters& parameters) {
  for (const Parameter& p : parameters) p.tensor->zero_grad();
}

SGD::SGD(Parameters parameters, double momentum)
    : parameters_(std::move(parameters)), momentum_(momentum), velocity_(zeros_like(parameters_)) {}

void SGD::step(double rate) {
  for (std::size_t n = 0; n < parameters_.size(); ++n) {
    const Tensor& p = *parameters_[n].tensor;
    elementwise(p.size(), [x = p.data(), g = p.grad(), v = velocity_[n].data(),
                           mu = static_cast<real>(momentum_), r = static_cast<real>(rate)](Index i) {
      v[i] = mu * v[i] + g[i];
      x[i] -= r * v[i];
    });
  }
}

AdamW::AdamW(Parameters parameters, const Options& options)
    : parameters_(std::move(parameters)),
      options_(options),
      mean_(zeros_like(parameters_)),
      square_(zeros_like(parameters_)) {}

Parameters AdamW::averages() {
  Parameters result;
  for (std::size_t k = 0; k < parameters_.size(); ++k) {
    result.push_back({"mean." + parameters_[k].name, &mean_[k]});
    result.push_back({"square." + parameters_[k].name, &square_[k]});
  }
  return result;
}

void AdamW::step(double rate) {
  ++updates_;
  const auto b1 = static_cast<real>(options_.beta1), b2 = static_cast<real>(options_.beta2);
  const auto c1 = static_cast<real>(1 - options_.beta1), c2 = static_cast<real>(1 - options_.beta2);
  const auto mean_scale = static_cast<real>(1 / (1 - power(options_.beta1, updates_)));
  const auto square_scale = static_cast<real>(1 / (1 - power(options_.beta2, updates_)));
  const auto epsilon = static_cast<real>(options_.epsilon);
  const auto decay = static_cast<real>(options_.decay);
  const auto r = static_cast<real>(rate);
  for (std::size_t k = 0; k < parameters_.size(); ++k) {
    const Tensor& p = *parameters_[k].tensor;
    elementwise(p.size(), [=, x = p.data(), g = p.grad(), m = mean_[k].data(),
                           v = square_[k].data()](Index i) {
      m[i] = b1 * m[i] + c1 * g[i];
      v[i] = b2 * v[i] + c2 * g[i] * g[i];
      const real direction = m[i] * mean_scale / (std::sqrt(v[i] * square_scale) + epsilon);
      x[i] -= r * (direction + decay * x[i]);
    });
  }
}

double WarmupCosine::operator()(Index n) const {
  if (n < warmup) return peak * static_cast<double>(n) / static_cast<double>(warmup);
  const double progress = std::min(
      1.0, static_cast<double>(n - warmup) / static_cast<double>(std::max<Index>(1, total - warmup)));
  return end + (peak - end) * 0.5 * (1 + cosine(std::numbers::pi * progress));
}

}  // namespace mesagrad
