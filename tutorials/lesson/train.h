// A training run with everything around it: bar, checkpoint, tests on the way.
// The step itself is the one that lesson 3 writes out.
#pragma once
#include <vector>

#include "nn/training.h"
#include "tasks/loss_curve.h"
#include "tutorials/lesson/checkpoint.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/recipe.h"

namespace mesagrad::lesson {

template <class Model>
struct Trained {
  Model model;
  std::vector<double> tested_at;  // updates done then: 0, test_every, 2·test_every, ...
  std::vector<double> test_loss;  // at these moments
  std::vector<Model> snapshots;

  // The first of these moments when such a part of what the loss will lose is gone.
  std::size_t when_lost(double part) const {
    std::size_t i = 0;
    while (i + 1 < test_loss.size() &&
           test_loss[i] > (1 - part) * test_loss[0] + part * test_loss.back()) {
      ++i;
    }
    return i;
  }
};

template <Task T, class Model, class Optimizer>
Trained<Model> train(Lesson& L, const std::string& name, const T& task,
                     const Recipe<Model, Optimizer>& recipe, std::uint64_t seed) {
  Trained<Model> run{Model(recipe.model, seed), {}, {}, {}};
  Training training(run.model, recipe.batch, task.tokens);
  Optimizer optimizer(run.model.parameters(), recipe.optimizer);
  Checkpoint saved = checkpoint(
      L, name, text(in_words(recipe), ", ", in_words(task), ", training seed ", seed));
  saved.keep("model", run.model.parameters());
  saved.keep("optimizer", optimizer);
  saved.keep("snapshots", run.snapshots, run.model);
  saved.keep("tested at", run.tested_at);
  saved.keep("test loss", run.test_loss);
  const Index start = saved.start(recipe.updates);
  Progress bar = L.progress(text("training ", name), recipe.updates, start);
  for (Index n = start; n <= recipe.updates; ++n) {
    saved.save_when_due(n);
    if (n == recipe.updates) saved.save(n);
    if (recipe.test_every > 0 && n % recipe.test_every == 0) {
      run.snapshots.push_back(snapshot(run.model));
      run.tested_at.push_back(static_cast<double>(n));
      run.test_loss.push_back(
          loss_curve(task, L.seed(), stream::test_data, recipe.test_sequences, run.model).total());
      if (recipe.enough && recipe.enough(run.test_loss)) break;
    }
    if (n == recipe.updates) break;
    const double loss = training([&](const Model& part, Index first, Index count) {
      const Batch batch = task.batch(seed, stream::training_data, n * recipe.batch + first, count);
      return task.loss(part(batch.inputs), batch, recipe.batch);
    });
    clip(run.model.parameters(), recipe.clip);
    optimizer.step(recipe.rate(n));
    bar.update(n + 1, loss);
    if (recipe.watch) recipe.watch(n + 1, loss, run.model);
  }
  return run;
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
    all.curves.push_back(
        loss_curve(task, L.seed(), stream::test_data, sequences, all.runs.back().model));
    all.mean_loss += all.curves.back().total() / static_cast<double>(count);
  }
  return all;
}

}  // namespace mesagrad::lesson
