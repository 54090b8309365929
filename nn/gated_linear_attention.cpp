#include "core/tape.h"
#include "nn/gated_heads.h"
#include "nn/gated_pieces.h"

namespace mesagrad {
namespace {

// out_t = G_t q_t. `before` are the sums G before each piece.
void forward(const GatedArguments& x, const Heads& heads, const Tensor& decays, const Tensor& before,
             const Tensor& out) {
  const Index K = x.K(), V = x.V(), rows = blocks_of(V), columns = blocks_of(K);
  each_pieces(heads, heads.problems() * heads.T * K * V, [&](const Pieces& pieces) {
    Scratch scratch;
    Block* G = scratch.take<Block>(rows * columns);
    Vector *q = take_padded(scratch, K), *k = take_padded(scratch, K), *v = take_padded(scratch, V),
           *out_t = take_padded(scratch, V);
    pieces.read_matrix(before.data(), V, K, G);
    for (Index t = 0; t < pieces.tokens(); ++t) {
      pieces.read(x.q.data(), K, t, q);
      pieces.read(x.k.data(), K, t, k);
      pieces.read(x.v.data(), V, t, v);
      const Vector decay = pieces.read_gate(decays.data(), t), beta = pieces.read_gate(x.strength.data(), t);
      // exercise 3.5: G becomes decay·G + beta·v kᵀ, and out_t is that times q. Number (r, c) of G stands in
      //    G[r / 4 * columns + c / 4].row[r % 4].a[c % 4] (see nn/blocks.h); each is one for every lane.
      for (Index i = 0; i < rows; ++i) {
        const Four v_i = beta * four(v + i * block_size);
        Four sum = {};
        for (Index j = 0; j < columns; ++j) {
          const Four k_j = four(k + j * block_size), q_j = four(q + j * block_size);
          each_number(G[i * columns + j], [&](Index r, Index c, Vector& g) {
            g = multiply_add(v_i.a[r], k_j.a[c], decay * g);
            sum.a[r] = multiply_add(g, q_j.a[c], sum.a[r]);
          });
        }
        put(sum, out_t + i * block_size);
      }
      // end 3.5
      pieces.write({out.data(), false}, V, t, out_t);
    }
  });
}

// With do_t the gradient of a result, dq_t = G_tᵀ do_t; and with the sum that grows from the last token,
// S_i = Σ_{t>=i} Γ_ti do_t q_tᵀ,
//     dv_i = β_i S_i k_i      dk_i = β_i S_iᵀ v_i      dβ_i = v_iᵀ S_i k_i
// A result times its gradient, do_t·G_t q_t, is q_t·dq_t.
void backward(const GatedArguments& x, const Heads& heads, const Tensor& decays, const Tensor& before,
              const real* dout) {
  const Index K = x.K(), V = x.V(), rows = blocks_of(V), columns = blocks_of(K), height = rows * block_size,
              width = columns * block_size;
  const Tensor::GradPart dq = x.q.grad_part(), dk = x.k.grad_part(), dv = x.v.grad_part();
  const Tensor after = sums_after(heads, {dout, V, x.q.data(), K}, decays);
  const Tensor dbeta = Tensor::uninitialized(x.strength.shape()),
               results = Tensor::uninitialized(x.strength.shape());
  each_pieces(heads, heads.problems() * heads.T * K * V, [&](const Pieces& pieces) {
    Scratch scratch;
    Block* M = scratch.take<Block>(rows * columns);  // G, then S
    Vector *k = take_padded(scratch, K, pieces.tokens()), *q = take_padded(scratch, K, pieces.tokens()),
           *v = take_padded(scratch, V, pieces.tokens()), *dout_t = take_padded(scratch, V, pieces.tokens()),
           *to_keys = take_padded(scratch, K),
           *to_values = take_padded(scratch, V);
    pieces.read_matrix(before.data(), V, K, M);
    for (Index t = 0; t < pieces.tokens(); ++t, k += width, q += width, v += height, dout_t += height) {
      pieces.read(x.q.data(), K, t, q);
      pieces.read(x.k.data(), K, t, k);
      pieces.read(x.v.data(), V, t, v);
      pieces.read(dout, V, t, dout_t);
      const Vector decay = pieces.read_gate(decays.data(), t), beta = pieces.read_gate(x.strength.data(), t);
      std::fill_n(to_keys, width, Vector{});
      for (Index i = 0; i < rows; ++i) {
        const Four v_i = beta * four(v + i * block_size), dout_i = four(dout_t + i * block_size);
        for (Index j = 0; j < columns; ++j) {
          const Four k_j = four(k + j * block_size);
          Four dq_j = four(to_keys + j * block_size);
          each_number(M[i * columns + j], [&](Index r, Index c, Vector& g) {
            g = multiply_add(v_i.a[r], k_j.a[c], decay * g);
            dq_j.a[c] = multiply_add(g, dout_i.a[r], dq_j.a[c]);
          });
          put(dq_j, to_keys + j * block_size);
        }
      }
      Vector result = {};
      for (Index j = 0; j < K; ++j) result = multiply_add(q[j], to_keys[j], result);
      pieces.write_gate(results.data(), t, result);
      if (dq.values != nullptr) pieces.write(dq, K, t, to_keys);
    }
    pieces.read_matrix(after.data(), V, K, M);
    Vector decay = broadcast(1);  // of the token that came before, which is the next one
    for (Index t = pieces.tokens() - 1; t >= 0; --t) {
      k -= width, q -= width, v -= height, dout_t -= height;
      const Vector beta = pieces.read_gate(x.strength.data(), t);
      std::fill_n(to_keys, width, Vector{});
      Vector dbeta_t = {};
      for (Index i = 0; i < rows; ++i) {
        const Four dout_i = four(dout_t + i * block_size), v_i = four(v + i * block_size);
        Four sum = {};
        for (Index j = 0; j < columns; ++j) {
          const Four q_j = four(q + j * block_size), k_j = four(k + j * block_size);
          Four dk_j = four(to_keys + j * block_size);
          each_number(M[i * columns + j], [&](Index r, Index c, Vector& s) {
            s = multiply_add(dout_i.a[r], q_j.a[c], decay * s);
            sum.a[r] = multiply_add(s, k_j.a[c], sum.a[r]);
            dk_j.a[c] = multiply_add(s, v_i.a[r], dk_j.a[c]);
          });
          put(dk_j, to_keys + j * block_size);
        }
        put(beta * sum, to_values + i * block_size);
        dbeta_t = multiply_add(v_i, sum, dbeta_t);
      }
      for (Index j = 0; j < K; ++j) to_keys[j] *= beta;
      if (dk.values != nullptr) pieces.write(dk, K, t, to_keys);
      if (dv.values != nullptr) pieces.write(dv, V, t, to_values);
      pieces.write_gate(dbeta.data(), t, dbeta_t);
      decay = pieces.read_gate(decays.data(), t);
    }
  });
  gate_gradients(heads, results, dbeta, x.log_decay, x.strength);
}

}  // namespace

Tensor gated_linear_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& log_decay,
                              const Tensor& strength, Index heads, AttentionState* state) {
  const char* op = "gated_linear_attention";
  const GatedArguments arguments{q, k, v, log_decay, strength, heads};
  arguments.check_shapes(op);
  const Index V = arguments.V(), K = arguments.K();
  const Heads all{q.dim(0), q.dim(1), heads};
  const Tensor out = Tape::output(v.shape(), {&q, &k, &v, &log_decay, &strength});
  const Tensor decays = decays_of(log_decay),
               kept = part_of(state, &AttentionState::values, op, {all.B, heads, V, K}, out);
  const Tensor before = sums_before(all, {v.data(), V, k.data(), K}, decays, strength, kept);
  forward(arguments, all, decays, before, out);
  Tape::record(op, out, [=] { backward(arguments, all, decays, before, out.grad()); });
  return out;
}

}  // namespace mesagrad
