// The Euclidean length of numbers whose squares may be too large or too small to be numbers.
#pragma once
#include <algorithm>
#include <cmath>
#include <span>

#include "core/real.h"

namespace mesagrad {

// The largest |x_i| of n numbers, 0 of none. A NaN does not count.
template <class Number>
Number largest_of(Index n, const Number* x) {
  Number largest = 0;
  for (Index i = 0; i < n; ++i) largest = std::abs(x[i]) > largest ? std::abs(x[i]) : largest;
  return largest;
}

// The length is root·2^exponent. All numbers are divided by a power of two near the largest of them before
// they are squared, which costs no digits. NaN or infinite if one of the numbers is.
class Norm {
 public:
  // `each(f)` calls f with all numbers, one after another, as often as it is asked to.
  template <class Each>
  explicit Norm(const Each& each) {
    double largest = 0;
    each([&](double x) { largest = std::max(largest, std::abs(x)); });
    if (largest > 0 && std::isfinite(largest)) exponent_ = std::max(std::ilogb(largest), -1000);
    const double unit = std::ldexp(1.0, -exponent_);
    double sum = 0;
    each([&](double x) { sum += (x * unit) * (x * unit); });
    root_ = std::sqrt(sum);
  }

  double value() const { return std::ldexp(root_, exponent_); }
  double root() const { return root_; }
  int exponent() const { return exponent_; }

 private:
  double root_ = 0;
  int exponent_ = 0;
};

// The length of n numbers, `stride` apart.
template <class Number>
double norm(const Number* x, Index n, Index stride = 1) {
  return Norm([=](const auto& f) {
           for (Index i = 0; i < n; ++i) f(static_cast<double>(x[i * stride]));
         }).value();
}

}  // namespace mesagrad
