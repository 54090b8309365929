// A language model writes: it continues a sequence of ids, one after another, each drawn from what the model
// says of those before it.
#pragma once
#include <algorithm>
#include <vector>

#include "core/elementary.h"
#include "core/random.h"
#include "core/tensor.h"

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

// `ids` and `count` more. model(ids (1, T)) are logits (1, T, V), of which the last row counts; the model
// sees no more than the last `window` ids, all at once, and works them through anew for each that it draws.
// Throws unless there is an id to begin with and the window holds one.
template <class Model>
std::vector<Index> continued(const Model& model, std::vector<Index> ids, Index count, Index window,
                             Random& random) {
  check(!ids.empty() && window > 0, "generation: ", ids.size(), " ids and a window of ", window,
        "; neither may be empty");
  for (Index n = 0; n < count; ++n) {
    const Index T = std::min<Index>(window, std::ssize(ids));
    const Tensor seen = Tensor::uninitialized({1, T});
    std::transform(ids.end() - T, ids.end(), seen.data(), [](Index id) { return static_cast<real>(id); });
    const Tensor logits = model(seen);
    const Index V = logits.dim(2);
    ids.push_back(draw(logits.data() + (T - 1) * V, V, random));
  }
  return ids;
}

}  // namespace mesagrad
