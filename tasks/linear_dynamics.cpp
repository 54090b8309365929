#include "tasks/linear_dynamics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mesagrad {

namespace {

void check_task(const LinearDynamics& task) {
  check(task.dimension > 0 && task.tokens >= 0, "linear dynamics: ", task.tokens, " tokens of dimension ",
        task.dimension);
  const auto is_size = [](double x) { return x >= 0 && std::isfinite(x); };
  check(is_size(task.noise) && is_size(task.range) && task.clip >= 0, "linear dynamics: noise ", task.noise,
        ", range ", task.range, ", clip ", task.clip, "; none may be negative, and only clip infinite");
  static_cast<void>(Shape({task.tokens, task.dimension}));  // throws if there are too many
}

// W = Z·diag(λ)·Z⁻¹ with independent normals in Z. (Which eigenvalue is 0.9 makes no difference: all
// columns of Z are alike.)
Matrix random_contraction(Index d, Random& random) {
  const Matrix Z = random_normal(d, random);
  Matrix scaled = Z;  // Z·diag(λ)
  for (Index j = 0; j < d; ++j) {
    const double lambda = j + 1 < d ? random.uniform(0.3, 0.9) : 0.9;
    for (Index i = 0; i < d; ++i) scaled(i, j) *= lambda;
  }
  return multiply(scaled, lu_solve(Z, Matrix::identity(d)));
}

}  // namespace

Matrix LinearDynamics::sample_system(Random& random) const {
  check_task(*this);
  if (system == System::contracting) return random_contraction(dimension, random);
  Random the_same(fixed_key, stream::fixed_system);
  return random_orthogonal(dimension, system == System::fixed ? the_same : random);
}

LinearDynamics::Sequence LinearDynamics::sample(Random random) const {
  check_task(*this);
  const Index d = dimension;
  Sequence sequence{sample_system(random), Matrix(tokens + 1, d)};
  Matrix& s = sequence.states;
  for (Index i = 0; i < d; ++i) s(0, i) = random.uniform(-range, range);
  for (Index t = 0; t < tokens; ++t) {
    for (Index i = 0; i < d; ++i) {
      double next = noise * random.normal();
      for (Index j = 0; j < d; ++j) next += sequence.W(i, j) * s(t, j);
      s(t + 1, i) = std::clamp(next, -clip, clip);
    }
  }
  return sequence;
}

Tensor LinearDynamics::sample(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const {
  check_task(*this);
  check(first >= 0 && count >= 0 && count <= std::numeric_limits<Index>::max() - first,
        "linear dynamics: ", count, " sequences from number ", first, " on");
  Tensor states = Tensor::uninitialized({count, tokens + 1, dimension});
  real* to = states.data();
  for (Index i = first; i < first + count; ++i) {
    const Sequence sequence = sample(Random(seed, stream, static_cast<std::uint64_t>(i)));
    for (const double x : sequence.states.values()) *to++ = static_cast<real>(x);
  }
  return states;
}

Tensor LinearDynamics::inputs_of(const Tensor& states) const {
  return inputs == Tokens::constructed ? constructed_tokens(states) : current_states(states);
}

Batch LinearDynamics::batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const {
  const Tensor states = sample(seed, stream, first, count);
  return {inputs_of(states), next_states(states)};
}

namespace {

// Tokens (B, T, D) for states (B, T + 1, d): write(to, s_t, s_{t-1} or nullptr at t = 0) writes each of them,
// as so many groups of d channels.
template <class Write>
Tensor each_token(const char* op, const Tensor& states, Index groups, const Write& write) {
  check(states.shape().rank() == 3 && states.dim(1) >= 1, op, ": states ", states.shape(),
        " should be (B, T + 1, d)");
  const Index steps = states.dim(1), d = states.dim(2);
  const Tensor tokens = Tensor::uninitialized({states.dim(0), steps - 1, groups * d});
  real* to = tokens.data();
  for (Index b = 0; b < states.dim(0); ++b) {
    for (Index t = 0; t + 1 < steps; ++t, to += groups * d) {
      const real* s = states.data() + (b * steps + t) * d;
      write(to, s, t > 0 ? s - d : nullptr);
    }
  }
  return tokens;
}

}  // namespace

Tensor next_states(const Tensor& states) {
  return each_token("next_states", states, 1, [&](real* to, const real* s, const real*) {
    const Index d = states.dim(2);
    std::copy_n(s + d, d, to);
  });
}

Tensor current_states(const Tensor& states) {
  return each_token("current_states", states, 1, [&](real* to, const real* s, const real*) {
    std::copy_n(s, states.dim(2), to);
  });
}

Tensor constructed_tokens(const Tensor& states) {
  return each_token("constructed_tokens", states, 4, [&](real* to, const real* s, const real* previous) {
    const Index d = states.dim(2);
    std::fill_n(to, 4 * d, real{0});
    std::copy_n(s, d, to + d);
    std::copy_n(s, d, to + 2 * d);
    if (previous != nullptr) std::copy_n(previous, d, to + 3 * d);
  });
}

}  // namespace mesagrad
