// A training run with everything around it: bar, checkpoint, tests on the way. The step itself is the one
// that lesson 3 writes out.
#pragma once
#include <concepts>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/checksum.h"
#include "nn/checkpoint.h"
#include "nn/optimizer.h"
#include "nn/training.h"
#include "nn/transformer.h"
#include "nn/tuned_tokens.h"
#include "tasks/bigram.h"
#include "tasks/few_shot.h"
#include "tasks/forgetting.h"
#include "tasks/linear_dynamics.h"
#include "tasks/loss_curve.h"
#include "tasks/nonlinear_dynamics.h"
#include "tasks/partially_observed.h"
#include "tasks/recall.h"
#include "tasks/text.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/writing.h"

namespace mesagrad::lesson {

// -- How a model is trained, and the same in words, which tell its checkpoints from all others -------

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
  const auto& [inputs, outputs, width, blocks, heads, key_size, positions, tokens, clip, mlp, relu, layer_norm,
               final_norm, unit_keys, shifted_keys, embedded, ids, tied, masked_channels, dropout,
               deviation] = options;
  std::string kinds;
  for (const Mixer& kind : blocks) {
    kinds += " (" + std::visit([](const auto& mix) { return mix.name(); }, kind) + ")";
  }
  return text("inputs ", inputs, ", outputs ", outputs, ", width ", width, ", blocks", kinds, ", heads ",
              heads, ", key size ", key_size, ", positions ", static_cast<int>(positions),
              ", model's tokens ", tokens, ", clip ", exact_number(clip), ", MLP ", mlp, ", relu ", relu,
              ", layer norm ", layer_norm, ", final norm ", final_norm, ", ids ", ids, ", tied ", tied,
              ", unit keys ", unit_keys, ", shifted keys ", shifted_keys, ", embedded ", embedded,
              ", masked channels ", masked_channels, ", dropout ", exact_number(dropout), ", first deviation ",
              exact_number(deviation));
}

inline std::string in_words(const Matrix& a) {
  Checksum all;
  all.add(a.values());
  return text("of ", a.rows(), " x ", a.columns(), " numbers ", all.text());
}

inline std::string in_words(const Tensor& a) {
  Checksum all;
  all.add(std::span<const real>(a.data(), static_cast<std::size_t>(a.size())));
  return text(a.shape(), " with numbers ", all.text());
}

// A model that stays as it is, with its weights.
inline std::string in_words(Transformer model) {
  std::string weights;
  for (const Parameter& p : model.parameters()) weights += text(" ", p.name, " ", in_words(*p.tensor));
  return text(in_words(model.options), ", weights", weights);
}

inline std::string in_words(const std::vector<Index>& places) {
  std::string all;
  for (const Index place : places) all += text(" ", place);
  return all;
}

template <class Model>
std::string in_words(const TunedTokens<Model>& tuned) {
  return text("tokens ", in_words(tuned.tokens), " at", in_words(tuned.at), " before ",
              in_words(tuned.model));
}

template <class Options>
  requires std::same_as<Options, typename TunedTokens<decltype(Options::model)>::Options>
std::string in_words(const Options& options) {
  const auto& [model, at, width, deviation] = options;
  return text("tuned tokens at", in_words(at), " of ", width, " numbers, first deviation ",
              exact_number(deviation), ", before a frozen model: ", in_words(model));
}

inline std::string in_words(const LinearDynamics& task) {
  const auto& [dimension, tokens, noise, range, clip, system, fixed_key, fixed_W, inputs] = task;
  return text("dimension ", dimension, ", tokens ", tokens, ", noise ", exact_number(noise), ", range ",
              exact_number(range), ", states' clip ", exact_number(clip), ", system ",
              static_cast<int>(system), ", fixed key ", fixed_key, ", fixed W ", in_words(fixed_W), ", inputs ",
              static_cast<int>(inputs));
}

inline std::string in_words(const PartiallyObserved& task) {
  const auto& [hidden, dimension, tokens, noise, observation_noise, scale, range, clip] = task;
  return text("partially observed, hidden ", hidden, ", dimension ", dimension, ", tokens ", tokens, ", noise ",
              exact_number(noise), " and ", exact_number(observation_noise), ", scale ", exact_number(scale),
              ", range ", exact_number(range), ", states' clip ", exact_number(clip));
}

