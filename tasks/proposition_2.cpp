#include "tasks/proposition_2.h"

#include <limits>
#include <numbers>

#include "core/elementary.h"

namespace mesagrad {

LinearTransformer transformer_of(Index d, Index heads, const std::vector<std::vector<GroupHead>>& layers) {
  check(d > 0, "transformer of heads: the dimension is ", d, ", it must be positive");
  for (const std::vector<GroupHead>& layer : layers) {
    check(std::ssize(layer) == heads, "transformer of heads: a layer has ", layer.size(), " of them, not ",
          heads);
    for (const GroupHead& head : layer) {
      for (const Index group : {head.query, head.value, head.output}) {
        check(group >= 0 && group < 4, "transformer of heads: there is no group ", group, ", only 0 to 3");
      }
    }
  }
  LinearTransformer model({.width = Shape({4, d}).size(),
                           .blocks = std::ssize(layers),
                           .heads = heads,
                           .key_size = d,
                           .clip = std::numeric_limits<real>::infinity(),
                           .init_deviation = 0},
                          0);
  for (std::size_t n = 0; n < layers.size(); ++n) {
    const SelfAttention& block = model.blocks[n].attention;
    // exercise 5.1: write the heads of layers[n] into block.wq, wk, wv (4d, heads·d) and wo (heads·d, 4d),
    //    which are zero so far. Head h owns the columns h·d .. h·d + d - 1 of the first three, and the rows of
    //    the same numbers of the last. The step stands in wo.
    Index column = 0;
    for (const GroupHead& head : layers[n]) {
      for (Index i = 0; i < d; ++i, ++column) {
        block.wq[(head.query * d + i) * heads * d + column] = 1;
        block.wk[(3 * d + i) * heads * d + column] = 1;
        block.wv[(head.value * d + i) * heads * d + column] = 1;
        block.wo[column * 4 * d + head.output * d + i] = static_cast<real>(head.step);
      }
    }
    // end 5.1
  }
  return model;
}

LinearTransformer gradient_descent_transformer(Index d, double eta) {
  // exercise 5.2: one layer, one head: which groups of [0, s_t, s_t, s_{t-1}] does it read and write? (The
  //    second group is for deeper models, and may hold anything.)
  return transformer_of(d, 1, {{{.query = 2, .value = 2, .output = 0, .step = eta}}});
  // end 5.2
}

LinearTransformer proposition_2_transformer(Index d, const std::vector<double>& steps) {
  std::vector<std::vector<GroupHead>> layers;
  // exercise 6.1: two heads for each step, as the header says
  for (const double step : steps) {
    layers.push_back({{.query = 1, .value = 2, .output = 0, .step = step},
                      {.query = 1, .value = 3, .output = 1, .step = -step}});
  }
  // end 6.1
  return transformer_of(d, 2, layers);
}

std::vector<double> chebyshev_steps(Index K, double least, double greatest) {
  check(K >= 0 && least > 0 && greatest >= least && std::isfinite(greatest), "chebyshev_steps: ", K,
        " steps for eigenvalues in [", least, ", ", greatest, "]");
  std::vector<double> steps;
  // exercise 6.2: the steps of the header, the smallest one first (with `cosine`, which has the same
  //    bits on every machine)
  for (Index k = 1; k <= K; ++k) {
    const double angle = std::numbers::pi * static_cast<double>(2 * k - 1) / static_cast<double>(2 * K);
    steps.push_back(2 / (greatest + least + (greatest - least) * cosine(angle)));
  }
  // end 6.2
  return steps;
}

}  // namespace mesagrad
