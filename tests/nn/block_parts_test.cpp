// The small parts of a block, each against its formula in double: gelu, layer norm, vectors of length 1,
// dropout, positions.
#include "tests/catch.h"  // first, because it is precompiled

#include "core/ops.h"
#include "nn/activations.h"
#include "nn/dropout.h"
#include "nn/normalization.h"
#include "nn/positions.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

const std::vector<Shape> shapes = {{1}, {10}, {3, 1}, {2, 16}, {5, 33}, {2, 3, 40}, {2, 3, 2, 7}};

double number(const Tensor& x, Index i) { return static_cast<double>(x[i]); }

double naive_gelu(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

}  // namespace

TEST_CASE("gelu computes its formula", "[gelu]") {
  for (const Shape& shape : shapes) {
    const Tensor x = random_tensor(shape, 1, 3), y = gelu(x);
    REQUIRE(y.shape() == shape);
    for (Index i = 0; i < x.size(); ++i) {
      CHECK(std::abs(number(y, i) - naive_gelu(number(x, i))) < 20 * epsilon * (1 + std::abs(number(x, i))));
    }
    check_gradient([](const auto& in) { return gelu(in[0]); }, {x});
    check_gradient([](const auto& in) { return gelu(in[0]) + in[0]; }, {x});  // adds to a part
  }
  CHECK(gelu(Tensor({0, 3})).shape() == Shape({0, 3}));
  const Tensor many = random_tensor({257, 1001}, 2);  // enough for threads
  const Tensor all = gelu(many);
  for (const Index i : {Index{0}, many.size() / 2, many.size() - 1}) {
    CHECK(std::abs(number(all, i) - naive_gelu(number(many, i))) < 100 * epsilon);
  }
}

TEST_CASE("gelu far from zero is zero or x, with gradient 0 or 1", "[gelu]") {
  const real infinity = std::numeric_limits<real>::infinity(), nan = std::numeric_limits<real>::quiet_NaN();
  Tensor x({6}, {real{1e4}, real{-1e4}, real{30}, real{-30}, infinity, nan});
  x.requires_grad();
  Tape tape;
  const Tensor y = gelu(x);
  tape.backward(y, Tensor({6}, 1));
  const real expected[] = {real{1e4}, 0, 30, 0, infinity}, slope[] = {1, 0, 1, 0, 1};
  for (Index i = 0; i < 5; ++i) {
    CHECK(y[i] == expected[i]);
    CHECK(std::abs(x.grad()[i] - slope[i]) < 1e-30);
  }
  CHECK(std::isnan(y[5]));
  CHECK(std::isnan(x.grad()[5]));
  CHECK(lacks([] { gelu(Tensor()); }, {"gelu", "empty"}) == "");
}

TEST_CASE("layer norm computes its formula", "[norm]") {
  for (const Shape& shape : shapes) {
    const Index D = shape[shape.rank() - 1];
    Tensor x = random_tensor(shape, 1);
    for (Index i = 0; i < x.size(); ++i) x[i] += 2;
    const Tensor scale = random_tensor({D}, 2), shift = random_tensor({D}, 3);
    const Tensor y = layer_norm(x, scale, shift);
    REQUIRE(y.shape() == shape);
    for (Index row = 0; row < x.rows(); ++row) {
      double mean = 0, variance = 0;
      for (Index j = 0; j < D; ++j) mean += number(x, row * D + j) / static_cast<double>(D);
      for (Index j = 0; j < D; ++j) variance += std::pow(number(x, row * D + j) - mean, 2) / static_cast<double>(D);
      for (Index j = 0; j < D; ++j) {
        const double x_hat = (number(x, row * D + j) - mean) / std::sqrt(variance + 1e-6);
        CHECK(std::abs(number(y, row * D + j) - (number(scale, j) * x_hat + number(shift, j))) < 3000 * epsilon);
      }
    }
    if (D == 1) continue;  // nothing but the shift is left of a single channel
    check_gradient([](const auto& in) { return layer_norm(in[0], in[1], in[2]); }, {x, scale, shift});
    const auto twice = [](const auto& in) { return layer_norm(in[0] + in[0], in[1], in[2]) + in[0]; };
    check_gradient(twice, {x, scale, shift});
  }
  const Tensor constant({2, 5}, real{7}), ones({5}, 1), zeros({5});
  const Tensor nothing = layer_norm(constant, ones, zeros);
  for (Index i = 0; i < 10; ++i) CHECK(nothing[i] == 0);
  CHECK(layer_norm(Tensor({0, 5}), ones, zeros).shape() == Shape({0, 5}));
  CHECK(lacks([&] { layer_norm(constant, Tensor({4}), zeros); }, {"layer_norm", "(2, 5)", "(4)", "(D)"}) == "");
  CHECK(lacks([&] { layer_norm(constant, ones, Tensor({5, 1})); }, {"layer_norm", "shift (5, 1)"}) == "");
}

