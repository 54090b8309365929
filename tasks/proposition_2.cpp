#include "tasks/proposition_2.h"

#include <limits>
#include <numbers>

#include "core/elementary.h"

namespace mesagrad {

namespace {

// A head that adds Σ_i `step`·value_i (key_i·query_t) to a group of channels; `query`, `value` and `output`
// are groups too, and the key is the last one.
struct Head {
  Index query, value, output;
  double step;
};

LinearTransformer transformer_of(Index d, Index heads, const std::vector<std::vector<Head>>& layers) {
  check(d > 0, "transformer of heads: the dimension is ", d, ", it must be positive");
  LinearTransformer model({.width = Shape({4, d}).size(),
                           .blocks = std::ssize(layers),
                           .heads = heads,
                           .key_size = d,
                           .clip = std::numeric_limits<real>::infinity(),
                           .init_deviation = 0},
                          0);
  for (std::size_t n = 0; n < layers.size(); ++n) {
    const SelfAttention& block = model.blocks[n].attention;
    Index column = 0;
    for (const Head& head : layers[n]) {
      for (Index i = 0; i < d; ++i, ++column) {
        block.wq[(head.query * d + i) * heads * d + column] = 1;
        block.wk[(3 * d + i) * heads * d + column] = 1;
        block.wv[(head.value * d + i) * heads * d + column] = 1;
        block.wo[column * 4 * d + head.output * d + i] = static_cast<real>(head.step);
      }
    }
  }
  return model;
}

}  // namespace

LinearTransformer gradient_descent_transformer(Index d, double eta) {
  return transformer_of(d, 1, {{{.query = 2, .value = 2, .output = 0, .step = eta}}});
}

LinearTransformer proposition_2_transformer(Index d, const std::vector<double>& steps) {
  std::vector<std::vector<Head>> layers;
  for (const double step : steps) {
    layers.push_back({{.query = 1, .value = 2, .output = 0, .step = step},
                      {.query = 1, .value = 3, .output = 1, .step = -step}});
  }
  return transformer_of(d, 2, layers);
}

std::vector<double> chebyshev_steps(Index K, double least, double greatest) {
  check(K >= 0 && least > 0 && greatest >= least && std::isfinite(greatest), "chebyshev_steps: ", K,
        " steps for eigenvalues in [", least, ", ", greatest, "]");
  std::vector<double> steps;
  for (Index k = 1; k <= K; ++k) {
    const double angle = std::numbers::pi * static_cast<double>(2 * k - 1) / static_cast<double>(2 * K);
    steps.push_back(2 / (greatest + least + (greatest - least) * cosine(angle)));
  }
  return steps;
}

}  // namespace mesagrad
