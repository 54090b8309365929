// Lesson 13: one layer whose gates are learned, and what they do around the switch.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "nn/linear_transformer.h"
#include "tasks/forgetting.h"
#include "tutorials/lesson/train.h"

namespace mesagrad {

struct Learner {
  std::string name;
  Mixer kind;
  bool cue = false;
};

// One head with keys as long as states.
inline lesson::Recipe<LinearTransformer> gate_recipe(const lesson::Lesson& L, const SwitchingDynamics& task,
                                                     const Mixer& kind) {
  const Index updates = L.scaled<Index>({.smoke = 10, .lesson = 700, .paper = 4000});
  return {.model = {.width = 3 * task.dimension + 1,
                    .heads = 1,
                    .key_size = task.dimension,
                    .kind = kind,
                    .masked_channels = task.dimension,
                    .clip = 100,
                    .init_deviation = 0.2},
          .optimizer = {.decay = 0},
          .updates = updates,
          .batch = L.scaled<Index>({.smoke = 16, .lesson = 64, .paper = 256}),
          .rate = WarmupCosine{.peak = 0.05, .end = 1e-4, .warmup = 20, .total = updates}};
}

struct Learned {
  std::string name;
  bool cue = false;
  double loss = 0;
  double penalty = 0;         // the mean of Λ's diagonal; 0 if there is none
  std::vector<double> decay = {};  // the mean γ of the tokens n + 1 - width .. n + 1 + width

  double usual() const { return lesson::mean({decay.begin(), decay.begin() + std::ssize(decay) / 2}); }
  double at_switch() const {
    return decay[decay.size() / 2];
  }  // of the token that brings the new W's first pair
};

inline Learned learn_gates(lesson::Lesson& L, SwitchingDynamics task, const Learner& learner,
                           Index sequences) {
  task.cue = learner.cue;
  const auto recipe = gate_recipe(L, task, learner.kind);
  const LinearTransformer model = lesson::train(L, learner.name, task, recipe, L.seed()).model;
  Learned result{.name = learner.name,
                 .cue = learner.cue,
                 .loss = loss_curve(task, L.seed(), stream::test_data, sequences, model).total()};
  const auto look = [&](const TokenGates& gates) {
    constexpr Index width = 10, looked = 64;
    const Tensor log_decay = gates.log_decay(task.batch(L.seed(), stream::test_data, 0, looked).inputs, 1);
    result.decay.resize(2 * width + 1);
    for (Index b = 0; b < looked; ++b) {
      const Index n =
          task.sample(Random(L.seed(), stream::test_data, static_cast<std::uint64_t>(b))).switched;
      for (Index i = -width; i <= width; ++i) {
        result.decay[static_cast<std::size_t>(width + i)] +=
            exponential(static_cast<double>(log_decay[b * task.tokens + n + 1 + i])) / looked;
      }
    }
  };
  const Mixer& mixer = model.blocks[0].attention.mixer;
  if (const auto* mesa = std::get_if<GatedMesaLayer>(&mixer)) {
    look(mesa->gates);
    const Tensor penalty = mesa->penalty();
    result.penalty =
        lesson::mean(lesson::Numbers(std::vector<real>(penalty.data(), penalty.data() + penalty.size())));
  }
  if (const auto* linear = std::get_if<GatedLinearAttention>(&mixer)) look(linear->gates);
  if (const auto* delta = std::get_if<GatedDeltaRule>(&mixer)) look(delta->gates);
  return result;
}

}  // namespace mesagrad
