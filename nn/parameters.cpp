#include "nn/parameters.h"

#include <map>

namespace mesagrad {

void check_parameters(const char* op, const Parameters& parameters) {
  std::map<const real*, std::string> names;
  for (const Parameter& p : parameters) {
    check(p.tensor != nullptr && p.tensor->defined(), op, ": parameter ", p.name, " is an empty tensor");
    check(p.tensor->has_grad(), op, ": parameter ", p.name, " ", p.tensor->shape(),
          " has no gradient; call requires_grad()");
    const auto [other, first] = names.emplace(p.tensor->data(), p.name);
    check(first, op, ": parameters ", other->second, " and ", p.name, " are the same tensor");
  }
}

void check_same_tensor(const char* op, const Parameter& p, const Tensor& before) {
  check(p.tensor->data() == before.data() && p.tensor->shape() == before.shape(), op, ": parameter ", p.name,
        " ", p.tensor->shape(), " is no longer the tensor ", before.shape(), " that it was at the start");
}

}  // namespace mesagrad
