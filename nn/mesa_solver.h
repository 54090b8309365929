// Solving (H + Λ) x = q for one token of a mesa-layer that forgets, where H is symmetric without negative
// eigenvalues and the diagonal Λ is positive, by conjugate gradients. H is (K, K), row-major. Nothing here
// compares with an absolute constant: numbers may be of any size. (The exact solver: nn/exact_solver.h.)
#pragma once
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/real.h"

namespace mesagrad {

real dot(Index n, const real* a, const real* b);

// to += factor·from
inline void add_multiple(Index n, real factor, const real* from, real* to) {
#pragma omp simd
  for (Index j = 0; j < n; ++j) to[j] += factor * from[j];
}

// y = (H + Λ) x
inline void multiply_penalized(Index K, const real* H, const real* penalty, const real* x, real* y) {
#pragma omp simd
  for (Index j = 0; j < K; ++j) y[j] = penalty[j] * x[j];
  for (Index i = 0; i < K; ++i) add_multiple(K, x[i], H + i * K, y);
}

// One step of conjugate gradients after another, for a product y = A p that the caller knows how to make:
//
//     α = r·r/(p·y),   x += α p,   r' = r - α y,   p = r' + (r'·r'/(r·r)) p,   r = r',
//
// from x = 0, r = p = q.
//
// x after s steps is the best of all combinations of q, Aq, .. Aˢ⁻¹q. They end when ‖r‖ <= 10⁻⁵‖q‖, which is
// relative: gradients of 10⁻⁸ are solved for as well as queries of 1. They end too, and keep x, when p·y is
// not positive or not a number: then A is not positive, for a computer, and further steps would explode.
// q is brought to a largest number near 1 first, so that no square vanishes; r, p, y: memory for K numbers.
template <class Multiply>
void conjugate_gradients(Index K, Index steps, const Multiply& multiply, const real* q, real* x, real* r,
                         real* p, real* y) {
  real largest = 0;
  for (Index j = 0; j < K; ++j) largest = std::abs(q[j]) > largest ? std::abs(q[j]) : largest;
  const real unit = largest > 0 ? largest : real{1};
  for (Index j = 0; j < K; ++j) {
    x[j] = 0;
    r[j] = p[j] = q[j] / unit;
  }
  real square = dot(K, r, r);
  if (std::isnan(square)) std::fill_n(x, K, square);  // a query that is no number has no answer
  const real enough = real(1e-10) * square;
  // exercise 7.7: at most `steps` steps, while r·r, which `square` is now, is above `enough`
  for (Index s = 0; s < steps && square > enough; ++s) {
    multiply(p, y);
    const real curvature = dot(K, p, y);
    if (!(curvature > 0) || !std::isfinite(curvature)) break;
    const real alpha = square / curvature;
    add_multiple(K, alpha, p, x);
    add_multiple(K, -alpha, y, r);
    const real before = square;
    square = dot(K, r, r);
    const real beta = square / before;
#pragma omp simd
    for (Index j = 0; j < K; ++j) p[j] = r[j] + beta * p[j];
  }
  // end 7.7
  for (Index j = 0; j < K; ++j) x[j] *= unit;
}

}  // namespace mesagrad
