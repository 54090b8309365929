// What the fused layers compute, written to be read: one head of one sequence, in double, straight from the
// definition, with nothing clever about it. The layers are tested against these.
//
// Queries and keys are (T, K), values (T, V), a row for each token; results are a row for each token. All
// throw if the shapes do not fit.
#pragma once
#include "core/linalg.h"
#include "core/tensor.h"

namespace mesagrad::reference {

// Σ_{i <= t} (q_t·k_i) v_i
Matrix linear_attention(const Matrix& q, const Matrix& k, const Matrix& v);

// Σ_{i <= t} p_ti v_i, where the p_ti are the softmax of q_t·k_i/√K over i <= t.
Matrix softmax_attention(const Matrix& q, const Matrix& k, const Matrix& v);

// (Σ_{i <= t} k_i k_iᵀ + I/λ)⁻¹ q_t: the mesa-layer is linear attention with these queries.
Matrix preconditioned_queries(const Matrix& q, const Matrix& k, double lambda);

// Sequence b and head h of x (B, T, H·K), as a (T, K) matrix.
Matrix head_of(const Tensor& x, Index b, Index h, Index heads);

}  // namespace mesagrad::reference
