// Loss curves: means, spreads, and the same for models and classical predictors.
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/loss_curve.h"

#include "tasks/in_context.h"
#include "tasks/proposition_2.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

const LinearDynamics task{.dimension = 3, .tokens = 6, .noise = 0.1};
constexpr std::uint64_t seed = 4;

double mean_of(const std::vector<double>& x) {
  double sum = 0;
  for (const double value : x) sum += value;
  return sum / static_cast<double>(x.size());
}

// By the definition, with n - 1 in the denominator.
double deviation_of(const std::vector<double>& x) {
  double sum = 0;
  for (const double value : x) sum += (value - mean_of(x)) * (value - mean_of(x));
  return std::sqrt(sum / (static_cast<double>(x.size()) - 1));
}

bool close(double a, double b, double tolerance = 1e-12) {
  return std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b));
}

// ℓ_t of one sequence under a predictor.
std::vector<double> losses_of(const Predictor& predictor, std::uint64_t i) {
  const Matrix s = task.sample(Random(seed, stream::test_data, i)).states, f = predictor(s);
  std::vector<double> losses;
  for (Index t = 0; t < task.tokens; ++t) {
    double sum = 0;
    for (Index j = 0; j < task.dimension; ++j) sum += std::pow(f(t, j) - s(t + 1, j), 2);
    losses.push_back(sum / 2);
  }
  return losses;
}

bool same(const LossCurve& a, const LossCurve& b) {
  return a.mean == b.mean && a.deviation == b.deviation && a.sequences == b.sequences &&
         a.total_deviation == b.total_deviation;
}

}  // namespace

TEST_CASE("the spread of losses that are large, or nearly the same", "[loss_curve]") {
  const LossCurve curve = summarize({1e9, 1e9 + 1, 1e9 + 2}, 1);
  CHECK(close(curve.deviation[0], 1, 1e-6));
  CHECK(close(curve.total_deviation, 1, 1e-6));
  for (const double size : {1e200, 1e-200}) {
    const LossCurve scaled = summarize({size, 2 * size, 3 * size}, 1);
    CHECK(close(scaled.deviation[0], size));
    CHECK(close(scaled.total_deviation, size));
  }
  CHECK(std::isnan(summarize({1, 2, std::nan("")}, 1).deviation[0]));  // and not 0
  CHECK_FALSE(std::isfinite(summarize({1, 2, HUGE_VAL}, 1).deviation[0]));
}

TEST_CASE("a loss curve has the mean and spread of its losses", "[loss_curve]") {
  Random random(1, stream::analysis_data);
  std::vector<double> losses;
  for (int i = 0; i < 7 * 3; ++i) losses.push_back(random.uniform(0, 2) * (1 + i % 3));
  const LossCurve curve = summarize(losses, 3);
  CHECK(curve.sequences == 7);
  REQUIRE(curve.mean.size() == 3);
  REQUIRE(curve.deviation.size() == 3);
  std::vector<double> totals(7);
  for (std::size_t t = 0; t < 3; ++t) {
    std::vector<double> column;
    for (std::size_t i = 0; i < 7; ++i) {
      column.push_back(losses[i * 3 + t]);
      totals[i] += column.back() / 3;
    }
    CHECK(close(curve.mean[t], mean_of(column)));
    CHECK(close(curve.deviation[t], deviation_of(column)));
    const double error = curve.standard_error(static_cast<Index>(t));
    CHECK(close(error, deviation_of(column) / std::sqrt(7.0)));
  }
  CHECK(close(curve.total(), mean_of(totals)));
  CHECK(close(curve.total_deviation, deviation_of(totals)));
  CHECK(close(curve.standard_error(), deviation_of(totals) / std::sqrt(7.0)));
}

TEST_CASE("one sequence has no spread, and equal ones none either", "[loss_curve]") {
  const LossCurve one = summarize({1, 2, 6}, 3);
  CHECK(one.mean == std::vector<double>{1, 2, 6});
  CHECK(one.deviation == std::vector<double>{0, 0, 0});
  CHECK(one.total() == 3);
  CHECK(one.standard_error() == 0);
  for (int i = 1; i < 50; ++i) {  // rounding must not give a NaN
    const LossCurve equal = summarize(std::vector<double>(30, 0.1 * i), 3);
    for (Index t = 0; t < 3; ++t) CHECK(equal.standard_error(t) < 1e-6);
    CHECK(equal.standard_error() < 1e-6);
  }
}

TEST_CASE("losses that are no whole sequences are refused", "[loss_curve][errors]") {
  CHECK(lacks([] { summarize({1, 2, 3}, 2); }, {"loss curve", "3 losses", "2 tokens"}) == "");
  CHECK(lacks([] { summarize({}, 2); }, {"loss curve", "0 losses"}) == "");
  CHECK(lacks([] { summarize({1}, 0); }, {"loss curve", "0 tokens"}) == "");
}

