// What lesson 1 measures with, besides the library: none of it is the lesson's subject.
#pragma once
#include <algorithm>
#include <cmath>
#include <span>

#include "core/elementary.h"
#include "core/linalg.h"
#include "tasks/linear_dynamics.h"
#include "tasks/loss_curve.h"

namespace mesagrad {

// The loss of who is told each sequence's W and predicts W s_t, on the first `count` test sequences.
inline LossCurve knowing_the_system(const LinearDynamics& task, std::uint64_t seed, Index count) {
  return loss_curve(count, task.tokens, [&](Index first, Index part, double* out) {
    for (Index i = first; i < first + part; ++i) {
      const auto [W, s] = task.sample(Random(seed, stream::test_data, static_cast<std::uint64_t>(i)));
      const Matrix guess = multiply(s, transpose(W));  // row t is W s_t
      for (Index k = 0; k < task.tokens; ++k, ++out) {
        *out = 0;
        for (Index j = 0; j < task.dimension; ++j) *out += power(guess(k, j) - s(k + 1, j), 2) / 2;
      }
    }
  });
}

// What `ours` pays on top of `floor`, from position `first` on, as a part of what `theirs` pays.
inline double excess_ratio(const LossCurve& ours, const LossCurve& theirs, const LossCurve& floor,
                           std::size_t first) {
  double our_excess = 0, their_excess = 0;
  for (std::size_t t = first; t < floor.mean.size(); ++t) {
    our_excess += ours.mean[t] - floor.mean[t];
    their_excess += theirs.mean[t] - floor.mean[t];
  }
  return our_excess / their_excess;
}

// How many standard errors two means of positions t are apart, in root mean square over t. Two
// measurements of the same thing give about 1. `ours` also tells how much a single sequence varies,
// which holds for theirs too.
inline double distance(const LossCurve& ours, std::span<const double> theirs, int their_sequences) {
  double squares = 0;
  for (std::size_t t = 0; t < theirs.size(); ++t) {
    const double variance = ours.deviation[t] * ours.deviation[t] *
                            (1.0 / static_cast<double>(ours.sequences) + 1.0 / their_sequences);
    squares += (ours.mean[t] - theirs[t]) * (ours.mean[t] - theirs[t]) / variance;
  }
  return std::sqrt(squares / static_cast<double>(theirs.size()));
}

// The orthogonal matrix (d, d) that is nearest to X (d, d). Write X = U S Vᵀ with singular values S; it is
// U Vᵀ. The inverse of Xᵀ has the same U and V, and 1/S. So the mean of the two, again and again, changes
// nothing but the singular values, from σ to (σ + 1/σ)/2, and those tend to 1: it is Newton's method for
// σ² = 1. The balance brings them near 1 first, where Newton's method is fast.
inline Matrix nearest_orthogonal(Matrix X) {
  for (int iteration = 0; iteration < 30; ++iteration) {
    const Matrix inverse = transpose(lu_solve(X, Matrix::identity(X.rows())));
    const double balance = std::sqrt(frobenius_norm(inverse) / frobenius_norm(X));
    double change = 0;
    for (Index i = 0; i < X.rows(); ++i) {
      for (Index j = 0; j < X.columns(); ++j) {
        const double next = (balance * X(i, j) + inverse(i, j) / balance) / 2;
        change = std::max(change, std::abs(next - X(i, j)));
        X(i, j) = next;
      }
    }
    if (change < 1e-9) break;  // the digits double in every iteration, so all are there
  }
  return X;
}

// An orthonormal basis, in columns (d, count), of what `count` states from the first one on span, of states
// (T + 1, d); count <= d.
inline Matrix span_of(const Matrix& states, Index first, Index count) {
  Matrix columns(states.columns(), count);
  for (Index i = 0; i < states.columns(); ++i) {
    for (Index k = 0; k < count; ++k) columns(i, k) = states(first + k, i);
  }
  return qr(columns).q;
}

}  // namespace mesagrad
