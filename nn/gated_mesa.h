// Attention that forgets: linear attention whose sums decay, and the mesa-layer's queries for such sums.
//
// B sequences, T tokens, H heads, K key size, V value size. Two gates belong to each token and head: how much
// of the past it keeps, γ_t = exp(log_decay_t), with log_decay limited to [-20, 0]; and how much it counts
// itself, β_t = strength_t >= 0. Let Γ_ti = γ_{i+1}·...·γ_t be what token t has kept of token i. Then
//
//     G_t = γ_t G_{t-1} + β_t v_t k_tᵀ = Σ_{i<=t} Γ_ti β_i v_i k_iᵀ
//     H_t = γ_t H_{t-1} + β_t k_t k_tᵀ = Σ_{i<=t} Γ_ti β_i k_i k_iᵀ
//
// and the matrix that fits the pairs (k_i, v_i) best, when each of them weighs Γ_ti β_i, is G_t (H_t + Λ)⁻¹,
// with a diagonal Λ, the penalty on its size, that no token decays. (Were it decayed too, as in the appendix
// of the paper on the mesa-layer, it would vanish in long sequences.)
//
// Before the first token both are 0, or what a state has kept of the tokens before.
//
// Source: MesaNet (von Oswald et al., arXiv 2506.05233), and its published layer.
#pragma once
#include "nn/attention_state.h"

namespace mesagrad {

constexpr double least_log_decay = -20;  // of one token: e⁻²⁰ is nothing, and is no zero

// G_t q_t = Σ_{i<=t} Γ_ti β_i (q_t·k_i) v_i. q, k: (B, T, H·K), v: (B, T, H·V), log_decay, strength:
// (B, T, H), result: (B, T, H·V). Throws if the shapes do not fit.
// Costs 5KV flops for each token and head, and 9KV backwards, whatever T is. Keeps every 32nd G.
Tensor gated_linear_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& log_decay,
                              const Tensor& strength, Index heads, AttentionState* state = nullptr);

// How (H_t + Λ) x = q is solved.
struct MesaSolver {
  static constexpr Index exact = -1;     // by elimination (nn/exact_solver.h): K³/3 + 2K² flops
  static constexpr Index converged = -2; // by conjugate gradients, K + 8 steps at most
  // Or so many steps of conjugate gradients at most, of 2K² flops each, from x = 0. Their gradient is that of
  // an exact solution: it is right only if they have converged.
  Index steps = exact;
};

// x_t = (H_t + Λ)⁻¹ q_t: gated linear attention with these queries is a mesa-layer that forgets.
// q, k: (B, T, H·K), log_decay, strength: (B, T, H), penalty: (H·K), the diagonals Λ; result: (B, T, H·K).
// Throws if the shapes do not fit, or unless every penalty is finite and positive.
Tensor gated_preconditioned_queries(const Tensor& q, const Tensor& k, const Tensor& log_decay,
                                    const Tensor& strength, const Tensor& penalty, Index heads,
                                    const MesaSolver& solver = {}, AttentionState* state = nullptr);

}  // namespace mesagrad
