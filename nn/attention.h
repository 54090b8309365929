// Causal linear attention: what a softmax attention head becomes without the softmax.
#pragma once
#include "core/tensor.h"

namespace mesagrad {

// B sequences, T tokens, H heads, K key size, V value size. For each sequence and head
//
//     out_t = Σ_{i <= t} (q_t · k_i) v_i        (no 1/√K, no normalization; i = t is included)
//
// q, k: (B, T, H·K), v: (B, T, H·V), result: (B, T, H·V); head h owns columns h·K .. h·K + K - 1.
// Costs about 2·T²·(K + V) flops for each sequence and head, and memory for 64 rows of scores for
// each thread. A NaN may reach a few tokens back. Throws if the shapes do not fit or H does not
// divide them.
// Paper: appendix on linear self-attention; the layer of Proposition 1.
Tensor causal_linear_attention(const Tensor& q, const Tensor& k, const Tensor& v, Index heads);

}  // namespace mesagrad
