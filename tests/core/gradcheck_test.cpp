// The gradient check itself: it must accept right backward steps and catch every kind of wrong one.
#include "tests/catch.h"  // first, because it is precompiled

#include "core/gradcheck.h"

#include <cmath>

#include "core/ops.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

// out = x³, whose backward step is left to `backward(x, dout, dx)`.
template <class Backward>
std::function<Tensor(const std::vector<Tensor>&)> cube(Backward backward) {
  return [backward](const std::vector<Tensor>& inputs) {
    const Tensor x = inputs[0];
    const Tensor out = Tape::output(x.shape(), {&x});
    for (Index i = 0; i < x.size(); ++i) out[i] = x[i] * x[i] * x[i];
    Tape::record("cube", out, [=] { backward(x, out.grad(), x.grad()); });
    return out;
  };
}

void right(const Tensor& x, const real* dout, real* dx) {
  for (Index i = 0; i < x.size(); ++i) dx[i] += 3 * x[i] * x[i] * dout[i];
}

Tensor some_input() {
  return Tensor({2, 3}, {1, real{-1.25}, 2, real{0.75}, real{-1.5}, real{0.5}});
}

}  // namespace

TEST_CASE("a right backward step passes the gradient check", "[gradcheck]") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const GradCheck result = check_gradients(cube(right), {some_input()}, seed);
    INFO(result.report());
    CHECK(result.error < gradient_tolerance);
  }
}

TEST_CASE("one element off by a factor is caught", "[gradcheck]") {
  const auto factor = static_cast<real>(in_double ? 1.01 : 1.2);  // in float 1% is rounding
  for (Index wrong = 0; wrong < 6; ++wrong) {
    const auto backward = [=](const Tensor& x, const real* dout, real* dx) {
      right(x, dout, dx);
      dx[wrong] += (factor - 1) * 3 * x[wrong] * x[wrong] * dout[wrong];
    };
    const GradCheck result = check_gradients(cube(backward), {some_input()});
    INFO(result.report());
    CHECK(result.error > gradient_tolerance);
    CHECK(result.element == wrong);
    CHECK(std::abs(result.analytic / result.numeric - factor) < (in_double ? 1e-7 : 1e-2));
  }
}

TEST_CASE("a dropped term is caught", "[gradcheck]") {
  // softmax-like: out_i = x_i·Σx, so dx_i = dout_i·Σx + Σ_j dout_j·x_j; the second term is missing
  const auto f = [](const std::vector<Tensor>& inputs) {
    const Tensor x = inputs[0];
    const Tensor out = Tape::output(x.shape(), {&x});
    real total = 0;
    for (Index i = 0; i < x.size(); ++i) total += x[i];
    for (Index i = 0; i < x.size(); ++i) out[i] = x[i] * total;
    Tape::record("f", out, [=] {
      for (Index i = 0; i < x.size(); ++i) x.grad()[i] += out.grad()[i] * total;
    });
    return out;
  };
  CHECK(check_gradients(f, {some_input()}).error > gradient_tolerance);
}

TEST_CASE("a gradient of zero and a wrong sign are caught", "[gradcheck]") {
  const auto zero = [](const Tensor&, const real*, real*) {};
  CHECK(check_gradients(cube(zero), {some_input()}).error > 0.5);
  const auto minus = [](const Tensor& x, const real* dout, real* dx) {
    right(x, dout, dx);
    for (Index i = 0; i < x.size(); ++i) dx[i] = -dx[i];
  };
  CHECK(check_gradients(cube(minus), {some_input()}).error > 0.5);
}

TEST_CASE("a gradient that is not a number is caught", "[gradcheck]") {
  using limits = std::numeric_limits<real>;
  for (const real bad : {limits::quiet_NaN(), limits::infinity()}) {
    const auto backward = [=](const Tensor& x, const real* dout, real* dx) {
      right(x, dout, dx);
      dx[4] = bad;
    };
    const GradCheck result = check_gradients(cube(backward), {some_input()});
    CHECK_FALSE(result.error < gradient_tolerance);
    CHECK(std::isnan(result.error));
  }
}

