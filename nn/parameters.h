// The numbers of a model that training changes, by name.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/tensor.h"

namespace mesagrad {

struct RowGradients;  // nn/embedding.h

struct Parameter {
  std::string name;  // "blocks.0.wq"
  Tensor* tensor;    // the model's member
  std::shared_ptr<RowGradients>* apart = nullptr;  // and where it may keep its gradient instead
};
using Parameters = std::vector<Parameter>;

// A part of a model that has none of its own, for example a kind of attention (nn/mixer.h).
struct NoParameters {
  void start(Index) {}
  Parameters parameters(const std::string&) { return {}; }
};

// Throws if one is an empty tensor, has no gradient, or has the same numbers as another.
void check_parameters(const char* op, const Parameters& parameters);

// Throws if the parameter has been given other numbers or another shape since it was `before`.
void check_same_tensor(const char* op, const Parameter& parameter, const Tensor& before);

// A parameter of independent normal numbers with mean 0, with a gradient.
inline Tensor normal_parameter(const Shape& shape, double standard_deviation, Random& random) {
  Tensor result(shape);
  for (Index i = 0; i < result.size(); ++i) {
    result[i] = static_cast<real>(standard_deviation * random.normal());
  }
  return result.requires_grad();
}

// A copy of a model with weights of its own: what it is now, whatever training does later. (A plain
// copy of a model shares the weights.)
template <class Model>
Model snapshot(Model model) {
  for (const Parameter& p : model.parameters()) *p.tensor = p.tensor->copy();
  return model;
}

}  // namespace mesagrad
