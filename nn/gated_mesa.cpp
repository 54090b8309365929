#include "nn/gated_mesa.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "core/scratch.h"
#include "core/tape.h"
#include "nn/gated_heads.h"

namespace mesagrad {
namespace {

// The gradient of the logarithm of decays. A result is a sum of terms that hold Γ_ti = e^{c_t - c_i}, where
// c_t is the sum of the logarithms up to t. So, if s_t is a token's result times its gradient, all terms with
// c_t, and e_i all terms with -c_i, which is β_i times β's gradient,
//
//     dc_t = s_t - e_t,      dlog_decay_t = Σ_{s>=t} dc_s
//
// as the decay of token t is part of all c_s from there on. To be asked for t = T - 1, T - 2, .. 0.
class DecayGradient {
 public:
  real at(Index t, double result, double as_past, const Gates& gates) {
    sum_ += result - as_past;
    return gates.limited(t) ? 0 : static_cast<real>(sum_);
  }

 private:
  double sum_ = 0;
};

}  // namespace

Tensor gated_linear_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& log_decay,
                              const Tensor& strength, Index heads, AttentionState* state) {
  const char* op = "gated_linear_attention";
  const GatedArguments arguments{q, k, v, log_decay, strength, heads};
  arguments.check_shapes(op);
  const Index T = arguments.T(), K = arguments.K(), V = arguments.V();
  const Tensor out = Tape::output(v.shape(), {&q, &k, &v, &log_decay, &strength});
  const Tensor kept = part_of(state, &AttentionState::values, op, {arguments.B(), heads, V, K}, out);
  arguments.each_head([=](Index problem, const Head& keys, const Head& values, const Gates& gates) {
    // exercise 3.5: one token after another: G_t of G_{t-1}, and with it the result (gated_heads.h helps)
    Scratch scratch;
    real *G = first_matrix(kept, problem, V * K, scratch), *o = scratch.take<real>(V);
    for (Index t = 0; t < T; ++t) {
      decay_and_add(V, K, gates.decay(t), gates.beta(t), values.row(v.data(), t), keys.row(k.data(), t), G);
      multiply(V, K, G, keys.row(q.data(), t), o);
      values.write({out.data(), false}, t, V, o);
    }
    // end 3.5
  });
  Tape::record(op, out, [=] {
    const Tensor::GradPart dq = q.grad_part(), dk = k.grad_part(), dv = v.grad_part(),
                           dlog = log_decay.grad_part(), dbeta = strength.grad_part();
    arguments.each_head([=](Index, const Head& keys, const Head& values, const Gates& gates) {
      // exercise 3.6: the gradients of q, k and v, and those of both gates
      //
      // With do_t the gradient of a result, dq_t = G_tᵀ do_t; and with the sum that grows from the last
      // token, S_i = Σ_{t>=i} Γ_ti do_t q_tᵀ,
      //     dv_i = β_i S_i k_i      dk_i = β_i S_iᵀ v_i      dβ_i = v_iᵀ S_i k_i
      Scratch scratch;
      real *M = scratch.take<real>(V * K), *a = scratch.take<real>(K), *b = scratch.take<real>(V);
      std::fill_n(M, V * K, real{0});
      for (Index t = 0; t < T && dq.values != nullptr; ++t) {
        decay_and_add(V, K, gates.decay(t), gates.beta(t), values.row(v.data(), t), keys.row(k.data(), t), M);
        multiply_transposed(V, K, M, values.row(out.grad(), t), a);
        keys.write(dq, t, K, a);
      }
      std::fill_n(M, V * K, real{0});
      DecayGradient decay_gradient;
      for (Index t = T - 1; t >= 0; --t) {
        const real *k_t = keys.row(k.data(), t), *v_t = values.row(v.data(), t),
                   *dout_t = values.row(out.grad(), t), beta = gates.beta(t);
        decay_and_add(V, K, t + 1 < T ? gates.decay(t + 1) : 0, 1, dout_t, keys.row(q.data(), t), M);
        multiply(V, K, M, k_t, b);
        const real dbeta_t = dot(V, v_t, b);
        gates.head.write(dbeta, t, 1, &dbeta_t);
        for (Index j = 0; j < V; ++j) b[j] *= beta;
        values.write(dv, t, V, b);
        multiply_transposed(V, K, M, v_t, a);
        for (Index j = 0; j < K; ++j) a[j] *= beta;
        keys.write(dk, t, K, a);
        const real result = dot(V, dout_t, values.row(out.data(), t));
        const real dlog_t = decay_gradient.at(t, result, beta * dbeta_t, gates);
        gates.head.write(dlog, t, 1, &dlog_t);
      }
      // end 3.6
    });
  });
  return out;
}

namespace {

// (H + Λ) x = q as the solver is told to, with memory of its own.
class Solve {
 public:
  Solve(Index K, const MesaSolver& solver, const real* penalty, Scratch& scratch)
      : K_(K), exact_(solver.steps == MesaSolver::exact),
        steps_(solver.steps == MesaSolver::converged ? K + 8 : solver.steps), penalty_(penalty),
        memory_(scratch.take<real>(exact_ ? K * K : 3 * K)) {}

  void operator()(const real* H, const real* q, real* x) const {
    if (exact_) return solve_exactly(K_, H, penalty_, q, x, memory_);
    const auto multiply = [&](const real* p, real* y) { multiply_penalized(K_, H, penalty_, p, y); };
    conjugate_gradients(K_, steps_, multiply, q, x, memory_, memory_ + K_, memory_ + 2 * K_);
  }

