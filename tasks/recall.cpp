#include "tasks/recall.h"

#include <limits>
#include <numeric>
#include <vector>

namespace mesagrad {
namespace {

// The first n numbers of a random order of those in `all`.
void shuffle_first(Index n, std::vector<Index>& all, Random& random) {
  for (Index i = 0; i < n; ++i) {
    const double left = static_cast<double>(std::ssize(all) - i);
    std::swap(all[static_cast<std::size_t>(i)],
              all[static_cast<std::size_t>(i + static_cast<Index>(random.uniform() * left))]);
  }
}

}  // namespace

Batch Recall::batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const {
  const Index N = pairs();
  check(N > 0 && tokens == 3 * N && keys >= N && values > 0, "recall: ", tokens, " tokens, ", keys, " keys, ",
        values, " values; expected three tokens for each pair, and as many keys as pairs at least");
  check(first >= 0 && count >= 0 && count <= std::numeric_limits<Index>::max() - first, "recall: ", count,
        " sequences from number ", first, " on");
  Batch batch{Tensor({count, tokens}), Tensor({count, tokens})};
  for (Index t = 2 * N; t < tokens; ++t) batch.positions.push_back(t);
  for (Index b = 0; b < count; ++b) {
    Random random(seed, stream, static_cast<std::uint64_t>(first + b));
    real *ids = batch.inputs.data() + b * tokens, *labels = batch.labels.data() + b * tokens;
    std::vector<Index> key(static_cast<std::size_t>(keys)), order(static_cast<std::size_t>(N));
    std::iota(key.begin(), key.end(), 0);
    std::iota(order.begin(), order.end(), 0);
    shuffle_first(N, key, random);
    for (Index i = 0; i < N; ++i) {
      ids[2 * i] = static_cast<real>(key[static_cast<std::size_t>(i)]);
      ids[2 * i + 1] =
          static_cast<real>(keys + static_cast<Index>(random.uniform() * static_cast<double>(values)));
    }
    shuffle_first(N, order, random);
    for (Index i = 0; i < N; ++i) {
      const Index asked = order[static_cast<std::size_t>(i)];
      ids[2 * N + i] = ids[2 * asked];
      labels[2 * N + i] = ids[2 * asked + 1];
    }
  }
  return batch;
}

}  // namespace mesagrad
