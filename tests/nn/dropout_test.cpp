// Dropout: how much it drops, that it drops the same whoever asks, and its gradient.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/dropout.h"

#include "tests/helpers.h"

namespace mesagrad {
namespace {

// The mask itself: what becomes of ones.
std::vector<real> mask(const Shape& shape, double probability, std::uint64_t seed, std::uint64_t first,
                       std::uint32_t site) {
  return numbers_of(dropout(Tensor(shape, 1), probability, seed, first, site));
}

// The share of places where f(i) holds.
template <class F>
double share(std::size_t n, const F& f) {
  double count = 0;
  for (std::size_t i = 0; i < n; ++i) count += f(i);
  return count / static_cast<double>(n);
}

// Five standard deviations of a share of n independent events of probability p.
double five_deviations(double p, std::size_t n) {
  return 5 * std::sqrt(p * (1 - p) / static_cast<double>(n));
}

constexpr std::uint64_t last_sequence = (std::uint64_t{1} << 56) - 1;

}  // namespace

TEST_CASE("dropout drops its share, and keeps the mean", "[dropout]") {
  for (const double p : {0.01, 0.1, 0.5, 0.9}) {
    INFO(p);
    const Shape shape({10, 50, 100});
    const std::vector<real> m = mask(shape, p, 1, 0, 0);
    const real kept = static_cast<real>(1 / (1 - p));
    double mean = 0;
    for (const real m_i : m) mean += m_i / static_cast<double>(m.size());
    CHECK(share(m.size(), [&](std::size_t i) { return m[i] == 0 || m[i] == kept; }) == 1);
    const double dropped = share(m.size(), [&](std::size_t i) { return m[i] == 0; });
    CHECK(std::abs(dropped - p) < five_deviations(p, m.size()));
    CHECK(std::abs(mean - 1) < five_deviations(p, m.size()) / (1 - p));
  }
}

TEST_CASE("a dropped element is 0, a kept one scaled", "[dropout]") {
  for (const Shape& shape : {Shape({1}), Shape({0}), Shape({10}), Shape({3, 1}), Shape({2, 0, 3}),
                             Shape({0, 4}), Shape({2, 16}), Shape({2, 3, 33}), Shape({2, 2, 3, 10})}) {
    INFO(shape);
    const Tensor x = random_tensor(shape, 1);
    const std::vector<real> m = mask(shape, 0.4, 5, 6, 7);
    const Tensor y = dropout(x, 0.4, 5, 6, 7);
    CHECK(y.shape() == shape);
    bool same = true;
    for (Index i = 0; i < x.size(); ++i) same &= y[i] == x[i] * m[static_cast<std::size_t>(i)];
    CHECK(same);
    check_operation([](const auto& in) { return dropout(in[0], 0.4, 5, 6, 7); }, {x});
  }
}

TEST_CASE("probability 0 leaves x as it is", "[dropout]") {
  const Tensor x = random_tensor({2, 3}, 1);
  CHECK(dropout(x, 0, 1, 2, 3).data() == x.data());
}

TEST_CASE("what is dropped of a sequence depends on its number, the seed and the site", "[dropout]") {
  const Index T = 7, D = 33;
  for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{123456789}, last_sequence - 11}) {
    const std::vector<real> all = mask({12, T, D}, 0.3, 4, first, 5);
    for (const Index pass : {1, 2, 3, 4, 6}) {
      std::vector<real> pieces;
      for (Index b = 0; b < 12; b += pass) {
        const std::uint64_t number = first + static_cast<std::uint64_t>(b);
        for (const real m : mask({pass, T, D}, 0.3, 4, number, 5)) pieces.push_back(m);
      }
      CHECK(pieces == all);
    }
    std::vector<real> expected;
    for (std::uint64_t b = 0; b < 12; ++b) {
      Random random(4, stream::dropout, (first + b) * 256 + 5);
      for (Index i = 0; i < T * D; ++i) {
        expected.push_back(random.uniform() < 0.3 ? 0 : static_cast<real>(1 / 0.7));
      }
    }
    CHECK(all == expected);
  }
}

TEST_CASE("sequences, sites and seeds drop independently of each other", "[dropout]") {
  const double p = 0.3;
  const Shape shape({1, 50000});
  const std::vector<real> a = mask(shape, p, 1, 2, 3);
  const auto other = [&](std::uint64_t seed, std::uint64_t first, std::uint32_t site) {
    return mask(shape, p, seed, first, site);
  };
  for (const std::vector<real>& b : {other(1, 3, 3), other(1, 2, 4), other(2, 2, 3), other(1, 0, 3),
                                     other(1, 2, 255), other(1, 3, 2)}) {
    const double both = share(a.size(), [&](std::size_t i) { return a[i] == 0 && b[i] == 0; });
    CHECK(std::abs(both - p * p) < five_deviations(p * p, a.size()));
  }
}

TEST_CASE("dropout gives the same bits on any number of threads", "[dropout]") {
  check_threads([](const auto& x) { return dropout(x[0], 0.1, 1, 2, 3); }, {random_tensor({13, 10007}, 1)});
}

TEST_CASE("dropout refuses what makes no sense", "[dropout][errors]") {
  const Tensor x({2, 3});
  const auto with_probability = [&](double p) { return message_of([&] { dropout(x, p, 1, 2, 3); }); };
  CHECK(with_probability(-0.5) == "dropout: the probability is -0.5, it must be in [0, 1)");
  CHECK(with_probability(1) == "dropout: the probability is 1, it must be in [0, 1)");
  CHECK(with_probability(std::nan("")) == "dropout: the probability is nan, it must be in [0, 1)");
  CHECK(message_of([&] { dropout(x, 0.1, 1, 2, 256); }) == "dropout: the site is 256, it must be below 256");
  CHECK(message_of([&] { dropout(x, 0, 1, 2, 256); }) == "dropout: the site is 256, it must be below 256");
  CHECK(message_of([&] { dropout(x, 0.1, 1, last_sequence, 3); }) ==
        "dropout: sequences 72057594037927935 to 72057594037927935 + 2, their numbers must be below 2^56");
  CHECK(message_of([&] { dropout(x, 0.1, 1, last_sequence - 1, 255); }) == "nothing was thrown");
  for (const Tensor& none : {Tensor(), Tensor(Shape())}) {
    CHECK(message_of([&] { dropout(none, 0.1, 1, 2, 3); }) == "dropout: x (): expected a batch (B, ...)");
  }
}

}  // namespace mesagrad