inline std::string in_words(const NonlinearDynamics& task) {
  const auto& [network, tokens, noise, range] = task;
  return text("nonlinear, network ", in_words(network.A), " and ", in_words(network.B), ", tokens ", tokens,
              ", noise ", exact_number(noise), ", range ", exact_number(range));
}

inline std::string in_words(const SwitchingDynamics& task) {
  const auto& [dimension, tokens, noise, range, cue] = task;
  return text("switching, dimension ", dimension, ", tokens ", tokens, ", noise ", exact_number(noise),
              ", range ", exact_number(range), ", cue ", cue);
}

inline std::string in_words(const FewShot& task) {
  const auto& [dimension, tokens, separator, prefix, switch_after, noise, range] = task;
  return text("few-shot, dimension ", dimension, ", tokens ", tokens, ", separator ", separator, ", prefix ",
              prefix, ", switch after ", switch_after, ", noise ", exact_number(noise), ", range ",
              exact_number(range));
}

inline std::string in_words(const Bigram& task) {
  const auto& [symbols, tokens, concentration] = task;
  return text("bigram language, symbols ", symbols, ", tokens ", tokens, ", concentration ",
              exact_number(concentration));
}

inline std::string in_words(const Recall& task) {
  const auto& [tokens, keys, values] = task;
  return text("recall of ", tokens, " tokens, ", keys, " keys, ", values, " values");
}

inline std::string in_words(const TextWindows& task) {
  const auto& [training, validation, vocabulary, tokens] = task;
  Checksum all;
  all.add(std::span<const Index>(training));
  all.add(std::span<const Index>(validation));
  return text("text ", all.text(), ", vocabulary ", vocabulary, ", tokens ", tokens);
}

inline std::string in_words(const AdamW::Options& options) {
  const auto& [beta1, beta2, epsilon, decay, matrices_only] = options;
  return text("AdamW, beta1 ", exact_number(beta1), ", beta2 ", exact_number(beta2), ", epsilon ",
              exact_number(epsilon), ", decay ", exact_number(decay),
              matrices_only ? " of matrices" : "");
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
              in_words(clip), ", ", in_words(rate, updates), ", test every ", test_every, ", test sequences ",
              test_sequences, ", ends early ", enough ? "perhaps" : "never");
}

// -- Where long runs save themselves: OUT/tutorial-N/checkpoints/SCALE-seed-SEED-float/NAME.safetensors --

// For the training run `name` of a lesson; `recipe` is whatever else decides how it ends. With RESUME=1
// it goes on where a killed run stopped.
inline Checkpoint checkpoint(const Lesson& L, const std::string& name, const std::string& recipe) {
  const std::string identity = text("seed ", L.seed(), ", scale ", name_of(L.scale()), ", ", real_name,
                                    ", rates times ", exact_number(L.options().rate), ", ", recipe);
  return {L.checkpoints() + "/" + name + ".safetensors",
          identity,
          {.resume = L.options().resume,
           .seconds = L.options().save_every,
           .saved = [&L] { L.save_so_far(); }}};
}

// -- The run ---------------------------------------------------------------------------------------

template <class Model>
struct Trained {
  Model model;
  std::vector<double> tested_at;  // updates done then: 0, test_every, 2·test_every, ...
  std::vector<double> test_loss;  // at these moments
  std::vector<Model> snapshots;

  // The first of these moments when such a part of what the loss will lose is gone.
  std::size_t when_lost(double part) const {
    std::size_t i = 0;
    while (i + 1 < test_loss.size() && test_loss[i] > (1 - part) * test_loss[0] + part * test_loss.back()) {
      ++i;
    }
    return i;
  }
};

// What a model is trained on, if more than a task has to be said.
template <class Model>
struct Objective {
  std::string in_words;  // tells it, and all that it depends on, from others
  Index tokens = 0;      // of a sequence
  // The part of an update's loss, of shape (), that `count` of its sequences contribute, from number `first`
  // on: update n has the sequences n·batch .. (n + 1)·batch - 1.
  std::function<Tensor(const Model&, Index first, Index count)> loss_of;
  std::function<double(const Model&)> test;  // the test loss
};

