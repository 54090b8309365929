#include "core/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/norm.h"
#include "core/random.h"
#include "core/tape.h"

namespace mesagrad {
namespace {

double dot(const Tensor& a, const Tensor& b) {
  check(a.shape() == b.shape(), "check_gradients: f gives ", b.shape(), " and then ", a.shape());
  double sum = 0;
  for (Index i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

// Of the finite ones: a NaN is to be found where it is.
double root_mean_square(const real* values, Index n) {
  const double norm = norm_of(n, [=](Index i) { return std::isfinite(values[i]) ? double{values[i]} : 0; });
  return n > 0 ? norm / std::sqrt(static_cast<double>(n)) : 0;
}

// A number that is another for a while.
class Moved {
 public:
  explicit Moved(real& x) : x_(x), before_(x) {}
  ~Moved() { x_ = before_; }
  Moved(const Moved&) = delete;
  Moved& operator=(const Moved&) = delete;

 private:
  real& x_;
  real before_;
};

}  // namespace

std::string GradCheck::report() const {
  return text("relative error ", error, " at element ", element, " of input ", input,
              ": backward says ", analytic, ", the definition says ", numeric);
}

GradCheck check_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                          std::vector<Tensor> inputs, std::uint64_t seed) {
  for (Tensor& input : inputs) input.requires_grad();
  Random random(seed, stream::gradient_check);
  const auto random_like = [&](const Tensor& x, double deviation) {
    const Tensor result(x.shape());
    for (Index i = 0; i < x.size(); ++i) result[i] = static_cast<real>(deviation * random.normal());
    return result;
  };
  Tensor cotangent;
  const auto backward = [&] {
    Tape tape;
    const Tensor out = f(inputs);
    if (!cotangent.defined()) cotangent = random_like(out, 1);
    tape.backward(out, cotangent);
  };
  const auto part_size = [](double typical) { return typical > 0 ? typical : 1; };
  backward();
  std::vector<Tensor> alone, parts;  // gradients of the first pass, and what the second one is added to
  for (const Tensor& x : inputs) {
    alone.emplace_back(x.shape(), std::span<const real>(x.grad(), static_cast<std::size_t>(x.size())));
    parts.push_back(random_like(x, part_size(root_mean_square(x.grad(), x.size()))));
    std::copy_n(parts.back().data(), x.size(), x.grad());
  }
  backward();
  constexpr double step = sizeof(real) == 4 ? 0x1p-8 : 0x1p-17;  // about the cube root of the precision
  GradCheck worst;
  for (std::size_t n = 0; n < inputs.size(); ++n) {
    const Tensor& x = inputs[n];
    const double typical = root_mean_square(alone[n].data(), x.size());
    for (Index i = 0; i < x.size(); ++i) {
      const double center = static_cast<double>(x[i]);
      const double h = step * std::max(1.0, std::abs(center));
      const auto value_at = [&](double position) {
        const Moved moved(x[i]);
        x[i] = static_cast<real>(position);
        return std::pair{dot(f(inputs), cotangent), static_cast<double>(x[i])};
      };
      const auto [above, right] = value_at(center + h);
      const auto [below, left] = value_at(center - h);
      const double numeric = (above - below) / (right - left);
      const auto compare = [&](double analytic, double r) {
        const double size = std::abs(analytic) + std::abs(numeric) + r;
        const double error = size == 0 ? 0 : std::abs(analytic - numeric) / size;
        if (!(error <= worst.error)) {  // also true for NaN
          worst = {error, static_cast<Index>(n), i, analytic, numeric};
        }
      };
      compare(static_cast<double>(alone[n][i]), typical);
      const double with_part = static_cast<double>(x.grad()[i]);
      compare(with_part - static_cast<double>(parts[n][i]), part_size(typical));
      if (!std::isfinite(worst.error)) return worst;
    }
  }
  return worst;
}

}  // namespace mesagrad
