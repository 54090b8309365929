// The mesa-layer that forgets, in other orders of the same arithmetic: one chunk of tokens after another.
#pragma once
#include "core/tensor.h"

namespace mesagrad {

// The result of gated_linear_attention with the queries of gated_preconditioned_queries, by at most `steps`
// steps of conjugate gradients for all tokens of a chunk side by side; chunk = T takes the whole sequence at
// once. Not differentiable. Shapes as in nn/gated_mesa.h; throws if they do not fit.
//
// With c_t the sum of log_decay from the chunk's beginning, W_ti = e^{c_t - c_i} β_i for i <= t, and the
// states H_0, G_0 of the tokens before the chunk, a row for each token,
//
//     P ↦ e^c ⊙ (P H_0) + ((P Kᵀ) ⊙ W) K + P Λ          is all products (H_t + Λ) p_t
//     O = e^c ⊙ (X G_0ᵀ) + ((X Kᵀ) ⊙ W) V
//
// No H_t is ever made, and everything is a product of matrices, which is what graphics processors are good
// at. A product costs C·K flops more for each token and step than one with H_t that is there.
Tensor chunked_gated_mesa(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& log_decay,
                          const Tensor& strength, const Tensor& penalty, Index heads, Index chunk,
                          Index steps);

}  // namespace mesagrad
