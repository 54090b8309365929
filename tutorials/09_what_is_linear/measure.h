// How the models of lesson 9 are trained, and what is measured that is not its subject.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "tasks/linear_dynamics.h"
#include "tutorials/09_what_is_linear/paper.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/train.h"

namespace mesagrad {

// Seven layers of this kind, for states of d numbers.
inline Transformer::Options seven_layers(Index d, const Mixer& kind) {
  return {.inputs = d,
          .outputs = d,
          .width = 4 * d,
          .blocks = std::vector<Mixer>(7, kind),
          .heads = 4,
          .key_size = 2 * d,
          .tokens = 4 * d};
}

// The learning rate rises and falls by a cosine. At lesson scale it has fallen when the training ends; the
// authors stop earlier.
inline lesson::Recipe<Transformer> teacher_recipe(const lesson::Lesson& L, const paper::Linearization& authors) {
  const bool paper = L.scale() == lesson::Scale::paper;
  const Index updates = L.scaled<Index>({.smoke = 20, .lesson = 2000, .paper = authors.updates});
  return {.model = seven_layers(authors.dimension, SoftmaxAttention{}),
          .optimizer = {.decay = 0.05},
          .updates = updates,
          .batch = 64,
          .rate = WarmupCosine{.peak = paper ? authors.peak : 4e-3,
                               .end = 1e-5,
                               .warmup = std::min<Index>(paper ? 1000 : 300, updates / 2),
                               .total = paper ? 30000 : updates},
          .test_every = std::max<Index>(updates / 10, 1),
          .test_sequences = L.scaled<Index>({.smoke = 64, .lesson = 640, .paper = 640})};
}

// Students have no embedding: their tokens are the streams of the teacher. The authors' rate is constant;
// fewer updates want one that falls.
inline lesson::Recipe<Transformer> students_recipe(const lesson::Lesson& L, Index d) {
  const bool paper = L.scale() == lesson::Scale::paper;
  const Index updates = L.scaled<Index>({.smoke = 20, .lesson = 1200, .paper = 15000});
  Transformer::Options model = seven_layers(d, LinearAttention{});
  model.embedded = false;
  return {.model = model,
          .optimizer = {.decay = 0.05},
          .updates = updates,
          .batch = 64,
          .rate = [=](Index n) {
            return paper ? 1e-3 : 5e-3 * static_cast<double>(updates - n) / static_cast<double>(updates);
          },
          .test_every = std::max<Index>(updates / 10, 1),
          .test_sequences = L.scaled<Index>({.smoke = 64, .lesson = 256, .paper = 640})};
}

// How near the past comes to a state, mean over the last quarter of `sequences` sequences: the largest cosine
// of its angle with an earlier state, and the largest of either sign. (Of unit vectors, it is the product.)
struct Nearest {
  double cosine, either_sign;
};

inline Nearest nearest_states(const LinearDynamics& task, std::uint64_t seed, Index sequences) {
  Nearest nearest{0, 0};
  const Index T = task.tokens, first = 3 * T / 4;
  for (Index i = 0; i < sequences; ++i) {
    const Matrix s = task.sample(Random(seed, stream::test_data, static_cast<std::uint64_t>(i))).states;
    const Matrix products = multiply(s, transpose(s));
    for (Index t = first; t < T; ++t) {
      double most = -1, most_of_either = 0;
      for (Index j = 0; j < t; ++j) {
        const double cosine = products(t, j) / std::sqrt(products(t, t) * products(j, j));
        most = std::max(most, cosine);
        most_of_either = std::max(most_of_either, std::abs(cosine));
      }
      const double count = static_cast<double>(sequences * (T - first));
      nearest.cosine += most / count;
      nearest.either_sign += most_of_either / count;
    }
  }
  return nearest;
}

}  // namespace mesagrad
