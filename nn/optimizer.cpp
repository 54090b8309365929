#include "nn/optimizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/elementary.h"
#include "core/norm.h"
#include "core/parallel.h"

namespace mesagrad {

constexpr double largest = std::numeric_limits<real>::max();

void clip_by_value(const Parameters& parameters, double bound) {
  check_parameters("clip_by_value", parameters);
  check(bound > 0, "clip_by_value: the bound is ", bound, ", it must be positive");
  // exercise 4.3: change every number of every gradient; p.tensor->grad() is that of parameter p
  for (const Parameter& p : parameters) {
    elementwise(p.tensor->size(), [g = p.tensor->grad(), b = static_cast<real>(bound)](Index i) {
      g[i] = std::min(std::max(g[i], -b), b);
    });
  }
  // end 4.3
}

double clip_by_norm(const Parameters& parameters, double bound) {
  check_parameters("clip_by_norm", parameters);
  check(bound > 0, "clip_by_norm: the bound is ", bound, ", it must be positive");
  for (const Parameter& p : parameters) {
    const real* g = p.tensor->grad();
    for (Index i = 0; i < p.tensor->size(); ++i) {
      check(std::isfinite(g[i]), "clip_by_norm: number ", i, " in the gradient of ", p.name, " ",
            p.tensor->shape(), " is ", g[i]);
    }
  }
  // exercise 4.4: the norm of all numbers together is what is returned, and what decides
  const Norm norm([&](const auto& f) {
    for (const Parameter& p : parameters) {
      const real* g = p.tensor->grad();
      for (Index i = 0; i < p.tensor->size(); ++i) f(static_cast<double>(g[i]));
    }
  });
  if (norm.value() <= bound) return norm.value();
  // The factor bound/norm = m·2^e may be too small for a number; its power of two is applied in two halves.
  int e;
  const auto m = static_cast<real>(std::frexp(bound / norm.root, &e));
  e += std::ilogb(norm.unit);
  const real half = std::ldexp(real{1}, e / 2), rest = std::ldexp(real{1}, e - e / 2);
  for (const Parameter& p : parameters) {
    elementwise(p.tensor->size(), [=, g = p.tensor->grad()](Index i) { g[i] = g[i] * m * half * rest; });
  }
  return norm.value();
  // end 4.4
}

void clip(const Parameters& parameters, const Clipping& clipping) {
  constexpr double none = std::numeric_limits<double>::infinity();
  if (clipping.value != none) clip_by_value(parameters, clipping.value);
  if (clipping.norm != none) clip_by_norm(parameters, clipping.norm);
}

void zero_grad(const Parameters& parameters) {
  check_parameters("zero_grad", parameters);
  for (const Parameter& p : parameters) p.tensor->zero_grad();
}

Optimizer::Optimizer(const char* name, Parameters parameters, std::vector<std::string> averages)
    : name_(name), parameters_(std::move(parameters)), names_(std::move(averages)), averages_(names_.size()) {
  check_parameters(name, parameters_);
  for (const Parameter& p : parameters_) {
    tensors_.push_back(*p.tensor);
    for (std::vector<Tensor>& average : averages_) average.emplace_back(p.tensor->shape());
  }
}

Parameters Optimizer::memory() {
  Parameters result;
  for (std::size_t n = 0; n < parameters_.size(); ++n) {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      result.push_back({names_[i] + "." + parameters_[n].name, &averages_[i][n]});
    }
  }
  return result;
}

void Optimizer::check_step(double rate) const {
  check_parameters(name_, parameters_);
  for (std::size_t n = 0; n < tensors_.size(); ++n) check_same_tensor(name_, parameters_[n], tensors_[n]);
  check(std::abs(rate) <= largest, name_, ": the learning rate is ", rate, ", it must be finite");
}

SGD::SGD(Parameters parameters, const Options& options)
    : Optimizer("SGD", std::move(parameters), {"velocity"}), options_(options) {
  check(options.momentum >= 0 && options.momentum < 1, "SGD: the momentum is ", options.momentum,
        ", it must be in [0, 1)");
}

