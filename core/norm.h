// The Euclidean length of numbers whose squares may be too large or too small to be numbers.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/real.h"

namespace mesagrad {

// The largest |x_i| of n numbers, 0 of none. A NaN does not count.
template <class Number>
Number largest_of(Index n, const Number* x) {
  Number largest = 0;
  for (Index i = 0; i < n; ++i) largest = std::abs(x[i]) > largest ? std::abs(x[i]) : largest;
  return largest;
}

// A power of two: numbers up to `largest`, times it, are at most about 1, so that squares neither overflow
// nor vanish. To multiply by it, or to divide, rounds nothing. NaN if `largest` is infinite.
template <class Number>
Number scale_to_one(Number largest) {
  if (!std::isfinite(largest)) return std::numeric_limits<Number>::quiet_NaN();
  constexpr int most = std::numeric_limits<Number>::max_exponent - 1;
  return std::ldexp(Number{1}, largest == 0 ? 0 : std::min(most, -std::ilogb(largest)));
}

// The length of numbers is root/unit, with a power of two `unit`. NaN if one of them is NaN or infinite.
struct Norm {
  double unit, root;

  // `each(f)` calls f with all numbers, one after another, as often as it is asked to.
  template <class Each>
  explicit Norm(const Each& each) {
    double largest = 0, sum = 0;
    each([&](double x) { largest = std::max(largest, std::abs(x)); });
    unit = scale_to_one(largest);
    each([&](double x) { sum += (x * unit) * (x * unit); });
    root = std::sqrt(sum);
  }

  double value() const { return root / unit; }
};

// The length of the numbers f(0) .. f(n-1).
template <class F>
double norm_of(Index n, const F& f) {
  return Norm([&](const auto& take) {
           for (Index i = 0; i < n; ++i) take(f(i));
         }).value();
}

template <class Number>
double norm(const Number* x, Index n) {
  return norm_of(n, [=](Index i) { return static_cast<double>(x[i]); });
}

}  // namespace mesagrad
