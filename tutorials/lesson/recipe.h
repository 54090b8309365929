// How a model is trained, and the same in words, which tell this training's checkpoints from all others.
#pragma once
#include <functional>
#include <string>

#include "core/checksum.h"
#include "nn/linear_transformer.h"
#include "nn/transformer.h"
#include "tasks/linear_dynamics.h"
#include "tutorials/lesson/numbers.h"

namespace mesagrad::lesson {

template <class Model>
struct Recipe {
  typename Model::Options model;
  Index updates = 0;
  Index batch = 256;
  double decay = 0.1;
  double clip = 1;  // bound of each element of the gradient
  std::function<double(Index)> rate;  // of update n
  Index test_every = 0;               // updates; 0: no tests
  Index test_sequences = 2560;
};

// The rates of all updates: first and last, and a checksum.
inline std::string in_words(const std::function<double(Index)>& rate, Index updates) {
  Checksum all;
  for (Index n = 0; n < updates; ++n) all.add(exact_number(rate(n)));
  if (updates == 0) return "no rate";
  return text("rate from ", exact_number(rate(0)), " to ", exact_number(rate(updates - 1)), " by way of ",
              all.text());
}

// All fields are taken by name: one that is new, and missing here, does not compile.
inline std::string in_words(const LinearTransformer::Options& options) {
  const auto& [width, blocks, heads, key_size, mesa, softplus_lambda, masked_channels, clip, deviation] =
      options;
  return text("width ", width, ", blocks ", blocks, ", heads ", heads, ", key size ", key_size,
              ", mesa ", mesa, ", softplus lambda ", softplus_lambda, ", masked channels ", masked_channels,
              ", clip ", exact_number(clip), ", first deviation ", exact_number(deviation));
}

inline std::string in_words(const Transformer::Options& options) {
  const auto& [inputs, outputs, width, blocks, heads, key_size, positions, tokens, clip, mlp, layer_norm,
               unit_keys, dropout, deviation] = options;
  std::string kinds;
  for (const Attention kind : blocks) kinds += text(" ", static_cast<int>(kind));
  return text("inputs ", inputs, ", outputs ", outputs, ", width ", width, ", blocks", kinds,
              ", heads ", heads, ", key size ", key_size, ", positions ", static_cast<int>(positions),
              ", model's tokens ", tokens, ", clip ", exact_number(clip), ", MLP ", mlp,
              ", layer norm ", layer_norm, ", unit keys ", unit_keys, ", dropout ", exact_number(dropout),
              ", first deviation ", exact_number(deviation));
}

inline std::string in_words(const LinearDynamics& task) {
  const auto& [dimension, tokens, noise, range, clip, system, fixed_key] = task;
  return text("dimension ", dimension, ", tokens ", tokens, ", noise ", exact_number(noise),
              ", range ", exact_number(range), ", states' clip ", exact_number(clip),
              ", system ", static_cast<int>(system), ", fixed key ", fixed_key);
}

template <class Model>
std::string in_words(const Recipe<Model>& recipe) {
  const auto& [model, updates, batch, decay, clip, rate, test_every, test_sequences] = recipe;
  return text(in_words(model), ", updates ", updates, ", batch ", batch, ", decay ", exact_number(decay),
              ", gradient's clip ", exact_number(clip),
              ", ", in_words(rate, updates), ", test every ", test_every,
              ", test sequences ", test_sequences);
}

}  // namespace mesagrad::lesson
