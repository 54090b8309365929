// Lesson 13: what a few steps of conjugate gradients are worth, and how solvers break.
#pragma once
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "core/elementary.h"
#include "nn/gated_mesa.h"
#include "nn/gated_mesa_forms.h"
#include "nn/gates.h"
#include "nn/mesa_solver.h"
#include "tasks/linear_dynamics.h"
#include "tutorials/lesson/stopwatch.h"

namespace mesagrad {

// The mesa-layer by hand, on lesson 1's sequences: keys s_{i-1} and queries s_t of length 1, values s_i, a
// penalty Λ, nothing forgotten. Its mean loss with so many steps of conjugate gradients.
inline double loss_of_steps(const LinearDynamics& task, double penalty, const MesaSolver& solver,
                            std::uint64_t seed, Index sequences) {
  const Tensor states = sample_states(task, seed, stream::test_data, 0, sequences);
  const Index T = task.tokens, d = task.dimension;
  const Tensor labels = next_states(states), values = current_states(states), keys(values.shape());
  for (Index b = 0; b < sequences; ++b) {
    std::fill_n(values.data() + b * T * d, d, real{0});  // s_0 follows nothing
    std::copy_n(states.data() + b * (T + 1) * d, (T - 1) * d, keys.data() + (b * T + 1) * d);
  }
  const Tensor k = safe_unit_length(keys, 1), q = safe_unit_length(current_states(states), 1);
  const Tensor decay({sequences, T, 1}), strength({sequences, T, 1}, 1);
  const Tensor x = gated_preconditioned_queries(q, k, decay, strength,
                                                Tensor({d}, static_cast<real>(penalty)), 1, solver);
  const Tensor said = gated_linear_attention(x, k, values, decay, strength, 1);
  return static_cast<double>(squared_error(said, labels, sequences, {}).item());
}

// -- Three orders of one computation ----------------------------------------------------------------

struct Form {
  Index chunk;  // 0: the recurrence
  double difference, microseconds;  // from the recurrence, and for a token on one thread
};

inline std::vector<Form> forms(Index T, Index K, Index steps, std::uint64_t seed) {
  Random random(seed, stream::analysis_data, 77);
  const auto normal = [&](Index width) {
    const Tensor x({1, T, width});
    for (Index i = 0; i < x.size(); ++i) x[i] = static_cast<real>(random.normal());
    return x;
  };
  const Tensor q = safe_unit_length(normal(K), 1), k = safe_unit_length(normal(K), 1), v = normal(K),
               strength = sigmoid(normal(1)),
               decay = log_sigmoid(add_to_rows(normal(1), Tensor({1}, 4))), penalty({K}, real{0.25});
  const auto recurrent = [&] {
    const Tensor x = gated_preconditioned_queries(q, k, decay, strength, penalty, 1, {steps});
    return gated_linear_attention(x, k, v, decay, strength, 1);
  };
  const Tensor expected = recurrent();
  const double token = 1e6 / static_cast<double>(T);
  std::vector<Form> result = {{0, 0, token * lesson::time([&] { recurrent(); }, 0.1).median}};
  for (const Index chunk : {Index{16}, Index{64}, T}) {
    const auto run = [&] { return chunked_gated_mesa(q, k, v, decay, strength, penalty, 1, chunk, steps); };
    const Tensor out = run();
    double largest = 0;
    for (Index i = 0; i < out.size(); ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(out[i] - expected[i])));
    }
    result.push_back({chunk, largest, token * lesson::time([&] { run(); }, 0.1).median});
  }
  return result;
}

// -- How it breaks ----------------------------------------------------------------------------------

// Conjugate gradients with 10⁻⁵ added to what they divide by, as they have been published.
inline void guarded_conjugate_gradients(Index K, Index steps, const real* H, const real* penalty,
                                        const real* q, real* x) {
  std::vector<real> r(q, q + K), p(q, q + K), y(static_cast<std::size_t>(K));
  std::fill_n(x, K, real{0});
  constexpr real guard = static_cast<real>(1e-5);
  real square = dot(K, q, q);
  for (Index s = 0; s < steps; ++s) {
    multiply_penalized(K, H, penalty, p.data(), y.data());
    const real alpha = square / (dot(K, p.data(), y.data()) + guard);
    add_multiple(K, alpha, p.data(), x);
    add_multiple(K, -alpha, y.data(), r.data());
    const real next = dot(K, r.data(), r.data()), beta = next / (square + guard);
    square = next;
    for (std::size_t j = 0; j < p.size(); ++j) p[j] = r[j] + beta * p[j];
  }
}

// A mesa-layer's H after T tokens, of unit keys out of `different` ones, each sum rounded to a mantissa of so
// many binary digits (24: float, 11: half precision, 8: bfloat16). Row-major (K, K).
inline std::vector<real> rounded_state(Index K, Index T, Index different, double decay, int digits,
                                       std::uint64_t seed) {
  Random random(seed, stream::analysis_data, 78);
  const Tensor raw({1, different, K});
  for (Index i = 0; i < raw.size(); ++i) raw[i] = static_cast<real>(random.normal());
  const Tensor keys = safe_unit_length(raw, 1);
  const auto round = [digits](real x) {
    int exponent = 0;
    const real mantissa = std::frexp(x, &exponent);
    return std::ldexp(std::nearbyint(std::ldexp(mantissa, digits)), exponent - digits);
  };
  std::vector<real> H(static_cast<std::size_t>(K * K));
  for (Index t = 0; t < T; ++t) {
    const real* k = keys.data() + random.bits() % static_cast<std::uint32_t>(different) * K;
    for (Index i = 0; i < K; ++i) {
      for (Index j = 0; j < K; ++j) {
        real& h = H[static_cast<std::size_t>(i * K + j)];
        h = round(static_cast<real>(decay) * h + k[i] * k[j]);
      }
    }
  }
  return H;
}

// The smallest eigenvalue of H, which has it negative if Cholesky's decomposition of H + shift·I fails with
// the shift 0: by bisection, to a millionth of `most`.
inline double smallest_eigenvalue(const std::vector<real>& H, Index K, double most) {
  double fails = -most, works = most;  // shifts
  for (int i = 0; i < 20; ++i) {
    const double shift = (fails + works) / 2;
    Matrix A(K, K);
    for (Index a = 0; a < K; ++a) {
      for (Index b = 0; b < K; ++b) A(a, b) = static_cast<double>(H[static_cast<std::size_t>(a * K + b)]);
      A(a, a) += shift;
    }
    try {
      cholesky_solve(A, Matrix(K, 1, 1));
      works = shift;
    } catch (const Error&) {
      fails = shift;
    }
  }
  return -works;
}

// ‖(H + Λ) x - q‖/‖q‖.
inline double residual(Index K, const real* H, const real* penalty, const real* q, const real* x) {
  std::vector<real> y(static_cast<std::size_t>(K));
  multiply_penalized(K, H, penalty, x, y.data());
  double wrong = 0, all = 0;
  for (Index j = 0; j < K; ++j) {
    const double r = (static_cast<double>(y[static_cast<std::size_t>(j)]) - static_cast<double>(q[j])) ;
    wrong += r * r;
    all += static_cast<double>(q[j]) * static_cast<double>(q[j]);
  }
  return std::sqrt(wrong / all);
}

}  // namespace mesagrad
