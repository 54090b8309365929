// Where a lesson's long training runs save themselves:
// OUT/tutorial-N/checkpoints/SCALE-seed-SEED-float/NAME.safetensors.
#pragma once
#include "nn/checkpoint.h"
#include "tutorials/lesson/lesson.h"

namespace mesagrad::lesson {

// For the training run `name` of a lesson; `recipe` is whatever else decides how it ends. With RESUME=1
// it goes on where a killed run stopped.
inline Checkpoint checkpoint(const Lesson& L, const std::string& name, const std::string& recipe) {
  const std::string identity = text("seed ", L.seed(), ", scale ", name_of(L.scale()), ", ",
                                    sizeof(real) == sizeof(float) ? "float" : "double", ", rates times ",
                                    exact_number(L.options().rate), ", ", recipe);
  return {L.checkpoints() + "/" + name + ".safetensors",
          identity,
          {.resume = L.options().resume, .seconds = L.options().save_every}};
}

}  // namespace mesagrad::lesson
