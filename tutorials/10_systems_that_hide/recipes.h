// The systems of lesson 10, its models, and how they are trained: the authors' at paper scale, small ones at
// the others.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tasks/nonlinear_dynamics.h"
#include "tasks/partially_observed.h"
#include "tutorials/10_systems_that_hide/paper.h"
#include "tutorials/lesson/transformer_recipe.h"

namespace mesagrad {

inline PartiallyObserved hiding_systems(const lesson::Lesson& L) {
  if (L.scale() == lesson::Scale::paper) return {};
  return {.hidden = 6, .dimension = 2, .tokens = 30};
}

inline NonlinearDynamics nonlinear_systems(const lesson::Lesson& L) {
  if (L.scale() == lesson::Scale::paper) return {};
  return {.network = random_feature_network(5, 20, 421), .tokens = 30};
}

struct Candidate {
  std::string name;
  Transformer::Options model;
  lesson::Schedule schedule;
  std::vector<double> authors;              // their loss at each position
  std::vector<double> authors_missed = {};  // see paper.h
};

// For systems that hide: layers of softmax attention alone, and one below a mesa-layer.
inline std::vector<Candidate> candidates_for(const lesson::Lesson& L, const PartiallyObserved& task) {
  const bool paper = L.scale() == lesson::Scale::paper;
  const auto model = [&](std::vector<Mixer> blocks, real clip) {
    return Transformer::Options{.inputs = task.dimension, .outputs = task.dimension, .width = paper ? 80 : 24,
                                .blocks = std::move(blocks), .heads = paper ? 12 : 4,
                                .key_size = paper ? 20 : 12, .tokens = task.tokens, .clip = clip};
  };
  return {{"softmax", model(std::vector<Mixer>(paper ? 7 : 5, SoftmaxAttention{}), 0),
           {.updates = 3000, .peak = 4e-3, .authors_updates = 20000, .authors_peak = 4e-4},
           paper::partial_tf_7, paper::partial_tf_7_missed},
          {"hybrid", model({SoftmaxAttention{}, MesaLayer{}}, paper ? real{1} : real{0}),
           {.updates = 4000, .peak = 4e-3, .authors_updates = 12000, .authors_peak = 4e-4},
           paper::partial_hybrid, paper::partial_hybrid_missed}};
}

// For nonlinear ones, with an MLP in each layer and, from the second on, queries and keys of length 1. Seven
// layers of softmax attention take hours, so they are for the paper scale.
inline std::vector<Candidate> candidates_for(const lesson::Lesson& L, const NonlinearDynamics& task) {
  const bool paper = L.scale() == lesson::Scale::paper;
  const Index d = task.shape()[1];
  const auto model = [&](std::vector<Mixer> blocks, real clip) {
    return Transformer::Options{.inputs = d, .outputs = d, .width = paper ? 60 : 30,
                                .blocks = std::move(blocks), .heads = 4, .key_size = paper ? 20 : 10,
                                .tokens = task.tokens, .clip = clip, .mlp = paper ? 300 : 120,
                                .unit_keys = true};
  };
  const lesson::Schedule schedule = {.updates = 2400, .peak = 4e-3, .authors_updates = 40000,
                                     .authors_peak = 1e-3, .authors_fall = 50000};
  std::vector<Candidate> all = {
      {"hybrid", model({SoftmaxAttention{}, MesaLayer{}}, 15), schedule, paper::nonlinear_hybrid}};
  if (paper) {
    all.push_back({"softmax", model(std::vector<Mixer>(7, SoftmaxAttention{}), 0), schedule,
                   paper::nonlinear_tf_7});
  }
  return all;
}

// A model that was trained, and its loss on test sequences.
struct Followed {
  Candidate candidate;
  lesson::Trained<Transformer> run;
  LossCurve curve;

  const std::string& name() const { return candidate.name; }
};

template <Dynamics T>
std::vector<Followed> train_all(lesson::Lesson& L, const std::string& systems, const T& task,
                                Index sequences) {
  std::vector<Followed> models;
  for (const Candidate& one : candidates_for(L, task)) {
    const lesson::Recipe<Transformer> recipe = lesson::transformer_recipe(L, one.model, one.schedule);
    L.setting(text("updates, ", systems, ", ", one.name), recipe.updates);
    models.push_back({one, lesson::train(L, text(systems, ", ", one.name), task, recipe, L.seed()), {}});
    models.back().curve = loss_curve(task, L.seed(), stream::test_data, sequences, models.back().run.model);
  }
  return models;
}

}  // namespace mesagrad
