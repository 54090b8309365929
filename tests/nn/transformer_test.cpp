// The Transformer of raw observations, against loops in double precision.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/transformer.h"

#include "nn/loss.h"
#include "nn/reference.h"
#include "nn/training.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

using Positions = Transformer::Positions;
using Rows = std::vector<std::vector<double>>;  // one sequence: a row for each token

Rows rows_of(const Tensor& x, Index first, Index count) {
  Rows rows;
  for (Index r = first; r < first + count; ++r) {
    auto& row = rows.emplace_back();
    for (Index j = 0; j < x.dim(-1); ++j) row.push_back(static_cast<double>(x[r * x.dim(-1) + j]));
  }
  return rows;
}

Rows product(const Rows& a, const Tensor& w) {
  Rows result;
  for (const auto& row : a) {
    auto& out = result.emplace_back(static_cast<std::size_t>(w.dim(1)));
    for (std::size_t j = 0; j < out.size(); ++j)
      for (std::size_t i = 0; i < row.size(); ++i)
        out[j] +=
            row[i] * static_cast<double>(w[static_cast<Index>(i) * w.dim(1) + static_cast<Index>(j)]);
  }
  return result;
}

Rows sum_of(Rows a, const Rows& b) {
  for (std::size_t t = 0; t < a.size(); ++t)
    for (std::size_t j = 0; j < a[t].size(); ++j) a[t][j] += b[t][j];
  return a;
}

double naive_position(Index t, std::size_t j, Index D) {
  const double angle =
      static_cast<double>(t) * std::pow(1e4, -2.0 * static_cast<double>(j / 2) / static_cast<double>(D));
  return j % 2 == 0 ? std::sin(angle) : std::cos(angle);
}

Rows naive_norm(Rows x, const std::optional<LayerNorm>& norm) {
  if (!norm) return x;
  for (auto& row : x) {
    double mean = 0, variance = 0;
    for (const double e : row) mean += e / static_cast<double>(row.size());
    for (const double e : row) variance += (e - mean) * (e - mean) / static_cast<double>(row.size());
    for (std::size_t j = 0; j < row.size(); ++j) {
      const Index i = static_cast<Index>(j);
      row[j] = static_cast<double>(norm->scale[i]) * (row[j] - mean) / std::sqrt(variance + 1e-6) +
               static_cast<double>(norm->shift[i]);
    }
  }
  return x;
}

// What the layer makes of normed tokens x; `seen` is x, with the positions if there are any.
Rows naive_attention(const SelfAttention& layer, const Rows& seen, const Rows& x) {
  const std::size_t heads = static_cast<std::size_t>(layer.heads);
  const std::size_t inner = static_cast<std::size_t>(layer.wq.dim(1)), K = inner / heads;
  Rows q = product(seen, layer.wq), k = product(seen, layer.wk);
  const Rows v = product(x, layer.wv);
  Rows result(x.size(), std::vector<double>(inner));
  for (std::size_t h = 0; h < heads; ++h) {
    const std::size_t first = h * K, end = first + K;
    for (Rows* rows : {&q, &k})
      for (auto& row : *rows) {
        double length = 0;
        for (std::size_t j = first; j < end; ++j) length += row[j] * row[j];
        if (layer.unit_keys) for (std::size_t j = first; j < end; ++j) row[j] /= std::sqrt(length);
      }
    const auto part = [&](const Rows& rows) {
      Matrix m(static_cast<Index>(rows.size()), static_cast<Index>(K));
      for (std::size_t t = 0; t < rows.size(); ++t)
        for (std::size_t j = 0; j < K; ++j) m(static_cast<Index>(t), static_cast<Index>(j)) = rows[t][first + j];
      return m;
    };
    Matrix query = part(q), out;
    if (const auto mesa = std::get_if<MesaLayer>(&layer.mixer)) {
      query = reference::preconditioned_queries(query, part(k),
                                                static_cast<double>(mesa->lambda[static_cast<Index>(h)]));
    }
    const bool softmax = std::holds_alternative<SoftmaxAttention>(layer.mixer);
    out = (softmax ? reference::softmax_attention : reference::linear_attention)(query, part(k), part(v));
    for (std::size_t t = 0; t < x.size(); ++t)
      for (std::size_t j = 0; j < K; ++j)
        result[t][first + j] = out(static_cast<Index>(t), static_cast<Index>(j));
  }
  return product(result, layer.wo);
}

