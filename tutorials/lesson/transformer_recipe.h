// How Transformers that see raw states are trained: by the authors' recipe at paper scale, and by one with
// fewer, smaller batches and bolder steps at the others.
#pragma once
#include <algorithm>

#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/train.h"

namespace mesagrad::lesson {

// Learning rates rise to a peak and fall again (lesson 2). At lesson scale they have fallen when the training
// ends; the authors stop earlier.
struct Schedule {
  Index updates = 0;  // at lesson scale
  double peak = 0;
  Index authors_updates = 0;
  double authors_peak = 8e-4;
  Index authors_fall = 30000;  // the update at which their rate would have fallen
};

inline Recipe<Transformer> transformer_recipe(const Lesson& L, const Transformer::Options& model,
                                              const Schedule& schedule) {
  const bool paper = L.scale() == Scale::paper;
  const Index updates =
      L.scaled<Index>({.smoke = 20, .lesson = schedule.updates, .paper = schedule.authors_updates});
  return {.model = model,
          .optimizer = {.decay = 0.05},
          .updates = updates,
          .batch = L.scaled<Index>({.smoke = 32, .lesson = 64, .paper = 256}),
          .rate = WarmupCosine{.peak = paper ? schedule.authors_peak : schedule.peak,
                               .end = 1e-5,
                               .warmup = std::min<Index>(paper ? 1000 : 200, updates / 2),
                               .total = paper ? schedule.authors_fall : updates},
          .test_every = std::max<Index>(updates / 20, 1),
          .test_sequences = L.scaled<Index>({.smoke = 64, .lesson = 640, .paper = 1280})};
}

}  // namespace mesagrad::lesson
