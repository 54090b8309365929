#include "nn/mesa.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/parallel.h"
#include "core/scratch.h"
#include "core/simd.h"
#include "core/tape.h"

namespace mesagrad {
namespace {

// Every head of every sequence is a problem of its own, and each is a long chain of small steps. So
// `lanes` problems are solved side by side: below, a Vector is one number of each of them, and the
// arithmetic reads as if there were only one problem.
class Problems {
 public:
  Problems(Index B, Index T, Index H, Index K, Index first)
      : row_(H * K), K_(K), count_(std::min(lanes, B * H - first)) {
    for (Index p = 0; p < lanes; ++p) {
      const Index problem = first + std::min(p, count_ - 1);  // the last one fills up the lanes
      offset_[p] = problem / H * T * row_ + problem % H * K;
    }
  }

  // The K numbers of token t.
  void read(const real* tensor, Index t, Vector* to) const {
    for (Index j = 0; j < K_; j += lanes) {
      Vector square[lanes];
      for (Index p = 0; p < lanes; ++p) square[p] = load(tensor + offset_[p] + t * row_ + j);
      transpose(square);
      std::copy_n(square, std::min(lanes, K_ - j), to + j);
    }
  }

  void write(Tensor::GradPart to, Index t, const Vector* from) const {
    for (Index j = 0; j < K_; j += lanes) {
      const Index width = std::min(lanes, K_ - j);
      Vector square[lanes] = {};
      std::copy_n(from + j, width, square);
      transpose(square);
      for (Index p = 0; p < count_; ++p) {
        store_first(width, square[p], to.values + offset_[p] + t * row_ + j, to.add);
      }
    }
  }

  Index count() const { return count_; }

