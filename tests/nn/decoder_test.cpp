// A decoder, which reads piece by piece, says what the model says of the whole.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/decoder.h"

#include "tests/helpers.h"

namespace mesagrad {
namespace {

using Positions = Transformer::Positions;

// All kinds of attention with all of their options.
std::vector<Mixer> kinds() {
  const KeyFeatures wide{.dpfp = 2}, unit{.unit_keys = true}, all{3, true, true};
  const TokenGates forgets{.weighs = false}, weighs{.forgets = false};
  return {LinearAttention{}, LinearAttention{wide}, LinearAttention{unit}, LinearAttention{all},
          SoftmaxAttention{},
          MesaLayer{}, MesaLayer{.softplus_lambda = true}, MesaLayer{.features = wide},
          MesaLayer{.features = unit}, MesaLayer{.softplus_lambda = true, .features = all},
          GatedLinearAttention{}, GatedLinearAttention{forgets}, GatedLinearAttention{weighs},
          GatedDeltaRule{}, GatedDeltaRule{forgets}, GatedDeltaRule{weighs},
          GatedMesaLayer{}, GatedMesaLayer{.gates = forgets, .floor = 0.25},
          GatedMesaLayer{.gates = weighs}, GatedMesaLayer{.solver = {4}},
          GatedMesaLayer{.solver = {MesaSolver::converged}}};
}

std::string name_of(const Mixer& kind) {
  return std::visit([](const auto& mix) { return mix.name(); }, kind);
}

constexpr Index heads = 3, key_size = 4;

Transformer::Options small(const Mixer& kind) {
  return {.inputs = 5,
          .outputs = 4,
          .width = 7,
          .blocks = {2, kind},
          .heads = heads,
          .key_size = key_size,
          .positions = Positions::none,
          .init_deviation = 0.4};
}

// With other gates, norms and λ for each token, channel and head than those that training starts from.
Transformer model_of(const Transformer::Options& options) {
  Transformer model(options, 7);
  std::uint64_t seed = 50;
  for (const Parameter& p : model.parameters()) {
    const auto has = [&](const char* part) { return p.name.find(part) != std::string::npos; };
    if (has("_weight")) *p.tensor = random_tensor(p.tensor->shape(), ++seed).requires_grad();
    if (has("norm.") || has("_bias") || has("rho")) {
      const Tensor noise = random_tensor(p.tensor->shape(), ++seed, 0.5);
      for (Index i = 0; i < noise.size(); ++i) (*p.tensor)[i] += noise[i];
    }
    if (has("lambda")) {
      for (Index h = 0; h < heads; ++h) (*p.tensor)[h] = static_cast<real>(0.5 + static_cast<double>(h));
    }
  }
  return model;
}

// Observations (B, T, n), or ids (B, T).
Tensor some_inputs(const Transformer& model, Index B, Index T) {
  const Transformer::Options& o = model.options;
  if (!o.ids) return random_tensor({B, T, o.embedded ? o.inputs : o.width}, 1);
  const Tensor ids({B, T});
  for (Index i = 0; i < ids.size(); ++i) ids[i] = static_cast<real>((i * i + i / 5) % o.inputs);
  return ids;
}

// Tokens begin .. end - 1 of x (B, T, ...).
Tensor tokens_of(const Tensor& x, Index begin, Index end) {
  const Index B = x.dim(0), T = x.dim(1), n = B * T == 0 ? 0 : x.size() / (B * T);
  const Tensor result(x.shape().rank() == 2 ? Shape{B, end - begin} : Shape{B, end - begin, n});
  for (Index b = 0; b < B; ++b) {
    std::copy_n(x.data() + (b * T + begin) * n, (end - begin) * n, result.data() + b * (end - begin) * n);
  }
  return result;
}

// What the decoder says of x (B, T, ...) in pieces that end at these tokens, (B, T, n).
Tensor in_pieces(Decoder& decoder, const Tensor& x, const std::vector<Index>& ends) {
  Tensor whole;
  Index begin = 0;
  for (const Index end : ends) {
    const Tensor said = decoder(tokens_of(x, begin, end));
    const Index B = x.dim(0), T = x.dim(1), n = said.dim(2), count = end - begin;
    CHECK(said.shape() == Shape({B, count, n}));
    if (!whole.defined()) whole = Tensor({B, T, n});
    for (Index b = 0; b < B; ++b) {
      std::copy_n(said.data() + b * count * n, count * n, whole.data() + (b * T + begin) * n);
    }
    begin = end;
  }
  CHECK(decoder.tokens() == x.dim(1));
  return whole;
}

std::vector<Index> one_by_one(Index T) {
  std::vector<Index> ends;
  for (Index t = 1; t <= T; ++t) ends.push_back(t);
  return ends;
}

// Sums of at most T terms in another order: a token's numbers may differ by T roundings of the largest number
// up to there, though mostly it is √T. Mesa-layers lose ε(50 + 20λ‖k‖² + T/30) (nn/mesa.h), the most here.
void check_same(const Tensor& said, const Tensor& expected) {
  REQUIRE(said.shape() == expected.shape());
  const Index B = said.dim(0), T = said.dim(1), n = said.dim(2);
  double worst = 0;
  for (Index b = 0; b < B; ++b) {
    double size = 0;
    for (Index i = b * T * n; i < (b + 1) * T * n; i += n) {
      const std::vector<real> ours(said.data() + i, said.data() + i + n),
          theirs(expected.data() + i, expected.data() + i + n);
      for (const real x : theirs) size = std::max(size, std::abs(static_cast<double>(x)));
      worst = std::max(worst, largest_difference(ours, theirs) / size);
    }
  }
  CHECK(worst < 1000 * epsilon);
}

}  // namespace

TEST_CASE("a decoder of any kind of attention says what the model says", "[decoder]") {
  constexpr Index T = 150;  // more than two chunks of the parallel linear attention
  for (const Mixer& kind : kinds()) {
    INFO(name_of(kind));
    const Transformer model = model_of(small(kind));
    const Tensor x = some_inputs(model, 2, T), expected = model(x);
    for (const auto& ends : {one_by_one(T), {T}, {70, 71, 72, 140, 143, T}}) {
      INFO(ends.size() << " pieces");
      Decoder decoder(model);
      const Tensor said = in_pieces(decoder, x, ends);
      check_same(said, expected);
    }
  }
}

TEST_CASE("a decoder has every part of the Transformer", "[decoder]") {
  const Mixer softmax = SoftmaxAttention{}, mesa = MesaLayer{}, gated = GatedMesaLayer{};
  std::vector<Transformer> models;
  const auto add = [&](const auto& change) {
    Transformer::Options options = small(softmax);
    options.blocks = {mesa, softmax, gated};
    options.tokens = 9;
    change(options);
    models.push_back(model_of(options));
  };
  add([](auto& o) { o.positions = Positions::keys; o.clip = 1; });
  add([](auto& o) { o.positions = Positions::tokens; o.mlp = 5; o.layer_norm = true; });
  add([](auto& o) { o.positions = Positions::learned; o.mlp = 5; o.relu = true; o.final_norm = true; });
  add([](auto& o) { o.unit_keys = true; o.masked_channels = 3; o.dropout = 0.5; });
  add([](auto& o) { o.ids = true; o.positions = Positions::learned; });
  add([](auto& o) { o.shifted_keys = o.unit_keys = true; });
  add([](auto& o) { o.inputs = o.outputs = 5; o.ids = o.tied = true; o.final_norm = true; });
  add([](auto& o) { o.embedded = false; o.clip = 2; o.masked_channels = 2; });
  add([](auto& o) { o.blocks = {}; o.positions = Positions::tokens; });
  add([](auto&) {});
  for (const std::size_t b : {0u, 1u, 2u}) models.back().blocks[b].attention.unit_values = true;
  std::size_t number = 0;
  for (const Transformer& model : models) {
    INFO("model " << number++);
    const Tensor x = some_inputs(model, 3, 9), expected = model(x);
    for (const auto& ends : {one_by_one(9), {4, 9}, {1, 6, 7, 9}}) {
      Decoder decoder(model);
      check_same(in_pieces(decoder, x, ends), expected);
    }
  }
}

TEST_CASE("decoders, and copies of them, go on on their own", "[decoder]") {
  for (const Mixer& kind : kinds()) {
    INFO(name_of(kind));
    Transformer model = model_of(small(kind));
    const Tensor x = some_inputs(model, 1, 20), other = random_tensor({1, 10, 5}, 9);
    const auto said = [](Decoder& decoder, const Tensor& tokens) { return numbers_of(decoder(tokens)); };
    Decoder alone(model), one(model), two(model);
    alone(tokens_of(x, 0, 10));
    const std::vector<real> expected = said(alone, tokens_of(x, 10, 20));
    one(tokens_of(x, 0, 10));
    two(other);
    Decoder copy = one;
    CHECK(copy.numbers() == one.numbers());
    copy(other);
    for (const Parameter& p : model.parameters()) std::fill_n(p.tensor->data(), p.tensor->size(), real{0});
    CHECK(said(one, tokens_of(x, 10, 20)) == expected);
    CHECK(said(two, other) != said(copy, other));
  }
}

TEST_CASE("no tape records a decoder", "[decoder]") {
  for (const Mixer& kind : kinds()) {
    INFO(name_of(kind));
    const Transformer model = model_of(small(kind));
    const Tensor x = some_inputs(model, 1, 6);
    Decoder decoder(model), untaped(model);
    Tensor said;
    {
      Tape tape;
      CHECK(model(x).has_grad());
      decoder(tokens_of(x, 0, 5));
      said = decoder(tokens_of(x, 5, 6));  // it, and the states, outlive the tape
      CHECK_FALSE(said.has_grad());
    }
    {
      Tape tape;
      model(x);
    }
    untaped(tokens_of(x, 0, 5));
    CHECK(numbers_of(said) == numbers_of(untaped(tokens_of(x, 5, 6))));
    CHECK(numbers_of(decoder(x)) == numbers_of(untaped(x)));
  }
}

TEST_CASE("a NaN reaches a decoder's later tokens, of its sequence, and no others", "[decoder]") {
  for (const Mixer& kind : kinds()) {
    INFO(name_of(kind));
    const Transformer model = model_of(small(kind));
    const Tensor x = some_inputs(model, 2, 8);
    x[3 * 5 + 1] = std::numeric_limits<real>::quiet_NaN();  // sequence 0, token 3
    Decoder decoder(model);
    const Tensor said = in_pieces(decoder, x, one_by_one(8));
    for (Index i = 0; i < said.size(); ++i) CHECK(std::isnan(said[i]) == (i >= 3 * 4 && i < 8 * 4));
  }
}

TEST_CASE("a state does not grow, but for the cache of keys and values", "[decoder]") {
  constexpr Index K = key_size, V = key_size, B = 2;
  const auto numbers = [](const Mixer& kind, const std::vector<Index>& ends) {
    const Transformer model = model_of(small(kind));
    Decoder decoder(model);
    CHECK(decoder.numbers() == 0);
    in_pieces(decoder, some_inputs(model, B, ends.back()), ends);
    return decoder.numbers() / (B * heads * 2);  // of each head in each layer
  };
  const Index wide = 2 * K * 3;  // features of order 3
  for (const auto& ends : {one_by_one(1), one_by_one(9), {7, 40}, {100}}) {
    CHECK(numbers(LinearAttention{}, ends) == K * V);
    CHECK(numbers(LinearAttention{{.dpfp = 3}}, ends) == wide * V);
    CHECK(numbers(MesaLayer{}, ends) == K * K + K * V);
    CHECK(numbers(MesaLayer{.features = {.dpfp = 3}}, ends) == wide * wide + wide * V);
    CHECK(numbers(GatedLinearAttention{}, ends) == K * V);
    CHECK(numbers(GatedDeltaRule{}, ends) == K * V);
    CHECK(numbers(GatedMesaLayer{}, ends) == K * K + K * V);
    CHECK(numbers(SoftmaxAttention{}, ends) == ends.back() * (K + V));
  }
}

TEST_CASE("a decoder says the same to the last bit on any number of threads", "[decoder]") {
  for (const Mixer& kind : {Mixer(LinearAttention{}), Mixer(MesaLayer{}), Mixer(SoftmaxAttention{}),
                            Mixer(GatedMesaLayer{}), Mixer(GatedDeltaRule{})}) {
    Transformer::Options options = small(kind);
    options.key_size = 16;
    const Transformer model = model_of(options);
    const Tensor x = some_inputs(model, 4, 120);
    std::vector<std::vector<real>> all;
    for (const int threads : {1, 2, 5}) {
      const Threads limit(threads);
      Decoder decoder(model);
      all.push_back(numbers_of(in_pieces(decoder, x, {50, 119, 120})));
    }
    CHECK(all[0] == all[1]);
    CHECK(all[0] == all[2]);
  }
}

TEST_CASE("a decoder refuses what does not fit", "[decoder][errors]") {
  for (const auto positions : {Positions::keys, Positions::tokens, Positions::learned}) {
    Transformer::Options options = small(MesaLayer{});
    options.positions = positions;
    options.tokens = 4;
    const Transformer model = model_of(options);
    const Tensor x = some_inputs(model, 2, 5);
    Decoder decoder(model);
    CHECK(lacks([&] { decoder(x); }, {"5 tokens", "4 positions"}) == "");
    decoder(tokens_of(x, 0, 3));
    CHECK(lacks([&] { decoder(tokens_of(x, 3, 5)); }, {"5 tokens so far", "only 4 positions"}) == "");
    CHECK(lacks([&] { decoder(tokens_of(some_inputs(model, 3, 5), 3, 4)); },
                {"decoder: 3 sequences", "after 3 tokens of 2"}) == "");
    CHECK(lacks([&] { decoder(Tensor({2, 1, 6})); }, {"matmul", "6 and 5"}) == "");
    CHECK(lacks([&] { decoder(Tensor({2, 0, 5})); }, {"decoder: (2, 0, 5) holds no token"}) == "");
    CHECK(lacks([&] { decoder(Tensor({5})); }, {"decoder: (5) holds no token"}) == "");
    // It has read nothing of all this.
    const Tensor last = decoder(tokens_of(x, 3, 4)), expected = tokens_of(model(tokens_of(x, 0, 4)), 3, 4);
    check_same(last, expected);
    CHECK(lacks([&] { decoder(tokens_of(x, 4, 5)); }, {"5 tokens so far"}) == "");
  }
}

}  // namespace mesagrad
