// e^x for all numbers of a vector at once. (std::exp takes one number at a time.)
#pragma once
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/simd.h"

namespace mesagrad {

// As x = n ln 2 + r with a whole number n and |r| <= ln 2 / 2,
//
//     e^x = 2^n e^r,      e^r = 1 + r + r²/2! + r³/3! + ...
//
// The series ends where its terms no longer count, and 2^n is n added to the number's binary exponent.
// The error is about one unit in the last place. 0 where e^x is smaller than the smallest normal number,
// infinity where it is too large, both to within one rounding of x; a NaN stays.
inline Vector exponential(Vector x) {
  using Limits = std::numeric_limits<real>;
  typedef std::conditional_t<sizeof(real) == 4, std::uint32_t, std::uint64_t> Bits
      __attribute__((vector_size(sizeof(Vector))));
  constexpr bool single = sizeof(real) == 4;
  constexpr int mantissa = Limits::digits - 1;  // bits
  constexpr long double ln2 = 0.693147180559945309417232121458L;
  // ln 2 in two parts, the first with so few digits that n times it is exact.
  constexpr real ln2_high = static_cast<real>(single ? 0.693359375L : 0.693145751953125L);
  constexpr real ln2_low = static_cast<real>(ln2 - static_cast<long double>(ln2_high));

  // Added to 1.5·2^mantissa a number loses its fraction, and n stands in the last bits of the sum.
  constexpr real shift = static_cast<real>(3LL << (mantissa - 1));
  const Vector shifted = x * static_cast<real>(1 / ln2) + shift;
  const Vector n = shifted - shift;
  const Vector r = (x - n * ln2_high) - n * ln2_low;

  constexpr int terms = single ? 7 : 13;
  constexpr auto inverse_factorial = [](int k) {
    long double result = 1;
    for (int i = 2; i <= k; ++i) result /= i;
    return static_cast<real>(result);
  };
  Vector sum = Vector{} + inverse_factorial(terms);
#pragma GCC unroll 16
  for (int k = terms - 1; k >= 0; --k) sum = sum * r + inverse_factorial(k);

  const Bits exponents = std::bit_cast<Bits>(shifted) << mantissa;
  const Vector result = std::bit_cast<Vector>(std::bit_cast<Bits>(sum) + exponents);
  constexpr real lowest = static_cast<real>((Limits::min_exponent - 1) * ln2);
  constexpr real highest = static_cast<real>(Limits::max_exponent * ln2);
  const Vector finite = x <= lowest ? Vector{} : x >= highest ? Vector{} + Limits::infinity() : result;
  return x == x ? finite : x;
}

}  // namespace mesagrad
