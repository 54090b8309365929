// Causal linear attention: what a softmax attention head becomes without the softmax.
#pragma once
#include <string>

#include "nn/attention_state.h"
#include "nn/key_features.h"
#include "nn/parameters.h"

namespace mesagrad {

// B sequences, T tokens, H heads, K key size, V value size. For each sequence and head
//
//     out_t = Σ_{i <= t} (q_t · k_i) v_i        (no 1/√K, no normalization; i = t is included)
//
// q, k: (B, T, H·K), v: (B, T, H·V), result: (B, T, H·V); head h owns columns h·K .. h·K + K - 1.
// The cost grows linearly with T: for each sequence and head T·min(T, 64)·(K + V) flops and, if there
// are more than 64 tokens, 4·T·K·V more. Memory for each thread: 64 rows of 64 scores, 64 keys or values,
// and a (K, V) matrix (three in the backward step). A NaN may reach a few tokens back. Throws if the shapes
// do not fit or H does not divide them.
// Paper: appendix on linear self-attention; the layer of Proposition 1.
Tensor causal_linear_attention(const Tensor& q, const Tensor& k, const Tensor& v, Index heads);

// The same with a state to go on from: its S begins the sum, and one token after another adds to it, as in
// gated attention whose gates are all 1, for 5·K·V flops for each token and head. Without state: as above.
Tensor causal_linear_attention(const Tensor& q, const Tensor& k, const Tensor& v, Index heads,
                               AttentionState* state);

// As a kind of attention (nn/mixer.h).
struct LinearAttention {
  KeyFeatures features = {};

  std::string name() const { return "linear" + features.name(); }
  void start(Index) {}
  Parameters parameters(const std::string&) { return {}; }
  Tensor operator()(const Tensor& q, const Tensor& k, const Tensor& v, Index heads,
                    AttentionState* state = nullptr) const {
    return features.outputs(
        causal_linear_attention(features.keys(q, heads), features.keys(k, heads), v, heads, state), heads);
  }
};

}  // namespace mesagrad
