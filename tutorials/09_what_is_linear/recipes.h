// The models of lesson 9 and how they are trained.
#pragma once
#include <algorithm>
#include <vector>

#include "tasks/linear_dynamics.h"
#include "tutorials/09_what_is_linear/paper.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/train.h"

namespace mesagrad {

// Lesson 1's task with bare states, in d dimensions, and four times as many tokens.
inline LinearDynamics bare_states(Index d) {
  return {.dimension = d, .tokens = 4 * d, .inputs = Tokens::raw};
}

// Lesson 8's seven layers if d = 10, with attention of this kind.
inline Transformer::Options seven_layers(Index d, const Mixer& kind) {
  return {.inputs = d,
          .outputs = d,
          .width = 4 * d,
          .blocks = std::vector<Mixer>(7, kind),
          .heads = 4,
          .key_size = 2 * d,
          .tokens = 4 * d};
}

// The learning rate rises to a peak and falls by a cosine. At lesson scale it has fallen when the training
// ends; the authors stop earlier.
inline lesson::Recipe<Transformer> teacher_recipe(const lesson::Lesson& L,
                                                  const paper::Linearization& authors) {
  const bool paper = L.scale() == lesson::Scale::paper;
  const Index updates = L.scaled<Index>({.smoke = 20, .lesson = 1800, .paper = authors.updates});
  return {.model = seven_layers(authors.dimension, SoftmaxAttention{}),
          .optimizer = {.decay = 0.05},
          .updates = updates,
          .batch = L.scaled<Index>({.smoke = 16, .lesson = 64, .paper = 64}),
          .rate = WarmupCosine{.peak = paper ? authors.peak : 4e-3,
                               .end = 1e-5,
                               .warmup = std::min<Index>(paper ? 1000 : 300, updates / 2),
                               .total = paper ? 30000 : updates}};
}

// Students have no embedding: what they see are the streams of the teacher. The authors keep the rate
// constant; with fewer updates it is better if it falls.
inline lesson::Recipe<Transformer> students_recipe(const lesson::Lesson& L, Index d) {
  const bool paper = L.scale() == lesson::Scale::paper;
  const Index updates = L.scaled<Index>({.smoke = 20, .lesson = 1000, .paper = 15000});
  Transformer::Options model = seven_layers(d, LinearAttention{});
  model.embedded = false;
  return {.model = model,
          .optimizer = {.decay = 0.05},
          .updates = updates,
          .batch = L.scaled<Index>({.smoke = 16, .lesson = 64, .paper = 64}),
          .rate = [=](Index n) {
            return paper ? 1e-3 : 5e-3 * static_cast<double>(updates - n) / static_cast<double>(updates);
          },
          .test_every = std::max<Index>(updates / 10, 1),
          .test_sequences = L.scaled<Index>({.smoke = 32, .lesson = 256, .paper = 640})};
}

}  // namespace mesagrad
