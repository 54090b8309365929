// The task's data: are they what the formula says, and the same whoever asks?
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/linear_dynamics.h"

#include "tests/helpers.h"

namespace mesagrad {
namespace {

constexpr std::uint64_t seed = 11;

LinearDynamics::Sequence sequence(const LinearDynamics& task, std::uint64_t i) {
  return task.sample(Random(seed, stream::test_data, i));
}

// Mean, variance, and the share of |x| < 1 of many numbers.
struct Moments {
  double count = 0, sum = 0, squares = 0, inside = 0;
  void add(double x) {
    ++count;
    sum += x;
    squares += x * x;
    inside += std::abs(x) < 1 ? 1 : 0;
  }
  double mean() const { return sum / count; }
  double variance() const { return squares / count - mean() * mean(); }
};

}  // namespace

TEST_CASE("every sequence has an orthogonal system of its own", "[dynamics]") {
  for (const Index d : {1, 2, 5, 10}) {
    const LinearDynamics task{.dimension = d, .tokens = 3};
    Matrix before;
    for (std::uint64_t i = 0; i < 20; ++i) {
      const Matrix W = sequence(task, i).W;
      REQUIRE(W.rows() == d);
      const Matrix product = multiply(transpose(W), W);
      CHECK(largest_difference(product.values(), Matrix::identity(d).values()) < 1e-13);
      if (i > 0 && d > 1) CHECK(largest_difference(W.values(), before.values()) > 1e-3);
      before = W;
    }
  }
}

TEST_CASE("no direction is preferred by the systems", "[dynamics]") {
  const LinearDynamics task{.dimension = 4, .tokens = 0};
  const int n = 4000;
  Moments trace;
  std::vector<Moments> entries(16);
  for (std::uint64_t i = 0; i < n; ++i) {
    const Matrix W = sequence(task, i).W;
    for (std::size_t j = 0; j < 16; ++j) entries[j].add(W.values()[j]);
    trace.add(W(0, 0) + W(1, 1) + W(2, 2) + W(3, 3));
  }
  CHECK(std::abs(trace.mean()) < 5 / std::sqrt(n));  // the trace has mean 0 and variance 1
  CHECK(std::abs(trace.variance() - 1) < 5 * std::sqrt(2.0 / n));
  for (const Moments& entry : entries) {  // and an entry mean 0 and variance 1/d
    CHECK(std::abs(entry.mean()) < 5 * std::sqrt(0.25 / n));
    CHECK(std::abs(entry.variance() - 0.25) < 5 * std::sqrt(0.125 / n));
  }
}

TEST_CASE("the next state is W times the state plus normal noise", "[dynamics]") {
  const LinearDynamics task{.dimension = 6, .tokens = 40, .noise = 0.25};
  Moments noise;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto [W, s] = sequence(task, i);
    REQUIRE(s.rows() == 41);
    for (Index t = 0; t < 40; ++t) {
      for (Index j = 0; j < 6; ++j) {
        double expected = 0;
        for (Index k = 0; k < 6; ++k) expected += W(j, k) * s(t, k);
        noise.add((s(t + 1, j) - expected) / 0.25);
      }
    }
  }
  CHECK(std::abs(noise.mean()) < 5 / std::sqrt(noise.count));
  CHECK(std::abs(noise.variance() - 1) < 5 * std::sqrt(2 / noise.count));
  CHECK(std::abs(noise.inside / noise.count - 0.6827) < 5 * 0.4654 / std::sqrt(noise.count));
}

TEST_CASE("without noise all states of a sequence have the same length", "[dynamics]") {
  const LinearDynamics task{.noise = 0};
  const Matrix s = sequence(task, 0).states;
  const auto length = [&](Index t) {
    double squares = 0;
    for (Index j = 0; j < 10; ++j) squares += s(t, j) * s(t, j);
    return std::sqrt(squares);
  };
  for (Index t = 1; t <= task.tokens; ++t) CHECK(std::abs(length(t) - length(0)) < 1e-12);
}

TEST_CASE("the first state is uniform, without noise and unclipped", "[dynamics]") {
  const LinearDynamics task{.dimension = 5, .tokens = 0, .noise = 100, .range = 3, .clip = 0.5};
  Moments first;
  double least = 0, greatest = 0, below_half = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const Matrix s = sequence(task, i).states;
    for (const double x : s.values()) {
      first.add(x);
      least = std::min(least, x);
      greatest = std::max(greatest, x);
      below_half += x < 1.5 ? 1 : 0;  // three quarters of (-3, 3)
    }
  }
  CHECK((least > -3 && least < -2.98));
  CHECK((greatest < 3 && greatest > 2.98));
  CHECK(std::abs(first.mean()) < 5 * std::sqrt(3 / first.count));  // variance (2·3)²/12
  CHECK(std::abs(first.variance() - 3) < 5 * std::sqrt(7.2 / first.count));
  CHECK(std::abs(below_half / first.count - 0.75) < 5 * 0.433 / std::sqrt(first.count));
}

