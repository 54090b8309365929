// Sequences of states s_0, s_1, ..., and what a model sees of them.
#pragma once
#include <algorithm>
#include <concepts>
#include <limits>

#include "core/linalg.h"
#include "tasks/task.h"

namespace mesagrad {

// A task whose sequences are states, each to be predicted from those before it: task.sample(random).states,
// of task.shape() (T + 1, d).
template <class T>
concept Dynamics = Task<T> && requires(const T& task, const Random& random) {
  { task.sample(random).states } -> std::convertible_to<Matrix>;
  { task.shape() } -> std::same_as<Shape>;
};

// States (count, T + 1, d) of the sequences first .. first + count - 1 of a stream: always the same for the
// same seed, stream and number. Throws as task.sample does, or if there are no such numbers.
template <class T>
Tensor sample_states(const T& task, std::uint64_t seed, std::uint32_t stream, Index first, Index count) {
  check(first >= 0 && count >= 0 && count <= std::numeric_limits<Index>::max() - first, "sample_states: ",
        count, " sequences from number ", first, " on");
  const Shape shape = task.shape();
  const Tensor states = Tensor::uninitialized({count, shape[0], shape[1]});
  real* to = states.data();
  for (Index i = first; i < first + count; ++i) {
    const auto sequence = task.sample(Random(seed, stream, static_cast<std::uint64_t>(i)));
    to = std::transform(sequence.states.values().begin(), sequence.states.values().end(), to,
                        [](double x) { return static_cast<real>(x); });
  }
  return states;
}

// Labels (B, T, d): s_1 .. s_T, of states (B, T + 1, d).
Tensor next_states(const Tensor& states);

// Raw tokens (B, T, d): s_0 .. s_{T-1}, nothing else.
Tensor current_states(const Tensor& states);

// "Constructed" tokens (B, T, 4d): e_t = [0, s_t, s_t, s_{t-1}] with s_{-1} = 0. The first group is
// where the prediction appears, the second is scratch space for models of several layers.
Tensor constructed_tokens(const Tensor& states);

}  // namespace mesagrad
