// gelu against its formula, its gradient against the definition.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/activations.h"

#include "tests/nn/naive_transformer.h"

namespace mesagrad {
namespace {

using Limits = std::numeric_limits<real>;

// The derivative of gelu, with 1 - tanh² = 1/cosh².
double exact_slope(double x) {
  const double c = std::sqrt(2 / std::numbers::pi), u = c * (x + 0.044715 * x * x * x);
  return 0.5 * (1 + std::tanh(u)) +
         0.5 * x * c * (1 + 3 * 0.044715 * x * x) / (std::cosh(u) * std::cosh(u));
}

// What gelu and its derivative are at each of these numbers.
struct Values {
  std::vector<real> gelu, slope;

  explicit Values(const std::vector<real>& at) {
    Tensor x({std::ssize(at)}, at);
    x.requires_grad();
    Tape tape;
    const Tensor y = mesagrad::gelu(x);
    tape.backward(y, Tensor(x.shape(), 1));
    gelu = numbers_of(y);
    slope = gradient_of(x);
  }
};

Tensor apply(const std::vector<Tensor>& x) { return gelu(x[0]); }

}  // namespace

TEST_CASE("gelu is x/2 (1 + tanh u)", "[activations]") {
  for (const Shape& shape : {Shape(), Shape({1}), Shape({0}), Shape({10}), Shape({16}), Shape({33}),
                             Shape({3, 1}), Shape({4, 40}), Shape({2, 0, 3}), Shape({2, 3, 10}),
                             Shape({2, 2, 3, 5})}) {
    INFO(shape);
    const Tensor x = random_tensor(shape, 1, 2);
    const Tensor y = gelu(x);
    CHECK(y.shape() == shape);
    std::vector<double> exact;
    for (const real x_i : numbers_of(x)) exact.push_back(naive_gelu(x_i));
    CHECK(largest_difference(numbers_of(y), exact) < 8 * epsilon);
    check_operation(apply, {x});
  }
}

TEST_CASE("gelu and its derivative are exact from -12 to 12", "[activations]") {
  std::vector<real> x;
  std::vector<double> value, slope;
  for (int i = -12000; i <= 12000; ++i) {
    x.push_back(static_cast<real>(i / 1000.0));
    value.push_back(naive_gelu(x.back()));
    slope.push_back(exact_slope(x.back()));
  }
  const Values found(x);
  CHECK(largest_difference(found.gelu, value) < 12 * epsilon);
  CHECK(largest_difference(found.slope, slope) < 8 * epsilon);
}

TEST_CASE("the small values of gelu far below 0 keep their digits", "[activations]") {
  for (const double x : {-4.0, -6.0, -8.0}) {  // there 1 + tanh u would have lost them
    const double u = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
    const real found = gelu(Tensor({}, static_cast<real>(x))).item();
    CHECK(std::abs(found / (x / (1 + std::exp(-2 * u))) - 1) < 200 * epsilon);
  }
}

TEST_CASE("gelu is 0 or x far from 0", "[activations]") {
  for (const real x : {real{11}, real{1e4}, real{1e20f}, Limits::max(), Limits::infinity()}) {
    INFO(x);
    const Values found({x, -x});
    CHECK(found.gelu == std::vector<real>{x, 0});
    CHECK(found.slope[0] == 1);
    CHECK(std::abs(found.slope[1]) < 1e-30);
  }
  for (const real x : {real{0}, Limits::denorm_min(), Limits::min()}) {
    const Values found({x, -x});
    CHECK(std::abs(found.gelu[0] - x / 2) <= Limits::denorm_min());
    CHECK(std::abs(found.gelu[1] + x / 2) <= Limits::denorm_min());
    CHECK(found.slope == std::vector<real>{real{0.5}, real{0.5}});
  }
}

TEST_CASE("gelu keeps a NaN, and keeps it to itself", "[activations]") {
  for (std::size_t place = 0; place < 35; ++place) {
    std::vector<real> x(35, 1);
    x[place] = Limits::quiet_NaN();
    const Values found(x);
    bool as_expected = true;
    for (std::size_t i = 0; i < x.size(); ++i) {
      as_expected &= std::isnan(found.gelu[i]) == (i == place) && std::isnan(found.slope[i]) == (i == place);
    }
    CHECK(as_expected);
  }
}

TEST_CASE("gelu gives the same bits on any number of threads", "[activations]") {
  check_threads(apply, {random_tensor({347, 331}, 1)});
}

TEST_CASE("gelu of an empty tensor", "[activations][errors]") {
  CHECK(message_of([] { gelu(Tensor()); }) == "gelu: the argument is an empty tensor");
}

}  // namespace mesagrad
