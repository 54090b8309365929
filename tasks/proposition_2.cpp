#include "tasks/proposition_2.h"

#include <limits>
#include <numbers>

#include "core/elementary.h"

namespace mesagrad {

LinearTransformer proposition_2_transformer(Index d, const std::vector<double>& steps) {
  constexpr real infinity = std::numeric_limits<real>::infinity();
  check(d > 0, "proposition_2_transformer: the dimension is ", d, ", it must be positive");
  LinearTransformer model({.width = Shape({4, d}).size(),
                           .blocks = static_cast<Index>(steps.size()),
                           .heads = 2,
                           .key_size = d,
                           .clip = infinity,
                           .init_deviation = 0},
                          0);
  const Index inner = 2 * d;
  for (std::size_t k = 0; k < steps.size(); ++k) {
    const SelfAttention& block = model.blocks[k].attention;
    // Head h, channel i: group `value` times `step` is added to group `output`.
    const auto head = [&](Index h, Index value, Index output, double step) {
      for (Index i = 0; i < d; ++i) {
        const Index column = h * d + i;
        block.wq[(d + i) * inner + column] = 1;
        block.wk[(3 * d + i) * inner + column] = 1;
        block.wv[(value * d + i) * inner + column] = 1;
        block.wo[column * 4 * d + output * d + i] = static_cast<real>(step);
      }
    };
    head(0, 2, 0, steps[k]);
    head(1, 3, 1, -steps[k]);
  }
  return model;
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