TEST_CASE("errors that cancel in the sum are caught", "[gradcheck]") {
  // out is x in reverse order, and so is the gradient; under a plain sum nobody would notice
  const auto f = [](const std::vector<Tensor>& inputs) {
    const Tensor x = inputs[0];
    const Tensor out = Tape::output(x.shape(), {&x});
    std::reverse_copy(x.data(), x.data() + x.size(), out.data());
    Tape::record("reverse", out, [=] {
      for (Index i = 0; i < x.size(); ++i) x.grad()[i] += out.grad()[i];
    });
    return out;
  };
  CHECK(check_gradients(f, {some_input()}).error > 0.1);
}

TEST_CASE("the report names the input and the element", "[gradcheck]") {
  const auto f = [](const std::vector<Tensor>& inputs) {
    const Tensor a = inputs[0], b = inputs[1];
    const Tensor out = Tape::output(a.shape(), {&a, &b});
    for (Index i = 0; i < out.size(); ++i) out[i] = a[i] + b[i];
    Tape::record("f", out, [=] {
      for (Index i = 0; i < out.size(); ++i) a.grad()[i] += out.grad()[i];
      for (Index i = 0; i < out.size(); ++i) b.grad()[i] += (i == 3 ? 2 : 1) * out.grad()[i];
    });
    return out;
  };
  const GradCheck result = check_gradients(f, {some_input(), some_input()});
  CHECK(result.input == 1);
  CHECK(result.element == 3);
  CHECK(result.report().find("element 3 of input 1") != std::string::npos);
}

TEST_CASE("the check leaves the inputs as they were", "[gradcheck]") {
  const Tensor x = some_input();
  check_gradients(cube(right), {x});
  CHECK(numbers_of(x) == numbers_of(some_input()));
  CHECK_FALSE(x.has_grad());
  for (Index allowed = 1; allowed < 12; ++allowed) {
    Index calls = 0;
    const auto f = [&](const std::vector<Tensor>& inputs) {
      if (calls++ == allowed) fail("enough");
      return cube(right)(inputs);
    };
    CHECK(message_of([&] { check_gradients(f, {x}); }) == "enough");
    CHECK(numbers_of(x) == numbers_of(some_input()));
  }
}

TEST_CASE("a backward step that overwrites what is there is caught", "[gradcheck]") {
  const auto overwrite = [](const Tensor& x, const real* dout, real* dx) {
    for (Index i = 0; i < x.size(); ++i) dx[i] = 3 * x[i] * x[i] * dout[i];
  };
  CHECK(check_gradients(cube(overwrite), {some_input()}).error > 0.1);
  const auto overwrite_one = [](const Tensor& x, const real* dout, real* dx) {
    const real before = dx[3];
    right(x, dout, dx);
    dx[3] -= before;
  };
  const GradCheck result = check_gradients(cube(overwrite_one), {some_input()});
  CHECK(result.error > gradient_tolerance);
  CHECK(result.element == 3);
  const auto none = [](const Tensor& x, const real*, real* dx) { std::fill_n(dx, x.size(), real{0}); };
  const auto constant = [&](const std::vector<Tensor>& x) { return cube(none)(x) - cube(none)(x); };
  CHECK(check_gradients(constant, {some_input()}).error > 0.1);  // the right gradient is 0
}

TEST_CASE("a gradient check wants the same shape every time", "[gradcheck][errors]") {
  Index calls = 0;
  const auto f = [&](const std::vector<Tensor>& x) { return calls++ < 2 ? x[0] + x[0] : sum(x[0]); };
  CHECK(lacks([&] { check_gradients(f, {some_input()}); }, {"check_gradients", "(2, 3)", "()"}) == "");
}

}  // namespace mesagrad