TEST_CASE("the curve of a predictor is the mean of its sequences' losses", "[loss_curve]") {
  const Predictor predictor = least_squares_predictor({});
  for (const std::uint64_t n : {1u, 2u, 4u, 5u, 9u, 103u}) {
    std::vector<double> all;
    for (std::uint64_t i = 0; i < n; ++i) {
      for (const double loss : losses_of(predictor, i)) all.push_back(loss);
    }
    const auto count = static_cast<Index>(n);
    const LossCurve curve = loss_curve(task, seed, stream::test_data, count, predictor);
    const LossCurve expected = summarize(all, 6);
    CHECK(curve.sequences == count);
    CHECK(largest_difference(curve.mean, expected.mean) < 1e-12);
    CHECK(largest_difference(curve.deviation, expected.deviation) < 1e-7);
    CHECK(std::abs(curve.total_deviation - expected.total_deviation) < 1e-7);
  }
}

TEST_CASE("every sequence is asked for once, and progress is told", "[loss_curve]") {
  std::vector<Index> told;
  const LossCurve curve = loss_curve(
      2500, 1,
      [](Index first, Index count, double* out) {
        for (Index i = 0; i < count; ++i) out[i] = static_cast<double>(first + i);
      },
      [&](Index done) { told.push_back(done); });
  CHECK(curve.total() == 2499.0 / 2);
  CHECK(close(curve.deviation[0], std::sqrt(2500.0 * 2501 / 12)));  // of 0, 1, ..., 2499
  CHECK(std::is_sorted(told.begin(), told.end()));
  CHECK(told.size() > 1);
  CHECK(told.back() == 2500);
}

TEST_CASE("an error in a predictor reaches the caller", "[loss_curve][errors]") {
  const auto failing = [](const Matrix&) -> Matrix { fail("no idea"); };
  const auto run = [&] { loss_curve(task, seed, stream::test_data, 20, Predictor(failing)); };
  CHECK(message_of(run) == "no idea");
}

TEST_CASE("a loss curve has the same bits on any number of threads", "[loss_curve]") {
  const Predictor predictor = least_squares_predictor({});
  const LinearTransformer model({.width = 12, .init_deviation = 0.1}, 1);
  LossCurve of_predictor, of_model;
  for (const int count : {1, 2, 3, 5}) {
    const Threads threads(count);
    const LossCurve a = loss_curve(task, seed, stream::test_data, 101, predictor);
    const LossCurve b = loss_curve(task, seed, stream::test_data, 101, model);
    if (count == 1) {
      of_predictor = a;
      of_model = b;
    }
    CHECK(same(a, of_predictor));
    CHECK(same(b, of_model));
  }
}

TEST_CASE("one attention head can be one step of gradient descent", "[loss_curve]") {
  for (const Index d : {1, 3, 10}) {
    const LinearDynamics dynamics{.dimension = d, .tokens = 20, .noise = 0.1};
    const double eta = 0.03125;  // a number that float has too
    const auto curve = [&](const auto& algorithm) {
      return loss_curve(dynamics, seed, stream::test_data, 30, algorithm);
    };
    const LossCurve model = curve(gradient_descent_transformer(d, eta));
    const LossCurve step = curve(gradient_step_predictor(eta));
    const LossCurve other = curve(gradient_step_predictor(0.03));
    for (std::size_t t = 0; t < 20; ++t) CHECK(close(model.mean[t], step.mean[t], 20 * epsilon));
    CHECK(close(model.total_deviation, step.total_deviation, 50 * epsilon));
    CHECK_FALSE(close(model.total(), other.total(), 50 * epsilon));
  }
}

TEST_CASE("the largest difference of a model and a predictor is over all sequences, positions and numbers",
          "[loss_curve]") {
  const LinearDynamics small{.dimension = 2, .tokens = 3};
  const auto silent = [](const Tensor& inputs) { return Tensor({1, 3, inputs.dim(2)}); };  // says 0
  const Predictor last_only = [](const Matrix&) {
    Matrix prediction(3, 2);
    prediction(2, 1) = -7;
    return prediction;
  };
  const Predictor current = [](const Matrix& states) {
    Matrix prediction(3, 2);
    for (Index t = 0; t < 3; ++t) prediction(t, 0) = states(t, 0);
    return prediction;
  };
  CHECK(largest_difference(small, silent, last_only, 1, 2) == 7);
  CHECK(largest_difference(small, silent, [](const Matrix&) { return Matrix(3, 2); }, 1, 2) == 0);
  double largest = 0;
  for (std::uint64_t i = 0; i < 4; ++i) {
    const Matrix states = small.sample(Random(1, stream::analysis_data, i)).states;
    for (Index t = 0; t < 3; ++t) largest = std::max(largest, std::abs(states(t, 0)));
  }
  CHECK(largest_difference(small, silent, current, 1, 4) == largest);
}

TEST_CASE("positions at which one curve is clearly below another", "[loss_curve]") {
  const LossCurve a = {.t = {0, 1, 2}, .mean = {1, 1, 1}, .deviation = {30, 30, 30}, .sequences = 100};
  LossCurve b = {.t = {0, 1, 2}, .mean = {16, 12, 9}, .deviation = {40, 40, 40}, .sequences = 100};
  CHECK(clearly_below(a, b) == 0);  // three standard errors of the difference are 3 hypot(3, 4) = 15
  b.mean[0] = 17;
  CHECK(clearly_below(a, b) == 1);
  b.mean[0] = 15.9;
  CHECK(clearly_below(a, b) == 0);
  CHECK(clearly_below(b, a) == 0);
  b.t.pop_back();
  CHECK_THROWS_AS(clearly_below(a, b), Error);
}

}  // namespace mesagrad
