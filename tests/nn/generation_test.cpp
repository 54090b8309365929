// Ids are drawn with the model's probabilities, and the model sees what was drawn.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/generation.h"

#include <set>

#include "tests/helpers.h"
#include "tests/odd_arguments.h"

namespace mesagrad {

TEST_CASE("ids are drawn with the softmax of their logits", "[generation]") {
  const std::vector<real> logits = {1, -HUGE_VALF, 3, 2.5f, -900};
  std::vector<double> counts(5);
  Random random(3, stream::generation);
  constexpr int N = 40000;
  for (int i = 0; i < N; ++i) counts[static_cast<std::size_t>(draw(logits.data(), 5, random))] += 1.0 / N;
  const double sum = std::exp(1.0) + std::exp(3.0) + std::exp(2.5);
  const std::vector<double> expected = {std::exp(1.0) / sum, 0, std::exp(3.0) / sum, std::exp(2.5) / sum, 0};
  CHECK(largest_difference(counts, expected) < 5 * 0.5 / std::sqrt(N));
  CHECK((counts[1] == 0 && counts[4] == 0));
}

// A model that is sure that the next id is the sum of the last two that it sees, and never sees more than 3.
TEST_CASE("a model continues what it sees, a window at most", "[generation]") {
  std::vector<Index> seen;
  const auto model = [&](const Tensor& ids) {
    const Index T = ids.dim(1);
    seen.push_back(T);
    const Tensor logits({1, T, 100});
    for (Index t = 1; t < T; ++t) logits.data()[t * 100 + static_cast<Index>(ids[t] + ids[t - 1])] = 1000;
    return logits;
  };
  Random random(3, stream::generation);
  CHECK(continued(model, {1, 1}, 5, 3, random) == std::vector<Index>({1, 1, 2, 3, 5, 8, 13}));
  CHECK(seen == std::vector<Index>({2, 3, 3, 3, 3}));
  CHECK(continued(model, {1, 1}, 0, 3, random) == std::vector<Index>({1, 1}));
  refuses("generation", [&] { continued(model, {}, 1, 3, random); });
  refuses("generation", [&] { continued(model, {1}, 1, 0, random); });
}

TEST_CASE("a decoder continues as a window does that holds all", "[generation]") {
  using Positions = Transformer::Positions;
  for (const auto positions : {Positions::none, Positions::learned, Positions::keys}) {
    const Transformer model({.inputs = 9,
                             .outputs = 9,
                             .width = 8,
                             .blocks = {MesaLayer{}, SoftmaxAttention{}, LinearAttention{}},
                             .heads = 2,
                             .key_size = 4,
                             .positions = positions,
                             .tokens = 40,
                             .ids = true,
                             .init_deviation = 0.4},
                            2);
    Random one(3, stream::generation), two(3, stream::generation);
    const std::vector<Index> beginning = {4, 1, 8}, ids = continued(model, beginning, 38, one);
    CHECK(ids == continued(model, beginning, 38, 40, two));
    CHECK(std::set<Index>(ids.begin(), ids.end()).size() > 4);
    CHECK(continued(model, beginning, 0, one) == beginning);
    refuses("generation", [&] { continued(model, {}, 1, one); });
    if (positions == Positions::none) continue;
    CHECK(lacks([&] { continued(model, beginning, 39, one); }, {"41 tokens", "40 positions"}) == "");
  }
}

}  // namespace mesagrad
