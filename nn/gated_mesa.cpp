#include "nn/gated_mesa.h"

#include <cmath>
#include <vector>

#include "core/sum.h"
#include "core/tape.h"
#include "nn/exact_solver.h"
#include "nn/gated_heads.h"
#include "nn/gated_pieces.h"

namespace mesagrad {
namespace {

// The systems of all tokens: H_t + Λ.
struct Systems {
  Heads heads;
  Index K;
  Tensor keys, log_decay, decays, strength, penalty;
  MesaSolver solver;
  Tensor before;  // H of the tokens before each piece, if the solver is exact
  Tensor kept;    // H of the tokens before the first, if there are some

  Index work() const { return heads.problems() * heads.T * K * K * (solver.steps >= 0 ? solver.steps : K); }

  // to_t = (H_t + Λ)⁻¹ from_t, both (B, T, H·K)
  void solve(const real* from, const Tensor::GradPart& to) const {
    if (solver.steps == MesaSolver::exact) {
      solve_exactly(from, to);
    } else {
      approach(solver.steps == MesaSolver::converged ? K + 8 : solver.steps, from, to);
    }
  }

 private:
  void solve_exactly(const real* from, const Tensor::GradPart& to) const {
    const Index n = blocks_of(K);
    each_pieces(heads, work(), [&](const Pieces& pieces) {
      Scratch scratch;
      Block* H = scratch.take<Block>(n * n);
      Factors factors(n, scratch.take<Block>(n * n));
      Vector *k = take_padded(scratch, K), *x = take_padded(scratch, K), *diagonal = take_padded(scratch, K);
      std::fill_n(diagonal, n * block_size, broadcast(1));
      pieces.read_of_heads(penalty.data(), K, diagonal);
      pieces.read_matrix(before.data(), K, K, H);
      for (Index t = 0; t < pieces.tokens(); ++t) {
        pieces.read(keys.data(), K, t, k);
        pieces.read(from, K, t, x);
        std::fill_n(x + K, n * block_size - K, Vector{});
        const Vector decay = pieces.read_gate(decays.data(), t), beta = pieces.read_gate(strength.data(), t);
        const auto next_H = [&](Index i, Index j) -> const Block& {
          const Four factor = beta * four(k + i * block_size), k_j = four(k + j * block_size);
          each_number(H[i * n + j], [&](Index r, Index c, Vector& h) {
            h = multiply_add(factor.a[r], k_j.a[c], decay * h);
          });
          return H[i * n + j];
        };
        factors.solve(next_H, diagonal, x);
        pieces.write(to, K, t, x);
      }
    });
  }

