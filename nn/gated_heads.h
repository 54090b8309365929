// What the gated layers share: heads, their gates, and matrices that decay.
#pragma once
#include <algorithm>

#include "core/elementary.h"
#include "core/parallel.h"
#include "core/scratch.h"
#include "nn/gated_mesa.h"
#include "nn/mesa_solver.h"

namespace mesagrad {

// One head of one sequence: row t of a tensor (B, T, H·n), n numbers.
class Head {
 public:
  Head(const Tensor& of, Index heads, Index problem)
      : stride_(of.dim(2)),
        offset_(problem / heads * of.dim(1) * stride_ + problem % heads * (stride_ / heads)) {}
  const real* row(const real* values, Index t) const { return values + offset_ + t * stride_; }
  void write(Tensor::GradPart to, Index t, Index n, const real* from) const {
    if (to.values == nullptr) return;
    real* row = to.values + offset_ + t * stride_;
    for (Index j = 0; j < n; ++j) row[j] = to.add ? row[j] + from[j] : from[j];
  }

 private:
  Index stride_, offset_;
};

// The gates of one head.
struct Gates {
  const real *log_decay, *strength;
  Head head;
  real decay(Index t) const {
    const real x = *head.row(log_decay, t);
    return static_cast<real>(exponential(x < least_log_decay ? least_log_decay : x > 0 ? 0 : x));
  }
  bool limited(Index t) const {
    const real x = *head.row(log_decay, t);
    return x < least_log_decay || x > 0;
  }
  real beta(Index t) const { return *head.row(strength, t); }
};

// A head's matrix of so many numbers before its first token: the one that is kept, or zeros.
inline real* first_matrix(const Tensor& kept, Index problem, Index numbers, Scratch& scratch) {
  if (kept.defined()) return kept.data() + problem * numbers;
  real* M = scratch.take<real>(numbers);
  std::fill_n(M, numbers, real{0});
  return M;
}

// M <- γ M + factor·a bᵀ, for M (rows, columns)
inline void decay_and_add(Index rows, Index columns, real decay, real factor, const real* a, const real* b,
                   real* M) {
  for (Index i = 0; i < rows; ++i) {
    const real f = factor * a[i];
    real* row = M + i * columns;
#pragma omp simd
    for (Index j = 0; j < columns; ++j) row[j] = decay * row[j] + f * b[j];
  }
}

// y = M x and y = Mᵀ x
inline void multiply(Index rows, Index columns, const real* M, const real* x, real* y) {
  for (Index i = 0; i < rows; ++i) y[i] = dot(columns, M + i * columns, x);
}
inline void multiply_transposed(Index rows, Index columns, const real* M, const real* x, real* y) {
  std::fill_n(y, columns, real{0});
  for (Index i = 0; i < rows; ++i) add_multiple(columns, x[i], M + i * columns, y);
}

inline void check_gates(const char* op, const Tensor& q, const Tensor& k, const Tensor& log_decay,
                        const Tensor& strength, Index heads) {
  const auto shapes = [&] {
    return text(op, ": q ", q.shape(), ", k ", k.shape(), ", log_decay ", log_decay.shape(), ", strength ",
                strength.shape());
  };
  check(heads > 0 && q.shape().rank() == 3 && q.shape() == k.shape() && q.dim(2) % heads == 0, shapes,
        ": expected q and k (B, T, H*K) for H = ", heads);
  const Shape gates{q.dim(0), q.dim(1), heads};
  check(log_decay.shape() == gates && strength.shape() == gates, shapes, ": expected gates ", gates);
}

// The arguments of a layer that keeps a matrix (V, K) for each head of each sequence.
struct GatedArguments {
  Tensor q, k, v, log_decay, strength;
  Index heads;

  Index B() const { return q.dim(0); }
  Index T() const { return q.dim(1); }
  Index K() const { return q.dim(2) / heads; }
  Index V() const { return v.dim(2) / heads; }

  void check_shapes(const char* op) const {
    check_gates(op, q, k, log_decay, strength, heads);
    check(v.shape().rank() == 3 && v.dim(0) == q.dim(0) && v.dim(1) == q.dim(1) && v.dim(2) % heads == 0, op,
          ": v ", v.shape(), " does not fit q ", q.shape(), " and ", heads, " heads");
  }

  // f(its number, its queries and keys, its values, its gates) for each of them, in parallel.
  template <class F>
  void each_head(const F& f) const {
    const Index problems = B() * heads;
    parallel_for(problems, [&](Index problem) {
      f(problem, Head(q, heads, problem), Head(v, heads, problem),
        Gates{log_decay.data(), strength.data(), Head(strength, heads, problem)});
    }, problems * T() * K() * V());
  }
};

}  // namespace mesagrad
