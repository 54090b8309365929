// What the fused layers compute, and their gradients, written to be read: one head of one sequence, in
// double, straight from the definition, with nothing clever about it. The layers are tested against these.
//
// Queries and keys are (T, K), values (T, V), a row for each token; results are a row for each token. All
// throw if the shapes do not fit.
#pragma once
#include <vector>

#include "core/linalg.h"
#include "core/tensor.h"

namespace mesagrad::reference {

// Σ_{i <= t} (q_t·k_i) v_i
Matrix linear_attention(const Matrix& q, const Matrix& k, const Matrix& v);

// Σ_{i <= t} p_ti v_i, where the p_ti are the softmax of q_t·k_i/√K over i <= t.
Matrix softmax_attention(const Matrix& q, const Matrix& k, const Matrix& v);

// (Σ_{i <= t} k_i k_iᵀ + I/λ)⁻¹ q_t: the mesa-layer is linear attention with these queries.
Matrix preconditioned_queries(const Matrix& q, const Matrix& k, double lambda);

// With gates for each token (the names of nn/gated_mesa.h, here γ itself): Σ_{i<=t} Γ_ti β_i (q_t·k_i) v_i,
// and (Σ_{i<=t} Γ_ti β_i k_i k_iᵀ + Λ)⁻¹ q_t. Every Γ_ti is multiplied out anew.
struct TokenGate {
  double decay, strength;
};
Matrix gated_linear_attention(const Matrix& q, const Matrix& k, const Matrix& v,
                              const std::vector<TokenGate>& gates);
// S <- γ S + β (v_t - γ S k_t) k_tᵀ for each token in turn, and S q_t.
Matrix gated_delta_rule(const Matrix& q, const Matrix& k, const Matrix& v,
                        const std::vector<TokenGate>& gates);
Matrix gated_preconditioned_queries(const Matrix& q, const Matrix& k, const std::vector<TokenGate>& gates,
                                    const std::vector<double>& penalty);

// The gradients of the arguments of an attention, for `dout`, that of its result Σ_{i <= t} w_ti v_i. With
// dw_ti = dout_t·v_i, the gradient of a weight, and ds_ti, that of its score q_t·k_i,
//
//     dq_t = Σ_{i <= t} ds_ti k_i      dk_i = Σ_{t >= i} ds_ti q_t      dv_i = Σ_{t >= i} w_ti dout_t
//
//     linear     ds_ti = dw_ti
//     softmax    ds_ti = p_ti (dw_ti - Σ_{j <= t} p_tj dw_tj)/√K
struct AttentionGradients {
  Matrix q, k, v;
};
AttentionGradients linear_attention_gradients(const Matrix& q, const Matrix& k, const Matrix& v,
                                              const Matrix& dout);
AttentionGradients softmax_attention_gradients(const Matrix& q, const Matrix& k, const Matrix& v,
                                               const Matrix& dout);

// The gradients of the arguments of x_t = H_t⁻¹ q_t, the preconditioned queries, for `dx`: as d(H⁻¹) is
// -H⁻¹ dH H⁻¹, with y_t = H_t⁻¹ dx_t
//
//     dq_t = y_t      dk_i = -Σ_{t >= i} (y_t x_tᵀ + x_t y_tᵀ) k_i      dλ = Σ_t (y_t·x_t)/λ²
struct QueryGradients {
  Matrix q, k;
  double lambda;
};
QueryGradients preconditioned_query_gradients(const Matrix& q, const Matrix& k, double lambda,
                                              const Matrix& dx);

// Sequence b and head h of x (B, T, H·K), as a (T, K) matrix.
Matrix head_of(const Tensor& x, Index b, Index h, Index heads);

}  // namespace mesagrad::reference