 private:
  Index row_, K_, count_;
  Index offset_[lanes];
};

Vector dot(Index n, const Vector* a, const Vector* b) {
  Vector sum = {};
  for (Index j = 0; j < n; ++j) sum = multiply_add(a[j], b[j], sum);
  return sum;
}

// y_t = R_t x_t for all tokens, by recursive least squares. The key k_t turns R (for short: R_{t-1}) into
//
//     R_t = R - u uᵀ/δ,      u = R k_t,  δ = 1 + k_t·u          so  R_t x_t = R x_t - u (u·x_t)/δ.
//
// One pass over R subtracts the outer product of the last token's s = u/√δ, and multiplies the result with
// the key and with x. (s_i s_j and s_j s_i round alike, so R stays symmetric to the last bit: drifting
// apart is how this recursion is known to fail. As R is positive definite, δ >= 1; where rounding says
// otherwise, the key lies in a direction that has long been settled, and is passed over. A δ that
// overflows makes everything NaN.)
//
// R is R_{-1} = λI at first, or a state's, and R_{T-1} in the end.
template <class X, class Y>
void solve(Index T, Index K, const Problems& problems, const real* keys, Vector* __restrict R,
           const X& read_x, const Y& take_y, Scratch& scratch) {
  Vector *k = scratch.take<Vector>(K), *x = scratch.take<Vector>(K);
  Vector *u = scratch.take<Vector>(K), *Rx = scratch.take<Vector>(K);
  Vector *s = scratch.take<Vector>(K), *y = scratch.take<Vector>(K);
  // exercise 7.5: for each token problems.read(keys, t, k) and read_x(t, x), then y, and take_y(t, y); and R
  std::fill_n(s, K, Vector{});
  for (Index t = 0; t < T; ++t) {
    problems.read(keys, t, k);
    read_x(t, x);
    for (Index i = 0; i < K; ++i) {
      const Vector minus_s_i = -s[i];
      Vector u_i = {}, Rx_i = {};
      for (Index j = 0; j < K; ++j) {
        const Vector r = multiply_add(minus_s_i, s[j], R[i * K + j]);
        R[i * K + j] = r;
        u_i = multiply_add(r, k[j], u_i);
        Rx_i = multiply_add(r, x[j], Rx_i);
      }
      u[i] = u_i;
      Rx[i] = Rx_i;
    }
    const Vector delta = 1 + dot(K, k, u);
    const Vector inverse = delta < 1 ? Vector{} : (1 + 0 * delta) / delta;  // 0·∞ and 0·NaN are NaN
    const Vector f = dot(K, u, x) * inverse, scale = square_root(inverse);
    for (Index j = 0; j < K; ++j) {
      y[j] = multiply_add(-u[j], f, Rx[j]);
      s[j] = u[j] * scale;
    }
    take_y(t, y);
  }
  for (Index i = 0; i < K; ++i) {
    for (Index j = 0; j < K; ++j) R[i * K + j] = multiply_add(-s[i], s[j], R[i * K + j]);
  }
  // end 7.5
}

// R_{-1} = λI
Vector* without_keys(Index K, Vector lambda, Scratch& scratch) {
  Vector* R = scratch.take<Vector>(K * K);
  std::fill_n(R, K * K, Vector{});
  for (Index i = 0; i < K; ++i) R[i * K + i] = lambda;
  return R;
}

// The gradient of q̃_t = H_t⁻¹ q_t, where H_t = Σ_{i<=t} k_i k_iᵀ + I/λ. With p_t = dq̃_t, the gradient of
// the result, and d_t = R_t p_t,
//
//     dq_t = d_t,      dH_t = -d_t q̃_tᵀ      (as d(H⁻¹) = -H⁻¹ dH H⁻¹, and R is symmetric).
//
// Every k_i is part of H_t for all t >= i, and λ of all H_t, so
//
//     dk_i = -Σ_{t>=i} (d_t q̃_tᵀ + q̃_t d_tᵀ) k_i,      dλ = Σ_t (d_t/λ)·(q̃_t/λ):
//
// the first is a sum M of outer products that grows from the last token to the first. Nothing has to
// be undone and no R to be kept. (The paper instead runs the recursion for R backwards, which loses
// all digits when keys are long.)
void backward(Index T, Index K, const Problems& problems, const real* keys, const real* result,
              const real* dresult, Vector lambda, Tensor::GradPart dq, Tensor::GradPart dk, real* dlambda) {
  Scratch scratch;
  Vector* d = scratch.take<Vector>(T * K);
  solve(T, K, problems, keys, without_keys(K, lambda, scratch),
        [&](Index t, Vector* x) { problems.read(dresult, t, x); },
        [&](Index t, const Vector* y) { std::copy_n(y, K, d + t * K); }, scratch);
  Vector* __restrict M = scratch.take<Vector>(K * K);
  Vector *k = scratch.take<Vector>(K), *q = scratch.take<Vector>(K), *g = scratch.take<Vector>(K);
  std::fill_n(M, K * K, Vector{});
  const Vector inverse_lambda = 1 / lambda;
  Vector sum = {};
  for (Index t = T - 1; t >= 0; --t) {
    const Vector* d_t = d + t * K;
    if (dq.values != nullptr) problems.write(dq, t, d_t);
    problems.read(result, t, q);
    // exercise 7.6: the share of token t in dλ, the sum; then, if they are wanted, M and the gradient of k_t
    for (Index j = 0; j < K; ++j) sum = multiply_add(d_t[j] * inverse_lambda, q[j] * inverse_lambda, sum);
    if (dk.values == nullptr) continue;
    problems.read(keys, t, k);
    for (Index i = 0; i < K; ++i) {
      Vector g_i = {};
      for (Index j = 0; j < K; ++j) {
        const Vector m = multiply_add(d_t[i], q[j], multiply_add(q[i], d_t[j], M[i * K + j]));
        M[i * K + j] = m;
        g_i = multiply_add(m, k[j], g_i);
      }
      g[i] = -g_i;
    }
    problems.write(dk, t, g);
    // end 7.6
  }
  store_first(problems.count(), sum, dlambda, false);
}

}  // namespace

Tensor preconditioned_queries(const Tensor& q, const Tensor& k, const Tensor& lambda, Index heads,
                              AttentionState* state) {
  const auto shapes = [&] {
    return text("preconditioned_queries: q ", q.shape(), ", k ", k.shape(), ", lambda ", lambda.shape());
  };
  check(heads > 0 && q.shape().rank() == 3 && q.shape() == k.shape() && lambda.shape().rank() == 1 &&
            lambda.dim(0) == heads,
        shapes, ": expected q and k (B, T, H*K) and lambda (H) for H = ", heads);
  const Index B = q.dim(0), T = q.dim(1), H = heads;
  check(q.dim(2) % H == 0, shapes, ": ", H, " heads do not divide the last dimension");
  const Index K = q.dim(2) / H;
  constexpr real least = std::numeric_limits<real>::min();  // 1/λ must be finite, too
  for (Index h = 0; h < H; ++h) {
    check(lambda[h] >= least && std::isfinite(lambda[h]), "preconditioned_queries: lambda of head ", h,
          " is ", lambda[h], "; it must be positive, at least ", least, ", and finite");
  }
  const Tensor out = Tape::output(q.shape(), {&q, &k, &lambda});
  const auto each_group = [=](const auto& f) {
    const auto group = [&](Index number) {
      const Index first = number * lanes;
      real group_lambda[lanes];
      for (Index p = 0; p < lanes; ++p) group_lambda[p] = lambda[(first + p) % H];
      f(first, Problems(B, T, H, K, first), load(group_lambda));
    };
    const Index groups = (B * H + lanes - 1) / lanes;
    if (K > 0) parallel_for(groups, group, B * H * T * K * K);
  };
  const bool goes_on = state != nullptr && state->keys.defined();
  const Tensor kept = part_of(state, &AttentionState::keys, "preconditioned_queries", {B, K, H * K}, out);
  each_group([&](Index first, const Problems& problems, Vector group_lambda) {
    Scratch scratch;
    Vector* R = without_keys(K, group_lambda, scratch);
    const Problems rows(B, K, H, K, first);  // of all R that are kept, side by side as keys are
    for (Index i = 0; goes_on && i < K; ++i) rows.read(kept.data(), i, R + i * K);
    solve(T, K, problems, k.data(), R, [&](Index t, Vector* x) { problems.read(q.data(), t, x); },
          [&](Index t, const Vector* y) { problems.write({out.data(), false}, t, y); }, scratch);
    for (Index i = 0; kept.defined() && i < K; ++i) rows.write({kept.data(), false}, i, R + i * K);
  });
  Tape::record("preconditioned_queries", out, [=] {
    const Tensor::GradPart dq = q.grad_part(), dk = k.grad_part();
    std::vector<real> dlambda(static_cast<std::size_t>(B * H));
    each_group([&](Index first, const Problems& problems, Vector group_lambda) {
      backward(T, K, problems, k.data(), out.data(), out.grad(), group_lambda, dq, dk,
               &dlambda[static_cast<std::size_t>(first)]);
    });
    if (!lambda.has_grad()) return;
    for (Index problem = 0; problem < B * H; ++problem) {
      lambda.grad()[problem % H] += dlambda[static_cast<std::size_t>(problem)];
    }
  });
  return out;
}

}  // namespace mesagrad
