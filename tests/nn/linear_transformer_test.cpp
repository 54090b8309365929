// The linear Transformer, against its formula in double precision.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/linear_transformer.h"

#include "nn/loss.h"
#include "nn/optimizer.h"
#include "tests/nn/naive_transformer.h"

namespace mesagrad {
namespace {

const LinearTransformer::Options small{.width = 6,
                                       .blocks = 2,
                                       .heads = 2,
                                       .key_size = 3,
                                       .masked_channels = 2,
                                       .clip = 1000,
                                       .init_deviation = 0.3};

}  // namespace

TEST_CASE("the linear Transformer equals its formula, number by number", "[linear_transformer]") {
  for (const Index masked : {0, 2, 6}) {
    INFO(masked << " masked channels");
    LinearTransformer::Options options = small;
    options.masked_channels = masked;
    options.clip = real{0.75};
    const LinearTransformer model(options, 3);
    const Tensor tokens = random_tensor({3, 9, 6}, 4);
    const std::vector<real> before = numbers_of(tokens);
    const Tensor out = model(tokens);
    CHECK(out.shape() == tokens.shape());
    const std::vector<double> exact = naive_batch(model, tokens);
    CHECK(largest_difference(numbers_of(out), exact) < 1e3 * epsilon);
    CHECK(numbers_of(tokens) == before);
    const auto clipped = std::count_if(exact.begin(), exact.end(),
                                       [](double x) { return std::abs(x) == 0.75; });
    if (masked < 6) CHECK((clipped > 20 && clipped < 142));  // of 162
  }
}

TEST_CASE("gradients through two blocks agree with the definition", "[linear_transformer]") {
  LinearTransformer model(small, 3);
  std::vector<Tensor> inputs;
  for (const Parameter& p : model.parameters()) inputs.push_back(p.tensor->copy());
  inputs.push_back(random_tensor({2, 9, 6}, 4));
  check_gradient([&](const auto& x) { return with_weights(model, x)(x.back()); }, inputs);
}

TEST_CASE("a number beyond the clip passes no gradient on", "[linear_transformer]") {
  LinearTransformer::Options options = small;
  options.blocks = 1;
  options.masked_channels = 0;
  options.init_deviation = 0.1;
  for (const real bound : {real{0.125}, real{8}}) {
    options.clip = bound;
    LinearTransformer model(options, 3);
    const Tensor tokens({1, 2, 6}, real{1});
    Tape tape;
    tape.backward(model(tokens), random_tensor({1, 2, 6}, 5));
    for (const Parameter& p : model.parameters()) {
      const std::vector<real> gradient = gradient_of(*p.tensor);
      CHECK((gradient == std::vector<real>(gradient.size())) == (bound < 1));
    }
  }
}

TEST_CASE("parameters have names and shapes", "[linear_transformer]") {
  LinearTransformer model({.width = 12, .blocks = 2, .heads = 3, .key_size = 5}, 1);
  const Parameters parameters = model.parameters();
  const char* const names[] = {"blocks.0.wq", "blocks.0.wk", "blocks.0.wv", "blocks.0.wo",
                               "blocks.1.wq", "blocks.1.wk", "blocks.1.wv", "blocks.1.wo"};
  REQUIRE(parameters.size() == 8);
  for (std::size_t n = 0; n < 8; ++n) {
    CHECK(parameters[n].name == names[n]);
    CHECK(parameters[n].tensor->shape() == (n % 4 < 3 ? Shape({12, 15}) : Shape({15, 12})));
    CHECK(parameters[n].tensor->has_grad());
  }
  CHECK(parameters[6].tensor == &model.blocks[1].attention.wv);
}

TEST_CASE("weights start as independent normal numbers", "[linear_transformer]") {
  const LinearTransformer::Options options{
      .blocks = 2, .heads = 4, .key_size = 20, .init_deviation = 0.05};
  LinearTransformer model(options, 1), again(options, 1), other(options, 2);
  std::vector<double> all;
  std::vector<std::vector<real>> firsts;  // of each tensor, of two models
  for (LinearTransformer* m : {&model, &other}) {
    for (const Parameter& p : m->parameters()) {
      firsts.push_back({p.tensor->data(), p.tensor->data() + 8});
    }
  }
  for (std::size_t n = 0; n < model.parameters().size(); ++n) {
    const Tensor& weights = *model.parameters()[n].tensor;
    for (const real x : numbers_of(weights)) all.push_back(x / 0.05);
    CHECK(numbers_of(weights) == numbers_of(*again.parameters()[n].tensor));
  }
  std::sort(firsts.begin(), firsts.end());
  CHECK(std::adjacent_find(firsts.begin(), firsts.end()) == firsts.end());  // no two are alike

  const double n = static_cast<double>(all.size());
  double sum = 0, squares = 0, inside = 0;
  for (const double x : all) {
    sum += x;
    squares += x * x;
    inside += std::abs(x) < 1 ? 1 : 0;
  }
  CHECK(std::abs(sum / n) < 5 / std::sqrt(n));
  CHECK(std::abs(squares / n - 1) < 5 * std::sqrt(2 / n));
  CHECK(std::abs(inside / n - 0.6827) < 5 * std::sqrt(0.6827 * 0.3173 / n));
}

TEST_CASE("a snapshot keeps what a model was", "[linear_transformer]") {
  LinearTransformer model(small, 3);
  const Tensor tokens = random_tensor({2, 4, 6}, 4);
  const std::vector<real> before = numbers_of(model(tokens));
  LinearTransformer kept = snapshot(model);
  LinearTransformer shared = model;
  for (const Parameter& p : model.parameters()) (*p.tensor)[0] += 1;
  CHECK(numbers_of(kept(tokens)) == before);
  CHECK(numbers_of(shared(tokens)) == numbers_of(model(tokens)));
  CHECK(numbers_of(model(tokens)) != before);
  for (const Parameter& p : kept.parameters()) (*p.tensor)[0] -= 1;
  CHECK(numbers_of(shared(tokens)) == numbers_of(model(tokens)));
  for (const Parameter& p : kept.parameters()) CHECK_FALSE(p.tensor->has_grad());
  for (const Parameter& p : model.parameters()) CHECK(p.tensor->has_grad());
}

TEST_CASE("a lambda behind a softplus starts at 1 and has a gradient", "[linear_transformer][mesa]") {
  LinearTransformer::Options options = small;
  options.kind = MesaLayer{};
  LinearTransformer raw(options, 3);
  options.kind = MesaLayer{.softplus_lambda = true};
  LinearTransformer model(options, 3);
  const Parameters parameters = model.parameters();
  REQUIRE(parameters.size() == 10);
  CHECK(parameters[9].name == "blocks.1.rho");
  CHECK(parameters[9].tensor == &std::get<MesaLayer>(model.blocks[1].attention.mixer).rho);
  for (const real lambda : numbers_of(positive_lambda(*parameters[4].tensor))) {
    CHECK(std::abs(lambda - 1) < 4 * epsilon);
  }
  const Tensor tokens = random_tensor({2, 9, 6}, 4);
  CHECK(largest_difference(numbers_of(model(tokens)), numbers_of(raw(tokens))) < 1e3 * epsilon);
  CHECK(largest_difference(numbers_of(raw(tokens)), numbers_of(LinearTransformer(small, 3)(tokens))) > 0.01);

  std::vector<Tensor> inputs;
  for (const Parameter& p : parameters) inputs.push_back(p.tensor->copy());
  inputs.push_back(tokens);
  check_gradient([&](const auto& x) { return with_weights(model, x)(x.back()); }, inputs);
}

TEST_CASE("a lambda behind a softplus survives what throws the raw one", "[linear_transformer][mesa]") {
  const Tensor tokens = random_tensor({2, 9, 6}, 4), labels = random_tensor({2, 9, 2}, 5);
  // the loss rewards small lambdas (or rhos), without end
  const auto train = [&](bool softplus_lambda) {
    LinearTransformer::Options options = small;
    options.kind = MesaLayer{.softplus_lambda = softplus_lambda};
    options.clip = 4;
    LinearTransformer model(options, 3);
    SGD optimizer(model.parameters(), {});
    for (int update = 0; update < 10; ++update) {
      zero_grad(model.parameters());
      Tape tape;
      Tensor loss = squared_error(model(tokens), labels);
      for (const Transformer::Block& block : model.blocks) {
        const auto& mesa = std::get<MesaLayer>(block.attention.mixer);
        loss = loss + real{1e5} * sum(softplus_lambda ? mesa.rho : mesa.lambda);
      }
      tape.backward(loss);
      optimizer.step(0.01);
    }
    return model;
  };
  CHECK(lacks([&] { train(false); }, {"lambda", "must be positive"}) == "");
  LinearTransformer model = train(true);
  for (const Parameter& p : model.parameters()) {
    INFO(p.name);
    for (const real x : numbers_of(*p.tensor)) CHECK(std::isfinite(x));
    for (const real g : gradient_of(*p.tensor)) CHECK(std::isfinite(g));
  }
  CHECK(std::get<MesaLayer>(model.blocks[0].attention.mixer).rho[0] < -9000);
  for (const real x : numbers_of(model(tokens))) CHECK(std::isfinite(x));
}

}  // namespace mesagrad