  // By conjugate gradients, one token after another.
  void approach(Index steps, const real* from, const Tensor::GradPart& to) const {
    parallel_for(heads.problems(), [&](Index problem) {
      const Head head(keys, heads.H, problem);
      const Gates gates{log_decay.data(), strength.data(), Head(strength, heads.H, problem)};
      const real* diagonal = penalty.data() + problem % heads.H * K;
      Scratch scratch;
      real *H = first_matrix(kept, problem, K * K, scratch), *x = scratch.take<real>(K),
           *r = scratch.take<real>(K), *p = scratch.take<real>(K), *y = scratch.take<real>(K);
      const auto product = [&](const real* a, real* b) { multiply_penalized(K, H, diagonal, a, b); };
      for (Index t = 0; t < heads.T; ++t) {
        const real* k = head.row(keys.data(), t);
        decay_and_add(K, K, gates.decay(t), gates.beta(t), k, k, H);
        conjugate_gradients(K, steps, product, head.row(from, t), x, r, p, y);
        head.write(to, t, K, x);
      }
    }, work());
  }
};

// dk_i = -β_i N_i k_i and dβ_i = -k_iᵀ N_i k_i/2, where N_i = Σ_{t>=i} Γ_ti (D_t x_tᵀ + x_t D_tᵀ). Of N,
// which is symmetric, the blocks on the diagonal and above it are there.
void backward_to_keys(const Heads& heads, Index K, const Tensor& D, const Tensor& x, const Tensor& keys,
                      const Tensor& decays, const Tensor& strength, const Tensor::GradPart& dk,
                      const Tensor& dbeta) {
  const Tensor after = sums_after(heads, {D.data(), K, x.data(), K}, decays);  // of D xᵀ alone
  const Index rows = blocks_of(K);
  each_pieces(heads, heads.problems() * heads.T * K * K, [&](const Pieces& pieces) {
    Scratch scratch;
    Block* N = scratch.take<Block>(rows * rows);
    Vector *D_t = take_padded(scratch, K), *x_t = take_padded(scratch, K), *k = take_padded(scratch, K),
           *g = take_padded(scratch, K);
    pieces.read_matrix(after.data(), K, K, N);
    for (Index i = 0; i < rows; ++i) {
      for (Index j = i; j < rows; ++j) {
        const Block other = N[j * rows + i];
        each_number(N[i * rows + j], [&](Index r, Index c, Vector& n) { n += other.row[c].a[r]; });
      }
    }
    Vector decay = broadcast(1);  // of the token that came before, which is the next one
    for (Index t = pieces.tokens() - 1; t >= 0; --t) {
      pieces.read(D.data(), K, t, D_t);
      pieces.read(x.data(), K, t, x_t);
      pieces.read(keys.data(), K, t, k);
      std::fill_n(g, K, Vector{});
      Vector kNk = {};
      for (Index i = 0; i < rows; ++i) {
        const Four D_i = four(D_t + i * block_size), x_i = four(x_t + i * block_size),
                   k_i = four(k + i * block_size);
        Four sum = four(g + i * block_size);
        for (Index j = i; j < rows; ++j) {
          const Four D_j = four(D_t + j * block_size), x_j = four(x_t + j * block_size),
                     k_j = four(k + j * block_size);
          Four g_j = four(g + j * block_size);
          each_number(N[i * rows + j], [&](Index r, Index c, Vector& n) {
            n = multiply_add(x_i.a[r], D_j.a[c], multiply_add(D_i.a[r], x_j.a[c], decay * n));
            sum.a[r] = multiply_add(n, k_j.a[c], sum.a[r]);
            g_j.a[c] = multiply_add(n, k_i.a[r], g_j.a[c]);
          });
          put(g_j, g + j * block_size);  // for the rows below; at j = i it is overwritten
        }
        put(sum, g + i * block_size);
        kNk = multiply_add(k_i, sum, kNk);
      }
      const Vector minus_beta = -pieces.read_gate(strength.data(), t);
      for (Index j = 0; j < K; ++j) g[j] *= minus_beta;
      if (dk.values != nullptr) pieces.write(dk, K, t, g);
      pieces.write_gate(dbeta.data(), t, real(-0.5) * kNk);
      decay = pieces.read_gate(decays.data(), t);
    }
  });
}

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
  const Heads all{B, T, heads};
  const Tensor decays = decays_of(log_decay),
               kept = part_of(state, &AttentionState::keys, op, {B, heads, K, K}, out);
  Tensor before;
  if (solver.steps == MesaSolver::exact)
    before = sums_before(all, {k.data(), K, k.data(), K}, decays, strength, kept);
  const Systems systems{all, K, k, log_decay, decays, strength, penalty, solver, before, kept};
  systems.solve(q.data(), {out.data(), false});
  Tape::record(op, out, [=] {
    // As d(A⁻¹) = -A⁻¹ dA A⁻¹, with D_t = (H_t + Λ)⁻¹ dx_t for the gradient dx_t of x_t,
    //     dq_t = D_t      dH_t = -(D_t x_tᵀ + x_t D_tᵀ)/2, made symmetric      dΛ_j = -Σ_t D_tj x_tj
    // and with the sum that grows from the last token, N_i = Σ_{t>=i} Γ_ti (D_t x_tᵀ + x_t D_tᵀ),
    //     dk_i = -β_i N_i k_i      dβ_i = -k_iᵀ N_i k_i/2
    const Tensor::GradPart dq = q.grad_part(), dk = k.grad_part();
    const Tensor D = Tensor::uninitialized(q.shape());
    systems.solve(out.grad(), {D.data(), false});
    if (dq.values != nullptr) {
      elementwise(D.size(), [=, from = D.data()](Index i) {
        dq.values[i] = dq.add ? dq.values[i] + from[i] : from[i];
      });
    }
    // The decays' gradients want -D_tᵀ H_t x_t, where H_t x_t is what Λ x_t leaves of q_t.
    const Tensor results = Tensor::uninitialized(strength.shape()),
                 dbeta = Tensor::uninitialized(strength.shape());
    std::vector<real> dpenalty(static_cast<std::size_t>(B * width));
    parallel_for(B, [&](Index b) {
      real* sum = dpenalty.data() + b * width;
      for (Index row = b * T * heads; row < (b + 1) * T * heads; ++row) {
        const real *D_t = D.data() + row * K, *x_t = out.data() + row * K, *q_t = q.data() + row * K,
                   *diagonal = penalty.data() + row % heads * K;
        results[row] = -sum_of(K, [=](Index j) {
          return load(D_t + j) * (load(q_t + j) - load(diagonal + j) * load(x_t + j));
        });
        for (Index j = 0; j < K; ++j) sum[row % heads * K + j] -= D_t[j] * x_t[j];
      }
    }, B * T * width);
    backward_to_keys(all, K, D, out, k, systems.decays, strength, dk, dbeta);
    gate_gradients(all, results, dbeta, log_decay, strength);
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
