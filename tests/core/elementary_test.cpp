// Our elementary functions against those of the standard library, in more digits.
#include "tests/catch.h"  // first, because it is precompiled

#include "core/elementary.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

using Limits = std::numeric_limits<double>;
constexpr double infinity = Limits::infinity();

// The largest |f(x) - exact(x)| in units of the last place of the exact value.
template <class Exact>
double largest_error(double (*f)(double), const Exact& exact, double low, double high) {
  double largest = 0;
  Random random(1, stream::test_data);
  for (int i = 0; i < 50000; ++i) {
    const double x = random.uniform(low, high);
    const long double right = exact(static_cast<long double>(x));
    const double near = std::abs(static_cast<double>(right));
    const double unit = std::nextafter(near, infinity) - near;
    const double error = static_cast<double>(std::abs(f(x) - right)) / unit;
    if (!(error <= largest)) largest = error;
  }
  return largest;
}

}  // namespace

TEST_CASE("exponential and logarithm are exact to two units in the last place", "[elementary]") {
  const auto exp = [](long double x) { return std::exp(x); };
  const auto log = [](long double x) { return std::log(x); };
  for (const double size : {1e-10, 0.3, 1.0, 30.0, 700.0}) {
    CHECK(largest_error(exponential, exp, -size, size) < 2);
    CHECK(largest_error(logarithm, log, 0, size) < 2);
  }
  CHECK(largest_error(logarithm, log, 0.7, 1.42) < 2);
  CHECK(largest_error(logarithm, log, 1 - 1e-9, 1 + 1e-9) < 2);
  CHECK(largest_error(logarithm, log, 0, Limits::max()) < 2);
  CHECK(largest_error(logarithm, log, 0, Limits::min()) < 2);
  const auto log1p = [](long double x) { return std::log1p(x); };
  for (const double size : {1e-300, 1e-15, 1e-8, 1.0, 10.0, 1e20}) {
    CHECK(largest_error(log_one_plus, log1p, 0, size) < 3);
  }
}

TEST_CASE("exponential and logarithm at the ends of their ranges", "[elementary]") {
  CHECK(exponential(0) == 1);
  CHECK(exponential(1) == std::exp(1.0));
  CHECK(exponential(-1000) == 0);
  CHECK(exponential(-infinity) == 0);
  CHECK(exponential(710) == infinity);
  CHECK(std::isnan(exponential(Limits::quiet_NaN())));
  CHECK(logarithm(1) == 0);
  CHECK(logarithm(0) == -infinity);
  CHECK(logarithm(infinity) == infinity);
  CHECK(std::isnan(logarithm(-1)));
  CHECK(std::isnan(logarithm(Limits::quiet_NaN())));
  CHECK(log_one_plus(0) == 0);
  CHECK(log_one_plus(Limits::denorm_min()) == Limits::denorm_min());
  CHECK(log_one_plus(infinity) == infinity);
  CHECK(std::isnan(log_one_plus(Limits::quiet_NaN())));
}

TEST_CASE("sine and cosine are exact to two units in the last place", "[elementary]") {
  const auto sin = [](long double x) { return std::sin(x); };
  const auto cos = [](long double x) { return std::cos(x); };
  for (const double size : {1e-8, 0.5, 1.0, 3.2, 7.0, 1000.0, 1e6}) {
    CHECK(largest_error(sine, sin, -size, size) < 2);
    CHECK(largest_error(cosine, cos, -size, size) < 2);
  }
  // Near multiples of π/2 one of the two is almost 0, and has all its digits all the same.
  for (int n = -40; n <= 40; ++n) {
    const double x = n * 1.5707963267948966;
    CHECK(largest_error(n % 2 == 0 ? sine : cosine, [&](long double y) {
            return n % 2 == 0 ? std::sin(y) : std::cos(y);
          }, x - 1e-12, x + 1e-12) < 2);
  }
  CHECK(sine(0) == 0);
  CHECK(cosine(0) == 1);
  for (const double x : {infinity, -infinity, Limits::quiet_NaN(), 1e10, Limits::max()}) {
    CHECK(std::isnan(sine(x)));
    CHECK(std::isnan(cosine(x)));
  }
}

TEST_CASE("powers of whole exponents", "[elementary]") {
  CHECK(power(2, 10) == 1024);
  CHECK(power(0.5, 3) == 0.125);
  CHECK(power(7, 0) == 1);
  CHECK(power(0, 0) == 1);
  CHECK(power(0, 5) == 0);
  for (const Index n : {1, 2, 3, 100, 30000}) {
    const double exact = std::pow(0.999, static_cast<double>(n));
    CHECK(std::abs(power(0.999, n) / exact - 1) < static_cast<double>(n) * 3e-16);
  }
  CHECK(power(0.9, Index{1} << 60) == 0);
}

}  // namespace mesagrad