TEST_CASE("heads have vectors of length 1", "[norm]") {
  for (const Index heads : {1, 2, 4}) {
    for (const Index K : {1, 5, 16, 20}) {
      const Tensor x = random_tensor({2, 3, heads * K}, 1), y = unit_length(x, heads);
      for (Index v = 0; v < 6 * heads; ++v) {
        double squares = 0;
        for (Index j = 0; j < K; ++j) squares += std::pow(number(x, v * K + j), 2);
        for (Index j = 0; j < K; ++j) {
          CHECK(std::abs(number(y, v * K + j) - number(x, v * K + j) / (1e-16 + std::sqrt(squares))) < 10 * epsilon);
        }
      }
      if (K == 1) continue;  // ±1, and no gradient
      check_gradient([=](const auto& in) { return unit_length(in[0], heads) + in[0]; }, {x});
    }
  }
  const Tensor zeros({2, 4});
  const Tensor still = unit_length(zeros, 2);
  for (Index i = 0; i < 8; ++i) CHECK(still[i] == 0);
  const Tensor large = unit_length(Tensor({1, 2}, {real{3e30}, real{4e30}}), 1);
  CHECK(std::abs(number(large, 0) - 0.6) < 10 * epsilon);
  CHECK(lacks([&] { unit_length(zeros, 3); }, {"unit_length", "(2, 4)", "3 heads"}) == "");
}

TEST_CASE("dropout drops the asked share and keeps the mean", "[dropout]") {
  const Tensor ones({200, 10, 10}, 1);
  for (const double p : {0.1, 0.5, 0.9}) {
    const Tensor y = dropout(ones, p, 1, 0, 0);
    double dropped = 0, sum = 0;
    for (Index i = 0; i < y.size(); ++i) {
      const bool zero = y[i] == 0;
      if (!zero) CHECK(y[i] == static_cast<real>(1 / (1 - p)));
      dropped += zero;
      sum += number(y, i);
    }
    CHECK(std::abs(dropped / 20000 - p) < 5 * std::sqrt(p * (1 - p) / 20000));
    CHECK(std::abs(sum / 20000 - 1) < 5 * std::sqrt(p / (1 - p) / 20000));
  }
  CHECK(numbers_of(dropout(ones, 0, 1, 0, 0)) == numbers_of(ones));
  check_gradient([](const auto& in) { return dropout(in[0], 0.4, 3, 5, 1); }, {random_tensor({3, 4, 5}, 1)});
}

TEST_CASE("what is dropped depends on seed, sequence and site, not on how a batch is cut", "[dropout]") {
  const Tensor ones({6, 50, 40}, 1);
  const std::vector<real> all = numbers_of(dropout(ones, 0.5, 1, 10, 2));
  for (const int threads : {1, 2, 5}) {
    const Threads limit(threads);
    CHECK(numbers_of(dropout(ones, 0.5, 1, 10, 2)) == all);
  }
  const Tensor two({2, 50, 40}, 1);
  CHECK(numbers_of(dropout(two, 0.5, 1, 13, 2)) == std::vector<real>(all.begin() + 6000, all.begin() + 10000));
  CHECK(numbers_of(dropout(ones, 0.5, 2, 10, 2)) != all);
  CHECK(numbers_of(dropout(ones, 0.5, 1, 10, 3)) != all);
  CHECK(numbers_of(dropout(ones, 0.5, 1, 11, 2)) != all);
  CHECK(lacks([&] { dropout(ones, 1, 1, 0, 0); }, {"dropout", "probability is 1", "[0, 1)"}) == "");
  CHECK(lacks([&] { dropout(ones, -0.5, 1, 0, 0); }, {"dropout", "probability is -0.5"}) == "");
  CHECK(lacks([&] { dropout(ones, 0.5, 1, 0, 256); }, {"dropout", "site is 256"}) == "");
}

TEST_CASE("positions are sines and cosines", "[positions]") {
  const Tensor table = sinusoidal_table(60, 7);
  for (Index p = 0; p < 60; ++p) {
    for (Index j = 0; j < 7; ++j) {
      const double angle = static_cast<double>(p) / std::pow(10000.0, 2.0 * static_cast<double>(j / 2) / 7);
      CHECK(std::abs(number(table, p * 7 + j) - (j % 2 == 0 ? std::sin(angle) : std::cos(angle))) < 10 * epsilon);
    }
  }
}

TEST_CASE("positions stand behind a token, or are added to it", "[positions]") {
  const Tensor x = random_tensor({3, 4, 5}, 1), wide = random_tensor({6, 2}, 2), same = random_tensor({6, 5}, 3);
  const Tensor behind = concatenate_positions(x, wide), added = add_positions(x, same);
  REQUIRE(behind.shape() == Shape({3, 4, 7}));
  REQUIRE(added.shape() == x.shape());
  for (Index row = 0; row < 12; ++row) {
    for (Index j = 0; j < 5; ++j) {
      CHECK(behind[row * 7 + j] == x[row * 5 + j]);
      CHECK(added[row * 5 + j] == x[row * 5 + j] + same[row % 4 * 5 + j]);
    }
    for (Index j = 0; j < 2; ++j) CHECK(behind[row * 7 + 5 + j] == wide[row % 4 * 2 + j]);
  }
  check_gradient([=](const auto& in) { return concatenate_positions(in[0], wide); }, {x});
  check_gradient([=](const auto& in) { return concatenate_positions(in[0] + in[0], wide); }, {x});
  check_gradient([=](const auto& in) { return add_positions(in[0], same) + in[0]; }, {x});
  CHECK(lacks([&] { add_positions(x, wide); }, {"add_positions", "(3, 4, 5)", "(6, 2)"}) == "");
  CHECK(lacks([&] { concatenate_positions(x, Tensor({3, 2})); }, {"4 tokens", "(3, 2)", "3 positions"}) == "");
  CHECK(lacks([&] { concatenate_positions(Tensor({4, 5}), wide); }, {"concatenate_positions", "(B, T, D)"}) == "");
}

}  // namespace mesagrad
