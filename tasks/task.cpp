#include "tasks/task.h"

namespace mesagrad {

Batch next_ids(const std::vector<Index>& ids, Index tokens) {
  check(tokens > 0 && std::ssize(ids) % (tokens + 1) == 0, "next ids: ", ids.size(),
        " ids make no whole sequences of ", tokens, " + 1");
  const Index count = std::ssize(ids) / (tokens + 1);
  const Tensor inputs = Tensor::uninitialized({count, tokens}),
               labels = Tensor::uninitialized({count, tokens});
  for (Index i = 0; i < count; ++i) {
    for (Index t = 0; t < tokens; ++t) {
      const Index* id = ids.data() + i * (tokens + 1) + t;
      inputs.data()[i * tokens + t] = static_cast<real>(id[0]);
      labels.data()[i * tokens + t] = static_cast<real>(id[1]);
    }
  }
  return {inputs, labels};
}

}  // namespace mesagrad