void SGD::step(double rate) {
  check_step(rate);
  // exercise 4.5: change every parameter. The velocity of parameters_[n] is the tensor averages_[0][n].
  for (std::size_t n = 0; n < parameters_.size(); ++n) {
    const Tensor& p = *parameters_[n].tensor;
    elementwise(p.size(), [x = p.data(), g = p.grad(), v = averages_[0][n].data(),
                           mu = static_cast<real>(options_.momentum), r = static_cast<real>(rate)](Index i) {
      v[i] = mu * v[i] + g[i];
      x[i] -= r * v[i];
    });
  }
  // end 4.5
}

AdamW::AdamW(Parameters parameters, const Options& options)
    : Optimizer("AdamW", std::move(parameters), {"mean", "square"}), options_(options) {
  const auto is_share = [](double beta) { return beta >= 0 && beta < 1; };
  check(is_share(options.beta1) && is_share(options.beta2), "AdamW: beta1 is ", options.beta1,
        " and beta2 is ", options.beta2, "; they must be in [0, 1)");
  check(options.epsilon >= std::numeric_limits<real>::min() && options.epsilon <= largest,
        "AdamW: epsilon is ", options.epsilon, ", it must be positive and finite");
  check(options.decay >= 0 && options.decay <= largest, "AdamW: the decay is ", options.decay,
        ", it must be finite and not negative");
}

void AdamW::set_updates(Index n) {
  check(n >= 0, "AdamW: ", n, " updates; there can't be fewer than 0");
  updates_ = n;
}

void AdamW::step(double rate) {
  check_step(rate);
  for (const Parameter& p : parameters_) {  // an infinite average would stand still for ever
    const real most = largest_of(p.tensor->size(), p.tensor->grad());
    check(most * most <= std::numeric_limits<real>::max(), "AdamW: the gradient of ", p.name, " ",
          p.tensor->shape(), " has the element ", most, ", whose square is too large");
  }
  // Of parameters_[k], m is averages_[0][k] and v is averages_[1][k]. With decays_matrices_only, only tensors
  // of two or more dimensions decay.
  // exercise 4.6: count this update in updates_, and change all parameters
  ++updates_;
  const auto b1 = static_cast<real>(options_.beta1), b2 = static_cast<real>(options_.beta2);
  const auto c1 = static_cast<real>(1 - options_.beta1), c2 = static_cast<real>(1 - options_.beta2);
  const auto mean_scale = static_cast<real>(1 / (1 - power(options_.beta1, updates_)));
  const auto square_scale = static_cast<real>(1 / (1 - power(options_.beta2, updates_)));
  const auto epsilon = static_cast<real>(options_.epsilon);
  const auto r = static_cast<real>(rate);
  for (std::size_t k = 0; k < parameters_.size(); ++k) {
    const Tensor& p = *parameters_[k].tensor;
    const bool decays = !options_.decays_matrices_only || p.shape().rank() >= 2;
    const auto decay = static_cast<real>(decays ? options_.decay : 0);
    elementwise(p.size(), [=, x = p.data(), g = p.grad(), m = averages_[0][k].data(),
                           v = averages_[1][k].data()](Index i) {
      m[i] = b1 * m[i] + c1 * g[i];
      v[i] = b2 * v[i] + c2 * g[i] * g[i];
      const real direction = m[i] * mean_scale / (std::sqrt(v[i] * square_scale) + epsilon);
      x[i] -= r * (direction + decay * x[i]);
    });
  }
  // end 4.6
}

double WarmupCosine::operator()(Index n) const {
  check(n >= 0, "learning rate: there is no update ", n);
  // exercise 4.7: the three parts of the way. There may be no update at all in the first or in the second.
  if (n >= total) return end;
  if (n < warmup) return peak * static_cast<double>(n) / static_cast<double>(warmup);
  const double progress = static_cast<double>(n - warmup) / static_cast<double>(total - warmup);
  return end + (peak - end) * 0.5 * (1 + cosine(std::numbers::pi * progress));
  // end 4.7
}

}  // namespace mesagrad
