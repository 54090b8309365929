// Lesson 13: one layer that learns to recall.
#pragma once
#include <string>

#include "nn/transformer.h"
#include "tasks/recall.h"
#include "tutorials/lesson/train.h"

namespace mesagrad {

// One head of K numbers. Its keys are those of the token before: so a value's token has its key.
inline lesson::Recipe<Transformer> recall_recipe(const lesson::Lesson& L, const Recall& task,
                                                 const Mixer& kind, Index key_size) {
  const Index updates = L.scaled<Index>({.smoke = 8, .lesson = 400, .paper = 4000});
  return {.model = {.inputs = task.symbols(),
                    .outputs = task.symbols(),
                    .width = 64,
                    .blocks = {kind},
                    .heads = 1,
                    .key_size = key_size,
                    .positions = Transformer::Positions::none,
                    .layer_norm = true,
                    .final_norm = true,
                    .shifted_keys = true,
                    .ids = true},
          .optimizer = {.beta2 = 0.95, .decay = 0.01},
          .updates = updates,
          .batch = L.scaled<Index>({.smoke = 8, .lesson = 64, .paper = 64}),
          .clip = {.norm = 1},
          .rate = WarmupCosine{
              .peak = 5e-3, .end = 1e-5, .warmup = std::min<Index>(50, updates / 2), .total = updates}};
}

// The share of questions that a trained layer answers.
inline double learned_recall(lesson::Lesson& L, const Recall& task, const std::string& name, const Mixer& kind,
                             Index key_size) {
  const Transformer model = lesson::train(L, text("recall-", name, "-", key_size), task,
                                          recall_recipe(L, task, kind, key_size), L.seed()).model;
  return recalled_share(task, model, L.seed(), stream::test_data,
                        L.scaled<Index>({.smoke = 32, .lesson = 500, .paper = 5000}));
}

}  // namespace mesagrad
