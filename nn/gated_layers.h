// Gated linear attention, the gated delta rule, and the mesa-layer that forgets, as kinds of attention
// (nn/mixer.h) whose gates are made of the tokens.
#pragma once
#include <string>
#include <utility>

#include "core/elementary.h"
#include "core/ops.h"
#include "nn/gated_delta.h"
#include "nn/gated_mesa.h"
#include "nn/gates.h"
#include "nn/parameters.h"

namespace mesagrad {

// For tokens x (B, T, D): log γ = log sigmoid(x Wγ + bγ) and β = sigmoid(x Wβ + bβ), both (B, T, H). Weights
// start as zeros, so that at first all tokens have the gates of the biases. A gate that is not there is 1.
struct TokenGates {
  bool forgets = true, weighs = true;
  double first_decay = 0.95, first_strength = 0.9;  // γ and β at the start
  Tensor decay_weight = {}, strength_weight = {};   // (D, H)
  Tensor decay_bias = {}, strength_bias = {};       // (H)

  std::string name() const {
    return text(forgets ? text(", forgetting from ", first_decay) : "",
                weighs ? text(", weighing from ", first_strength) : "");
  }
  void start(Index width, Index heads) {
    const auto is_gate = [](double x) { return x > 0 && x < 1; };
    check(is_gate(first_decay) && is_gate(first_strength), "gates: the first decay is ", first_decay,
          ", the first strength ", first_strength, "; both must be between 0 and 1");
    const auto bias = [&](double gate) {
      return Tensor({heads}, static_cast<real>(logarithm(gate / (1 - gate)))).requires_grad();
    };
    if (forgets) {
      decay_weight = Tensor({width, heads}).requires_grad();
      decay_bias = bias(first_decay);
    }
    if (weighs) {
      strength_weight = Tensor({width, heads}).requires_grad();
      strength_bias = bias(first_strength);
    }
  }
  Parameters parameters(const std::string& prefix) {
    Parameters result;
    if (forgets) result = {{prefix + "decay_weight", &decay_weight}, {prefix + "decay_bias", &decay_bias}};
    if (weighs) {
      result.push_back({prefix + "strength_weight", &strength_weight});
      result.push_back({prefix + "strength_bias", &strength_bias});
    }
    return result;
  }
  Tensor log_decay(const Tensor& x, Index heads) const {
    if (!forgets) return Tensor({x.dim(0), x.dim(1), heads});
    return log_sigmoid(add_to_rows(matmul(x, decay_weight), decay_bias));
  }
  Tensor strength(const Tensor& x, Index heads) const {
    if (!weighs) return Tensor({x.dim(0), x.dim(1), heads}, 1);
    return sigmoid(add_to_rows(matmul(x, strength_weight), strength_bias));
  }
};

// Queries and keys of all three kinds have length 1, by safe_unit_length.
struct GatedLinearAttention {
  TokenGates gates = {};

  std::string name() const { return "gated linear" + gates.name(); }
  void start(Index heads, Index width, Index) { gates.start(width, heads); }
  Parameters parameters(const std::string& prefix) { return gates.parameters(prefix); }
  Tensor operator()(const Tensor& q, const Tensor& k, const Tensor& v, Index heads, const Tensor& x,
                    AttentionState* state = nullptr) const {
    return gated_linear_attention(safe_unit_length(q, heads), safe_unit_length(k, heads), v,
                                  gates.log_decay(x, heads), gates.strength(x, heads), heads, state);
  }
};

struct GatedDeltaRule {
  TokenGates gates = {};

  std::string name() const { return "gated delta rule" + gates.name(); }
  void start(Index heads, Index width, Index) { gates.start(width, heads); }
  Parameters parameters(const std::string& prefix) { return gates.parameters(prefix); }
  Tensor operator()(const Tensor& q, const Tensor& k, const Tensor& v, Index heads, const Tensor& x,
                    AttentionState* state = nullptr) const {
    return gated_delta_rule(safe_unit_length(q, heads), safe_unit_length(k, heads), v,
                            gates.log_decay(x, heads), gates.strength(x, heads), heads, state);
  }
};

// Λ = log(1 + e^ρ) + floor, which is 1 at the start. (MesaNet's floor is 0.25. But with keys of length 1 the
// eigenvalues of H are near 1/((1 - γ)K): beside those, 0.25 is no small penalty.)
struct GatedMesaLayer {
  TokenGates gates = {};
  double floor = 0.01;
  MesaSolver solver = {};
  Tensor rho = {};  // (H·K)

  std::string name() const {
    return text("gated mesa, floor ", floor, ", solver ", solver.steps, gates.name());
  }
  void start(Index heads, Index width, Index key_size) {
    check(floor >= 0 && floor < 1, "gated mesa-layer: the floor is ", floor, "; it must be in [0, 1)");
    gates.start(width, heads);
    rho =
        Tensor({heads * key_size}, static_cast<real>(logarithm(exponential(1 - floor) - 1))).requires_grad();
  }
  Parameters parameters(const std::string& prefix) {
    Parameters result = gates.parameters(prefix);
    result.push_back({prefix + "rho", &rho});
    return result;
  }
  Tensor penalty() const { return softplus(rho) + Tensor(rho.shape(), static_cast<real>(floor)); }
  Tensor operator()(const Tensor& q, const Tensor& k, const Tensor& v, Index heads, const Tensor& x,
                    AttentionState* state = nullptr) const {
    const Tensor keys = safe_unit_length(k, heads), decay = gates.log_decay(x, heads),
                 beta = gates.strength(x, heads);
    const Tensor queries = gated_preconditioned_queries(safe_unit_length(q, heads), keys, decay, beta,
                                                        penalty(), heads, solver, state);
    return gated_linear_attention(queries, keys, v, decay, beta, heads, state);
  }
};

}  // namespace mesagrad
