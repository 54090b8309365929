#include "nn/gated_delta.h"

#include <vector>

#include "core/scratch.h"
#include "core/tape.h"
#include "nn/gated_heads.h"

namespace mesagrad {

Tensor gated_delta_rule(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& log_decay,
                        const Tensor& strength, Index heads, AttentionState* state) {
  const char* op = "gated_delta_rule";
  const GatedArguments arguments{q, k, v, log_decay, strength, heads};
  arguments.check_shapes(op);
  const Index T = arguments.T(), K = arguments.K(), V = arguments.V();
  const Tensor out = Tape::output(v.shape(), {&q, &k, &v, &log_decay, &strength});
  // error = v_t - γ S k_t, and S becomes S_t
  const auto step = [=](const Head& keys, const Head& values, const Gates& gates, Index t, real* S,
                        real* error) {
    const real *k_t = keys.row(k.data(), t), *v_t = values.row(v.data(), t), decay = gates.decay(t);
    multiply(V, K, S, k_t, error);
    for (Index j = 0; j < V; ++j) error[j] = v_t[j] - decay * error[j];
    decay_and_add(V, K, decay, gates.beta(t), error, k_t, S);
  };
  const Tensor kept = part_of(state, &AttentionState::values, op, {arguments.B(), heads, V, K}, out);
  arguments.each_head([=](Index problem, const Head& keys, const Head& values, const Gates& gates) {
    Scratch scratch;
    real* S = first_matrix(kept, problem, V * K, scratch);
    real *error = scratch.take<real>(V), *o = scratch.take<real>(V);
    for (Index t = 0; t < T; ++t) {
      step(keys, values, gates, t, S, error);
      multiply(V, K, S, keys.row(q.data(), t), o);
      values.write({out.data(), false}, t, V, o);
    }
  });
  Tape::record(op, out, [=] {
    // With P = γ S_{t-1} and e = v - P k, S_t = P + β e kᵀ. From the last token to the first, with dS the
    // gradient of S_t, to which out_t adds dout qᵀ:
    //     dq = Sᵀ dout     dβ = eᵀ dS k     de = β dS k     dv = de     dk = β dSᵀ e - Pᵀ de
    //     dP = dS - de kᵀ  dlog γ = Σ dP ⊙ P               dS_{t-1} = γ dP
    const Tensor::GradPart dq = q.grad_part(), dk = k.grad_part(), dv = v.grad_part(),
                           dlog = log_decay.grad_part(), dbeta = strength.grad_part();
    arguments.each_head([=](Index, const Head& keys, const Head& values, const Gates& gates) {
      Scratch scratch;
      real *states = scratch.take<real>((T + 1) * V * K), *errors = scratch.take<real>(T * V);
      std::fill_n(states, V * K, real{0});
      for (Index t = 0; t < T; ++t) {
        real* S = states + (t + 1) * V * K;
        std::copy_n(S - V * K, V * K, S);
        step(keys, values, gates, t, S, errors + t * V);
      }
      real *dS = scratch.take<real>(V * K), *a = scratch.take<real>(K), *b = scratch.take<real>(K),
           *de = scratch.take<real>(V);
      std::fill_n(dS, V * K, real{0});
      for (Index t = T - 1; t >= 0; --t) {
        const real *k_t = keys.row(k.data(), t), *dout_t = values.row(out.grad(), t), *e = errors + t * V,
                   *before = states + t * V * K, beta = gates.beta(t), decay = gates.decay(t);
        multiply_transposed(V, K, before + V * K, dout_t, a);
        keys.write(dq, t, K, a);
        decay_and_add(V, K, 1, 1, dout_t, keys.row(q.data(), t), dS);
        multiply(V, K, dS, k_t, de);
        const real dbeta_t = dot(V, e, de);
        gates.head.write(dbeta, t, 1, &dbeta_t);
        for (Index j = 0; j < V; ++j) de[j] *= beta;
        values.write(dv, t, V, de);
        multiply_transposed(V, K, dS, e, a);
        multiply_transposed(V, K, before, de, b);
        for (Index j = 0; j < K; ++j) a[j] = beta * a[j] - decay * b[j];
        keys.write(dk, t, K, a);
        decay_and_add(V, K, 1, -1, de, k_t, dS);  // dP
        const real dlog_t = gates.limited(t) ? 0 : decay * dot(V * K, dS, before);
        gates.head.write(dlog, t, 1, &dlog_t);
        for (Index i = 0; i < V * K; ++i) dS[i] *= decay;
      }
    });
  });
  return out;
}

}  // namespace mesagrad