TEST_CASE("all later states stay within the clip", "[dynamics]") {
  const LinearDynamics task{.clip = 0.5};
  const auto [W, s] = sequence(task, 0);
  int at_bound = 0;
  for (Index t = 1; t <= task.tokens; ++t) {
    for (Index j = 0; j < 10; ++j) {
      CHECK(std::abs(s(t, j)) <= 0.5);
      double expected = 0;  // from the clipped state before
      for (Index k = 0; k < 10; ++k) expected += W(j, k) * s(t - 1, k);
      CHECK(std::abs(s(t, j) - std::clamp(expected, -0.5, 0.5)) < 0.06);
      if (std::abs(s(t, j)) == 0.5) ++at_bound;
    }
  }
  CHECK((at_bound > 5 && at_bound < 495));
}

TEST_CASE("a sequence is the same however a batch is cut", "[dynamics]") {
  const LinearDynamics task{.dimension = 3, .tokens = 4};
  const Tensor all = task.sample(seed, stream::test_data, 5, 12);
  CHECK(all.shape() == Shape({12, 5, 3}));
  CHECK(task.sample(seed, stream::test_data, 5, 0).shape() == Shape({0, 5, 3}));
  for (const Index part : {1, 2, 5, 12}) {
    std::vector<real> joined;
    for (Index first = 5; first < 17; first += part) {
      const Index count = std::min(part, 17 - first);
      for (const real x : numbers_of(task.sample(seed, stream::test_data, first, count))) {
        joined.push_back(x);
      }
    }
    CHECK(joined == numbers_of(all));
  }
  std::vector<real> one_by_one;
  for (std::uint64_t i = 5; i < 17; ++i) {
    const Matrix s = sequence(task, i).states;
    for (const double x : s.values()) one_by_one.push_back(static_cast<real>(x));
  }
  CHECK(one_by_one == numbers_of(all));
  CHECK(numbers_of(task.sample(seed + 1, stream::test_data, 5, 12)) != one_by_one);
  CHECK(numbers_of(task.sample(seed, stream::training_data, 5, 12)) != one_by_one);
}

TEST_CASE("a longer sequence starts like a shorter one", "[dynamics]") {
  const LinearDynamics shorter{.tokens = 5}, longer{.tokens = 9};
  const Matrix a = sequence(shorter, 2).states, b = sequence(longer, 2).states;
  CHECK(std::equal(a.values().begin(), a.values().end(), b.values().begin()));
}

TEST_CASE("tokens hold nothing, the state twice and the state before", "[dynamics]") {
  const LinearDynamics task{.dimension = 3, .tokens = 5};
  const Tensor states = task.sample(seed, stream::test_data, 0, 4);
  const Tensor tokens = constructed_tokens(states), labels = next_states(states);
  REQUIRE(tokens.shape() == Shape({4, 5, 12}));
  REQUIRE(labels.shape() == Shape({4, 5, 3}));
  for (Index b = 0; b < 4; ++b) {
    for (Index t = 0; t < 5; ++t) {
      for (Index j = 0; j < 3; ++j) {
        const auto state = [&](Index time) { return states[(b * 6 + time) * 3 + j]; };
        const auto channel = [&](Index group) { return tokens[(b * 5 + t) * 12 + group * 3 + j]; };
        CHECK(channel(0) == 0);
        CHECK(channel(1) == state(t));
        CHECK(channel(2) == state(t));
        CHECK(channel(3) == (t > 0 ? state(t - 1) : 0));
        CHECK(labels[(b * 5 + t) * 3 + j] == state(t + 1));
      }
    }
  }
  const Tensor single({2, 1, 3});  // no token at all
  CHECK(constructed_tokens(single).shape() == Shape({2, 0, 12}));
  CHECK(next_states(single).shape() == Shape({2, 0, 3}));
}

TEST_CASE("states of a wrong shape are refused", "[dynamics][errors]") {
  for (const Shape& shape : {Shape({6, 3}), Shape({1, 2, 6, 3})}) {
    const Tensor states(shape);
    const std::string name = text("states ", shape);
    CHECK(lacks([&] { constructed_tokens(states); }, {"constructed_tokens", name.c_str()}) == "");
    CHECK(lacks([&] { next_states(states); }, {"next_states", name.c_str()}) == "");
  }
}

}  // namespace mesagrad
