#include "tests/course/check.h"

#include <cmath>
#include <cstdlib>

#include "core/gradcheck.h"

namespace mesagrad::course {
namespace {

std::string factor(double is, double expected) {
  const double ratio = is / expected;
  if (is == 0) return ": nothing was written there";
  if (!std::isfinite(ratio)) return "";
  if (std::abs(ratio + 1) < 1e-6) return ": the sign is wrong";
  for (const double whole : {2.0, 3.0, 4.0, 0.5}) {
    if (std::abs(ratio / whole - 1) < 1e-6) return text(": ", whole, " times as much");
  }
  return text(": off by ", is - expected);
}

// index(n) names the n-th number.
template <class Is, class Expected, class Name>
void compare(const std::string& what, Index count, const Is& is, const Expected& expected, const Name& index,
             double tolerance) {
  double largest = 1, farthest = 0;
  Index worst = -1, wrong = 0;
  for (Index n = 0; n < count; ++n) largest = std::max(largest, 1 + std::abs(expected(n)));
  for (Index n = 0; n < count; ++n) {
    const double distance = std::abs(is(n) - expected(n));
    if (distance <= tolerance * largest) continue;
    ++wrong;
    if (worst < 0 || distance > farthest || std::isnan(distance)) {
      worst = n;
      farthest = std::isnan(distance) ? HUGE_VAL : distance;
    }
  }
  if (worst < 0) return;
  fail(what, index(worst), " is ", is(worst), ", expected ", expected(worst),
       factor(is(worst), expected(worst)),
       count > 1 ? text(" (", wrong, " of ", count, " numbers are wrong; this is the farthest)") : "");
}

}  // namespace

std::vector<Check>& checks() {
  static std::vector<Check> all;
  return all;
}

std::uint64_t test_seed() {
  const char* seed = std::getenv("TEST_SEED");
  return seed == nullptr ? 1 : std::strtoull(seed, nullptr, 10);
}

Tensor random_tensor(const Shape& shape, int number) {
  const Tensor x(shape);
  Random random(test_seed(), stream::test_data, static_cast<std::uint64_t>(number));
  for (Index i = 0; i < x.size(); ++i) x[i] = static_cast<real>(random.normal());
  return x;
}

Matrix random_matrix(Index rows, Index columns, int number) {
  Matrix x(rows, columns);
  Random random(test_seed(), stream::test_data, static_cast<std::uint64_t>(number));
  for (double& value : x.values()) value = random.normal();
  return x;
}

Index random_size(Index low, Index high, int number) {
  Random random(test_seed(), stream::analysis_data, static_cast<std::uint64_t>(number));
  return low + static_cast<Index>(random.uniform() * static_cast<double>(high - low + 1));
}

void expect_equal(const std::string& what, double is, double expected, double tolerance) {
  compare(
      what, 1, [&](Index) { return is; }, [&](Index) { return expected; }, [](Index) { return ""; },
      tolerance);
}

void expect_equal(const std::string& what, const Tensor& is, const Tensor& expected, double tolerance) {
  check(is.shape() == expected.shape(), what, " has the shape ", is.shape(), ", expected ", expected.shape());
  const auto index = [&](Index n) {
    std::string name;
    for (Index d = is.shape().rank() - 1; d >= 0; --d) {
      name = text(n % is.dim(d), name.empty() ? "" : ", ", name);
      n /= is.dim(d);
    }
    return "(" + name + ")";
  };
  compare(
      what, is.size(), [&](Index n) { return static_cast<double>(is[n]); },
      [&](Index n) { return static_cast<double>(expected[n]); }, index, tolerance);
}

void expect_equal(const std::string& what, const Matrix& is, const Matrix& expected, double tolerance) {
  check(is.rows() == expected.rows() && is.columns() == expected.columns(), what, " has the shape ",
        shape_of(is), ", expected ", shape_of(expected));
  const auto at = [](const Matrix& x) {
    return [&x](Index n) { return x.values()[static_cast<std::size_t>(n)]; };
  };
  compare(
      what, is.rows() * is.columns(), at(is), at(expected),
      [&](Index n) { return text("(", n / is.columns(), ", ", n % is.columns(), ")"); }, tolerance);
}

void expect_gradient(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                     const std::vector<Tensor>& inputs, const std::vector<std::string>& names,
                     double tolerance) {
  const GradCheck found = check_gradients(f, inputs, test_seed());
  check(found.error < tolerance, "the gradient of ", names[static_cast<std::size_t>(found.input)],
        " is wrong: number ", found.element, " is ", found.analytic, ", and by differences ", found.numeric,
        factor(found.analytic, found.numeric));
}

void expect_refused(const std::string& what, const std::function<void()>& f) {
  try {
    f();
  } catch (const Error&) {
    return;
  }
  fail(what, " should have been refused by an Error");
}

}  // namespace mesagrad::course
