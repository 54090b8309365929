// How a model is trained, and the same in words, which tell this training's checkpoints from all others.
#pragma once
#include <functional>
#include <string>

#include "core/checksum.h"
#include "nn/optimizer.h"
#include "nn/transformer.h"
#include "tasks/linear_dynamics.h"
#include "tutorials/lesson/writing.h"

namespace mesagrad::lesson {

template <class Model, class Optimizer = AdamW>
struct Recipe {
  typename Model::Options model;
  typename Optimizer::Options optimizer = {};
  Index updates = 0;
  Index batch = 256;
  Clipping clip = {.value = 1};       // of the gradient
  std::function<double(Index)> rate;  // of update n
  Index test_every = 0;               // updates; 0: no tests
  Index test_sequences = 2560;

  // For who wants to look: called after update n = 1, 2, ... with its loss and the model.
  std::function<void(Index, double, const Model&)> watch = {};
  // For who has seen enough: asked after every test, with the test losses so far; true ends the training.
  // It must follow from these alone, or a resumed training ends elsewhere.
  std::function<bool(const std::vector<double>&)> enough = {};
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
inline std::string in_words(const Transformer::Options& options) {
  const auto& [inputs, outputs, width, blocks, heads, key_size, positions, tokens, clip, mlp, layer_norm,
               unit_keys, embedded, masked_channels, dropout, deviation] = options;
  std::string kinds;
  for (const Mixer& kind : blocks) {
    kinds += " (" + std::visit([](const auto& mix) { return mix.name(); }, kind) + ")";
  }
  return text("inputs ", inputs, ", outputs ", outputs, ", width ", width, ", blocks", kinds,
              ", heads ", heads, ", key size ", key_size, ", positions ", static_cast<int>(positions),
              ", model's tokens ", tokens, ", clip ", exact_number(clip), ", MLP ", mlp,
              ", layer norm ", layer_norm, ", unit keys ", unit_keys, ", embedded ", embedded,
              ", masked channels ", masked_channels, ", dropout ", exact_number(dropout),
              ", first deviation ", exact_number(deviation));
}

inline std::string in_words(const LinearDynamics& task) {
  const auto& [dimension, tokens, noise, range, clip, system, fixed_key, inputs] = task;
  return text("dimension ", dimension, ", tokens ", tokens, ", noise ", exact_number(noise),
              ", range ", exact_number(range), ", states' clip ", exact_number(clip),
              ", system ", static_cast<int>(system), ", fixed key ", fixed_key,
              ", inputs ", static_cast<int>(inputs));
}

inline std::string in_words(const AdamW::Options& options) {
  const auto& [beta1, beta2, epsilon, decay] = options;
  return text("AdamW, beta1 ", exact_number(beta1), ", beta2 ", exact_number(beta2), ", epsilon ",
              exact_number(epsilon), ", decay ", exact_number(decay));
}

inline std::string in_words(const SGD::Options& options) {
  const auto& [momentum] = options;
  return text("SGD, momentum ", exact_number(momentum));
}

inline std::string in_words(const Clipping& clipping) {
  const auto& [value, norm] = clipping;
  return text("gradient's clip ", exact_number(value), ", its norm's ", exact_number(norm));
}

template <class Model, class Optimizer>
std::string in_words(const Recipe<Model, Optimizer>& recipe) {
  const auto& [model, optimizer, updates, batch, clip, rate, test_every, test_sequences, watch, enough] =
      recipe;
  return text(in_words(model), ", ", in_words(optimizer), ", updates ", updates, ", batch ", batch, ", ",
              in_words(clip), ", ", in_words(rate, updates), ", test every ", test_every,
              ", test sequences ", test_sequences, ", ends early ", enough ? "perhaps" : "never");
}

}  // namespace mesagrad::lesson
