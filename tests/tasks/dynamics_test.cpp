// The task's data: are they what the formula says, and the same whoever asks?
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/linear_dynamics.h"

#include "tests/helpers.h"

namespace mesagrad {
namespace {

constexpr std::uint64_t seed = 11;
using System = LinearDynamics::System;

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

// det(A - x·I) up to its sign: the product of R's diagonal.
double characteristic(Matrix A, double x) {
  for (Index i = 0; i < A.rows(); ++i) A(i, i) -= x;
  const Matrix R = qr(A).r;
  double product = 1;
  for (Index i = 0; i < R.rows(); ++i) product *= R(i, i);
  return product;
}

double trace(const Matrix& A) {
  double sum = 0;
  for (Index i = 0; i < A.rows(); ++i) sum += A(i, i);
  return sum;
}

double length(const Matrix& states, Index t) {
  double squares = 0;
  for (Index j = 0; j < states.columns(); ++j) squares += states(t, j) * states(t, j);
  return std::sqrt(squares);
}

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
  for (Index t = 1; t <= task.tokens; ++t) CHECK(std::abs(length(s, t) - length(s, 0)) < 1e-12);
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

TEST_CASE("a contraction of two dimensions has the eigenvalues 0.9 and λ", "[dynamics]") {
  // d = 2: the eigenvalues are 0.9 and λ, so the trace is 0.9 + λ and the determinant 0.9·λ.
  const LinearDynamics pairs{.dimension = 2, .tokens = 0, .system = System::contracting};
  double least = 1, greatest = 0;
  for (std::uint64_t i = 0; i < 500; ++i) {
    const Matrix W = sequence(pairs, i).W;
    const double lambda = trace(W) - 0.9;
    least = std::min(least, lambda);
    greatest = std::max(greatest, lambda);
    const double size = frobenius_norm(W);
    CHECK(std::abs(characteristic(W, 0) - 0.9 * lambda) < 1e-13 * size * size);
  }
  CHECK((least > 0.3 - 1e-9 && least < 0.32));
  CHECK((greatest < 0.9 + 1e-9 && greatest > 0.88));
}

TEST_CASE("contracting systems have one eigenvalue 0.9 and the others uniform", "[dynamics]") {
  const LinearDynamics task{.tokens = 0, .system = System::contracting};
  Moments sums, squares;  // Σλ = tr W and Σλ² = tr W², over the nine random ones
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const Matrix W = sequence(task, i).W;
    CHECK(std::abs(characteristic(W, 0.9)) < 1e-8 * characteristic(W, 0));
    sums.add(trace(W) - 0.9);
    squares.add(trace(multiply(W, W)) - 0.81);
  }
  // λ has mean 0.6 and variance 0.6²/12 = 0.03, λ² mean 0.39 and variance 0.04392.
  CHECK(std::abs(sums.mean() - 9 * 0.6) < 5 * std::sqrt(9 * 0.03 / sums.count));
  CHECK(std::abs(sums.variance() - 9 * 0.03) < 5 * 9 * 0.03 * std::sqrt(2 / sums.count));
  CHECK(std::abs(squares.mean() - 9 * 0.39) < 5 * std::sqrt(9 * 0.04392 / squares.count));
}

TEST_CASE("contracting states may grow at first, but die out", "[dynamics]") {
  const LinearDynamics task{
      .tokens = 500, .noise = 0, .clip = 1e9, .system = System::contracting};
  int grown = 0;
  for (std::uint64_t i = 0; i < 50; ++i) {
    const Matrix s = sequence(task, i).states;
    double longest = 0;
    for (Index t = 1; t <= 50; ++t) longest = std::max(longest, length(s, t));
    if (longest > 1.5 * length(s, 0)) ++grown;
    CHECK(length(s, 500) < 1e-15 * longest);
  }
  CHECK(grown > 5);
}

TEST_CASE("some contracting sequences touch the clip, none leaves it", "[dynamics]") {
  const LinearDynamics task{.clip = 2, .system = System::contracting};
  int touched = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const Matrix s = sequence(task, i).states;
    double largest = 0;
    for (const double x : s.values()) largest = std::max(largest, std::abs(x));
    CHECK(largest <= 2);
    if (largest == 2) ++touched;
  }
  CHECK((touched > 250 && touched < 400));
}

TEST_CASE("the fixed system is the same for all sequences, seeds and streams", "[dynamics]") {
  const LinearDynamics task{.system = System::fixed}, other{.system = System::fixed, .fixed_key = 43};
  const auto [W, s] = sequence(task, 0);
  CHECK(largest_difference(multiply(transpose(W), W).values(), Matrix::identity(10).values()) < 1e-13);
  for (const std::uint64_t some_seed : {seed, std::uint64_t{42}}) {
    for (const std::uint32_t some_stream : {stream::training_data, stream::test_data}) {
      for (const std::uint64_t i : {1u, 2u}) {
        const auto [same, states] = task.sample(Random(some_seed, some_stream, i));
        CHECK(largest_difference(same.values(), W.values()) == 0);
        CHECK(largest_difference(states.values(), s.values()) > 0.1);
      }
    }
  }
  CHECK(largest_difference(sequence(other, 0).W.values(), W.values()) > 0.1);
  const LinearDynamics given{.system = System::fixed, .fixed_W = W};
  CHECK(largest_difference(sequence(given, 0).states.values(), s.values()) == 0);
  const LinearDynamics wrong{.dimension = 9, .system = System::fixed, .fixed_W = W};
  CHECK(lacks([&] { sequence(wrong, 0); }, {"fixed W is (10, 10)", "dimension 9"}) == "");
}

TEST_CASE("the default systems are the first numbers of a sequence", "[dynamics]") {
  const LinearDynamics task;
  for (std::uint64_t i = 0; i < 5; ++i) {
    Random random(seed, stream::test_data, i);
    const auto [W, s] = task.sample(random);
    CHECK(largest_difference(random_orthogonal(10, random).values(), W.values()) == 0);
    for (Index j = 0; j < 10; ++j) CHECK(s(0, j) == random.uniform(-1, 1));
  }
}

TEST_CASE("a sequence is the same however a batch is cut", "[dynamics]") {
  const LinearDynamics task{.dimension = 3, .tokens = 4};
  const Tensor all = sample_states(task, seed, stream::test_data, 5, 12);
  CHECK(all.shape() == Shape({12, 5, 3}));
  CHECK(sample_states(task, seed, stream::test_data, 5, 0).shape() == Shape({0, 5, 3}));
  for (const Index part : {1, 2, 5, 12}) {
    std::vector<real> joined;
    for (Index first = 5; first < 17; first += part) {
      const Index count = std::min(part, 17 - first);
      for (const real x : numbers_of(sample_states(task, seed, stream::test_data, first, count))) {
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
  CHECK(numbers_of(sample_states(task, seed + 1, stream::test_data, 5, 12)) != one_by_one);
  CHECK(numbers_of(sample_states(task, seed, stream::training_data, 5, 12)) != one_by_one);
}

TEST_CASE("a longer sequence starts like a shorter one", "[dynamics]") {
  const LinearDynamics shorter{.tokens = 5}, longer{.tokens = 9};
  const Matrix a = sequence(shorter, 2).states, b = sequence(longer, 2).states;
  CHECK(std::equal(a.values().begin(), a.values().end(), b.values().begin()));
}

TEST_CASE("tokens hold nothing, the state twice and the state before", "[dynamics]") {
  const LinearDynamics task{.dimension = 3, .tokens = 5};
  const Tensor states = sample_states(task, seed, stream::test_data, 0, 4);
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
