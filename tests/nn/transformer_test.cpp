// The Transformer of raw observations, against its formula in double precision.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/transformer.h"

#include "nn/loss.h"
#include "nn/training.h"
#include "tests/nn/naive_transformer.h"

namespace mesagrad {
namespace {

using Positions = Transformer::Positions;

// Small models that together use every part.
std::vector<Transformer> models() {
  const Mixer linear = LinearAttention{}, softmax = SoftmaxAttention{}, mesa = MesaLayer{};
  const Transformer::Options small{.inputs = 3,
                                   .outputs = 2,
                                   .width = 6,
                                   .blocks = {softmax, softmax, mesa},
                                   .heads = 2,
                                   .key_size = 3,
                                   .tokens = 7,
                                   .init_deviation = 0.4};
  std::vector<Transformer> result;
  const auto add = [&](const auto& change) {
    Transformer::Options options = small;
    change(options);
    result.emplace_back(options, 7);
    std::uint64_t seed = 50;  // other layer norms than ones and zeros
    for (const Parameter& p : result.back().parameters())
      if (p.name.find("norm") != std::string::npos) *p.tensor = random_tensor(p.tensor->shape(), ++seed);
  };
  add([](auto&) {});
  add([](auto& o) { o.clip = 1; });
  add([](auto& o) { o.positions = Positions::tokens; o.layer_norm = true; o.mlp = 5; });
  add([](auto& o) { o.positions = Positions::none; o.layer_norm = true; });
  add([=](auto& o) { o.blocks = {linear, softmax, mesa}; o.mlp = 9; o.unit_keys = true; });
  add([](auto&) {});
  result.back().blocks[2].attention.unit_values = true;
  add([](auto& o) { o.shifted_keys = true; });
  add([=](auto& o) { o.blocks = {linear, mesa}; o.shifted_keys = o.unit_keys = o.layer_norm = true; });
  add([](auto& o) { o.positions = Positions::learned; o.final_norm = true; o.mlp = 4; o.relu = true; });
  add([](auto& o) { o.inputs = 5; o.ids = true; o.positions = Positions::learned; o.final_norm = true; });
  add([](auto& o) { o.inputs = o.outputs = 5; o.ids = o.tied = true; o.positions = Positions::tokens; });
  return result;
}

// Observations (B, T, 3), or ids (B, T).
Tensor some_inputs(const Transformer& model, Index B, Index T) {
  if (!model.options.ids) return random_tensor({B, T, model.options.inputs}, 1);
  const Tensor ids({B, T});
  for (Index i = 0; i < ids.size(); ++i) ids[i] = static_cast<real>(i * i % model.options.inputs);
  return ids;
}

}  // namespace

TEST_CASE("the Transformer computes its formula", "[transformer]") {
  std::size_t number = 0;
  for (const Transformer& model : models()) {
    INFO("model " << number++);
    for (const Index T : {1, 5, 7}) {
      const Tensor x = some_inputs(model, 3, T);
      const Tensor y = model(x);
      REQUIRE(y.shape() == Shape({3, T, model.options.outputs}));
      CHECK(largest_difference(numbers_of(y), naive_batch(model, x)) < 1e4 * epsilon);
    }
  }
}

TEST_CASE("the Transformer's gradients agree with the definition in every weight", "[transformer]") {
  std::size_t number = 0;
  for (Transformer model : models()) {
    INFO("model " << number++);
    if (model.options.clip > 0) model.options.clip = 1000;  // no kinks
    for (Transformer::Block& block : model.blocks) {
      if (block.mlp) block.mlp->with_relu = false;
    }
    std::vector<Tensor> inputs;
    for (const Parameter& p : model.parameters()) inputs.push_back(*p.tensor);
    const Tensor ids = some_inputs(model, 2, 4);
    if (!model.options.ids) inputs.push_back(ids);
    const auto seen = [=](const auto& x) { return model.options.ids ? ids : x.back(); };
    check_gradient([=](const auto& x) { return with_weights(model, x)(seen(x)); }, inputs);
    model.options.dropout = 0.3;
    const Transformer::Noise noise{.seed = 5, .first = 9};
    check_gradient([=](const auto& x) { return with_weights(model, x)(seen(x), &noise); }, inputs);
  }
}

TEST_CASE("every parameter of the Transformer has a name, and a gradient of its own", "[transformer]") {
  for (Transformer& model : models()) {
    std::vector<std::string> names;
    std::vector<const real*> places;
    for (const Parameter& p : model.parameters()) {
      names.push_back(p.name);
      places.push_back(p.tensor->data());
    }
    for (auto* list : {&names}) {
      std::sort(list->begin(), list->end());
      CHECK(std::adjacent_find(list->begin(), list->end()) == list->end());
    }
    std::sort(places.begin(), places.end());
    CHECK(std::adjacent_find(places.begin(), places.end()) == places.end());
  }
  const auto count = [](Transformer model) {
    Index sum = 0;
    for (const Parameter& p : model.parameters()) sum += p.tensor->size();
    return sum;
  };
  const Transformer unit({.unit_keys = true}, 1);
  for (std::size_t b = 0; b < 7; ++b) CHECK(unit.blocks[b].attention.unit_keys == (b > 0));
  CHECK(count(Transformer({}, 1)) == 96800);  // the paper's seven layers
  CHECK(count(Transformer({.blocks = {SoftmaxAttention{}, MesaLayer{}}}, 1)) ==
        32804);  // and its hybrid
}

TEST_CASE("one layer whose keys are shifted finds what followed the like of a token", "[transformer]") {
  // Three symbols, each a direction, as queries, keys and values: 0 1 2 0. What followed 0 was 1.
  const Tensor one_hot({1, 4, 3});
  for (const Index i : {0, 4, 8, 9}) one_hot[i] = 1;
  const Tensor ones({3, 3});
  for (const Index i : {0, 4, 8}) ones[i] = 1;
  Random random(1, stream::parameters);
  for (const bool shifted : {false, true}) {
    SelfAttention layer = random_self_attention(LinearAttention{}, 3, 3, 1, 3, 1, random);
    for (Tensor* w : {&layer.wq, &layer.wk, &layer.wv, &layer.wo}) *w = ones;
    layer.shifted_keys = shifted;
    const std::vector<real> out = numbers_of(layer(one_hot)), last(out.end() - 3, out.end());
    CHECK(last == (shifted ? std::vector<real>{0, 1, 0} : std::vector<real>{2, 0, 0}));
  }
}

TEST_CASE("a single token has no key if keys are shifted", "[transformer]") {
  const std::vector<Mixer> sums = {LinearAttention{{.unit_keys = true}}, LinearAttention{{.dpfp = 2}},
                                   MesaLayer{.features = {.dpfp = 2, .unit_keys = true}}, GatedMesaLayer{},
                                   GatedLinearAttention{}, GatedDeltaRule{}};
  for (const Mixer& kind : sums) {
    const auto name = std::visit([](const auto& mix) { return mix.name(); }, kind);
    INFO(name);
    Random random(1, stream::parameters);
    SelfAttention layer = random_self_attention(kind, 4, 4, 2, 2, 1, random);
    layer.shifted_keys = true;
    const Tensor x = random_tensor({2, 1, 4}, 3).requires_grad();
    Tape tape;
    const Tensor y = layer(x);
    CHECK(numbers_of(y) == std::vector<real>(8, 0));  // nothing was seen, nothing is said
    tape.backward(y, random_tensor(y.shape(), 4));
    CHECK(gradient_of(x) == std::vector<real>(8, 0));
    CHECK(layer(Tensor({0, 3, 4})).shape() == Shape({0, 3, 4}));
    CHECK(layer(Tensor({2, 0, 4})).shape() == Shape({2, 0, 4}));
  }
  Random random(1, stream::parameters);
  SelfAttention layer = random_self_attention(SoftmaxAttention{}, 4, 4, 2, 2, 1, random);
  const Tensor x = random_tensor({2, 1, 4}, 3), alone = layer(x);
  layer.shifted_keys = true;
  CHECK(numbers_of(layer(x)) == numbers_of(alone));  // softmax gives all to the only one, whatever its key
}

TEST_CASE("dropout belongs to a training's sequences, not to its passes", "[transformer]") {
  Transformer::Options options{.inputs = 3,
                               .outputs = 2,
                               .width = 6,
                               .blocks = {2, SoftmaxAttention{}},
                               .heads = 2,
                               .key_size = 3,
                               .mlp = 5,
                               .dropout = 0.5,
                               .init_deviation = 0.4};
  const Transformer model(options, 1);
  const Tensor x = random_tensor({4, 5, 3}, 3);
  const Transformer::Noise whole{.seed = 1, .first = 100}, other{.seed = 1, .first = 101};
  const std::vector<real> all = numbers_of(model(x, &whole));
  CHECK(all != numbers_of(model(x)));
  CHECK(all != numbers_of(model(x, &other)));
  for (Index b = 0; b < 4; ++b) {
    const Tensor one({1, 5, 3}, std::span<const real>(x.data() + b * 15, 15));
    const Transformer::Noise noise{.seed = 1, .first = 100 + static_cast<std::uint64_t>(b)};
    const std::vector<real> part(all.begin() + b * 10, all.begin() + (b + 1) * 10);
    CHECK(largest_difference(numbers_of(model(one, &noise)), part) < 1000 * epsilon);
  }
}

TEST_CASE("every part of every block drops other elements", "[transformer]") {
  const Transformer model({.width = 6,
                           .blocks = {2, SoftmaxAttention{}},
                           .heads = 2,
                           .key_size = 3,
                           .mlp = 5,
                           .dropout = 0.5,
                           .init_deviation = 0.4},
                          1);
  const Tensor x = random_tensor({4, 5, 6}, 3);
  const Transformer::Noise noise{.seed = 1};
  std::vector<std::vector<bool>> dropped;  // where nothing is added to the stream
  for (const std::size_t b : {0u, 1u}) {
    for (const bool by_mlp : {false, true}) {
      const Transformer silent = snapshot(model);
      const Tensor& other = by_mlp ? silent.blocks[b].attention.wo : silent.blocks[b].mlp->w2;
      std::fill_n(other.data(), other.size(), real{0});
      const Tensor y = silent.after_block(b, x, &noise);
      auto& where = dropped.emplace_back();
      for (Index i = 0; i < x.size(); ++i) where.push_back(y[i] == x[i]);
    }
  }
  std::sort(dropped.begin(), dropped.end());
  CHECK(std::adjacent_find(dropped.begin(), dropped.end()) == dropped.end());
}

TEST_CASE("a Transformer's training step does not depend on threads", "[transformer]") {
  std::vector<std::vector<real>> gradients;
  for (const int threads : {1, 2, 5}) {
    const Threads limit(threads);
    Transformer model({.inputs = 3,
                       .outputs = 3,
                       .width = 8,
                       .blocks = {SoftmaxAttention{}, MesaLayer{}},
                       .heads = 2,
                       .key_size = 4,
                       .tokens = 9,
                       .mlp = 6,
                       .layer_norm = true,
                       .dropout = 0.1},
                      3);
    Training training(model, 33, 9);
    training([&](const Transformer& part, Index first, Index count) {
      const Transformer::Noise noise{.seed = 1, .first = static_cast<std::uint64_t>(first)};
      const Tensor x = random_tensor({count, 9, 3}, 100 + static_cast<std::uint64_t>(first));
      return squared_error(part(x, &noise), x, 33);
    });
    auto& all = gradients.emplace_back();
    for (const Parameter& p : model.parameters()) {
      const std::vector<real> gradient = gradient_of(*p.tensor);
      all.insert(all.end(), gradient.begin(), gradient.end());
    }
  }
  CHECK(gradients[0] == gradients[1]);
  CHECK(gradients[0] == gradients[2]);
}

TEST_CASE("the Transformer refuses what does not fit", "[transformer][errors]") {
  CHECK(lacks([] { Transformer({.clip = -1}, 1); }, {"transformer: clip is -1"}) == "");
  const Transformer model({.tokens = 4}, 1);
  CHECK(lacks([&] { model(Tensor({1, 5, 10})); }, {"5 tokens", "4 positions"}) == "");
  CHECK(lacks([&] { model(Tensor({1, 4, 9})); }, {"matmul", "9 and 10"}) == "");
}

}  // namespace mesagrad
