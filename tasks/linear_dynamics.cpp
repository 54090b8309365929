#include "tasks/linear_dynamics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mesagrad {

namespace {

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

Shape LinearDynamics::shape() const {
  check(dimension > 0 && tokens >= 0, "linear dynamics: ", tokens, " tokens of dimension ", dimension);
  const auto is_size = [](double x) { return x >= 0 && std::isfinite(x); };
  check(is_size(noise) && is_size(range) && clip >= 0, "linear dynamics: noise ", noise, ", range ", range,
        ", clip ", clip, "; none may be negative, and only clip infinite");
  check(fixed_W.rows() == fixed_W.columns() && (fixed_W.rows() == 0 || fixed_W.rows() == dimension),
        "linear dynamics: the fixed W is ", shape_of(fixed_W), ", the dimension ", dimension);
  static_cast<void>(Shape({tokens, dimension}));  // throws if there are too many
  return {tokens + 1, dimension};
}

Matrix LinearDynamics::sample_system(Random& random) const {
  shape();
  if (system == System::contracting) return random_contraction(dimension, random);
  if (system == System::fixed && fixed_W.rows() > 0) return fixed_W;
  Random the_same(fixed_key, stream::fixed_system);
  return random_orthogonal(dimension, system == System::fixed ? the_same : random);
}

LinearDynamics::Sequence LinearDynamics::sample(Random random) const {
  shape();
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

Tensor LinearDynamics::inputs_of(const Tensor& states) const {
  return inputs == Tokens::constructed ? constructed_tokens(states) : current_states(states);
}

Batch LinearDynamics::batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const {
  const Tensor states = sample_states(*this, seed, stream, first, count);
  return {inputs_of(states), next_states(states)};
}

}  // namespace mesagrad
