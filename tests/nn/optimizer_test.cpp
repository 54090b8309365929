// Optimizers against their formulas in double precision; gradient clipping; learning rates.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/optimizer.h"

#include "tests/helpers.h"

namespace mesagrad {
namespace {

// In float, 1 - 0.999 has the relative error 1e-5.
constexpr double tolerance = in_double ? 1e-13 : 1e-5;

// Three parameters of different sizes, one of them empty, and their numbers once more in double.
struct Fixture {
  std::vector<Tensor> tensors = {random_tensor({2, 3}, 1), random_tensor({0}, 2),
                                 random_tensor({4}, 3)};
  Parameters parameters;
  std::vector<double> exact;

  Fixture() {
    for (Tensor& tensor : tensors) {
      tensor.requires_grad();
      parameters.push_back({text("p", parameters.size()), &tensor});
    }
    exact = numbers();
  }
  std::vector<double> numbers() const {
    std::vector<double> all;
    for (const Tensor& tensor : tensors) {
      for (const real x : numbers_of(tensor)) all.push_back(static_cast<double>(x));
    }
    return all;
  }
  std::vector<double> gradients() const {
    std::vector<double> all;
    for (const Tensor& tensor : tensors) {
      for (const real x : gradient_of(tensor)) all.push_back(static_cast<double>(x));
    }
    return all;
  }
  // Random gradients, other ones for every `seed`.
  void draw_gradients(std::uint64_t seed, double deviation = 1) {
    for (const Tensor& tensor : tensors) {
      const Tensor g = random_tensor(tensor.shape(), ++seed * 100, deviation);
      std::copy_n(g.data(), g.size(), tensor.grad());
    }
  }
  void set_gradients(real value) {
    for (const Tensor& tensor : tensors) std::fill_n(tensor.grad(), tensor.size(), value);
  }
};

double rate_of(int update) { return 0.1 / (1 + update); }

// Five updates; rule(i, x, g, rate, n) is what update n = 1, 2, ... does with number i.
template <class Optimizer, class Rule>
void check_updates(Fixture& f, Optimizer& optimizer, const Rule& rule) {
  for (int n = 1; n <= 5; ++n) {
    INFO("update " << n);
    f.draw_gradients(static_cast<std::uint64_t>(n));
    const std::vector<double> g = f.gradients();
    optimizer.step(rate_of(n));
    for (std::size_t i = 0; i < g.size(); ++i) {
      f.exact[i] = rule(i, f.exact[i], g[i], rate_of(n), n);
    }
    CHECK(largest_difference(f.numbers(), f.exact) < tolerance);
    CHECK(f.gradients() == g);
  }
}

}  // namespace

TEST_CASE("gradient descent subtracts rate times gradient", "[optimizer]") {
  Fixture f;
  SGD sgd(f.parameters, {});
  check_updates(f, sgd, [](std::size_t, double x, double g, double rate, int) {
    return x - rate * g;
  });
}

TEST_CASE("momentum sums gradients that fade", "[optimizer]") {
  Fixture f;
  SGD sgd(f.parameters, {.momentum = 0.75});
  std::vector<double> v(f.exact.size());
  check_updates(f, sgd, [&](std::size_t i, double x, double g, double rate, int) {
    v[i] = 0.75 * v[i] + g;
    return x - rate * v[i];
  });
}

TEST_CASE("AdamW follows its formulas", "[optimizer]") {
  for (const AdamW::Options& o : std::initializer_list<AdamW::Options>{
           {}, {.decay = 0.5}, {.beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.25, .decay = 0.125}}) {
    INFO("beta1 " << o.beta1 << ", decay " << o.decay);
    Fixture f;
    AdamW adam(f.parameters, o);
    std::vector<double> m(f.exact.size()), v(f.exact.size());
    check_updates(f, adam, [&](std::size_t i, double x, double g, double rate, int n) {
      m[i] = o.beta1 * m[i] + (1 - o.beta1) * g;
      v[i] = o.beta2 * v[i] + (1 - o.beta2) * g * g;
      const double mean = m[i] / (1 - std::pow(o.beta1, n));
      const double square = v[i] / (1 - std::pow(o.beta2, n));
      return x - rate * (mean / (std::sqrt(square) + o.epsilon) + o.decay * x);
    });
  }
}

TEST_CASE("the first update of Adam is the rate, whatever the gradient's size", "[optimizer]") {
  for (const double size : {1e-3, 1.0, 1e3}) {
    Fixture f;
    f.draw_gradients(7, size);
    const std::vector<double> g = f.gradients();
    AdamW adam(f.parameters, {.epsilon = 1e-30});
    adam.step(0.1);
    for (std::size_t i = 0; i < g.size(); ++i) f.exact[i] -= g[i] > 0 ? 0.1 : -0.1;
    CHECK(largest_difference(f.numbers(), f.exact) < tolerance);
  }
}

TEST_CASE("the decay of AdamW can leave vectors alone", "[optimizer]") {
  for (const bool matrices_only : {false, true}) {
    Tensor vector({2}, 1), matrix({2, 1}, 1);
    for (Tensor* x : {&vector, &matrix}) x->requires_grad();
    AdamW adam({{"vector", &vector}, {"matrix", &matrix}},
               {.decay = 0.5, .decays_matrices_only = matrices_only});
    adam.step(0.5);
    CHECK(matrix[0] == real{0.75});
    CHECK(vector[1] == (matrices_only ? real{1} : real{0.75}));
  }
}

TEST_CASE("the decay of AdamW shrinks weights that have no gradient", "[optimizer]") {
  Fixture f;
  AdamW adam(f.parameters, {.decay = 0.5});
  for (int n = 1; n <= 3; ++n) {
    f.set_gradients(0);
    adam.step(0.25);
    for (double& x : f.exact) x *= 1 - 0.25 * 0.5;
    CHECK(largest_difference(f.numbers(), f.exact) < tolerance);
  }
}

TEST_CASE("an update with rate 0 changes no weight but counts", "[optimizer]") {
  Fixture still, moving;
  AdamW a(still.parameters, {.decay = 0.5}), b(moving.parameters, {.decay = 0.5});
  still.draw_gradients(1);
  a.step(0);
  CHECK(still.numbers() == still.exact);
  still.draw_gradients(2);
  moving.draw_gradients(2);
  a.step(0.1);
  b.step(0.1);
  CHECK(largest_difference(still.numbers(), moving.numbers()) > 1e-3);  // it remembers the first
}

TEST_CASE("clipping by value limits each number by itself", "[optimizer]") {
  Fixture f;
  f.draw_gradients(1);
  std::vector<double> expected = f.gradients();
  for (double& g : expected) g = std::clamp(g, -0.5, 0.5);
  CHECK(largest_difference(expected, f.gradients()) > 0.1);
  clip_by_value(f.parameters, 0.5);
  CHECK(f.gradients() == expected);
  clip_by_value(f.parameters, 0.5);
  CHECK(f.gradients() == expected);
  CHECK(f.numbers() == f.exact);
}

TEST_CASE("clipping by norm scales all gradients together, if it must", "[optimizer]") {
  Fixture f;
  f.draw_gradients(1);
  const std::vector<double> before = f.gradients();
  double squares = 0;
  for (const double g : before) squares += g * g;
  const double norm = std::sqrt(squares);

  CHECK(std::abs(clip_by_norm(f.parameters, 1.001 * norm) - norm) < 1e-13 * norm);
  CHECK(f.gradients() == before);

  CHECK(std::abs(clip_by_norm(f.parameters, 0.25 * norm) - norm) < 1e-13 * norm);
  std::vector<double> quarter = before;
  for (double& g : quarter) g *= 0.25;
  CHECK(largest_difference(f.gradients(), quarter) < 4 * epsilon);
  CHECK(std::abs(clip_by_norm(f.parameters, norm) - norm / 4) < 4 * epsilon * norm);

  f.set_gradients(0);
  CHECK(clip_by_norm(f.parameters, 1) == 0);
  CHECK(f.gradients() == std::vector<double>(before.size()));
  f.set_gradients(1);  // ten ones: exactly at the bound nothing happens
  CHECK(clip_by_norm(f.parameters, std::sqrt(10.0)) == std::sqrt(10.0));
  CHECK(f.gradients() == std::vector<double>(before.size(), 1.0));
}

TEST_CASE("clipping by norm of gradients whose squares are no numbers", "[optimizer]") {
  const double largest = std::numeric_limits<real>::max(), least = std::numeric_limits<real>::denorm_min();
  for (const double size : {largest / 8, largest / 1e20, 1e-20, least * 0x1p20}) {
    INFO("gradients of size " << size);
    Tensor a({1}), b({1});
    const Parameters parameters = {{"a", &a.requires_grad()}, {"b", &b.requires_grad()}};
    const auto set = [&] {
      a.grad()[0] = static_cast<real>(3 * size);
      b.grad()[0] = static_cast<real>(4 * size);
    };
    for (const double bound : {2.5 * size, 2 * size, 0.1, 1.0}) {
      set();
      const double x = static_cast<double>(a.grad()[0]), norm = clip_by_norm(parameters, bound);
      CHECK(std::abs(norm / size - 5) < 20 * epsilon);
      const double expected = norm <= bound ? x : 0.6 * bound;
      CHECK(std::abs(static_cast<double>(a.grad()[0]) - expected) <= 20 * epsilon * expected + 1.5 * least);
      CHECK(std::abs(static_cast<double>(b.grad()[0]) - expected / 3 * 4) <=
            20 * epsilon * expected + 1.5 * least);
    }
  }
  Tensor w({4}, 1);
  const Parameters parameters = {{"w", &w.requires_grad()}};
  for (const double bad : {std::nan(""), HUGE_VAL}) {
    w.zero_grad();
    w.grad()[2] = static_cast<real>(bad);
    CHECK(lacks([&] { clip_by_norm(parameters, 1); }, {"clip_by_norm", "number 2", "w (4)"}) == "");
  }
}

TEST_CASE("zero_grad forgets all gradients", "[optimizer]") {
  Fixture f;
  f.draw_gradients(1);
  zero_grad(f.parameters);
  for (const Tensor& tensor : f.tensors) CHECK_FALSE(tensor.grad_has_part());
  CHECK(f.gradients() == std::vector<double>(f.exact.size()));
}

TEST_CASE("the rate warms up linearly and comes down in half a cosine", "[optimizer]") {
  const WarmupCosine rate{.peak = 8e-4, .end = 1e-5, .warmup = 100, .total = 1100};
  CHECK(rate(0) == 0);
  CHECK(std::abs(rate(25) - 2e-4) < 1e-16);
  CHECK(std::abs(rate(100) - 8e-4) < 1e-16);
  CHECK(std::abs(rate(350) - (1e-5 + 7.9e-4 * (0.5 + std::sqrt(0.125)))) < 1e-16);
  CHECK(std::abs(rate(600) - (1e-5 + 7.9e-4 * 0.5)) < 1e-16);
  CHECK(rate(1100) == 1e-5);
  CHECK(rate(1101) == 1e-5);
  CHECK(rate(1000000) == 1e-5);
  bool up = true, down = true;
  for (Index n = 0; n < 100; ++n) up &= rate(n) < rate(n + 1);
  for (Index n = 100; n < 1100; ++n) down &= rate(n) > rate(n + 1);
  CHECK(up);
  CHECK(down);
}

TEST_CASE("a schedule without warm-up or without descent is a number", "[optimizer]") {
  const WarmupCosine cold{.peak = 1, .end = 0.5, .warmup = 0, .total = 10};
  CHECK(cold(0) == 1);
  CHECK(cold(10) == 0.5);
  for (const Index warmup : {0, 1, 9, 10, 11, 100}) {
    const WarmupCosine rate{.peak = 1, .end = 0.5, .warmup = warmup, .total = 10};
    for (const Index n : {10, 11, 1000}) CHECK(rate(n) == 0.5);
  }
  CHECK(WarmupCosine{.peak = 1, .end = 0.5, .warmup = 0, .total = 0}(0) == 0.5);
  const WarmupCosine cliff{.peak = 1, .end = 0.5, .warmup = 10, .total = 10};
  CHECK(cliff(0) == 0);
  CHECK(cliff(9) == 0.9);
  CHECK(cliff(10) == 0.5);
  CHECK(cliff(11) == 0.5);
}

}  // namespace mesagrad
