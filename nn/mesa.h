// The mesa-layer's queries: what turns linear attention into an exact least-squares solver.
#pragma once
#include "core/elementary.h"
#include "core/ops.h"
#include "nn/attention.h"

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
// A new pair changes R_t by a matrix of rank one (Sherman-Morrison), so this costs 6K² flops for each
// token and head. A thread works on as many heads side by side as a vector has numbers: it needs memory for an R
// of each, and in the backward step for T·K numbers of each.
// In tests the relative error stays below ε(50 + 20λ‖k‖² + T/30), where ε is the precision of `real`, as
// long as that is below 1; where it is not (in float from λ‖k‖² = 400,000 on), no digit of q̃ is right.
// A NaN in a query stays in its token; a NaN in a key goes to all later tokens of its sequence, and in the
// gradient to earlier keys too, as every key is part of what later tokens compute. So does a key of which
// λ‖k‖² overflows.
// Throws if the shapes do not fit, or unless every lambda is finite, positive and no denormal number.
// With a state, its R begins the recursion; λ is read only if there is none yet.
// Paper: the mesa-layer and its appendix on the forward and backward pass.
Tensor preconditioned_queries(const Tensor& q, const Tensor& k, const Tensor& lambda, Index heads,
                              AttentionState* state = nullptr);

// λ = log(1 + e^ρ) + 10⁻⁴. Training can step over the end of the positive numbers, where the mesa-layer
// throws, if it moves λ itself; if it moves ρ instead, λ is positive wherever ρ goes. The constant is
// there because log(1 + e^ρ) is 0 for ρ = -1000, to a computer. (The paper's code trains λ itself.)
constexpr double least_lambda = 1e-4;
inline Tensor positive_lambda(const Tensor& rho) {
  return softplus(rho) + Tensor(rho.shape(), static_cast<real>(least_lambda));
}

// As a kind of attention (nn/mixer.h): one λ for each head, 1 at the start.
struct MesaLayer {
  bool softplus_lambda = false;  // the parameter is ρ, and λ = positive_lambda(ρ)
  KeyFeatures features = {};
  Tensor lambda = {}, rho = {};  // (H), one of them

  std::string name() const {
    return (softplus_lambda ? "mesa with softplus lambda" : "mesa") + features.name();
  }
  void start(Index heads) {
    const auto parameter = [&](double x) { return Tensor({heads}, static_cast<real>(x)).requires_grad(); };
    if (softplus_lambda) {
      rho = parameter(logarithm(exponential(1 - least_lambda) - 1));
    } else {
      lambda = parameter(1);
    }
  }
  Parameters parameters(const std::string& prefix) {
    if (softplus_lambda) return {{prefix + "rho", &rho}};
    return {{prefix + "lambda", &lambda}};
  }
  Tensor operator()(const Tensor& q, const Tensor& k, const Tensor& v, Index heads,
                    AttentionState* state = nullptr) const {
    const Tensor penalty = softplus_lambda ? positive_lambda(rho) : lambda;
    const Tensor keys = features.keys(k, heads);
    const Tensor queries = preconditioned_queries(features.keys(q, heads), keys, penalty, heads, state);
    return features.outputs(causal_linear_attention(queries, keys, v, heads, state), heads);
  }
};

}  // namespace mesagrad
