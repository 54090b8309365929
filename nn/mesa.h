// The mesa-layer's queries: what turns linear attention into an exact least-squares solver.
#pragma once
#include "core/tensor.h"

namespace mesagrad {

// A head of the mesa-layer predicts with the matrix Φ_t that fits all pairs (key, value) so far best:
//
//     Φ_t = argmin_Φ  ½ Σ_{i<=t} ||v_i - Φ k_i||² + ||Φ||²/(2λ)
//
// Setting the derivative to zero, Φ_t = (Σ v_i k_iᵀ)·R_t with R_t = (Σ k_i k_iᵀ + I/λ)⁻¹, so
//
//     out_t = Φ_t q_t = Σ_{i<=t} v_i (k_i · q̃_t),      q̃_t = R_t q_t:
//
// linear attention with other queries, which are the result of this function. With λ -> 0 they are
// λ·q_t, and the mesa-layer is linear attention.
//
// q, k: (B, T, H·K), lambda: (H), result: (B, T, H·K); head h owns columns h·K .. h·K + K - 1.
// A new pair changes R_t by a matrix of rank one (Sherman-Morrison), so this costs 7K² flops for each
// token and head, and memory for one R and 16 numbers of each of T·K elements for each thread.
// In tests the relative error stays below ε(50 + 20λ‖k‖² + T/30), where ε is the precision of `real`, as
// long as that is below 1; where it is not (in float from λ‖k‖² = 400,000 on), no digit of q̃ is right.
// A NaN in a query stays in its token; a NaN in a key goes to all later tokens of its sequence, and in the
// gradient to earlier keys too, as every key is part of what later tokens compute. So does a key of which
// λ‖k‖² overflows.
// Throws if the shapes do not fit, or unless every lambda is finite, positive and no denormal number.
// Paper: the mesa-layer and its appendix on the forward and backward pass.
Tensor preconditioned_queries(const Tensor& q, const Tensor& k, const Tensor& lambda, Index heads);

}  // namespace mesagrad
