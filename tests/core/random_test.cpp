// Random numbers: the published vectors, independence of the order of calls, and moments.
#include "tests/catch.h"  // first, because it is precompiled

#include "core/random.h"

#include <set>

#include "tests/helpers.h"

namespace mesagrad {
namespace {

using Words = std::array<std::uint32_t, 4>;

// A deviation of a sample mean is surprising beyond this many of its standard deviations (one
// sequence in 1.7 million). Seeds are fixed: a test that passes once passes always.
constexpr double sigmas = 5;

// Is the mean of n samples with this variance, whose true mean is `expected`, within `sigmas`?
bool plausible(double mean, double expected, double variance, double n) {
  return std::abs(mean - expected) < sigmas * std::sqrt(variance / n);
}

}  // namespace

TEST_CASE("philox gives the published numbers", "[random]") {
  // kat_vectors of the authors' Random123 distribution, philox4x32 with 10 rounds
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  const std::uint32_t ones = 0xffffffff;
  CHECK(philox({ones, ones, ones, ones}, {ones, ones}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("seed, stream and index are the key and the counter", "[random]") {
  Random random(0x1122334455667788, 7, 0x99aabbccddeeff00);
  for (std::uint32_t block = 0; block < 3; ++block) {
    for (const std::uint32_t word :
         philox({block, 7, 0xddeeff00, 0x99aabbcc}, {0x55667788, 0x11223344})) {
      CHECK(random.bits() == word);
    }
  }
}

TEST_CASE("numbers do not depend on the order of calls", "[random]") {
  Random a(3, 1, 10), b(3, 1, 11);
  std::vector<double> interleaved_a, interleaved_b;
  for (int i = 0; i < 50; ++i) {
    interleaved_b.push_back(b.normal());
    interleaved_a.push_back(a.normal());
    interleaved_a.push_back(a.uniform());
  }
  Random again_b(3, 1, 11);
  for (const double x : interleaved_b) REQUIRE(again_b.normal() == x);
  Random again_a(3, 1, 10);
  for (std::size_t i = 0; i < interleaved_a.size(); i += 2) {
    REQUIRE(again_a.normal() == interleaved_a[i]);
    REQUIRE(again_a.uniform() == interleaved_a[i + 1]);
  }
}

TEST_CASE("seeds, streams and indices give different numbers", "[random]") {
  std::set<std::uint64_t> firsts;  // the first 64 bits of each: no two agree
  std::size_t count = 0;
  const std::vector<std::uint64_t> some = {0, 1, 2, std::uint64_t{1} << 32};
  for (const std::uint64_t seed : some) {
    for (const std::uint32_t stream : {0u, 1u, 2u, 3u}) {
      for (const std::uint64_t index : some) {
        Random random(seed, stream, index);
        const std::uint64_t upper = random.bits();
        firsts.insert(upper << 32 | random.bits());
        ++count;
      }
    }
  }
  CHECK(firsts.size() == count);
}

TEST_CASE("uniform is never 0 or 1", "[random]") {
  // found by search: the first 32 bits of these two are all 0 and all 1
  Random zeros(1, 1, 4521859397), ones(1, 1, 8392095);
  CHECK(Random(zeros).bits() == 0);
  CHECK(Random(ones).bits() == 0xffffffff);
  CHECK(Random(zeros).uniform() > 0);
  CHECK(Random(ones).uniform() < 1);
  CHECK(std::isfinite(Random(zeros).normal()));
  CHECK(std::abs(Random(zeros).normal()) < 7);
  CHECK(std::isfinite(Random(ones).normal()));
  CHECK(zeros.uniform() == 0x1p-33);
  CHECK(ones.uniform() == 1 - 0x1p-33);
}

TEST_CASE("uniform has its mean, variance and fourth moment", "[random]") {
  const int n = 400000;
  double mean = 0, square = 0, fourth = 0, lag = 0, before = 0, largest = 0;
  Random random(1, stream::test_data, 5);
  for (int i = 0; i < n; ++i) {
    const double x = random.uniform() - 0.5;
    largest = std::max(largest, std::abs(x));
    mean += x / n;
    square += x * x / n;
    fourth += x * x * x * x / n;
    lag += x * before / n;
    before = x;
  }
  CHECK(largest < 0.5);
  CHECK(plausible(mean, 0, 1.0 / 12, n));
  CHECK(plausible(square, 1.0 / 12, 1.0 / 80 - 1.0 / 144, n));
  CHECK(plausible(fourth, 1.0 / 80, 1.0 / 2304 - 1.0 / 6400, n));
  CHECK(plausible(lag, 0, 1.0 / 144, n));
}

TEST_CASE("uniform reaches from low to high", "[random]") {
  const int n = 100000;
  Random random(2, stream::test_data);
  double mean = 0, least = 10, most = -10;
  for (int i = 0; i < n; ++i) {
    const double x = random.uniform(-3, 1);
    mean += x / n;
    least = std::min(least, x);
    most = std::max(most, x);
  }
  CHECK(plausible(mean, -1, 16.0 / 12, n));
  CHECK((least > -3 && least < -3 + 1e-3));
  CHECK((most < 1 && most > 1 - 1e-3));
}

TEST_CASE("normal has its mean, variance, skewness and kurtosis", "[random]") {
  // x^k of a standard normal has the mean (k-1)!! and the variance (2k-1)!! - (k-1)!!²
  const auto moments = [](const std::function<double()>& next) {
    const int n = 400000;
    double m[5] = {}, lag = 0, before = 0, beyond = 0;
    for (int i = 0; i < n; ++i) {
      const double x = next();
      double power = 1;
      for (double& moment : m) {
        moment += power / n;
        power *= x;
      }
      lag += x * before / n;
      before = x;
      beyond += (std::abs(x) > 2 ? 1.0 : 0.0) / n;
    }
    CHECK(plausible(m[1], 0, 1, n));
    CHECK(plausible(m[2], 1, 2, n));
    CHECK(plausible(m[3], 0, 15, n));
    CHECK(plausible(m[4], 3, 96, n));
    CHECK(plausible(lag, 0, 1, n));
    const double tail = std::erfc(std::sqrt(2.0));  // P(|x| > 2)
    CHECK(plausible(beyond, tail, tail * (1 - tail), n));
  };
  Random one(1, stream::test_data);
  moments([&] { return one.normal(); });  // along one generator
  std::uint64_t index = 0;
  moments([&] { return Random(1, stream::training_data, index++).normal(); });  // across indices
}

TEST_CASE("generators next to each other are not correlated", "[random]") {
  const int n = 100000;
  Random random(5, 2, 100);
  std::vector<Random> neighbours = {{6, 2, 100}, {5, 3, 100}, {5, 2, 101}};
  std::vector<double> products(neighbours.size());
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    for (std::size_t k = 0; k < products.size(); ++k) products[k] += x * neighbours[k].normal() / n;
  }
  for (const double product : products) CHECK(plausible(product, 0, 1, n));
}

TEST_CASE("every bit is set half of the time", "[random]") {
  const int n = 100000;
  double set[32] = {};
  Random random(7, stream::test_data);
  for (int i = 0; i < n; ++i) {
    const std::uint32_t bits = random.bits();
    for (int bit = 0; bit < 32; ++bit) set[bit] += static_cast<double>(bits >> bit & 1) / n;
  }
  for (const double share : set) CHECK(plausible(share, 0.5, 0.25, n));
}

}  // namespace mesagrad
