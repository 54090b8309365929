// The models of lesson 5 and how they are trained.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "nn/linear_transformer.h"
#include "tutorials/05_depth/paper.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/train.h"

namespace mesagrad {

// So many layers of linear attention, on constructed tokens of four groups of ten numbers. The first two
// groups are zeroed for one layer, which has no use for them.
inline LinearTransformer::Options linear_layers(Index blocks) {
  return {.width = 40,
          .blocks = blocks,
          .heads = blocks == 1 ? 2 : 4,
          .key_size = 20,
          .masked_channels = blocks == 1 ? 20 : 0,
          .clip = 4,
          .init_deviation = 0.0002};
}

inline LinearTransformer::Options mesa_layer() {
  LinearTransformer::Options options = linear_layers(1);
  options.heads = 4;
  options.kind = MesaLayer{};
  return options;
}

// At paper scale the authors' updates, at a constant rate. Otherwise fewer, faster ones: batches of 64, and a
// rate that rises to a higher peak and falls again (lesson 2).
struct AuthorsTraining {
  Index authors_updates;
  double authors_rate, peak;
  Index authors_batch = 256;
};

inline WarmupCosine rise_and_fall(double peak, Index warmup, Index updates) {
  return {.peak = peak, .end = 1e-5, .warmup = std::min(warmup, updates / 2), .total = updates};
}

inline lesson::Recipe<LinearTransformer> recipe_for(const lesson::Lesson& L,
                                                    const LinearTransformer::Options& model,
                                                    const AuthorsTraining& training) {
  const Index updates = L.scaled<Index>({.smoke = 20, .lesson = 2400, .paper = training.authors_updates});
  const bool paper = L.scale() == lesson::Scale::paper;
  const WarmupCosine cosine = rise_and_fall(training.peak, 200, updates);
  return {.model = model,
          .optimizer = {.decay = 0.1},
          .updates = updates,
          .batch = L.scaled<Index>({.smoke = 32, .lesson = 64, .paper = training.authors_batch}),
          .rate = [=](Index n) { return paper ? training.authors_rate : cosine(n); }};
}

// For 1, 2, 4 or 6 layers. Six are tested twelve times on the way.
inline lesson::Recipe<LinearTransformer> depth_recipe(const lesson::Lesson& L, Index layers) {
  const Index authors_updates = layers == 4 ? 10000 : layers == 6 ? 15000 : 5000;
  lesson::Recipe<LinearTransformer> recipe =
      recipe_for(L, linear_layers(layers), {authors_updates, 1e-4, layers == 1 ? 1e-3 : 5e-4});
  // With the authors' constant rate of 1e-4 our models of 2, 4 and 6 layers ended 3 to 6 % above the authors'
  // loss, perhaps because the noise of the batches never settles. So these get a rate that falls.
  if (L.scale() == lesson::Scale::paper && layers > 1) {
    recipe.rate = rise_and_fall(3e-4, 1000, recipe.updates);
  }
  recipe.test_every = layers == 6 ? std::max<Index>(recipe.updates / 12, 1) : 0;
  recipe.test_sequences = L.scaled<Index>({.smoke = 64, .lesson = 1280, .paper = 2560});
  return recipe;
}

// Two layers as in the authors' notebook: its rate would rise and fall over 20,000 updates; it stops early.
inline lesson::Recipe<LinearTransformer> notebook_recipe() {
  lesson::Recipe<LinearTransformer> recipe = {.model = linear_layers(2),
                                              .optimizer = {.decay = 0.05},
                                              .updates = 2400,
                                              .batch = 256,
                                              .rate = rise_and_fall(3e-4, 1000, 20000),
                                              .test_every = 100};
  recipe.model.clip = 1.5;
  return recipe;
}

// A model on another task, with the authors' losses.
struct Control {
  std::string name;
  const LinearDynamics* system;
  LinearTransformer::Options model;
  AuthorsTraining training;
  const std::vector<double>* authors;
  bool quick;  // trained at lesson scale too
};

inline std::vector<Control> controls_of(const LinearDynamics& contracting, const LinearDynamics& fixed) {
  const std::vector<double>*c = paper::contracting.data(), *f = paper::fixed_W.data();
  return {
      {"contracting, 1 layer", &contracting, linear_layers(1), {5000, 1e-4, 1e-3}, c, true},
      {"contracting, 2 layers", &contracting, linear_layers(2), {5000, 1e-4, 5e-4}, c + 1, true},
      {"contracting, 4 layers", &contracting, linear_layers(4), {10000, 1e-4, 5e-4}, c + 2, false},
      {"contracting, 6 layers", &contracting, linear_layers(6), {5000, 1e-4, 5e-4}, c + 3, false},
      {"contracting, mesa-layer", &contracting, mesa_layer(), {5000, 4e-4, 2e-3}, c + 4, true},
      {"fixed W, 1 layer", &fixed, linear_layers(1), {10000, 1e-3, 3e-3, 512}, f, true},
      {"fixed W, 2 layers", &fixed, linear_layers(2), {10000, 1e-3, 1e-3, 512}, f + 1, false},
      {"fixed W, 4 layers", &fixed, linear_layers(4), {5000, 1e-3, 1e-3, 512}, f + 2, false},
      {"fixed W, 6 layers", &fixed, linear_layers(6), {5000, 1e-3, 1e-3, 512}, f + 3, false},
      {"fixed W, mesa-layer", &fixed, mesa_layer(), {5000, 4e-4, 2e-3, 512}, f + 4, true},
  };
}

}  // namespace mesagrad
