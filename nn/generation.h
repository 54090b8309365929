// A language model writes: it continues a sequence of ids, one after another, each drawn from what the model
// says of those before it.
#pragma once
#include <algorithm>
#include <span>
#include <vector>

#include "core/elementary.h"
#include "core/random.h"
#include "nn/decoder.h"

namespace mesagrad {

// One of the numbers 0 .. n-1, with the probabilities softmax(logits).
inline Index draw(const real* logits, Index n, Random& random) {
  const double largest = static_cast<double>(*std::max_element(logits, logits + n));
  std::vector<double> weights;
  double sum = 0;
  for (Index j = 0; j < n; ++j)
    sum += weights.emplace_back(exponential(static_cast<double>(logits[j]) - largest));
  double left = random.uniform() * sum;
  Index last = 0;
  for (Index j = 0; j < n && left >= 0; ++j) {
    if (weights[static_cast<std::size_t>(j)] == 0) continue;
    last = j;
    left -= weights[static_cast<std::size_t>(j)];
  }
  return last;
}

// As one sequence (1, T).
inline Tensor sequence_of(std::span<const Index> ids) {
  const Tensor result = Tensor::uninitialized({1, std::ssize(ids)});
  std::transform(ids.begin(), ids.end(), result.data(), [](Index id) { return static_cast<real>(id); });
  return result;
}

// `ids` and `count` more, each drawn from the last row of the logits (1, T, V) that `read` makes of those
// before it.
template <class Read>
std::vector<Index> extended(std::vector<Index> ids, Index count, Random& random, const Read& read) {
  for (Index n = 0; n < count; ++n) {
    const Tensor logits = read(std::span<const Index>(ids));
    const Index V = logits.dim(2);
    ids.push_back(draw(logits.data() + logits.size() - V, V, random));
  }
  return ids;
}

// `ids` and `count` more, by a decoder that reads each once. Throws unless there is an id to begin with, or
// if the model has positions, and fewer than there are ids to be read (all but the last).
inline std::vector<Index> continued(const Transformer& model, const std::vector<Index>& ids, Index count,
                                    Random& random) {
  check(!ids.empty(), "generation: there is no id to begin with");
  Decoder decoder(model);
  return extended(ids, count, random, [&](std::span<const Index> all) {
    return decoder(sequence_of(all.subspan(static_cast<std::size_t>(decoder.tokens()))));
  });
}

// The same for texts longer than a model's positions, and for models of any kind: model(ids (1, T)) sees no
// more than the last `window` ids, all at once, and works them through anew for each that is drawn. (Once the
// first id has fallen out of the window, every position holds another id than before: no state could be
// kept.) Throws unless there is an id to begin with and the window holds one.
template <class Model>
std::vector<Index> continued(const Model& model, const std::vector<Index>& ids, Index count, Index window,
                             Random& random) {
  check(!ids.empty() && window > 0, "generation: ", ids.size(), " ids and a window of ", window,
        "; neither may be empty");
  return extended(ids, count, random, [&](std::span<const Index> all) {
    return model(sequence_of(all.last(std::min(static_cast<std::size_t>(window), all.size()))));
  });
}

}  // namespace mesagrad