Rows naive_mlp(const MLP& mlp, const Rows& x) {
  Rows hidden = product(x, mlp.w1);
  for (auto& row : hidden)
    for (double& e : row) {
      e *= 0.5 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (e + 0.044715 * e * e * e)));
    }
  return product(hidden, mlp.w2);
}

Rows naive_transformer(const Transformer& model, const Rows& observations) {
  const Index D = model.options.width;
  Rows x = product(observations, model.embedding);
  const auto positions = [&](std::size_t t, std::size_t j) {
    return naive_position(static_cast<Index>(t), j, D);
  };
  if (model.options.positions == Positions::tokens) {
    for (std::size_t t = 0; t < x.size(); ++t)
      for (std::size_t j = 0; j < x[t].size(); ++j) x[t][j] += positions(t, j);
  }
  for (std::size_t b = 0; b < model.blocks.size(); ++b) {
    const Transformer::Block& block = model.blocks[b];
    const Rows normed = naive_norm(x, block.attention_norm);
    Rows seen = normed;
    if (b == 0 && model.options.positions == Positions::keys) {
      for (std::size_t t = 0; t < seen.size(); ++t)
        for (std::size_t j = 0; j < static_cast<std::size_t>(D); ++j) seen[t].push_back(positions(t, j));
    }
    x = sum_of(x, naive_attention(block.attention, seen, normed));
    if (block.mlp) x = sum_of(x, naive_mlp(*block.mlp, naive_norm(x, block.mlp_norm)));
    const double bound = model.options.clip;
    for (auto& row : x)
      for (double& e : row) e = bound > 0 ? std::clamp(e, -bound, bound) : e;
  }
  return product(x, model.readout);
}

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
  return result;
}

// The same model with other tensors as weights.
Transformer with_weights(Transformer model, const std::vector<Tensor>& weights) {
  std::size_t n = 0;
  for (const Parameter& p : model.parameters()) *p.tensor = weights[n++];
  return model;
}

}  // namespace

TEST_CASE("the Transformer computes its formula", "[transformer]") {
  std::size_t number = 0;
  for (const Transformer& model : models()) {
    INFO("model " << number++);
    for (const Index T : {1, 5, 7}) {
      const Tensor x = random_tensor({3, T, 3}, 1);
      const Tensor y = model(x);
      REQUIRE(y.shape() == Shape({3, T, 2}));
      for (Index b = 0; b < 3; ++b) {
        const Rows ours = rows_of(y, b * T, T), exact = naive_transformer(model, rows_of(x, b * T, T));
        for (std::size_t t = 0; t < exact.size(); ++t) {
          CHECK(largest_difference(ours[t], exact[t]) < 1e4 * epsilon);
        }
      }
    }
  }
}

TEST_CASE("the Transformer's gradients agree with the definition in every weight", "[transformer]") {
  std::size_t number = 0;
  for (Transformer model : models()) {
    INFO("model " << number++);
    if (model.options.clip > 0) model.options.clip = 1000;  // no kinks
    std::vector<Tensor> inputs;
    for (const Parameter& p : model.parameters()) inputs.push_back(*p.tensor);
    inputs.push_back(random_tensor({2, 4, 3}, 2));
    check_gradient([=](const auto& x) { return with_weights(model, x)(x.back()); }, inputs);
    model.options.dropout = 0.3;
    const Transformer::Noise noise{.seed = 5, .first = 9};
    check_gradient([=](const auto& x) { return with_weights(model, x)(x.back(), &noise); }, inputs);
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

TEST_CASE("dropout belongs to a training's sequences, not to its passes", "[transformer][dropout]") {
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
