// A training run with everything around it: bar, checkpoint, tests on the way.
// The step itself is the one that lesson 3 writes out.
#pragma once
#include <type_traits>
#include <vector>

#include "nn/loss.h"
#include "nn/training.h"
#include "tasks/loss_curve.h"
#include "tutorials/lesson/checkpoint.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/recipe.h"

namespace mesagrad::lesson {

// What a model sees of the states (B, T + 1, d).
template <class Model>
constexpr Tensor (*tokens_of)(const Tensor& states) =
    std::is_same_v<Model, Transformer> ? current_states : constructed_tokens;

template <class Model>
struct Trained {
  Model model;
  std::vector<double> test_loss;  // after 0, test_every, 2·test_every, ... updates
  std::vector<Model> snapshots;   // at the same moments
};

template <class Model>
Trained<Model> train(Lesson& L, const std::string& name, const LinearDynamics& task,
                     const Recipe<Model>& recipe, std::uint64_t seed) {
  Trained<Model> run{Model(recipe.model, seed), {}, {}};
  Training training(run.model, recipe.batch, task.tokens);
  AdamW optimizer(run.model.parameters(), {.decay = recipe.decay});
  Checkpoint saved = checkpoint(
      L, name, text(in_words(recipe), ", ", in_words(task), ", training seed ", seed));
  saved.keep("model", run.model.parameters());
  saved.keep("optimizer", optimizer);
  saved.keep("snapshots", run.snapshots, run.model);
  saved.keep("test loss", run.test_loss);
  Progress bar = L.progress(text("training ", name), recipe.updates);
  for (Index n = saved.start(recipe.updates); n <= recipe.updates; ++n) {
    saved.save_when_due(n);
    if (n == recipe.updates) saved.save(n);
    if (recipe.test_every > 0 && n % recipe.test_every == 0) {
      run.snapshots.push_back(snapshot(run.model));
      run.test_loss.push_back(loss_curve(task, L.seed(), stream::test_data, recipe.test_sequences,
                                         run.model, tokens_of<Model>)
                                  .total());
    }
    if (n == recipe.updates) break;
    const double loss = training([&](const Model& part, Index first, Index count) {
      const Tensor states = task.sample(seed, stream::training_data, n * recipe.batch + first, count);
      return squared_error(part(tokens_of<Model>(states)), next_states(states), recipe.batch);
    });
    clip_by_value(run.model.parameters(), recipe.clip);
    optimizer.step(recipe.rate(n));
    bar.update(n + 1, loss);
  }
  return run;
}

}  // namespace mesagrad::lesson
