// Partially observed dynamics: what they promise, and what can be computed from stacked observations.
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/partially_observed.h"

#include "tasks/in_context.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

PartiallyObserved::Sequence sequence(const PartiallyObserved& task, std::uint64_t i) {
  return task.sample(Random(4, stream::test_data, i));
}

// M·x, for a row x.
std::vector<double> applied(const Matrix& M, const double* x) {
  std::vector<double> result(static_cast<std::size_t>(M.rows()));
  for (Index i = 0; i < M.rows(); ++i) {
    for (Index j = 0; j < M.columns(); ++j) result[static_cast<std::size_t>(i)] += M(i, j) * x[j];
  }
  return result;
}

}  // namespace

TEST_CASE("hidden states follow W, observations are C of them", "[partially_observed]") {
  const PartiallyObserved task{.hidden = 6, .dimension = 2, .tokens = 9, .noise = 0, .observation_noise = 0};
  for (std::uint64_t i = 0; i < 3; ++i) {
    const auto s = sequence(task, i);
    CHECK(largest_difference(multiply(transpose(s.W), s.W).values(), Matrix::identity(6).values()) < 1e-13);
    CHECK((s.C.rows() == 2 && s.C.columns() == 6 && s.hidden.rows() == 10 && s.states.rows() == 10));
    for (Index t = 0; t <= 9; ++t) {
      CHECK(largest_difference(std::span(s.states.row(t), 2), applied(s.C, s.hidden.row(t))) < 1e-14);
      if (t == 0) continue;
      CHECK(largest_difference(std::span(s.hidden.row(t), 6), applied(s.W, s.hidden.row(t - 1))) < 1e-14);
    }
  }
}

TEST_CASE("noise, scale and first states of partially observed dynamics have their sizes",
          "[partially_observed]") {
  const PartiallyObserved task{.hidden = 6,
                               .dimension = 3,
                               .tokens = 20,
                               .noise = 0.1,
                               .observation_noise = 0.2,
                               .scale = 0.5,
                               .range = 2};
  double hidden = 0, observed = 0, C = 0, first = 0, largest = 0;
  constexpr std::uint64_t N = 1000;
  for (std::uint64_t i = 0; i < N; ++i) {
    const auto s = sequence(task, i);
    for (const double c : s.C.values()) C += c * c / (18.0 * N);
    for (Index j = 0; j < 6; ++j) {
      first += s.hidden(0, j) * s.hidden(0, j) / (6.0 * N);
      largest = std::max(largest, std::abs(s.hidden(0, j)));
    }
    for (Index t = 0; t <= 20; ++t) {
      const std::vector<double> seen = applied(s.C, s.hidden.row(t));
      for (Index j = 0; j < 3; ++j) {
        observed += std::pow(s.states(t, j) - seen[static_cast<std::size_t>(j)], 2) / (63.0 * N);
      }
      if (t == 0) continue;
      const std::vector<double> next = applied(s.W, s.hidden.row(t - 1));
      for (Index j = 0; j < 6; ++j) {
        hidden += std::pow(s.hidden(t, j) - next[static_cast<std::size_t>(j)], 2) / (120.0 * N);
      }
    }
  }
  // A variance's relative error is √(2/n) for normal numbers, less for uniform ones; five of them.
  CHECK(std::abs(C / 0.25 - 1) < 5 * std::sqrt(2 / 18e3));
  CHECK(std::abs(hidden / 0.01 - 1) < 5 * std::sqrt(2 / 120e3));
  CHECK(std::abs(observed / 0.04 - 1) < 5 * std::sqrt(2 / 63e3));
  CHECK(std::abs(first / (4.0 / 3) - 1) < 5 * std::sqrt(2 / 6e3));
  CHECK((largest < 2 && largest > 1.9));
}

TEST_CASE("hidden states are clipped", "[partially_observed]") {
  const PartiallyObserved task{.noise = 1, .clip = 0.5};
  const auto s = sequence(task, 0);
  double largest = 0;
  for (Index t = 1; t <= 50; ++t) {
    for (Index j = 0; j < 15; ++j) largest = std::max(largest, std::abs(s.hidden(t, j)));
  }
  CHECK(largest == 0.5);
}

TEST_CASE("a batch of partially observed dynamics is its observations and the next ones",
          "[partially_observed]") {
  const PartiallyObserved task{.hidden = 4, .dimension = 2, .tokens = 5};
  const Batch batch = task.batch(4, stream::test_data, 7, 3);
  REQUIRE(batch.inputs.shape() == Shape({3, 5, 2}));
  REQUIRE(batch.labels.shape() == Shape({3, 5, 2}));
  CHECK(batch.positions.empty());
  for (Index b = 0; b < 3; ++b) {
    const Matrix s = sequence(task, static_cast<std::uint64_t>(7 + b)).states;
    for (Index t = 0; t < 5; ++t) {
      for (Index j = 0; j < 2; ++j) {
        CHECK(batch.inputs[(b * 5 + t) * 2 + j] == static_cast<real>(s(t, j)));
        CHECK(batch.labels[(b * 5 + t) * 2 + j] == static_cast<real>(s(t + 1, j)));
      }
    }
  }
}

// n hidden numbers need k observations of d with k·d >= n; then a linear map of them is exact. (Pairs from
// before there were k observations follow no such map.)
TEST_CASE("stacked observations tell what comes next, a single one does not", "[partially_observed]") {
  const PartiallyObserved task{.hidden = 6, .dimension = 2, .tokens = 30, .noise = 0, .observation_noise = 0};
  const Matrix s = sequence(task, 1).states;
  const auto last_error = [&](Index k) {
    const auto whole = [k](Index i) { return i >= k; };
    const Matrix f =
        least_squares_predictor({.ridge = 1e-12, .features = stacked(k), .teaches = whole})(s);
    return std::max(std::abs(f(29, 0) - s(30, 0)), std::abs(f(29, 1) - s(30, 1)));
  };
  CHECK(last_error(1) > 0.01);
  CHECK(last_error(2) > 0.01);
  CHECK(last_error(3) < 1e-5);
}

}  // namespace mesagrad
