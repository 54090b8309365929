// Nonlinear dynamics against their formula.
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/nonlinear_dynamics.h"

#include <numbers>

#include "tasks/in_context.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

// f(s), number by number, from the definition.
std::vector<double> naive_features(const FeatureNetwork& network, const double* s) {
  std::vector<double> f(static_cast<std::size_t>(network.B.columns()));
  for (Index m = 0; m < network.A.columns(); ++m) {
    double x = 0;
    for (Index j = 0; j < network.A.rows(); ++j) x += s[j] * network.A(j, m);
    const double gate = 0.5 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
    for (Index j = 0; j < network.B.columns(); ++j) {
      f[static_cast<std::size_t>(j)] += x * gate * network.B(m, j);
    }
  }
  return f;
}

double length_of(std::span<const double> x) {
  double square = 0;
  for (const double number : x) square += number * number;
  return std::sqrt(square);
}

const NonlinearDynamics task{.network = random_feature_network(3, 7, 5), .tokens = 12, .noise = 0};

}  // namespace

TEST_CASE("the feature network is gelu(s A) B, and the same of length 1", "[nonlinear_dynamics]") {
  const FeatureNetwork network = random_feature_network(3, 7, 5);
  Matrix states(4, 3);
  Random random(1, stream::test_data);
  for (double& x : states.values()) x = 2 * random.normal();
  std::fill_n(states.row(3), 3, 0.0);
  const Matrix raw = network.raw_features(states), unit = network.unit_features(states);
  for (Index i = 0; i < 4; ++i) {
    std::vector<double> f = naive_features(network, states.row(i));
    CHECK(largest_difference(std::span(raw.row(i), 3), f) < 1e-13);
    const double length = length_of(f);
    for (double& x : f) x /= length + 1e-16;
    CHECK(largest_difference(std::span(unit.row(i), 3), f) < 1e-13);
  }
  CHECK(length_of(std::span(unit.row(0), 3)) == Approx(1));
  CHECK(length_of(std::span(unit.row(3), 3)) == 0);  // no features at all
  states(0, 0) = 1e200;
  CHECK(std::isfinite(network.unit_features(states)(0, 0)));
}

TEST_CASE("a feature network is that of its key", "[nonlinear_dynamics]") {
  const FeatureNetwork a = random_feature_network(10, 40, 421), b = random_feature_network(10, 40, 421),
                       other = random_feature_network(10, 40, 422);
  CHECK(std::ranges::equal(a.A.values(), b.A.values()));
  CHECK(std::ranges::equal(a.B.values(), b.B.values()));
  CHECK_FALSE(std::ranges::equal(a.A.values(), other.A.values()));
  double square = 0;
  for (const Matrix* weights : {&a.A, &a.B}) {
    for (const double w : weights->values()) square += w * w / 800;
  }
  CHECK(std::abs(square / 1.21 - 1) < 5 * std::sqrt(2.0 / 800));
  CHECK(std::ranges::equal(NonlinearDynamics{}.network.A.values(), a.A.values()));
}

TEST_CASE("the next state is W times the features of the last one", "[nonlinear_dynamics]") {
  for (std::uint64_t i = 0; i < 3; ++i) {
    const auto [W, s] = task.sample(Random(4, stream::test_data, i));
    CHECK(largest_difference(multiply(transpose(W), W).values(), Matrix::identity(3).values()) < 1e-13);
    for (Index j = 0; j < 3; ++j) CHECK(std::abs(s(0, j)) < 0.25);
    for (Index t = 0; t < 12; ++t) {
      const std::vector<double> f = naive_features(task.network, s.row(t));
      for (Index j = 0; j < 3; ++j) {
        double next = 0;
        for (Index k = 0; k < 3; ++k) next += W(j, k) * f[static_cast<std::size_t>(k)] / length_of(f);
        CHECK(std::abs(s(t + 1, j) - next) < 1e-12);
      }
    }
  }
}

TEST_CASE("nonlinear dynamics have noise of its size, and one network for all sequences",
          "[nonlinear_dynamics]") {
  NonlinearDynamics noisy = task;
  noisy.noise = 0.1;
  double square = 0;
  constexpr std::uint64_t N = 1000;
  for (std::uint64_t i = 0; i < N; ++i) {
    const auto [W, s] = noisy.sample(Random(4, stream::test_data, i));
    const Matrix next = multiply(noisy.network.unit_features(s), transpose(W));
    for (Index t = 0; t < 12; ++t) {
      for (Index j = 0; j < 3; ++j) square += std::pow(s(t + 1, j) - next(t, j), 2) / (36.0 * N);
    }
  }
  CHECK(std::abs(square / 0.01 - 1) < 5 * std::sqrt(2 / 36e3));
}

TEST_CASE("a batch of nonlinear dynamics is its states and the next ones", "[nonlinear_dynamics]") {
  const Batch batch = task.batch(4, stream::test_data, 2, 2);
  CHECK(batch.positions.empty());
  REQUIRE(batch.labels.shape() == Shape({2, 12, 3}));
  for (Index b = 0; b < 2; ++b) {
    const Matrix s = task.sample(Random(4, stream::test_data, static_cast<std::uint64_t>(2 + b))).states;
    for (Index i = 0; i < 36; ++i) {
      CHECK(batch.inputs[b * 36 + i] == static_cast<real>(s(i / 3, i % 3)));
      CHECK(batch.labels[b * 36 + i] == static_cast<real>(s(i / 3 + 1, i % 3)));
    }
  }
}

TEST_CASE("least squares on the features learns W, on the states it does not", "[nonlinear_dynamics]") {
  const Matrix s = task.sample(Random(4, stream::test_data, 1)).states;
  const auto features = [](const Matrix& states) { return task.network.unit_features(states); };
  const auto last_error = [&](const InContext& options) {
    const Matrix f = least_squares_predictor(options)(s);
    double largest = 0;
    for (Index j = 0; j < 3; ++j) largest = std::max(largest, std::abs(f(11, j) - s(12, j)));
    return largest;
  };
  CHECK(last_error({.ridge = 1e-12, .features = features}) < 1e-6);
  CHECK(last_error({.ridge = 1e-12}) > 0.01);
}

}  // namespace mesagrad
