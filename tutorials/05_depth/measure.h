// What lesson 5 measures, apart from losses.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "nn/linear_transformer.h"
#include "tasks/loss_curve.h"

namespace mesagrad {

// The largest difference between predictions of a model, the first d numbers of its tokens, and those of a
// predictor, over 32 sequences.
inline double largest_difference(const LinearDynamics& task, const LinearTransformer& model,
                                 const Predictor& predictor, std::uint64_t seed) {
  const Index d = task.dimension;
  double largest = 0;
  for (Index n = 0; n < 32; ++n) {
    const Tensor output = model(task.batch(seed, stream::analysis_data, n, 1).inputs);
    const Matrix expected =
        predictor(task.sample(Random(seed, stream::analysis_data, static_cast<std::uint64_t>(n))).states);
    for (Index t = 0; t < task.tokens; ++t) {
      for (Index j = 0; j < d; ++j) {
        largest = std::max(largest, std::abs(output[t * model.options.width + j] - expected(t, j)));
      }
    }
  }
  return largest;
}

// What model a loses more than model b on each of the same test sequences: much of the chance in two losses
// is the same chance, and goes.
inline LossCurve difference(const LinearDynamics& task, const Transformer& a, const Transformer& b,
                            std::uint64_t seed, Index sequences) {
  return loss_curve(sequences, task.tokens, [&](Index first, Index count, double* out) {
    const Batch batch = task.batch(seed, stream::test_data, first, count);
    std::vector<double> other(static_cast<std::size_t>(count * task.tokens));
    task.losses(a(batch.inputs), batch, out);
    task.losses(b(batch.inputs), batch, other.data());
    for (std::size_t i = 0; i < other.size(); ++i) out[i] -= other[i];
  });
}

}  // namespace mesagrad