 private:
  Index K_;
  bool exact_;
  Index steps_;
  const real* penalty_;
  real* memory_;
};

}  // namespace

Tensor gated_preconditioned_queries(const Tensor& q, const Tensor& k, const Tensor& log_decay,
                                    const Tensor& strength, const Tensor& penalty, Index heads,
                                    const MesaSolver& solver, AttentionState* state) {
  const char* op = "gated_preconditioned_queries";
  check_gates(op, q, k, log_decay, strength, heads);
  const Index B = q.dim(0), T = q.dim(1), width = q.dim(2), K = width / heads;
  check(penalty.shape() == Shape{width}, op, ": the penalty ", penalty.shape(), " should be ", Shape{width});
  for (Index j = 0; j < width; ++j) {
    check(penalty[j] > 0 && std::isfinite(penalty[j]), op, ": penalty ", j, " is ", penalty[j],
          "; it must be positive and finite");
  }
  check(solver.steps >= MesaSolver::converged, op, ": ", solver.steps, " steps of conjugate gradients");
  const Tensor out = Tape::output(q.shape(), {&q, &k, &log_decay, &strength, &penalty});
  const auto each_head = [=](const auto& f) {
    parallel_for(B * heads, [&](Index problem) {
      f(problem, Head(q, heads, problem),
        Gates{log_decay.data(), strength.data(), Head(strength, heads, problem)});
    }, B * heads * T * K * K * K);
  };
  const Tensor kept = part_of(state, &AttentionState::keys, op, {B, heads, K, K}, out);
  // take(t, H_t) for all tokens, with an H in rising order
  const auto each_token = [=](Index problem, const Head& head, const Gates& gates, Scratch& scratch,
                              const auto& take) {
    real* H = first_matrix(kept, problem, K * K, scratch);
    for (Index t = 0; t < T; ++t) {
      const real* k_t = head.row(k.data(), t);
      decay_and_add(K, K, gates.decay(t), gates.beta(t), k_t, k_t, H);
      take(t, H);
    }
  };
  each_head([=](Index problem, const Head& head, const Gates& gates) {
    Scratch scratch;
    const Solve solve(K, solver, penalty.data() + problem % heads * K, scratch);
    real* x = scratch.take<real>(K);
    each_token(problem, head, gates, scratch, [&](Index t, const real* H) {
      solve(H, head.row(q.data(), t), x);
      head.write({out.data(), false}, t, K, x);
    });
  });
  Tape::record(op, out, [=] {
    // As d(A⁻¹) = -A⁻¹ dA A⁻¹, with D_t = (H_t + Λ)⁻¹ dx_t for the gradient dx_t of x_t,
    //     dq_t = D_t      dH_t = -(D_t x_tᵀ + x_t D_tᵀ)/2, made symmetric      dΛ_j = -Σ_t D_tj x_tj
    // and with the sum that grows from the last token, N_i = Σ_{t>=i} Γ_ti (D_t x_tᵀ + x_t D_tᵀ),
    //     dk_i = -β_i N_i k_i      dβ_i = -k_iᵀ N_i k_i/2
    const Tensor::GradPart dq = q.grad_part(), dk = k.grad_part(), dlog = log_decay.grad_part(),
                           dbeta = strength.grad_part();
    std::vector<real> dpenalty(static_cast<std::size_t>(B * width));
    each_head([&](Index problem, const Head& head, const Gates& gates) {
      Scratch scratch;
      const Solve solve(K, solver, penalty.data() + problem % heads * K, scratch);
      real *D = scratch.take<real>(T * K), *product = scratch.take<real>(K), *results = scratch.take<real>(T);
      real* dpenalty_of = dpenalty.data() + problem * K;
      each_token(problem, head, gates, scratch, [&](Index t, const real* H) {
        real* D_t = D + t * K;
        const real* x_t = head.row(out.data(), t);
        solve(H, head.row(out.grad(), t), D_t);
        head.write(dq, t, K, D_t);
        multiply(K, K, H, x_t, product);
        results[t] = -dot(K, D_t, product);
        for (Index j = 0; j < K; ++j) dpenalty_of[j] -= D_t[j] * x_t[j];
      });
      real *N = scratch.take<real>(K * K), *g = scratch.take<real>(K);
      std::fill_n(N, K * K, real{0});
      DecayGradient decay_gradient;
      for (Index t = T - 1; t >= 0; --t) {
        const real *k_t = head.row(k.data(), t), *x_t = head.row(out.data(), t), beta = gates.beta(t);
        decay_and_add(K, K, t + 1 < T ? gates.decay(t + 1) : 0, 1, D + t * K, x_t, N);
        decay_and_add(K, K, 1, 1, x_t, D + t * K, N);
        multiply(K, K, N, k_t, g);
        const real dbeta_t = -dot(K, k_t, g) / 2;
        gates.head.write(dbeta, t, 1, &dbeta_t);
        for (Index j = 0; j < K; ++j) g[j] *= -beta;
        head.write(dk, t, K, g);
        const real dlog_t = decay_gradient.at(t, results[t], beta * dbeta_t, gates);
        gates.head.write(dlog, t, 1, &dlog_t);
      }
    });
    if (!penalty.has_grad()) return;
    for (Index b = 0; b < B; ++b) {
      for (Index j = 0; j < width; ++j) {
        penalty.grad()[j] += dpenalty[static_cast<std::size_t>(b * width + j)];
      }
    }
  });
  return out;
}

}  // namespace mesagrad
