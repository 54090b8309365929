#include "nn/reference.h"

#include <algorithm>
#include <cmath>

namespace mesagrad::reference {
namespace {

void check_shapes(const char* op, const Matrix& q, const Matrix& k, const Matrix& v) {
  check(q.rows() == k.rows() && q.columns() == k.columns() && v.rows() == k.rows(), op, ": queries (",
        q.rows(), ", ", q.columns(), "), keys (", k.rows(), ", ", k.columns(), ") and values (", v.rows(),
        ", ", v.columns(), ") do not fit");
}

double dot(const Matrix& a, Index i, const Matrix& b, Index j) {
  double sum = 0;
  for (Index c = 0; c < a.columns(); ++c) sum += a(i, c) * b(j, c);
  return sum;
}

// a_i += factor·b_j
void add(Matrix& a, Index i, double factor, const Matrix& b, Index j) {
  for (Index c = 0; c < a.columns(); ++c) a(i, c) += factor * b(j, c);
}

double root_of_key_size(const Matrix& k) {
  return std::sqrt(static_cast<double>(std::max<Index>(k.columns(), 1)));  // all scores are 0 if K is
}

// p_ti for i <= t.
std::vector<double> softmax_weights(const Matrix& q, const Matrix& k, Index t) {
  // exercise 8.1: positive weights that add up to 1, however large the scores are
  std::vector<double> p;
  double largest = -HUGE_VAL, sum = 0;
  for (Index i = 0; i <= t; ++i) {
    p.push_back(dot(q, t, k, i) / root_of_key_size(k));
    largest = std::max(largest, p.back());
  }
  for (double& weight : p) sum += weight = std::exp(weight - largest);  // the largest is e⁰: none overflows
  for (double& weight : p) weight /= sum;
  return p;
  // end 8.1
}

// Gradients to which nothing has been added yet.
AttentionGradients zeros(const char* op, const Matrix& q, const Matrix& k, const Matrix& v,
                         const Matrix& dout) {
  check_shapes(op, q, k, v);
  check(dout.rows() == v.rows() && dout.columns() == v.columns(), op, ": results (", v.rows(), ", ",
        v.columns(), ") and their gradient (", dout.rows(), ", ", dout.columns(), ") do not fit");
  return {Matrix(q.rows(), q.columns()), Matrix(k.rows(), k.columns()), Matrix(v.rows(), v.columns())};
}

// What the pair of token t and token i, with the weight w_ti and the gradient ds_ti, adds to all gradients.
void add_gradients(AttentionGradients& d, Index t, Index i, double w, double ds, const Matrix& q,
                   const Matrix& k, const Matrix& dout) {
  // exercise 3.2: one term of each of the three sums in reference.h
  add(d.q, t, ds, k, i);
  add(d.k, i, ds, q, t);
  add(d.v, i, w, dout, t);
  // end 3.2
}

}  // namespace

Matrix linear_attention(const Matrix& q, const Matrix& k, const Matrix& v) {
  check_shapes("reference::linear_attention", q, k, v);
  Matrix out(v.rows(), v.columns());
  // exercise 3.1: row t of the result, from the tokens i <= t
  for (Index t = 0; t < q.rows(); ++t) {
    for (Index i = 0; i <= t; ++i) add(out, t, dot(q, t, k, i), v, i);
  }
  // end 3.1
  return out;
}

Matrix softmax_attention(const Matrix& q, const Matrix& k, const Matrix& v) {
  check_shapes("reference::softmax_attention", q, k, v);
  Matrix out(v.rows(), v.columns());
  // exercise 8.1: the values, each as much as its weight says
  for (Index t = 0; t < q.rows(); ++t) {
    const std::vector<double> p = softmax_weights(q, k, t);
    for (Index i = 0; i <= t; ++i) add(out, t, p[static_cast<std::size_t>(i)], v, i);
  }
  // end 8.1
  return out;
}

Matrix preconditioned_queries(const Matrix& q, const Matrix& k, double lambda) {
  check_shapes("reference::preconditioned_queries", q, k, k);
  // exercise 7.2: for every token the matrix H_t, and the x_t with H_t x_t = q_t
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
  // end 7.2
}

namespace {

// What token t has kept of token i, times what that one counts: Γ_ti β_i.
double kept(const std::vector<TokenGate>& gates, Index t, Index i) {
  double share = gates.at(static_cast<std::size_t>(i)).strength;
  for (Index j = i + 1; j <= t; ++j) share *= gates.at(static_cast<std::size_t>(j)).decay;
  return share;
}

}  // namespace

Matrix gated_linear_attention(const Matrix& q, const Matrix& k, const Matrix& v,
                              const std::vector<TokenGate>& gates) {
  check_shapes("reference::gated_linear_attention", q, k, v);
  Matrix out(v.rows(), v.columns());
  // exercise 3.1: the same, but of token i counts what is kept
  for (Index t = 0; t < q.rows(); ++t) {
    for (Index i = 0; i <= t; ++i) add(out, t, kept(gates, t, i) * dot(q, t, k, i), v, i);
  }
  // end 3.1
  return out;
}

Matrix gated_delta_rule(const Matrix& q, const Matrix& k, const Matrix& v,
                        const std::vector<TokenGate>& gates) {
  check_shapes("reference::gated_delta_rule", q, k, v);
  Matrix S(v.columns(), k.columns()), out(v.rows(), v.columns());
  for (Index t = 0; t < q.rows(); ++t) {
    const TokenGate& gate = gates.at(static_cast<std::size_t>(t));
    for (double& s : S.values()) s *= gate.decay;
    for (Index i = 0; i < S.rows(); ++i) {
      add(S, i, gate.strength * (v(t, i) - dot(S, i, k, t)), k, t);
      out(t, i) = dot(S, i, q, t);
    }
  }
  return out;
}

Matrix gated_preconditioned_queries(const Matrix& q, const Matrix& k, const std::vector<TokenGate>& gates,
                                    const std::vector<double>& penalty) {
  check_shapes("reference::gated_preconditioned_queries", q, k, k);
  // exercise 7.2: the same where kept(gates, t, i) of token i is left, with `penalty` as the diagonal Λ
  const Index K = k.columns();
  Matrix solved(q.rows(), K);
  for (Index t = 0; t < q.rows(); ++t) {
    Matrix A(K, K), q_t(K, 1);
    for (Index j = 0; j < K; ++j) {
      A(j, j) = penalty.at(static_cast<std::size_t>(j));
      q_t(j, 0) = q(t, j);
    }
    for (Index i = 0; i <= t; ++i) {
      for (Index j = 0; j < K; ++j) add(A, j, kept(gates, t, i) * k(i, j), k, i);
    }
    const Matrix x = cholesky_solve(A, q_t);
    for (Index j = 0; j < K; ++j) solved(t, j) = x(j, 0);
  }
  return solved;
  // end 7.2
}

AttentionGradients linear_attention_gradients(const Matrix& q, const Matrix& k, const Matrix& v,
                                              const Matrix& dout) {
  AttentionGradients d = zeros("reference::linear_attention_gradients", q, k, v, dout);
  // exercise 3.2: all pairs of tokens, each with its weight and the gradient of its score
  for (Index t = 0; t < q.rows(); ++t) {
    for (Index i = 0; i <= t; ++i) add_gradients(d, t, i, dot(q, t, k, i), dot(dout, t, v, i), q, k, dout);
  }
  // end 3.2
  return d;
}

AttentionGradients softmax_attention_gradients(const Matrix& q, const Matrix& k, const Matrix& v,
                                               const Matrix& dout) {
  AttentionGradients d = zeros("reference::softmax_attention_gradients", q, k, v, dout);
  // exercise 8.2: as for linear attention, but for the weights and the gradients of the scores
  for (Index t = 0; t < q.rows(); ++t) {
    const std::vector<double> p = softmax_weights(q, k, t);
    double mean = 0;
    for (Index i = 0; i <= t; ++i) mean += p[static_cast<std::size_t>(i)] * dot(dout, t, v, i);
    for (Index i = 0; i <= t; ++i) {
      const double p_i = p[static_cast<std::size_t>(i)];
      add_gradients(d, t, i, p_i, p_i * (dot(dout, t, v, i) - mean) / root_of_key_size(k), q, k, dout);
    }
  }
  return d;
  // end 8.2
}

QueryGradients preconditioned_query_gradients(const Matrix& q, const Matrix& k, double lambda,
                                              const Matrix& dx) {
  // exercise 7.3: the three gradients, as the header has them
  const Matrix x = preconditioned_queries(q, k, lambda), y = preconditioned_queries(dx, k, lambda);
  const Index K = k.columns();
  QueryGradients d = {y, Matrix(k.rows(), K), 0};
  Matrix M(K, K);  // the sum of y_t x_tᵀ + x_t y_tᵀ over the tokens from t on
  for (Index t = q.rows() - 1; t >= 0; --t) {
    d.lambda += dot(y, t, x, t) / (lambda * lambda);
    for (Index i = 0; i < K; ++i) {
      for (Index j = 0; j < K; ++j) {
        M(i, j) += y(t, i) * x(t, j) + x(t, i) * y(t, j);
        d.k(t, i) -= M(i, j) * k(t, j);
      }
    }
  }
  return d;
  // end 7.3
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
