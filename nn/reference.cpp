#include "nn/reference.h"

#include <cmath>

namespace mesagrad::reference {
namespace {

void check_shapes(const char* op, const Matrix& q, const Matrix& k, const Matrix& v) {
  check(q.rows() == k.rows() && q.columns() == k.columns() && v.rows() == k.rows(), op, ": queries (", q.rows(),
        ", ", q.columns(), "), keys (", k.rows(), ", ", k.columns(), ") and values (", v.rows(), ", ",
        v.columns(), ") do not fit");
}

double dot(const Matrix& a, Index i, const Matrix& b, Index j) {
  double sum = 0;
  for (Index c = 0; c < a.columns(); ++c) sum += a(i, c) * b(j, c);
  return sum;
}

}  // namespace

Matrix linear_attention(const Matrix& q, const Matrix& k, const Matrix& v) {
  check_shapes("reference::linear_attention", q, k, v);
  Matrix out(v.rows(), v.columns());
  for (Index t = 0; t < q.rows(); ++t) {
    for (Index i = 0; i <= t; ++i) {
      const double score = dot(q, t, k, i);
      for (Index c = 0; c < v.columns(); ++c) out(t, c) += score * v(i, c);
    }
  }
  return out;
}

Matrix softmax_attention(const Matrix& q, const Matrix& k, const Matrix& v) {
  check_shapes("reference::softmax_attention", q, k, v);
  Matrix out(v.rows(), v.columns());
  for (Index t = 0; t < q.rows(); ++t) {
    std::vector<double> weight;
    double largest = -HUGE_VAL, sum = 0;
    for (Index i = 0; i <= t; ++i) {
      weight.push_back(dot(q, t, k, i) / std::sqrt(static_cast<double>(q.columns())));
      largest = std::max(largest, weight.back());
    }
    for (double& w : weight) sum += w = std::exp(w - largest);  // the largest is e⁰: none overflows
    for (Index i = 0; i <= t; ++i) {
      for (Index c = 0; c < v.columns(); ++c) out(t, c) += weight[static_cast<std::size_t>(i)] / sum * v(i, c);
    }
  }
  return out;
}

Matrix preconditioned_queries(const Matrix& q, const Matrix& k, double lambda) {
  check_shapes("reference::preconditioned_queries", q, k, k);
  const Index K = k.columns();
  Matrix solved(q.rows(), K), H(K, K);
  for (Index i = 0; i < K; ++i) H(i, i) = 1 / lambda;
  for (Index t = 0; t < q.rows(); ++t) {
    Matrix q_t(K, 1);
    for (Index i = 0; i < K; ++i) {
      q_t(i, 0) = q(t, i);
      for (Index j = 0; j < K; ++j) H(i, j) += k(t, i) * k(t, j);
    }
    const Matrix x = cholesky_solve(H, q_t);
    for (Index i = 0; i < K; ++i) solved(t, i) = x(i, 0);
  }
  return solved;
}

Matrix head_of(const Tensor& x, Index b, Index h, Index heads) {
  check(x.shape().rank() == 3 && b >= 0 && b < x.dim(0) && h >= 0 && h < heads && x.dim(2) % heads == 0,
        "reference::head_of: there is no sequence ", b, " and head ", h, " of ", heads, " in ", x.shape());
  const Index T = x.dim(1), K = x.dim(2) / heads;
  Matrix result(T, K);
  for (Index t = 0; t < T; ++t) {
    for (Index j = 0; j < K; ++j) result(t, j) = static_cast<double>(x[(b * T + t) * x.dim(2) + h * K + j]);
  }
  return result;
}

}  // namespace mesagrad::reference
