// The paper's backward pass of the mesa-layer, for comparison: it keeps no more than the last R_t and
// runs the recursion backwards in time. Exact on paper; see nn/mesa.cpp for what the library does.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/tensor.h"

namespace mesagrad {

// One head of one sequence: q, k and p = dL/dq̃ are (T, K), row-major, in any floating-point type.
template <class Number>
struct TimeReversal {
  std::vector<Number> dq, dk;
  Number dlambda = 0;
  double start_error = 0;  // the recovered R_0 against λI: largest element of the difference, over λ

  TimeReversal(Index T, Index K, const Number* q, const Number* k, const Number* p, Number lambda)
      : dq(count(Shape({T, K}).size())), dk(dq), K_(K), R_(count(Shape({K, K}).size())), A_(R_) {
    for (Index i = 0; i < K; ++i) R(i, i) = lambda;
    for (Index t = 0; t < T; ++t) {
      // exercise 7.4: the key k_t, whose K numbers begin at k + t * K, turns R_{t-1} into R_t
      const Vec u = times(R_, k + t * K);
      add_outer(R_, Number(-1) / (1 + dot(u, k + t * K)), u, u);
      // end 7.4
    }
    for (Index t = T - 1; t >= 0; --t) {
      const Number *q_t = q + t * K, *k_t = k + t * K, *p_t = p + t * K;
      const Vec w = times(R_, k_t), Rp = times(R_, p_t);
      std::copy(Rp.begin(), Rp.end(), dq.begin() + t * K);
      // M = dL/dR_t: what later tokens say, and p qᵀ. R = H⁻¹ gives dk = -R (M + Mᵀ) R k.
      add_outer(A_, 1, Vec(p_t, p_t + K), Vec(q_t, q_t + K));
      Vec sum(count(K));
      for (Index i = 0; i < K; ++i) {
        for (Index j = 0; j < K; ++j)
          sum[count(i)] += (A_[count(i * K + j)] + A_[count(j * K + i)]) * w[count(j)];
      }
      const Vec g = times(R_, sum.data());
      for (Index i = 0; i < K; ++i) dk[count(t * K + i)] = -g[count(i)];
      // Back to R_{t-1} = R_t - w wᵀ/(k·w - 1), and to its gradient (I - β k uᵀ) M (I - β u kᵀ).
      add_outer(R_, Number(-1) / (dot(w, k_t) - 1), w, w);
      const Vec u = times(R_, k_t), key(k_t, k_t + K);
      const Number beta = Number(1) / (1 + dot(u, k_t));
      Vec left(count(K)), right(count(K));  // uᵀM and M u
      for (Index i = 0; i < K; ++i) {
        for (Index j = 0; j < K; ++j) {
          left[count(j)] += u[count(i)] * A_[count(i * K + j)];
          right[count(i)] += A_[count(i * K + j)] * u[count(j)];
        }
      }
      const Number both = dot(right, u.data());
      add_outer(A_, -beta, key, left);
      add_outer(A_, -beta, right, key);
      add_outer(A_, beta * beta * both, key, key);
    }
    for (Index i = 0; i < K; ++i) {
      dlambda += A_[count(i * K + i)];
      for (Index j = 0; j < K; ++j) {
        const double error =
            std::abs(static_cast<double>(R(i, j) - (i == j ? lambda : 0)) / static_cast<double>(lambda));
        start_error = error <= start_error ? start_error : error;  // a NaN counts as an error
      }
    }
  }

 private:
  using Vec = std::vector<Number>;
  static std::size_t count(Index i) { return static_cast<std::size_t>(i); }
  Number& R(Index i, Index j) { return R_[count(i * K_ + j)]; }
  Vec times(const Vec& matrix, const Number* x) const {
    Vec result(count(K_));
    for (Index i = 0; i < K_; ++i) {
      for (Index j = 0; j < K_; ++j) result[count(i)] += matrix[count(i * K_ + j)] * x[j];
    }
    return result;
  }
  Number dot(const Vec& a, const Number* b) const {
    Number sum = 0;
    for (Index i = 0; i < K_; ++i) sum += a[count(i)] * b[i];
    return sum;
  }
  void add_outer(Vec& matrix, Number factor, const Vec& a, const Vec& b) const {
    for (Index i = 0; i < K_; ++i) {
      for (Index j = 0; j < K_; ++j) matrix[count(i * K_ + j)] += factor * a[count(i)] * b[count(j)];
    }
  }

  Index K_;
  Vec R_, A_;  // A: the gradient of R from all later tokens
};

}  // namespace mesagrad
