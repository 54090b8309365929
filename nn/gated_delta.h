// The delta rule with gates: attention that overwrites what it remembered under a key.
#pragma once
#include "nn/attention_state.h"

namespace mesagrad {

// For each sequence and head, with the gates γ_t = exp(log_decay_t) and β_t of nn/gated_mesa.h,
//
//     S_t = γ_t S_{t-1} + β_t (v_t - γ_t S_{t-1} k_t) k_tᵀ      out_t = S_t q_t
//
// which is a step of gradient descent, of the size β_t, on ½‖v_t - S k_t‖² alone. With keys of length 1 and
// β = 1, S_t k_t is v_t. It is stable as long as β‖k‖² <= 2.
// q, k: (B, T, H·K), v: (B, T, H·V), log_decay, strength: (B, T, H), result: (B, T, H·V). Throws if the
// shapes do not fit. With a state, S_0 is the one that it keeps. Backwards, each thread keeps all T matrices
// S of a head.
// Source: Yang, Kautz and Hatamizadeh, "Gated delta networks", 2024.
Tensor gated_delta_rule(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& log_decay,
                        const Tensor& strength, Index heads, AttentionState* state = nullptr);

}  // namespace mesagrad
