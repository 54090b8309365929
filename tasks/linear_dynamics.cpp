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
  Matrix Z(d, d);
  for (double& z : Z.values()) z = random.normal();
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
  switch (system) {
    case System::contracting: return random_contraction(dimension, random);
    case System::fixed: {
      Random the_same(fixed_key, stream::fixed_system);
      return random_orthogonal(dimension, the_same);
    }
    case System::orthogonal: break;
  }
  return random_orthogonal(dimension, random);
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

Tensor LinearDynamics::sample(std::uint64_t seed, std::uint32_t stream, Index first,
                              Index count) const {
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

void check_states(const char* op, const Tensor& states) {
  check(states.shape().rank() == 3 && states.dim(1) >= 1, op, ": states ", states.shape(),
        " should be (B, T + 1, d)");
}

// f(s_t, s_{t-1} or nullptr at t = 0) for all sequences and tokens of states (B, T + 1, d).
template <class F>
void each_token(const Tensor& states, const F& f) {
  const Index steps = states.dim(1), d = states.dim(2);
  for (Index b = 0; b < states.dim(0); ++b) {
    for (Index t = 0; t + 1 < steps; ++t) {
      const real* s = states.data() + (b * steps + t) * d;
      f(s, t > 0 ? s - d : nullptr);
    }
  }
}

}  // namespace

Tensor next_states(const Tensor& states) {
  check_states("next_states", states);
  const Index d = states.dim(-1);
  Tensor labels = Tensor::uninitialized({states.dim(0), states.dim(1) - 1, d});
  real* to = labels.data();
  each_token(states, [&](const real* s, const real*) {
    to = std::copy_n(s + d, d, to);
  });
  return labels;
}

Tensor current_states(const Tensor& states) {
  check_states("current_states", states);
  const Index d = states.dim(-1);
  Tensor tokens = Tensor::uninitialized({states.dim(0), states.dim(1) - 1, d});
  real* to = tokens.data();
  each_token(states, [&](const real* s, const real*) {
    to = std::copy_n(s, d, to);
  });
  return tokens;
}

Tensor constructed_tokens(const Tensor& states) {
  check_states("constructed_tokens", states);
  const Index d = states.dim(-1);
  Tensor tokens = Tensor::uninitialized({states.dim(0), states.dim(1) - 1, 4 * d});
  real* to = tokens.data();
  each_token(states, [&](const real* s, const real* previous) {
    to = std::fill_n(to, d, real{0});
    to = std::copy_n(s, d, to);
    to = std::copy_n(s, d, to);
    to = previous != nullptr ? std::copy_n(previous, d, to) : std::fill_n(to, d, real{0});
  });
  return tokens;
}

}  // namespace mesagrad
