// The vector exponential against the one of the standard library.
#include "tests/catch.h"  // first, because it is precompiled

#include "core/exponential.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

using Limits = std::numeric_limits<real>;

// e^x, checked to be the same in every lane and whatever the other lanes hold.
real exponential_of(real x) {
  const Vector all = exponential(Vector{} + x);
  for (Index j = 0; j < lanes; ++j) {
    Vector mixed = {};
    for (Index i = 0; i < lanes; ++i) mixed[i] = static_cast<real>(100 * (i % 3 - 1));
    mixed[j] = x;
    const real alone = exponential(mixed)[j];
    if (std::isnan(all[j]) ? !std::isnan(alone) : alone != all[j]) return Limits::quiet_NaN();
  }
  return all[0];
}

// The largest |e^x - exact| in units of the last place of e^x, over `count` steps from `first` to `last`.
double largest_error(double first, double last, Index count) {
  double largest = 0;
  for (Index i = 0; i <= count; i += lanes) {
    Vector x;
    for (Index j = 0; j < lanes; ++j) {
      const double part = static_cast<double>(std::min(i + j, count)) / static_cast<double>(count);
      x[j] = static_cast<real>(first + (last - first) * part);
    }
    const Vector result = exponential(x);
    for (Index j = 0; j < lanes; ++j) {
      const long double exact = std::exp(static_cast<long double>(x[j]));
      const real near = static_cast<real>(exact);
      const long double unit = std::nextafter(near, Limits::infinity()) - near;
      const double error = static_cast<double>(std::abs(result[j] - exact) / unit);
      if (!(error <= largest)) largest = error;
    }
  }
  return largest;
}

constexpr double ln2 = 0.6931471805599453;
constexpr double lowest = (Limits::min_exponent - 1) * ln2, highest = Limits::max_exponent * ln2;

}  // namespace

TEST_CASE("the vector exponential is exact to two units in the last place", "[exponential]") {
  CHECK(largest_error(lowest * 0.999, 0, 300000) < 2);
  CHECK(largest_error(0, highest * 0.999, 100000) < 2);
  CHECK(largest_error(-1, 1, 100000) < 2);
  CHECK(largest_error(-1e-6, 1e-6, 1000) < 2);
  for (double n = Limits::min_exponent + 1; n < Limits::max_exponent; ++n) {  // where n changes to n + 1
    CHECK(largest_error((n + 0.5) * ln2 * (1 - 1e-6), (n + 0.5) * ln2 * (1 + 1e-6), 100) < 2);
  }
}

TEST_CASE("the vector exponential at the ends of its range", "[exponential]") {
  CHECK(exponential_of(0) == 1);
  CHECK(exponential_of(-real{0}) == 1);
  CHECK(exponential_of(Limits::denorm_min()) == 1);
  for (const real x : {real{-1000}, real{-1e4}, real{-(1 << 30)}, Limits::lowest(), -Limits::infinity()}) {
    CHECK(exponential_of(x) == 0);
  }
  for (const real x : {real{1000}, real{1e4}, real{1 << 30}, Limits::max(), Limits::infinity()}) {
    CHECK(exponential_of(x) == Limits::infinity());
  }
  CHECK(std::isnan(exponential(Vector{} + Limits::quiet_NaN())[0]));
  CHECK(std::isnan(exponential(Vector{} - Limits::quiet_NaN())[lanes - 1]));

  // 0 below the smallest normal number, infinity above the largest; one argument may go either way.
  real x = static_cast<real>(lowest);
  for (int i = 0; i < 200; ++i) x = std::nextafter(x, real{0});
  for (int i = 0; i < 400; ++i, x = std::nextafter(x, -Limits::infinity())) {
    const real result = exponential_of(x), exact = std::exp(x);
    CHECK((result == 0 || result >= Limits::min()));
    if (std::abs(i - 200) > 1) CHECK((result == 0) == (exact < Limits::min()));
  }
  x = static_cast<real>(highest);
  for (int i = 0; i < 200; ++i) x = std::nextafter(x, real{0});
  for (int i = 0; i < 400; ++i, x = std::nextafter(x, Limits::infinity())) {
    const real result = exponential_of(x);
    CHECK_FALSE(std::isnan(result));
    if (std::abs(i - 200) > 1) CHECK(std::isinf(result) == std::isinf(std::exp(x)));
  }
}

}  // namespace mesagrad
