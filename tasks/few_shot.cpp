#include "tasks/few_shot.h"

#include <algorithm>
#include <cmath>

namespace mesagrad {

Shape FewShot::shape() const {
  check(dimension > 0 && tokens >= 0 && prefix >= 0 && switch_after >= 0, "few-shot prompts: ", tokens,
        " tokens of dimension ", dimension, ", a prefix of ", prefix, ", a switch after ", switch_after,
        " pairs");
  const auto is_size = [](double x) { return x >= 0 && std::isfinite(x); };
  check(is_size(noise) && is_size(range), "few-shot prompts: noise ", noise, ", range ", range,
        "; neither may be negative or infinite");
  static_cast<void>(Shape({tokens, dimension}));  // throws if there are too many
  return {tokens + 1, dimension};
}

Index FewShot::pairs() const { return std::max<Index>(0, (tokens - prefix + period() - 1) / period()); }

Index FewShot::place(Index pair) const { return prefix + pair * period(); }

std::vector<Index> FewShot::positions() const {
  std::vector<Index> all;
  for (Index i = 0; i < pairs(); ++i) all.push_back(place(i));
  return all;
}

std::vector<Index> FewShot::prefix_at() const {
  std::vector<Index> at(static_cast<std::size_t>(tokens), -1);
  for (Index t = 0; t < std::min(prefix, tokens); ++t) at[static_cast<std::size_t>(t)] = t;
  return at;
}

std::vector<Index> FewShot::separator_at() const {
  std::vector<Index> at(static_cast<std::size_t>(tokens), -1);
  for (Index t = place(0) + 2; separator && t < tokens; t += 3) at[static_cast<std::size_t>(t)] = 0;
  return at;
}

bool FewShot::is_example(Index i) const { return i > prefix && (i - 1 - prefix) % period() == 0; }

FewShot::Sequence FewShot::sample(Random random) const {
  const Shape size = shape();
  const Index d = dimension;
  Sequence sequence{random_orthogonal(d, random), {}, Matrix(size[0], d)};
  Matrix& s = sequence.states;
  for (Index i = 0; i < pairs(); ++i) {
    if (switch_after > 0 && i == switch_after) sequence.W_after = random_orthogonal(d, random);
    const Matrix& W = sequence.W_after.rows() > 0 ? sequence.W_after : sequence.W;
    double *x = s.row(place(i)), *y = s.row(place(i) + 1);
    for (Index j = 0; j < d; ++j) x[j] = random.uniform(-range, range);
    for (Index j = 0; j < d; ++j) {
      y[j] = noise * random.normal();
      for (Index k = 0; k < d; ++k) y[j] += W(j, k) * x[k];
    }
  }
  // Without a separator the last row may be the x of a pair that has no token.
  if (tokens >= prefix && place(pairs()) == tokens) {
    for (Index j = 0; j < d; ++j) s(tokens, j) = random.uniform(-range, range);
  }
  return sequence;
}

Batch FewShot::batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const {
  const Tensor states = sample_states(*this, seed, stream, first, count);
  return {inputs_of(states), next_states(states), positions()};
}

}  // namespace mesagrad
