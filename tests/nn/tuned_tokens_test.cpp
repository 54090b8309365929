// Learned tokens: the operation that adds them, and models that have nothing else to learn.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/tuned_tokens.h"

#include "nn/loss.h"
#include "nn/optimizer.h"
#include "nn/training.h"
#include "nn/transformer.h"
#include "tests/odd_arguments.h"

namespace mesagrad {
namespace {

using Places = std::vector<Index>;

Transformer small_transformer() {
  return Transformer({.inputs = 3, .outputs = 3, .width = 6, .blocks = {SoftmaxAttention{}, MesaLayer{}},
                      .heads = 2, .key_size = 3, .tokens = 8, .clip = 4, .init_deviation = 0.5},
                     3);
}

std::vector<real> weights_of(Transformer model) {
  std::vector<real> all;
  for (const Parameter& p : model.parameters()) {
    for (const real value : numbers_of(*p.tensor)) all.push_back(value);
  }
  return all;
}

}  // namespace

TEST_CASE("tokens are added where they belong", "[tuned_tokens]") {
  for (const Index B : {0, 1, 3}) {
    for (const Index T : {0, 1, 5}) {
      for (const Index n : {0, 1, 7}) {
        const Tensor x = random_tensor({B, T, n}, 1), vectors = random_tensor({2, n}, 2);
        const Places at = {1, -1, 0, 1, 1, 0};  // longer than any sequence here
        const Tensor out = add_tokens(x, vectors, at);
        REQUIRE(out.shape() == x.shape());
        for (Index b = 0; b < B; ++b) {
          for (Index t = 0; t < T; ++t) {
            const Index r = at[static_cast<std::size_t>(t)];
            for (Index j = 0; j < n; ++j) {
              const Index i = (b * T + t) * n + j;
              CHECK(out[i] == (r < 0 ? x[i] : x[i] + vectors[r * n + j]));
            }
          }
        }
      }
    }
  }
}

TEST_CASE("the gradient of added tokens", "[tuned_tokens]") {
  // A vector that stands often, one that stands once, one nowhere; and places behind the end.
  for (const Places& at : {Places{0, -1, 0, 2, 0}, Places{-1, -1, -1, -1, -1}, Places{2, 2, 2, 2, 2, 0, 1}}) {
    const std::vector<Tensor> inputs = {random_tensor({3, 5, 4}, 1), random_tensor({3, 4}, 2)};
    const auto f = [&](const std::vector<Tensor>& in) { return add_tokens(in[0], in[1], at); };
    check_operation(f, inputs);
    check_wanted_gradients(f, inputs);
    check_added_gradients(f, inputs);
    check_threads(f, inputs);
  }
}

TEST_CASE("tokens that do not fit", "[tuned_tokens][errors]") {
  const Tensor x({2, 3, 4}), vectors({2, 4}), none;
  refuses("add_tokens", [&] { add_tokens(none, vectors, {0, 0, 0}); });
  refuses("add_tokens", [&] { add_tokens(x, none, {0, 0, 0}); });
  refuses("add_tokens", [&] { add_tokens(Tensor({3, 4}), vectors, {0, 0, 0}); });
  refuses("add_tokens", [&] { add_tokens(x, Tensor({2, 2, 2}), {0, 0, 0}); });
  CHECK(lacks([&] { add_tokens(x, Tensor({2, 5}), {0, 0, 0}); }, {"(2, 3, 4)", "(2, 5)"}) == "");
  CHECK(lacks([&] { add_tokens(x, vectors, {0, 0}); }, {"add_tokens", "3 tokens", "2"}) == "");
  for (const Index wrong : {Index{2}, Index{-2}, huge}) {
    const std::string name = text("no vector ", wrong);
    for (const Places& at : {Places{0, wrong, 0}, Places{0, 0, 0, wrong}}) {
      CHECK(lacks([&] { add_tokens(x, vectors, at); }, {"add_tokens", name.c_str()}) == "");
    }
  }
  using Tuned = TunedTokens<Transformer>;
  const Transformer model = small_transformer();
  refuses("tuned tokens: 0 tokens", [&] { Tuned({.model = model, .at = {}, .width = 3}, 1); });
  refuses("tuned tokens: 0 tokens", [&] { Tuned({.model = model, .at = {-1, -1}, .width = 3}, 1); });
  for (const Index width : {0, -1}) {
    refuses("tuned tokens: 2 tokens", [&] { Tuned({.model = model, .at = {1}, .width = width}, 1); });
  }
}

TEST_CASE("a model with learned tokens is a model", "[tuned_tokens]") {
  using Tuned = TunedTokens<Transformer>;
  const Transformer model = small_transformer();
  const Tuned::Options options{.model = model, .at = {-1, 2, -1, 0}, .width = 3, .init_deviation = 0.5};
  Tuned tuned(options, 5);
  CHECK(tuned.tokens.shape() == Shape({3, 3}));
  CHECK(numbers_of(tuned.tokens) == numbers_of(Tuned(options, 5).tokens));
  CHECK(numbers_of(tuned.tokens) != numbers_of(Tuned(options, 6).tokens));
  const Parameters parameters = tuned.parameters();
  REQUIRE(parameters.size() == 1);
  CHECK(parameters[0].tensor == &tuned.tokens);
  const Tensor x = random_tensor({2, 4, 3}, 1);
  CHECK(numbers_of(tuned(x)) == numbers_of(model(add_tokens(x, tuned.tokens, options.at))));
  std::fill_n(tuned.tokens.data(), tuned.tokens.size(), real{0});
  CHECK(numbers_of(tuned(x)) == numbers_of(model(x)));
  // Its weights are copies: what happens to the model later does not matter.
  Transformer changed = model;
  const std::vector<real> before = numbers_of(model(x));
  changed.readout[0] += 1;  // shared with `model`
  CHECK(numbers_of(tuned(x)) == before);
  CHECK(numbers_of(model(x)) != before);
}

TEST_CASE("the gradient of tokens through a frozen model", "[tuned_tokens]") {
  // As a function of the tokens, and as the definition has it.
  using Tuned = TunedTokens<Transformer>;
  Tuned tuned({.model = small_transformer(), .at = {1, -1, 0, 0, -1}, .width = 3}, 2);
  const Tensor x = random_tensor({2, 5, 3}, 1), labels = random_tensor({2, 5, 3}, 2);
  const auto loss_of = [&](const std::vector<Tensor>& in) {
    Tuned other = tuned;
    other.tokens = in[0];
    return squared_error(other(x), labels);
  };
  check_gradient(loss_of, {random_tensor({2, 3}, 3)});
  for (const Parameter& p : tuned.model.parameters()) CHECK_FALSE(p.tensor->has_grad());
}

TEST_CASE("tuning moves the tokens, and not a bit of the weights", "[tuned_tokens]") {
  using Tuned = TunedTokens<Transformer>;
  using Twice = TunedTokens<Tuned>;
  const Transformer model = small_transformer();
  const std::vector<real> weights = weights_of(model);
  const Tensor x = random_tensor({6, 5, 3}, 1), labels = random_tensor({6, 5, 3}, 2, 0.1);
  const auto part_of = [](const Tensor& all, Index first, Index count) {
    const Tensor part({count, all.dim(1), all.dim(2)});
    const Index size = all.dim(1) * all.dim(2);
    std::copy_n(all.data() + first * size, count * size, part.data());
    return part;
  };
  // Returns the first loss and the last.
  const auto tune = [&](auto& tuned) {
    Training training(tuned, 6, 5);
    AdamW optimizer(tuned.parameters(), {.decay = 0});
    std::vector<double> losses;
    for (int n = 0; n < 40; ++n) {
      losses.push_back(training([&](const auto& part, Index first, Index count) {
        return squared_error(part(part_of(x, first, count)), part_of(labels, first, count), 6);
      }));
      optimizer.step(0.02);
    }
    return std::pair(losses.front(), losses.back());
  };
  Tuned once({.model = model, .at = {-1, 0, -1, 0, -1}, .width = 3}, 1);
  const std::vector<real> first_tokens = numbers_of(once.tokens);
  const auto [before, after] = tune(once);
  CHECK(after < before);
  CHECK(numbers_of(once.tokens) != first_tokens);
  CHECK(weights_of(once.model) == weights);
  CHECK(weights_of(model) == weights);
  CHECK(once.tokens.has_grad());

  // What was tuned is frozen, and something else is tuned before it.
  Twice twice({.model = once, .at = {0, -1, 1, -1, -1}, .width = 3}, 2);
  REQUIRE(twice.parameters().size() == 1);
  const std::size_t parts = Transformer(model).parameters().size();
  CHECK(once.frozen_parameters().size() == parts);
  CHECK(twice.frozen_parameters().size() == parts + 1);
  CHECK(twice.tokens.shape() == Shape({2, 3}));
  const Tensor y = random_tensor({2, 5, 3}, 4);
  const Tensor both = add_tokens(add_tokens(y, twice.tokens, twice.at), once.tokens, once.at);
  CHECK(numbers_of(twice(y)) == numbers_of(model(both)));
  const std::vector<real> separator = numbers_of(once.tokens), prefix = numbers_of(twice.tokens);
  const auto [middle, end] = tune(twice);
  CHECK(end < middle);
  CHECK(std::abs(middle - after) > 1e-6);
  CHECK(numbers_of(twice.tokens) != prefix);
  CHECK(numbers_of(twice.model.tokens) == separator);
  CHECK(numbers_of(once.tokens) == separator);
  CHECK(weights_of(twice.model.model) == weights);
}

}  // namespace mesagrad
