// The operations: their values against naive loops, their gradients against the definition.
#include "tests/catch.h"  // first, because it is precompiled

#include "core/ops.h"

#include <limits>

#include "tests/helpers.h"

namespace mesagrad {
namespace {

const std::vector<Shape> shapes = {Shape(),         Shape({1}),       Shape({0}),
                                   Shape({5}),      Shape({3, 4}),    Shape({2, 0, 3}),
                                   Shape({2, 3, 4}), Shape({1, 2, 3, 2}), Shape({1, 17})};

using Op = std::function<Tensor(const std::vector<Tensor>&)>;

struct Binary {
  const char* name;
  Tensor (*op)(const Tensor&, const Tensor&);
  real (*value)(real, real);
};
const std::vector<Binary> binaries = {
    {"a + b", operator+, [](real x, real y) { return x + y; }},
    {"a - b", operator-, [](real x, real y) { return x - y; }},
    {"a * b", operator*, [](real x, real y) { return x * y; }},
};

constexpr real bound = real{0.6875};  // of clip

// Random numbers whose distance from ±bound is at least 0.06, so that a central difference of clip
// does not reach over the kink.
Tensor away_from_bound(const Shape& shape, std::uint64_t seed) {
  const Tensor x = random_tensor(shape, seed);
  for (Index i = 0; i < x.size(); ++i) {
    if (std::abs(std::abs(x[i]) - bound) < real{0.0625}) x[i] *= real{1.25};
  }
  return x;
}

// Every operation once, with arguments that suit it.
std::vector<std::pair<Op, std::vector<Tensor>>> all_operations() {
  const Tensor a = random_tensor({3, 4}, 1), b = random_tensor({3, 4}, 2);
  const Tensor c = random_tensor({4, 5}, 3), d = away_from_bound({3, 4}, 4);
  const auto number = [](double x) { return Tensor({1}, static_cast<real>(x)); };
  return {
      {[](const auto& x) { return x[0] + x[1]; }, {a, b}},
      {[](const auto& x) { return x[0] - x[1]; }, {a, b}},
      {[](const auto& x) { return x[0] * x[1]; }, {a, b}},
      {[](const auto& x) { return real{3} * x[0]; }, {a}},
      {[](const auto& x) { return scale(x[0], x[1]); }, {a, number(-1.5)}},
      {[](const auto& x) { return sum(x[0]); }, {a}},
      {[](const auto& x) { return matmul(x[0], x[1]); }, {a, c}},
      {[](const auto& x) { return clip(x[0], bound); }, {d}},
      {[](const auto& x) { return softplus(x[0]); }, {a}},
      {[](const auto& x) { return zero_channels(x[0], 2); }, {a}},
  };
}

}  // namespace

TEST_CASE("+ - * work element by element", "[ops]") {
  for (const Binary& binary : binaries) {
    for (const Shape& shape : shapes) {
      INFO(binary.name << " " << shape);
      const Tensor a = random_tensor(shape, 1), b = random_tensor(shape, 2);
      const Tensor c = binary.op(a, b);
      CHECK(c.shape() == shape);
      bool same = true;
      for (Index i = 0; i < c.size(); ++i) same &= c[i] == binary.value(a[i], b[i]);
      CHECK(same);
      check_gradient([&](const auto& x) { return binary.op(x[0], x[1]); }, {a, b});
      check_gradient([&](const auto& x) { return binary.op(x[0], x[0]); }, {a});
    }
  }
}

TEST_CASE("a wrong shape is named with its operation", "[ops][errors]") {
  const Tensor a({2, 3}), b({3, 2}), flat({6});
  for (const Binary& binary : binaries) {
    CHECK(lacks([&] { return binary.op(a, b); }, {binary.name, "(2, 3)", "(3, 2)"}) == "");
    CHECK(lacks([&] { return binary.op(flat, a); }, {binary.name, "(6)", "(2, 3)"}) == "");
  }
  const Tensor x({8, 4}), y({8, 16});
  CHECK(lacks([&] { return matmul(x, y); },
              {"matmul", "(8, 4) x (8, 16)", "inner dimensions 4 and 8 differ"}) == "");
  CHECK(lacks([&] { return matmul(x, flat); }, {"matmul", "(8, 4) x (6)", "matrix"}) == "");
  CHECK(lacks([&] { return matmul(Tensor(Shape()), y); }, {"matmul", "() x (8, 16)", "row"}) == "");
  CHECK(lacks([&] { return scale(a, b); }, {"scale", "single number", "(3, 2)"}) == "");
  CHECK(lacks([&] { return scale(a, Tensor({0})); }, {"scale", "single number", "(0)"}) == "");
  CHECK(lacks([&] { return clip(a, 0); }, {"clip", "bound is 0", "positive"}) == "");
  CHECK(lacks([&] { return clip(a, -2); }, {"clip", "bound is -2", "positive"}) == "");
  const real nan = std::numeric_limits<real>::quiet_NaN();
  CHECK(lacks([&] { return clip(a, nan); }, {"clip", "bound is nan", "positive"}) == "");
  CHECK(lacks([&] { return softplus(Tensor()); }, {"softplus", "empty"}) == "");
  CHECK(lacks([&] { return zero_channels(a, 4); },
              {"zero_channels", "4 of the 3", "(2, 3)"}) == "");
  CHECK(lacks([&] { return zero_channels(a, -1); },
              {"zero_channels", "-1 of the 3", "(2, 3)"}) == "");
}

TEST_CASE("a factor scales every element", "[ops]") {
  for (const Shape& shape : shapes) {
    INFO(shape);
    const Tensor x = random_tensor(shape, 3);
    const Tensor factor({1, 1}, real{-1.75});
    const Tensor y = real{-1.75} * x, z = scale(x, factor);
    CHECK(y.shape() == shape);
    CHECK(z.shape() == shape);
    bool same = true;
    for (Index i = 0; i < x.size(); ++i) same &= y[i] == real{-1.75} * x[i] && z[i] == y[i];
    CHECK(same);
    check_gradient([](const auto& in) { return real{-1.75} * in[0]; }, {x});
    check_gradient([](const auto& in) { return scale(in[0], in[1]); }, {x, factor});
  }
  check_gradient([](const auto& in) { return scale(in[0], in[0]); }, {Tensor({}, real{1.5})});
}

TEST_CASE("sum adds all elements", "[ops]") {
  for (const Shape& shape : shapes) {
    INFO(shape);
    const Tensor x = random_tensor(shape, 4);
    double total = 0;
    for (Index i = 0; i < x.size(); ++i) total += x[i];
    CHECK(sum(x).shape() == Shape());
    CHECK(std::abs(sum(x).item() - total) <= epsilon * (1 + std::abs(total)));
    check_gradient([](const auto& in) { return sum(in[0]); }, {x});
  }
}

TEST_CASE("sum loses nothing to a running total in float", "[ops]") {
  const Index n = 1 << 18;
  const Tensor x({n}, static_cast<real>(0.1));
  const double exact = static_cast<double>(static_cast<real>(0.1)) * static_cast<double>(n);
  CHECK(std::abs(sum(x).item() - exact) < 1e-7 * exact);
}

TEST_CASE("matmul agrees with the triple loop", "[ops]") {
  const std::vector<std::pair<Shape, Index>> cases = {
      {{1, 1}, 1}, {{3, 4}, 5}, {{4}, 3},    {{1}, 1},  {{2, 3, 4}, 2}, {{2, 1, 3, 5}, 1},
      {{7, 1}, 9}, {{1, 9}, 8}, {{17, 8}, 7}, {{0, 3}, 2}, {{3, 2}, 0},    {{2, 0, 3}, 4},
  };
  std::uint64_t seed = 10;
  for (const auto& [shape, N] : cases) {
    const Tensor a = random_tensor(shape, ++seed), b = random_tensor({shape[-1], N}, ++seed);
    INFO(shape << " x " << b.shape());
    const Tensor c = matmul(a, b);
    CHECK(c.shape() == shape.with_last(N));
    CHECK(largest_difference(numbers_of(c), multiply(matrix_of(a), matrix_of(b)).values()) < 50 * epsilon);
    check_gradient([](const auto& in) { return matmul(in[0], in[1]); }, {a, b});
  }
  check_gradient([](const auto& in) { return matmul(in[0], in[0]); }, {random_tensor({4, 4}, 5)});
}

TEST_CASE("a product with a transposed matrix is that of its transpose", "[ops]") {
  const std::vector<std::pair<Shape, Index>> cases = {
      {{1, 1}, 1}, {{3, 4}, 5}, {{4}, 3}, {{2, 3, 4}, 2}, {{17, 8}, 70}, {{0, 3}, 2}, {{3, 2}, 0}};
  std::uint64_t seed = 10;
  for (const auto& [shape, N] : cases) {
    const Tensor a = random_tensor(shape, ++seed), b = random_tensor({N, shape[-1]}, ++seed);
    INFO(shape << " x " << b.shape());
    const Tensor c = matmul_transposed(a, b);
    CHECK(c.shape() == shape.with_last(N));
    CHECK(largest_difference(numbers_of(c), multiply(matrix_of(a), transpose(matrix_of(b))).values()) <
          50 * epsilon);
    check_operation([](const auto& in) { return matmul_transposed(in[0], in[1]); }, {a, b});
  }
  CHECK(lacks([] { matmul_transposed(Tensor({2, 3}), Tensor({3, 4})); },
              {"matmul_transposed: (2, 3) x (3, 4)", "3 and 4 differ"}) == "");
  CHECK(lacks([] { matmul_transposed(Tensor({2, 3}), Tensor({3})); }, {"matmul_transposed", "a matrix"}) == "");
}

TEST_CASE("relu passes what is positive", "[ops]") {
  Tensor x({5}, {-2, -real{0.5}, 0, real{0.5}, 3});
  x.requires_grad();
  Tape tape;
  const Tensor y = relu(x);
  CHECK(numbers_of(y) == std::vector<real>{0, 0, 0, real{0.5}, 3});
  tape.backward(y, Tensor({5}, {1, 2, 3, 4, 5}));
  CHECK(gradient_of(x) == std::vector<real>{0, 0, 0, 4, 5});
  for (const Shape& shape : shapes) {
    check_operation([](const auto& in) { return relu(in[0]); }, {away_from_bound(shape, 6)});
  }
}

TEST_CASE("a product over nothing is zero", "[ops]") {
  for (const Shape& shape : {Shape({3, 0}), Shape({0}), Shape({2, 2, 0})}) {
    INFO(shape);
    Arena arena;
    fill_with_nan(arena);
    const Tape tape(arena);
    const Tensor a(shape), b({0, 5});
    const Tensor c = matmul(a, b);
    CHECK(c.shape() == shape.with_last(5));
    CHECK(largest_difference(numbers_of(c), multiply(matrix_of(a), matrix_of(b)).values()) == 0);
  }
}

TEST_CASE("clip limits values, and cuts the gradient there", "[ops]") {
  const real edge = real{0.75}, half = real{0.5};
  Tensor x({9}, {-3, -1, -edge, -half, 0, half, edge, 1, 3});
  x.requires_grad();
  Tape tape;
  const Tensor y = clip(x, edge);
  CHECK(numbers_of(y) == std::vector<real>{-edge, -edge, -edge, -half, 0, half, edge, edge, edge});
  tape.backward(y, Tensor({9}, {1, 2, 3, 4, 5, 6, 7, 8, 9}));
  CHECK(gradient_of(x) == std::vector<real>{0, 0, 0, 4, 5, 6, 0, 0, 0});  // none at the edge itself
  for (const Shape& shape : shapes) {
    check_gradient([](const auto& in) { return clip(in[0], bound); }, {away_from_bound(shape, 6)});
  }
}

TEST_CASE("softplus is log(1 + e^x)", "[ops]") {
  for (const Shape& shape : shapes) {
    INFO(shape);
    const Tensor x = random_tensor(shape, 8, 4);
    const Tensor y = softplus(x);
    CHECK(y.shape() == shape);
    std::vector<double> exact;
    for (const real x_i : numbers_of(x)) exact.push_back(std::log(1 + std::exp(double{x_i})));
    CHECK(largest_difference(numbers_of(y), exact) < 10 * epsilon);
    check_gradient([](const auto& in) { return softplus(in[0]); }, {x});
  }
}

TEST_CASE("softplus neither overflows nor cancels far from 0", "[ops]") {
  const real huge = std::numeric_limits<real>::max(), infinity = std::numeric_limits<real>::infinity();
  Tensor x({7}, {-infinity, -huge, -40, 0, 1000, huge, infinity});
  x.requires_grad();
  Tape tape;
  const Tensor y = softplus(x);
  tape.backward(y, Tensor({7}, 1));
  const double small = std::exp(-40.0);  // 1 + this is 1, and the logarithm of that 0
  CHECK(std::abs(y[2] / small - 1) < 4 * epsilon);
  CHECK(std::abs(x.grad()[2] / small - 1) < 4 * epsilon);
  CHECK(std::abs(y[3] - std::log(2.0)) < epsilon);
  for (const std::size_t i : {0u, 1u}) CHECK((numbers_of(y)[i] == 0 && gradient_of(x)[i] == 0));
  for (const std::size_t i : {4u, 5u, 6u}) {
    CHECK((numbers_of(y)[i] == numbers_of(x)[i] && gradient_of(x)[i] == 1));
  }
  CHECK(std::isnan(softplus(Tensor({}, std::numeric_limits<real>::quiet_NaN())).item()));
}

TEST_CASE("zero_channels clears the first channels of every row", "[ops]") {
  const Tensor x({2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK(numbers_of(zero_channels(x, 0)) == numbers_of(x));
  CHECK(numbers_of(zero_channels(x, 2)) == std::vector<real>{0, 0, 3, 0, 0, 6});
  CHECK(numbers_of(zero_channels(x, 3)) == std::vector<real>(6));
  CHECK(numbers_of(x) == std::vector<real>{1, 2, 3, 4, 5, 6});
  for (const Shape& shape : shapes) {
    if (shape.rank() == 0) continue;
    for (Index count = 0; count <= std::min<Index>(shape[-1], 3); ++count) {
      check_gradient([=](const auto& in) { return zero_channels(in[0], count); },
                     {random_tensor(shape, 7)});
    }
  }
}

TEST_CASE("every backward step adds to what its arguments hold", "[ops]") {
  for (const auto& [operation, inputs] : all_operations()) {
    const auto& op = operation;  // what a lambda can capture
    check_gradient(op, inputs);
    check_gradient([&op](const auto& in) { return op(in) + real{2} * op(in); }, inputs);
    // an argument that is an intermediate result, used before and after
    const auto reuse = [&op](const std::vector<Tensor>& in) {
      std::vector<Tensor> doubled;
      for (const Tensor& x : in) doubled.push_back(x + x);
      const Tensor early = sum(doubled[0] * doubled[0]);
      const Tensor middle = sum(op(in));
      const Tensor late = sum(doubled[0] * in[0]);
      return early + middle + late;
    };
    check_gradient(reuse, inputs);
  }
}

TEST_CASE("no operation reads memory before it writes it", "[ops]") {
  for (const auto& [op, inputs] : all_operations()) check_memory(op, inputs);
}

TEST_CASE("large tensors give the same bits on any number of threads", "[ops]") {
  const Shape shape({250, 441});  // more than 100000 elements: the loops go parallel
  const Tensor left = random_tensor(shape, 1), right = random_tensor(shape, 2);
  const auto run = [&](int threads) {
    const Threads guard(threads);
    Tensor a(shape, numbers_of(left)), b(shape, numbers_of(right)), f({}, real{0.5});
    a.requires_grad();
    b.requires_grad();
    f.requires_grad();
    Tape tape;
    const Tensor c = clip(a * b - scale(a, f) + real{3} * b, 1);
    tape.backward(zero_channels(c, 60), left);
    std::vector<real> all = numbers_of(c);
    for (const Tensor& x : {a, b, f}) {
      for (const real g : gradient_of(x)) all.push_back(g);
    }
    return all;
  };
  const std::vector<real> one = run(1);
  double error = 0, df = 0;
  const Index n = left.size();
  for (Index i = 0; i < n; ++i) {
    const double a = left[i], b = right[i], y = a * b - 0.5 * a + 3 * b;
    const double d = std::abs(y) < 1 && i % 441 >= 60 ? a : 0;
    const auto at = [&](Index part) -> double {
      return one[static_cast<std::size_t>(part * n + i)];
    };
    if (std::abs(std::abs(y) - 1) < 1e-5) continue;  // too near to the kink to say
    error = std::max({error, std::abs(at(0) - std::clamp(y, -1.0, 1.0)),
                      std::abs(at(1) - d * (b - 0.5)), std::abs(at(2) - d * (a + 3))});
    df -= d * a;
  }
  CHECK(error < 100 * epsilon);
  CHECK(std::abs(one.back() - df) < 1e4 * epsilon);
  for (const int threads : {2, 3, 5}) CHECK(run(threads) == one);
}

}  // namespace mesagrad
