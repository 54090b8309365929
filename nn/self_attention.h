// A layer of causal self-attention, of any kind.
#pragma once
#include <cmath>
#include <string>
#include <utility>

#include "core/ops.h"
#include "nn/mixer.h"
#include "nn/normalization.h"
#include "nn/positions.h"

namespace mesagrad {

// B sequences, T tokens, D width, H heads, K key size.
struct SelfAttention {
  Mixer mixer;
  Index heads = 1;
  Tensor wq, wk;  // (D, H·K), or (D + P, H·K) with positions: head h owns columns h·K .. h·K + K - 1
  Tensor wv;      // (D, H·K): the same columns
  Tensor wo;      // (H·K, D): head h owns the rows of the same numbers
  bool unit_keys = false;  // queries and keys are brought to length 1, head by head;
  bool unit_values = false;  // or queries and values, as in mesa-layers of the paper's authors, who call
                             // their values keys
  bool shifted_keys = false;  // the key of token t is that of token t - 1, that of token 0 is zero: one layer
                              // finds what followed the like of a token (the paper's one-layer study of text)

  // x (B, T, D) to (B, T, D): Σ_h Σ_{i <= t} weight_h(t, i) x_i Wv_h Wo_h, where the weight is
  //
  //     linear    x_t Wq_h · x_i Wk_h
  //     softmax   the softmax of that over i <= t, divided by √K first
  //     mesa      R_t (x_t Wq_h) · x_i Wk_h, with the R_t of preconditioned_queries
  //
  // and for the gated kinds what nn/gated_layers.h says.
  //
  // With `positions`, a table of P numbers for each token, queries and keys are made of [x_t, P_t].
  // With a state, the sums begin with the tokens that it has read, and it has read x too.
  Tensor operator()(const Tensor& x, const Tensor& positions = {}, AttentionState* state = nullptr) const {
    const std::pair<Tensor, Tensor> qk = queries_and_keys(x, positions, state);
    Tensor v = matmul(x, wv);
    if (unit_values) v = unit_length(v, heads);
    const auto attend = [&](const auto& mix) {
      if constexpr (requires { mix(v, v, v, heads, x); }) return mix(qk.first, qk.second, v, heads, x, state);
      else return mix(qk.first, qk.second, v, heads, state);
    };
    const Tensor mixed = std::visit(attend, mixer);
    if (state != nullptr) state->tokens += x.dim(1);
    return matmul(mixed, wo);
  }

  // Of x (B, T, D): two tensors (B, T, H·K), before a mesa-layer preconditions its queries.
  std::pair<Tensor, Tensor> queries_and_keys(const Tensor& x, const Tensor& positions = {},
                                             AttentionState* state = nullptr) const {
    const Tensor seen = positions.defined() ? concatenate_positions(x, positions) : x;
    Tensor q = matmul(seen, wq), k = matmul(seen, wk);
    if (unit_keys || unit_values) q = unit_length(q, heads);
    if (unit_keys) k = unit_length(k, heads);
    if (shifted_keys) {
      const Tensor last = state == nullptr ? Tensor() : std::exchange(state->last_key, last_token(k));
      k = tokens_before(k, last);
    }
    return {std::move(q), std::move(k)};
  }

  Parameters parameters(const std::string& prefix) {
    Parameters result = {
        {prefix + "wq", &wq}, {prefix + "wk", &wk}, {prefix + "wv", &wv}, {prefix + "wo", &wo}};
    const Parameters own = std::visit([&](auto& mix) { return mix.parameters(prefix); }, mixer);
    result.insert(result.end(), own.begin(), own.end());
    return result;
  }
};

// With normal weights of this standard deviation, and the parameters that this kind starts with. `seen` is
// D, or D + P with positions. Throws unless all sizes are positive.
inline SelfAttention random_self_attention(const Mixer& kind, Index seen, Index width, Index heads,
                                           Index key_size, double deviation, Random& random) {
  check(seen > 0 && width > 0 && heads > 0 && key_size > 0, "self-attention: a width of ", width, " (with ",
        "positions ", seen, "), ", heads, " heads of key size ", key_size, "; all must be positive");
  check(deviation >= 0 && std::isfinite(deviation), "self-attention: the weights' standard deviation is ",
        deviation);
  const Index inner = Shape({heads, key_size}).size();
  const auto weight = [&](Index rows, Index columns) {
    return normal_parameter({rows, columns}, deviation, random);
  };
  SelfAttention layer;
  layer.mixer = kind;
  layer.heads = heads;
  layer.wq = weight(seen, inner);
  layer.wk = weight(seen, inner);
  layer.wv = weight(width, inner);
  layer.wo = weight(inner, width);
  const auto start = [&](auto& mix) {
    if constexpr (requires { mix.start(heads, width, key_size); }) mix.start(heads, width, key_size);
    else mix.start(heads);
  };
  std::visit(start, layer.mixer);
  return layer;
}

}  // namespace mesagrad
