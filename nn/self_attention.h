// A layer of causal self-attention: linear, softmax, or mesa.
#pragma once
#include <cmath>
#include <string>
#include <utility>

#include "core/elementary.h"
#include "core/ops.h"
#include "nn/attention.h"
#include "nn/mesa.h"
#include "nn/normalization.h"
#include "nn/parameters.h"
#include "nn/positions.h"
#include "nn/softmax_attention.h"

namespace mesagrad {

// λ = log(1 + e^ρ) + 10⁻⁴. Training can step over the end of the positive numbers, where the mesa-layer
// throws, if it moves λ itself; if it moves ρ instead, λ is positive wherever ρ goes. The constant is
// there because log(1 + e^ρ) is 0 for ρ = -1000, to a computer. (The paper's code trains λ itself.)
constexpr double least_lambda = 1e-4;
inline Tensor positive_lambda(const Tensor& rho) {
  return softplus(rho) + Tensor(rho.shape(), static_cast<real>(least_lambda));
}

enum class Attention { linear, softmax, mesa };

// B sequences, T tokens, D width, H heads, K key size.
struct SelfAttention {
  Attention kind = Attention::linear;
  Index heads = 1;
  Tensor wq, wk;  // (D, H·K), or (D + P, H·K) with positions: head h owns columns h·K .. h·K + K - 1
  Tensor wv;      // (D, H·K): the same columns
  Tensor wo;      // (H·K, D): head h owns the rows of the same numbers
  Tensor lambda;  // (H), of a mesa-layer; or undefined, and there is
  Tensor rho;     // (H) with λ = positive_lambda(ρ)
  bool unit_keys = false;  // queries and keys are brought to length 1, head by head

  // x (B, T, D) to (B, T, D): Σ_h Σ_{i <= t} weight_h(t, i) x_i Wv_h Wo_h, where the weight is
  //
  //     linear    x_t Wq_h · x_i Wk_h
  //     softmax   the softmax of that over i <= t, divided by √K first
  //     mesa      R_t (x_t Wq_h) · x_i Wk_h, with the R_t of preconditioned_queries
  //
  // With `positions`, a table of P numbers for each token, queries and keys are made of [x_t, P_t].
  Tensor operator()(const Tensor& x, const Tensor& positions = {}) const {
    auto [q, k] = queries_and_keys(x, positions);
    if (kind == Attention::mesa) {
      q = preconditioned_queries(q, k, rho.defined() ? positive_lambda(rho) : lambda, heads);
    }
    const Tensor v = matmul(x, wv);
    return matmul(kind == Attention::softmax ? causal_softmax_attention(q, k, v, heads)
                                             : causal_linear_attention(q, k, v, heads), wo);
  }

  // Of x (B, T, D): two tensors (B, T, H·K), before a mesa-layer preconditions its queries.
  std::pair<Tensor, Tensor> queries_and_keys(const Tensor& x, const Tensor& positions = {}) const {
    const Tensor seen = positions.defined() ? concatenate_positions(x, positions) : x;
    Tensor q = matmul(seen, wq), k = matmul(seen, wk);
    if (unit_keys) {
      q = unit_length(q, heads);
      k = unit_length(k, heads);
    }
    return {std::move(q), std::move(k)};
  }

  Parameters parameters(const std::string& prefix) {
    Parameters result = {
        {prefix + "wq", &wq}, {prefix + "wk", &wk}, {prefix + "wv", &wv}, {prefix + "wo", &wo}};
    if (rho.defined()) {
      result.push_back({prefix + "rho", &rho});
    } else if (lambda.defined()) {
      result.push_back({prefix + "lambda", &lambda});
    }
    return result;
  }
};

// With normal weights of this standard deviation, and λ = 1 (or the ρ of it, if `softplus_lambda`) in a
// mesa-layer. `seen` is D, or D + P with positions. Throws unless all sizes are positive.
inline SelfAttention random_self_attention(Attention kind, Index seen, Index width, Index heads,
                                           Index key_size, double deviation, Random& random,
                                           bool softplus_lambda = false) {
  check(seen > 0 && width > 0 && heads > 0 && key_size > 0, "self-attention: a width of ", width, " (with ",
        "positions ", seen, "), ", heads, " heads of key size ", key_size, "; all must be positive");
  check(deviation >= 0 && std::isfinite(deviation), "self-attention: the weights' standard deviation is ",
        deviation);
  const Index inner = Shape({heads, key_size}).size();
  const auto weight = [&](Index rows, Index columns) {
    return normal_parameter({rows, columns}, deviation, random);
  };
  SelfAttention layer;
  layer.kind = kind;
  layer.heads = heads;
  layer.wq = weight(seen, inner);
  layer.wk = weight(seen, inner);
  layer.wv = weight(width, inner);
  layer.wo = weight(inner, width);
  if (kind == Attention::mesa && softplus_lambda) {
    const double rho = logarithm(exponential(1 - least_lambda) - 1);
    layer.rho = Tensor({heads}, static_cast<real>(rho)).requires_grad();
  } else if (kind == Attention::mesa) {
    layer.lambda = Tensor({heads}, 1).requires_grad();
  }
  return layer;
}

}  // namespace mesagrad
