#include "tasks/nonlinear_dynamics.h"

#include <algorithm>
#include <cmath>

#include "core/elementary.h"
#include "core/norm.h"

namespace mesagrad {
namespace {

// ½(1 + tanh u) = 1/(1 + e⁻²ᵘ)
double gelu(double x) {
  constexpr double twice = 1.5957691216057308;  // 2√(2/π)
  return x / (1 + exponential(-twice * (x + 0.044715 * x * x * x)));
}

}  // namespace

Matrix FeatureNetwork::raw_features(const Matrix& states) const {
  Matrix inner = multiply(states, A);
  for (double& x : inner.values()) x = gelu(x);
  return multiply(inner, B);
}

Matrix FeatureNetwork::unit_features(const Matrix& states) const {
  Matrix f = raw_features(states);
  for (Index i = 0; i < f.rows(); ++i) {
    const double length = norm(f.row(i), f.columns()) + 1e-16;
    for (Index j = 0; j < f.columns(); ++j) f(i, j) /= length;
  }
  return f;
}

FeatureNetwork random_feature_network(Index d, Index M, std::uint64_t key) {
  Random random(key, stream::fixed_system);
  FeatureNetwork network{Matrix(d, M), Matrix(M, d)};
  for (Matrix* weights : {&network.A, &network.B}) {
    for (double& w : weights->values()) w = 1.1 * random.normal();
  }
  return network;
}

Shape NonlinearDynamics::shape() const {
  const Matrix &A = network.A, &B = network.B;
  check(A.rows() > 0 && A.columns() > 0 && B.rows() == A.columns() && B.columns() == A.rows() && tokens >= 0,
        "nonlinear dynamics: ", tokens, " tokens of a network ", shape_of(A), ", ", shape_of(B));
  const auto is_size = [](double x) { return x >= 0 && std::isfinite(x); };
  check(is_size(noise) && is_size(range), "nonlinear dynamics: noise ", noise, ", range ", range,
        "; neither may be negative or infinite");
  static_cast<void>(Shape({tokens, A.rows()}));  // throws if there are too many
  return {tokens + 1, A.rows()};
}

NonlinearDynamics::Sequence NonlinearDynamics::sample(Random random) const {
  const Shape size = shape();
  const Index d = size[1];
  Sequence sequence{random_orthogonal(d, random), Matrix(size[0], d)};
  Matrix s(1, d);
  for (double& x : s.values()) x = random.uniform(-range, range);
  for (Index t = 0; t <= tokens; ++t) {
    if (t > 0) {
      s = multiply(network.unit_features(s), transpose(sequence.W));
      for (double& x : s.values()) x += noise * random.normal();
    }
    std::copy_n(s.row(0), d, sequence.states.row(t));
  }
  return sequence;
}

Batch NonlinearDynamics::batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const {
  const Tensor states = sample_states(*this, seed, stream, first, count);
  return {inputs_of(states), next_states(states)};
}

}  // namespace mesagrad
