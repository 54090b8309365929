#include "core/elementary.h"

#include <cmath>
#include <limits>

#include "core/exponential.h"

namespace mesagrad {
namespace {

// x = n·π/2 + r with a whole number n and |r| <= π/4, about. π/2 is taken in three parts: near a multiple
// of it almost all digits of x cancel, and what is left is as small as the later parts.
struct Reduced {
  double n, r;
  explicit Reduced(double x)
      : n(std::rint(x * 0.63661977236758134308)),
        r(multiply_add(n, 1.4973849048591833e-33,
                       multiply_add(n, -6.123233995736766e-17, multiply_add(n, -1.5707963267948966, x)))) {}
};

// Σ ±rᵏ⁻ᶠ/k! over k = first = f, f + 2, .. last, where square = r²; the sign is that of the series below.
template <int first, int last>
double alternating_series(double square) {
  double sum = 0;
#pragma GCC unroll 8
  for (int k = last; k >= first; k -= 2) {
    sum = multiply_add(sum, square, k % 4 < 2 ? inverse_factorial(k) : -inverse_factorial(k));
  }
  return sum;
}

// r - r³/3! + r⁵/5! - ... and 1 - r²/2! + r⁴/4! - ...
double sine_series(double r) { return multiply_add(alternating_series<3, 17>(r * r) * (r * r), r, r); }
double cosine_series(double r) {
  return 1 + multiply_add(alternating_series<4, 18>(r * r) * (r * r), r * r, -(r * r) / 2);
}

// sin(x + quarters·π/2)
double sine_of(double x, int quarters) {
  if (!(std::abs(x) < 1e9)) return std::numeric_limits<double>::quiet_NaN();
  const Reduced reduced(x);
  const int quadrant = (static_cast<int>(reduced.n) + quarters) & 3;
  const double size = quadrant % 2 == 0 ? sine_series(reduced.r) : cosine_series(reduced.r);
  return quadrant < 2 ? size : -size;
}

}  // namespace

double exponential(double x) { return exponential_series<double, std::uint64_t>(x); }

// With x = 2^e·m, 1/√2 <= m < √2, and f = m - 1,
//
//     log(1 + f) = 2 artanh(s) = 2(s + s³/3 + s⁵/5 + ...),      s = f/(2 + f), |s| <= 0.172.
//
// As 2s = f - s·f, this is f - s·(f - R) with R = 2(s²/3 + s⁴/5 + ...): the large part f is exact.
double logarithm(double x) {
  if (x == 0) return -std::numeric_limits<double>::infinity();
  if (!(x > 0)) return std::numeric_limits<double>::quiet_NaN();
  if (x == std::numeric_limits<double>::infinity()) return x;
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < 0.70710678118654752440) m *= 2, --exponent;
  const double f = m - 1, s = f / (2 + f), square = s * s;
  double series = 0;
#pragma GCC unroll 10
  for (int k = 21; k >= 3; k -= 2) series = multiply_add(series, square, 2.0 / k);
  const double fraction = f - s * (f - series * square);
  // ln 2 in two parts, the first with so few digits that the exponent times it is exact.
  return multiply_add(exponent, 0.693145751953125,
                      multiply_add(exponent, 1.4286068203094172321e-6, fraction));
}

// The sum u = 1 + x loses the last digits of x; (x - (u - 1))/u is what the logarithm thereby lacks.
double log_one_plus(double x) {
  const double u = 1 + x;
  if (!(u < std::numeric_limits<double>::infinity())) return logarithm(u);
  return logarithm(u) + (x - (u - 1)) / u;
}

double power(double x, Index n) {
  double result = 1;
  for (; n > 0; n /= 2, x *= x) {
    if (n % 2 == 1) result *= x;
  }
  return result;
}

double sine(double x) { return sine_of(x, 0); }
double cosine(double x) { return sine_of(x, 1); }

}  // namespace mesagrad
