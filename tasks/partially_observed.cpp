#include "tasks/partially_observed.h"

#include <algorithm>
#include <cmath>

namespace mesagrad {
namespace {

// M·x for a row x, to a row.
void transform(const Matrix& M, const double* x, double* to) {
  for (Index i = 0; i < M.rows(); ++i) {
    to[i] = 0;
    for (Index j = 0; j < M.columns(); ++j) to[i] += M(i, j) * x[j];
  }
}

}  // namespace

Shape PartiallyObserved::shape() const {
  check(hidden > 0 && dimension > 0 && tokens >= 0, "partially observed dynamics: ", tokens,
        " tokens of dimension ", dimension, " of ", hidden, " hidden ones");
  const auto is_size = [](double x) { return x >= 0 && std::isfinite(x); };
  check(is_size(noise) && is_size(observation_noise) && is_size(scale) && is_size(range) && clip >= 0,
        "partially observed dynamics: noise ", noise, " and ", observation_noise, ", scale ", scale, ", range ",
        range, ", clip ", clip, "; none may be negative, and only clip infinite");
  static_cast<void>(Shape({tokens, std::max(hidden, dimension), hidden}));  // throws if there are too many
  return {tokens + 1, dimension};
}

PartiallyObserved::Sequence PartiallyObserved::sample(Random random) const {
  const Shape size = shape();
  Sequence sequence{random_orthogonal(hidden, random), Matrix(dimension, hidden), Matrix(size[0], hidden),
                    Matrix(size[0], dimension)};
  for (double& c : sequence.C.values()) c = scale * random.normal();
  Matrix& h = sequence.hidden;
  for (Index i = 0; i < hidden; ++i) h(0, i) = random.uniform(-range, range);
  for (Index t = 0; t <= tokens; ++t) {
    if (t > 0) {
      transform(sequence.W, h.row(t - 1), h.row(t));
      for (Index i = 0; i < hidden; ++i) h(t, i) = std::clamp(h(t, i) + noise * random.normal(), -clip, clip);
    }
    double* s = sequence.states.row(t);
    transform(sequence.C, h.row(t), s);
    for (Index j = 0; j < dimension; ++j) s[j] += observation_noise * random.normal();
  }
  return sequence;
}

Batch PartiallyObserved::batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const {
  const Tensor states = sample_states(*this, seed, stream, first, count);
  return {inputs_of(states), next_states(states)};
}

}  // namespace mesagrad
