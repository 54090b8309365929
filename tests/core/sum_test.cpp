// Sums in a fixed order: the order itself, whatever the registers hold, and sums of no terms.
#include "tests/catch.h"  // first, because it is precompiled

#include "core/sum.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

// The definition: term j belongs to part j mod `parts`, then the parts are halved.
template <class Number>
Number in_parts(const std::vector<Number>& terms, std::size_t parts) {
  std::vector<Number> sum(parts);
  for (std::size_t j = 0; j < terms.size(); ++j) sum[j % parts] += terms[j];
  for (std::size_t half = parts / 2; half > 0; half /= 2) {
    for (std::size_t p = 0; p < half; ++p) sum[p] += sum[p + half];
  }
  return sum[0];
}

}  // namespace

TEST_CASE("a sum of vectors has one order on every machine", "[sum]") {
  for (Index n = 0; n <= 100; ++n) {
    const Tensor x = random_tensor({n + 1}, static_cast<std::uint64_t>(n) + 1);  // and slack behind it
    const auto begin = x.data(), end = x.data() + n;
    x[n] = std::numeric_limits<real>::quiet_NaN();  // not a term
    Index calls = 0;
    const real sum = sum_of(n, [&](Index j) {
      CHECK(j == lanes * calls++);
      return load(x.data() + j);
    });
    CHECK(calls == (n + lanes - 1) / lanes);
    CHECK(sum == in_parts(std::vector<real>(begin, end), in_double ? 8 : 16));
  }
}

TEST_CASE("a sum in double precision has one order on every machine", "[sum]") {
  for (Index n = 0; n <= 40; ++n) {
    std::vector<double> x;
    Random random(2, stream::test_data, static_cast<std::uint64_t>(n));
    for (Index j = 0; j < n; ++j) x.push_back(random.normal());
    CHECK(sum_in_double(n, [&](Index j) { return x[static_cast<std::size_t>(j)]; }) == in_parts(x, 8));
  }
}

TEST_CASE("a multiply-add rounds once", "[sum]") {
  // (1 + ε)(1 - ε) = 1 - ε²: rounded, the product is 1, and nothing is left of it.
  const real e = std::numeric_limits<real>::epsilon();
  const Vector difference = multiply_add(broadcast(1 + e), broadcast(1 - e), broadcast(-1));
  for (Index j = 0; j < lanes; ++j) CHECK(difference[j] == -e * e);
  volatile real a = 1 + e, b = 1 - e;
  const real twice = a * b + real{-1};
  CHECK(twice == 0);  // the compiler must not make one operation of two
}

}  // namespace mesagrad