template <class Model, class Optimizer>
Trained<Model> train(Lesson& L, const std::string& name, const Objective<Model>& objective,
                     const Recipe<Model, Optimizer>& recipe, std::uint64_t seed) {
  Trained<Model> run{Model(recipe.model, seed), {}, {}, {}};
  Training training(run.model, recipe.batch, objective.tokens);
  Optimizer optimizer(run.model.parameters(), recipe.optimizer);
  Checkpoint saved =
      checkpoint(L, name, text(in_words(recipe), ", ", objective.in_words, ", training seed ", seed));
  saved.keep("model", run.model.parameters());
  saved.keep("optimizer", optimizer);
  saved.keep("snapshots", run.snapshots, run.model);
  saved.keep("tested at", run.tested_at);
  saved.keep("test loss", run.test_loss);
  const Index start = saved.start(recipe.updates);
  Progress bar = L.progress(text("training ", name), recipe.updates, start);
  for (Index n = start; n <= recipe.updates; ++n) {
    saved.save_when_due(n);
    if (n == recipe.updates && n > start) saved.save(n);  // else it was complete, and the lesson is repeating
    if (recipe.test_every > 0 && n % recipe.test_every == 0) {
      run.snapshots.push_back(snapshot(run.model));
      run.tested_at.push_back(static_cast<double>(n));
      run.test_loss.push_back(objective.test(run.model));
      if (recipe.enough && recipe.enough(run.test_loss)) break;
    }
    if (n == recipe.updates) break;
    const double loss = training([&](const Model& part, Index first, Index count) {
      return objective.loss_of(part, n * recipe.batch + first, count);
    });
    clip(run.model.parameters(), recipe.clip);
    optimizer.step(L.rate(recipe.rate(n)));
    bar.update(n + 1, loss);
    if (recipe.watch) recipe.watch(n + 1, loss, run.model);
  }
  return run;
}

// To answer a task: in training on sequences of its own seed, in tests always on the same ones.
template <Task T, class Model, class Optimizer>
Trained<Model> train(Lesson& L, const std::string& name, const T& task,
                     const Recipe<Model, Optimizer>& recipe, std::uint64_t seed) {
  const Objective<Model> answers = {
      .in_words = in_words(task),
      .tokens = task.tokens,
      .loss_of = [&](const Model& model, Index first, Index count) {
        const Batch batch = task.batch(seed, stream::training_data, first, count);
        return task.loss(model(batch.inputs), batch, recipe.batch);
      },
      .test = [&](const Model& model) {
        return loss_curve(task, L.seed(), stream::test_data, recipe.test_sequences, model).total();
      }};
  return train(L, name, answers, recipe, seed);
}

// One recipe, followed from several first weights, and the losses by position of what came out.
template <class Model>
struct Runs {
  std::string name;
  std::vector<std::uint64_t> seeds;
  std::vector<Trained<Model>> runs;
  std::vector<LossCurve> curves;
  double mean_loss = 0;  // over runs and positions

  const Model& model() const { return runs.front().model; }  // the first run's
  const LossCurve& curve() const { return curves.front(); }
};

// Trains `count` of them, with the lesson's seed and the ones 1000, 2000, ... above it, and tests them on
// `sequences` test sequences.
template <Task T, class Model, class Optimizer>
Runs<Model> train_and_test(Lesson& L, const std::string& name, const T& task,
                           const Recipe<Model, Optimizer>& recipe, Index count, Index sequences) {
  Runs<Model> all{name, {}, {}, {}};
  for (Index i = 0; i < count; ++i) {
    all.seeds.push_back(L.seed() + 1000 * static_cast<std::uint64_t>(i));
    all.runs.push_back(train(L, text(name, ", seed ", all.seeds.back()), task, recipe, all.seeds.back()));
    all.curves.push_back(loss_curve(task, L.seed(), stream::test_data, sequences, all.runs.back().model));
    all.mean_loss += all.curves.back().total() / static_cast<double>(count);
  }
  return all;
}

}  // namespace mesagrad::lesson
