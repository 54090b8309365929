// e^x for all numbers of a vector at once. (std::exp takes one number at a time, and is another function
// on every system.)
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/simd.h"

namespace mesagrad {

constexpr double inverse_factorial(int k) {
  double factorial = 1;
  for (int i = 2; i <= k; ++i) factorial *= i;  // exact up to 22!
  return 1 / factorial;
}

inline double multiply_add(double a, double b, double c) { return std::fma(a, b, c); }

// As x = n ln 2 + r with a whole number n and |r| <= ln 2 / 2,
//
//     e^x = 2^n e^r,      e^r = 1 + r + r²/2! + r³/3! + ...
//
// The series ends where its terms no longer count, and 2^n is n added to the number's binary exponent.
// The error is about one unit in the last place. 0 where e^x is smaller than the smallest normal number,
// infinity where it is too large, both to within one rounding of x; a NaN stays.
//
// Numbers is a vector of `Number`, or a single one; Bits are as many unsigned integers of the same size.
template <class Number, class Bits, class Numbers>
Numbers exponential_series(Numbers x) {
  using Limits = std::numeric_limits<Number>;
  constexpr bool single = sizeof(Number) == 4;
  constexpr int mantissa = Limits::digits - 1;  // bits
  const auto all = [](double number) { return static_cast<Number>(number) - Numbers{}; };

  // ln 2 in two parts, the first with so few digits that n times it is exact.
  constexpr double ln2 = 0.69314718055994530942;
  constexpr double ln2_high = single ? 0.693359375 : 0.693145751953125;
  constexpr double ln2_low = single ? -2.1219444005469058277e-4 : 1.4286068203094172321e-6;

  // Added to 1.5·2^mantissa a number loses its fraction, and n stands in the last bits of the sum.
  constexpr Number shift = static_cast<Number>(3LL << (mantissa - 1));
  const Numbers shifted = multiply_add(x, all(1 / ln2), all(shift));
  const Numbers n = shifted - shift;
  const Numbers r = multiply_add(n, all(-ln2_low), multiply_add(n, all(-ln2_high), x));

  constexpr int terms = single ? 7 : 13;
  Numbers sum = all(inverse_factorial(terms));
#pragma GCC unroll 16
  for (int k = terms - 1; k >= 0; --k) sum = multiply_add(sum, r, all(inverse_factorial(k)));

  const Bits exponents = std::bit_cast<Bits>(shifted) << mantissa;
  const Numbers result = std::bit_cast<Numbers>(std::bit_cast<Bits>(sum) + exponents);
  constexpr Number lowest = static_cast<Number>((Limits::min_exponent - 1) * ln2);
  constexpr Number highest = static_cast<Number>(Limits::max_exponent * ln2);
  const Numbers finite = x <= lowest ? Numbers{} : x >= highest ? all(Limits::infinity()) : result;
  return x == x ? finite : x;
}

inline Vector exponential(Vector x) {
  typedef std::conditional_t<sizeof(real) == 4, std::uint32_t, std::uint64_t> Bits
      __attribute__((vector_size(sizeof(Vector))));
  return exponential_series<real, Bits>(x);
}

}  // namespace mesagrad
