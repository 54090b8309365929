// What lesson 5 measures, apart from losses.
#pragma once
#include <vector>

#include "nn/linear_transformer.h"
#include "tasks/linear_dynamics.h"
#include "tasks/loss_curve.h"

namespace mesagrad {

// What model a loses more than model b on each of the same test sequences: much of the chance in two losses
// is the same chance, and goes.
inline LossCurve difference(const LinearDynamics& task, const Transformer& a, const Transformer& b,
                            std::uint64_t seed, Index sequences) {
  return loss_curve(sequences, task.tokens, [&](Index first, Index count, double* out) {
    const Batch batch = task.batch(seed, stream::test_data, first, count);
    std::vector<double> other(static_cast<std::size_t>(count * task.tokens));
    task.loss.each(a(batch.inputs), batch, out);
    task.loss.each(b(batch.inputs), batch, other.data());
    for (std::size_t i = 0; i < other.size(); ++i) out[i] -= other[i];
  });
}

}  // namespace mesagrad
