// Lesson 13: what a layer must keep to go on, and what one token more costs.
#pragma once
#include <algorithm>
#include <string>

#include "nn/decoder.h"
#include "tasks/recall.h"
#include "tutorials/lesson/stopwatch.h"

namespace mesagrad {

inline Transformer one_layer(const Mixer& kind, std::uint64_t seed) {
  const Recall symbols;
  return Transformer({.inputs = symbols.symbols(),
                      .outputs = symbols.symbols(),
                      .width = 64,
                      .blocks = {kind},
                      .heads = 1,
                      .key_size = 32,
                      .positions = Transformer::Positions::none,
                      .ids = true}, seed);
}

// Any ids (1, T).
inline Tensor some_ids(Index T) {
  const Tensor ids({1, T});
  for (Index t = 0; t < T; ++t) ids[t] = static_cast<real>(t * t % Recall{}.symbols());
  return ids;
}

struct OneMore {
  Index numbers;        // kept after so many tokens
  double microseconds;  // for the next, on this machine
};
inline OneMore one_more(const Mixer& kind, Index tokens, std::uint64_t seed) {
  Decoder decoder(one_layer(kind, seed));
  decoder(some_ids(tokens));
  const Index numbers = decoder.numbers();
  const Tensor next({1, 1}, {1});
  return {numbers, 1e6 * lesson::time([&] { decoder(next); }, 0.01).best};
}

// The largest difference between what a decoder says of T tokens, one after another, and the model of all; as
// a part of the largest number said.
inline double decoder_difference(const Mixer& kind, Index T, std::uint64_t seed) {
  const Transformer model = one_layer(kind, seed);
  const Tensor ids = some_ids(T), expected = model(ids);
  const Index V = expected.dim(2);
  Decoder decoder(model);
  double difference = 0, largest = 0;
  for (Index t = 0; t < T; ++t) {
    const Tensor said = decoder(Tensor({1, 1}, {ids[t]}));
    for (Index v = 0; v < V; ++v) {
      difference = std::max(difference, static_cast<double>(std::abs(said[v] - expected[t * V + v])));
      largest = std::max(largest, static_cast<double>(std::abs(said[v])));
    }
  }
  return difference / largest;
}

}  // namespace mesagrad
