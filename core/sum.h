// Sums in an order that depends on nothing but the number of terms.
//
// A sum of rounded numbers depends on the order of its additions, and a vector register suggests one:
// a sum for each lane, then the sum of the lanes. Registers hold 2 to 16 numbers, so each machine would
// get sums of its own. Here there are always 64 bytes of partial sums, in as many registers as that
// takes: term j belongs to part j mod 16 (in double, mod 8), and in the end the upper half of the parts
// is added to the lower half until one is left.
#pragma once
#include "core/simd.h"

namespace mesagrad {

// Σ_j of the terms j = 0 .. n-1. f(j) is the vector of the terms from j on, a multiple of `lanes`; it is
// called once for each such j in rising order, and may hold anything behind term n-1.
template <class F>
real sum_of(Index n, const F& f) {
  constexpr Index registers = 64 / sizeof(Vector), parts = registers * lanes;
  Vector sum[registers] = {};
  Index j = 0;
  for (; j + parts <= n; j += parts) {
#pragma GCC unroll 4
    for (Index r = 0; r < registers; ++r) sum[r] += f(j + r * lanes);
  }
#pragma GCC unroll 4
  for (Index r = 0; r < registers; ++r, j += lanes) {
    if (j < n) sum[r] += first(n - j < lanes ? n - j : lanes, f(j), 0);
  }
#pragma GCC unroll 2
  for (Index half = registers / 2; half > 0; half /= 2) {
#pragma GCC unroll 2
    for (Index r = 0; r < half; ++r) sum[r] += sum[r + half];
  }
  return over_lanes(sum[0], [](Vector a, Vector b) { return a + b; })[0];
}

// Σ_j f(j) of the numbers f(0) .. f(n-1) in double precision, whatever the precision of a vector.
template <class F>
double sum_in_double(Index n, const F& f) {
  constexpr Index parts = 8;
  double sum[parts] = {};
  Index j = 0;
  for (; j + parts <= n; j += parts) {
#pragma omp simd
    for (Index p = 0; p < parts; ++p) sum[p] += f(j + p);
  }
  for (Index p = 0; j < n; ++p, ++j) sum[p] += f(j);
  for (Index half = parts / 2; half > 0; half /= 2) {
    for (Index p = 0; p < half; ++p) sum[p] += sum[p + half];
  }
  return sum[0];
}

}  // namespace mesagrad
