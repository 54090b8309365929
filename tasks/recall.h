// Recall: keys with values, and then the question which value a key had.
#pragma once
#include <algorithm>

#include "core/random.h"
#include "tasks/task.h"

namespace mesagrad {

// For N = T/3 pairs of a key and a value, the T ids
//
//     key_1 value_1 key_2 value_2 .. key_N value_N,  then the keys once more, in another order
//
// Keys are N different ones of 0 .. keys-1, values any of keys .. keys+values-1. The labels of the last N
// ids, which alone count, are the values that these keys had. Nothing can be learned by heart: each sequence
// has pairs of its own, and who knows no pair loses log(values).
// Source: "multi-query associative recall", Arora et al., Zoology, arXiv 2312.04927. (There questions are
// spread over the text, with gaps that grow.)
struct Recall {
  Index tokens = 48;  // T, three for each pair
  Index keys = 64, values = 64;

  Index pairs() const { return tokens / 3; }
  Index symbols() const { return keys + values; }

  // Throws unless T is a multiple of three, there are N different keys, and a value.
  Batch batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const;
  static constexpr CrossEntropy loss = {};
};

// The share of questions of sequences 0 .. sequences-1 of a stream for which model(inputs), logits (B, T, V),
// gives the right value more than any other symbol.
template <class Model>
double recalled_share(const Recall& task, const Model& model, std::uint64_t seed, std::uint32_t stream,
                      Index sequences) {
  const Batch batch = task.batch(seed, stream, 0, sequences);
  const Tensor logits = model(batch.inputs);
  const Index V = logits.dim(2);
  Index right = 0, asked = 0;
  for (Index b = 0; b < sequences; ++b) {
    for (const Index t : batch.positions) {
      const real* x = logits.data() + (b * task.tokens + t) * V;
      right += std::max_element(x, x + V) - x == static_cast<Index>(batch.labels[b * task.tokens + t]);
      ++asked;
    }
  }
  return static_cast<double>(right) / static_cast<double>(asked);
}

}  // namespace mesagrad
