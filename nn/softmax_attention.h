// Causal softmax attention: what Transformers use.
#pragma once
#include <string>

#include "nn/attention_state.h"
#include "nn/parameters.h"

namespace mesagrad {

// B sequences, T tokens, H heads, K key size, V value size. For each sequence and head
//
//     out_t = Σ_{i <= t} p_ti v_i,      p_ti = exp(q_t·k_i/√K) / Σ_{j <= t} exp(q_t·k_j/√K)
//
// q, k: (B, T, H·K), v: (B, T, H·V), result: (B, T, H·V); head h owns columns h·K .. h·K + K - 1.
// The cost grows with the square of T: for each sequence and head T²·(K + V) flops and T²/2 exponentials.
// The (T, T) matrix of probabilities is never kept, only two numbers for each of its rows. Memory for
// each thread: keys and values, and a row of T scores for 8 queries, in the backward step two for 64.
// Scores may be as large as their type allows. A NaN may reach a few tokens back. Throws if the shapes
// do not fit or H does not divide them.
// Paper: appendix on softmax self-attention.
Tensor causal_softmax_attention(const Tensor& q, const Tensor& k, const Tensor& v, Index heads);

// The same with a state, whose caches hold the `tokens` keys and values before these: k and v are written
// behind them. The first call does as above; from the second on, one query after another is compared with all
// keys that are cached, for 2·t·(K + V) flops at token t. Without state: as above.
Tensor causal_softmax_attention(const Tensor& q, const Tensor& k, const Tensor& v, Index heads,
                                AttentionState* state);

// As a kind of attention (nn/mixer.h).
struct SoftmaxAttention : NoParameters {
  std::string name() const { return "softmax"; }
  Tensor operator()(const Tensor& q, const Tensor& k, const Tensor& v, Index heads,
                    AttentionState* state = nullptr) const {
    return causal_softmax_attention(q, k, v, heads, state);
  }
};

}  // namespace mesagrad
