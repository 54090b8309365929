// Kernel regression against its formula, and at the ends of β.
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/kernel_regression.h"

#include "tests/helpers.h"

namespace mesagrad {
namespace {

const LinearDynamics task{.dimension = 3, .tokens = 9, .noise = 0.1};

Matrix some_states(std::uint64_t i = 0) {
  return task.sample(Random(3, stream::analysis_data, i)).states;
}

double product(const Matrix& s, Index i, Index t) {
  double sum = 0;
  for (Index j = 0; j < s.columns(); ++j) sum += s(i, j) * s(t, j);
  return sum;
}

// Straight from the definition, which overflows for a large β.
Matrix naive_kernel_regression(const Matrix& s, double beta) {
  Matrix f(s.rows() - 1, s.columns());
  for (Index t = 1; t < f.rows(); ++t) {
    double total = 0;
    for (Index i = 0; i < t; ++i) total += std::exp(beta * product(s, i, t));
    for (Index i = 0; i < t; ++i) {
      for (Index j = 0; j < s.columns(); ++j) {
        f(t, j) += std::exp(beta * product(s, i, t)) / total * s(i + 1, j);
      }
    }
  }
  return f;
}

// The state that follows the one whose product with s_t is largest; or, with sign -1, smallest.
Matrix next_of_nearest(const Matrix& s, double sign) {
  Matrix f(s.rows() - 1, s.columns());
  for (Index t = 1; t < f.rows(); ++t) {
    Index nearest = 0;
    for (Index i = 0; i < t; ++i) {
      if (sign * product(s, i, t) > sign * product(s, nearest, t)) nearest = i;
    }
    std::copy_n(s.row(nearest + 1), s.columns(), f.row(t));
  }
  return f;
}

}  // namespace

TEST_CASE("kernel regression is the mean of the next states, weighted by similarity", "[kernel_regression]") {
  for (const double beta : {-2.0, 0.0, 0.3, 1.0, 7.0}) {
    INFO("β " << beta);
    const Matrix s = some_states(), f = kernel_regression_predictor(beta)(s);
    CHECK(f.rows() == 9);
    CHECK(largest_difference(f.values(), naive_kernel_regression(s, beta).values()) < 1e-13);
    for (Index j = 0; j < 3; ++j) {
      CHECK(f(0, j) == 0);
      CHECK(std::abs(f(1, j) - s(1, j)) < 1e-15);  // all that has followed
    }
  }
}

TEST_CASE("without preference it is the mean, with a large one the nearest state's", "[kernel_regression]") {
  const Matrix s = some_states();
  const Matrix even = kernel_regression_predictor(0)(s);
  for (Index t = 1; t < 9; ++t) {
    for (Index j = 0; j < 3; ++j) {
      double mean = 0;
      for (Index i = 1; i <= t; ++i) mean += s(i, j) / static_cast<double>(t);
      CHECK(std::abs(even(t, j) - mean) < 1e-15);
    }
  }
  for (const double beta : {1e5, 1e300, std::numeric_limits<double>::max()}) {
    for (const double sign : {1.0, -1.0}) {
      INFO("β " << sign * beta);
      const Matrix f = kernel_regression_predictor(sign * beta)(s);
      CHECK(largest_difference(f.values(), next_of_nearest(s, sign).values()) < 1e-13);
    }
  }
}

TEST_CASE("kernel regression does not look ahead", "[kernel_regression]") {
  const Matrix s = some_states();
  const Predictor predictor = kernel_regression_predictor(1.5);
  const Matrix f = predictor(s);
  for (Index changed = 1; changed <= 9; ++changed) {
    Matrix other = s;
    for (Index j = 0; j < 3; ++j) other(changed, j) = 7;
    const Matrix g = predictor(other);
    CHECK(std::equal(f.row(0), f.row(changed), g.row(0)));
    if (changed < 9) CHECK_FALSE(std::equal(f.row(changed), f.row(changed) + 3, g.row(changed)));
  }
}

TEST_CASE("losses for many β are those of the predictors", "[kernel_regression]") {
  const std::vector<double> betas = {0.1, 5, -1, 1e300};
  const LossCurve by_beta = kernel_regression_curve(task, 1, stream::test_data, 10, betas);
  CHECK(by_beta.t == betas);
  CHECK(by_beta.sequences == 10);
  for (std::size_t b = 0; b < betas.size(); ++b) {
    const LossCurve by_position =
        loss_curve(task, 1, stream::test_data, 10, kernel_regression_predictor(betas[b]));
    CHECK(std::abs(by_beta.mean[b] - by_position.total()) < 1e-14);
    CHECK(std::abs(by_beta.standard_error(static_cast<Index>(b)) - by_position.standard_error()) < 1e-14);
  }
}

TEST_CASE("kernel regression of odd arguments", "[kernel_regression][errors]") {
  const std::initializer_list<const char*> no_beta = {"kernel regression: β is"},
                                           states = {"kernel regression: states"};
  for (const double beta : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    CHECK(lacks([&] { kernel_regression_predictor(beta); }, no_beta) == "");
    CHECK(lacks([&] { kernel_regression_losses(some_states(), {1, beta}); }, no_beta) == "");
    CHECK(lacks([&] { kernel_regression_curve(task, 1, stream::test_data, 2, {beta}); }, no_beta) == "");
  }
  CHECK(lacks([] { kernel_regression_curve(task, 1, stream::test_data, 2, {}); },
              {"kernel regression: there is no β"}) == "");
  CHECK(lacks([] { kernel_regression_curve(task, 1, stream::test_data, 0, {1}); }, {"loss_curve"}) == "");
  CHECK(lacks([] { kernel_regression_predictor(1)(Matrix(0, 3)); }, states) == "");
  CHECK(lacks([] { kernel_regression_losses(Matrix(1, 3), {1}); }, states) == "");
  CHECK(kernel_regression_losses(some_states(), {}).empty());
  CHECK(kernel_regression_predictor(1)(Matrix(1, 3)).rows() == 0);
}

}  // namespace mesagrad
