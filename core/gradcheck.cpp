#include "core/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/random.h"
#include "core/tape.h"

namespace mesagrad {
namespace {

double dot(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (Index i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

// Of the finite ones: a NaN is to be found where it is.
double root_mean_square(const real* values, Index n) {
  double sum = 0;
  for (Index i = 0; i < n; ++i) {
    if (std::isfinite(values[i])) sum += static_cast<double>(values[i]) * values[i];
  }
  return n > 0 ? std::sqrt(sum / static_cast<double>(n)) : 0;
}

}  // namespace

std::string GradCheck::report() const {
  return text("relative error ", error, " at element ", element, " of input ", input,
              ": backward says ", analytic, ", the definition says ", numeric);
}

GradCheck check_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                          std::vector<Tensor> inputs, std::uint64_t seed) {
  for (Tensor& input : inputs) input.requires_grad();
  Tensor cotangent;
  {
    Tape tape;
    const Tensor out = f(inputs);
    cotangent = Tensor(out.shape());
    Random random(seed, stream::gradient_check);
    for (Index i = 0; i < cotangent.size(); ++i) cotangent[i] = static_cast<real>(random.normal());
    tape.backward(out, cotangent);
  }
  const double step = std::cbrt(std::numeric_limits<real>::epsilon());
  GradCheck worst;
  for (std::size_t n = 0; n < inputs.size(); ++n) {
    const Tensor& x = inputs[n];
    const double typical = root_mean_square(x.grad(), x.size());
    for (Index i = 0; i < x.size(); ++i) {
      const real center = x[i];
      const double h = step * std::max(1.0, std::abs(static_cast<double>(center)));
      const auto value_at = [&](double position) {
        x[i] = static_cast<real>(position);
        return std::pair{dot(f(inputs), cotangent), static_cast<double>(x[i])};
      };
      const auto [above, right] = value_at(center + h);
      const auto [below, left] = value_at(center - h);
      x[i] = center;
      const double numeric = (above - below) / (right - left);
      const double analytic = x.grad()[i];
      const double size = std::abs(analytic) + std::abs(numeric) + typical;
      const double error = size == 0 ? 0 : std::abs(analytic - numeric) / size;
      if (!(error <= worst.error)) {  // also true for NaN
        worst = {error, static_cast<Index>(n), i, analytic, numeric};
      }
      if (!std::isfinite(worst.error)) return worst;
    }
  }
  return worst;
}

}  // namespace mesagrad
