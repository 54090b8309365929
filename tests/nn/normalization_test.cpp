// Normalization against its formulas in double, its gradients against the definition.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/normalization.h"

#include "tests/nn/naive_transformer.h"

namespace mesagrad {
namespace {

const std::vector<Shape> shapes = {Shape({1}),        Shape({10}),       Shape({0}),    Shape({0, 4}),
                                   Shape({3, 0}),     Shape({5, 1}),     Shape({3, 3}), Shape({4, 16}),
                                   Shape({3, 33}),    Shape({2, 40}),    Shape({2, 0, 3}),
                                   Shape({2, 3, 10}), Shape({2, 2, 3, 5})};

// The formulas without cleverness, and their gradients for dout.
struct Oracle {
  std::vector<double> out, dx, dscale, dshift;
  double steepest = 0;  // the largest r or 1/||x||: dx is a difference of numbers of this size

  // Layer norm.
  Oracle(const Tensor& x, const Tensor& scale, const Tensor& shift, const Tensor& dout)
      : out(count(x)), dx(count(x)), dscale(count(scale)), dshift(count(shift)) {
    const std::size_t D = count(scale);
    for (std::size_t i = 0; i < out.size(); i += D) {
      std::vector<double> row;
      for (std::size_t j = 0; j < D; ++j) row.push_back(at(x, i + j));
      const NaiveNorm norm(row);
      steepest = std::max(steepest, norm.r);
      const auto x_hat = [&](std::size_t j) { return norm(row[j]); };
      for (std::size_t j = 0; j < D; ++j) {
        out[i + j] = at(scale, j) * x_hat(j) + at(shift, j);
        dscale[j] += at(dout, i + j) * x_hat(j);
        dshift[j] += at(dout, i + j);
        for (std::size_t k = 0; k < D; ++k) {  // dx̂_j/dx_k = r·(δ_jk - (1 + x̂_j·x̂_k)/D)
          const double slope = norm.r * ((j == k) - (1 + x_hat(j) * x_hat(k)) / static_cast<double>(D));
          dx[i + k] += at(dout, i + j) * at(scale, j) * slope;
        }
      }
    }
  }

  // Vectors of length 1.
  Oracle(const Tensor& x, std::size_t K, const Tensor& dout) : out(count(x)), dx(count(x)) {
    for (std::size_t i = 0; i < out.size(); i += K) {
      double square = 0;
      for (std::size_t j = 0; j < K; ++j) square += at(x, i + j) * at(x, i + j);
      const double n = std::sqrt(square), f = 1 / (1e-16 + n);
      steepest = std::max(steepest, f);
      for (std::size_t j = 0; j < K; ++j) {
        out[i + j] = f * at(x, i + j);
        for (std::size_t k = 0; k < K; ++k) {  // dy_j/dx_k = f·δ_jk - f²·x_j·x_k/n
          const double turned = n > 0 ? f * at(x, i + j) * (at(x, i + k) / n) : 0;
          dx[i + k] += at(dout, i + j) * f * ((j == k) - turned);
        }
      }
    }
  }

 private:
  static std::size_t count(const Tensor& x) { return static_cast<std::size_t>(x.size()); }
  static double at(const Tensor& x, std::size_t i) { return x[static_cast<Index>(i)]; }
};

// The largest difference, as a multiple of the largest number (and at least of `size`).
double relative_error(const std::vector<real>& found, const std::vector<double>& exact, double size = 0) {
  for (const double number : exact) size = std::max(size, std::abs(number));
  return largest_difference(found, exact) / std::max(size, 1e-300);
}

void check_layer_norm(Tensor x) {
  INFO("layer_norm of " << x.shape());
  const Index D = x.dim(-1);
  Tensor scale = random_tensor({D}, 2), shift = random_tensor({D}, 3);
  const Tensor dout = random_tensor(x.shape(), 4);
  for (Tensor* t : {&x, &scale, &shift}) t->requires_grad();
  const Oracle exact(x, scale, shift, dout);
  Tape tape;
  const Tensor out = layer_norm(x, scale, shift);
  CHECK(out.shape() == x.shape());
  CHECK(relative_error(numbers_of(out), exact.out) < 20 * epsilon);
  tape.backward(out, dout);
  CHECK(relative_error(gradient_of(x), exact.dx, exact.steepest) < 20 * epsilon);
  CHECK(relative_error(gradient_of(scale), exact.dscale, 1) < 20 * epsilon);
  CHECK(relative_error(gradient_of(shift), exact.dshift) < 20 * epsilon);
}

void check_unit_length(Tensor x, Index heads) {
  INFO("unit_length of " << x.shape() << ", " << heads << " heads");
  const Tensor dout = random_tensor(x.shape(), 4);
  const Oracle exact(x, static_cast<std::size_t>(x.dim(-1) / heads), dout);
  x.requires_grad();
  Tape tape;
  const Tensor out = unit_length(x, heads);
  CHECK(out.shape() == x.shape());
  CHECK(relative_error(numbers_of(out), exact.out) < 10 * epsilon);
  tape.backward(out, dout);
  CHECK(relative_error(gradient_of(x), exact.dx, exact.steepest) < 10 * epsilon);
}

}  // namespace

TEST_CASE("layer_norm and its gradients equal the formula", "[normalization]") {
  for (const Shape& shape : shapes) check_layer_norm(random_tensor(shape, 1));
  for (const Index D : {2, 7, 8, 9, 31, 32, 47, 48, 128, 200}) check_layer_norm(random_tensor({11, D}, 1));
  // At 10⁻³ σ² is like the 10⁻⁶.
  for (const double size : {1e-3, 30.0, 1e4}) check_layer_norm(random_tensor({7, 40}, 1, size));
  // Rows are summed up in pieces of 256.
  for (const Index rows : {255, 256, 257, 1000}) check_layer_norm(random_tensor({rows, 10}, 1));
}

TEST_CASE("the gradients of layer_norm agree with the definition", "[normalization]") {
  for (const Shape& shape : shapes) {
    INFO(shape);
    const Index D = shape[-1];
    if (D == 1) continue;  // the row is 0, and its gradient nothing but rounding
    const Tensor x = random_tensor(shape, 1), scale = random_tensor({D}, 2), shift = random_tensor({D}, 3);
    check_operation([](const auto& in) { return layer_norm(in[0]); }, {x});
    check_operation([](const auto& in) { return layer_norm(in[0], in[1]); }, {x, scale});
    check_operation([](const auto& in) { return layer_norm(in[0], {}, in[1]); }, {x, shift});
    check_operation([](const auto& in) { return layer_norm(in[0], in[1], in[2]); }, {x, scale, shift});
    check_operation([&](const auto& in) { return layer_norm(x, in[0], in[1]); }, {scale, shift});
    check_operation([&](const auto& in) { return layer_norm(x, in[0], shift); }, {scale});
    check_operation([&](const auto& in) { return layer_norm(x, scale, in[0]); }, {shift});
    check_operation([&](const auto& in) { return layer_norm(in[0], scale, shift); }, {x});
  }
  check_gradient([](const auto& in) { return layer_norm(in[0], in[1], in[2]); },
                 {random_tensor({300, 8}, 1), random_tensor({8}, 2), random_tensor({8}, 3)});
}

TEST_CASE("layer_norm of a constant row is the shift", "[normalization]") {
  for (const real value : {real{0}, real{0.1f}, real{-1e4f}, real{1e10f}}) {
    for (const Index D : {1, 10, 16, 33, 40}) {
      INFO(value << " " << D);
      Tensor x({3, D}, value);
      const Tensor scale = random_tensor({D}, 1), shift = random_tensor({D}, 2);
      const Tensor dout = random_tensor({3, D}, 3);
      const Oracle exact(Tensor({3, D}), scale, shift, dout);
      x.requires_grad();
      Tape tape;
      const Tensor out = layer_norm(x, scale, shift);
      CHECK(largest_difference(numbers_of(out), exact.out) == 0);
      tape.backward(out, dout);
      CHECK(relative_error(gradient_of(x), exact.dx, exact.steepest) < 20 * epsilon);
    }
  }
}

TEST_CASE("a common part of a row costs layer_norm no digits", "[normalization]") {
  const Tensor small = random_tensor({5, 40}, 1), common({5, 40}, 1 << 18);
  const Tensor x = small + common;
  CHECK(largest_difference(numbers_of(layer_norm(x)), numbers_of(layer_norm(x - common))) < 20 * epsilon);
}

TEST_CASE("numbers whose squares are too large or too small are normalized like others", "[normalization]") {
  // Numbers 2^e times as large have the same result, and a gradient 2^-e times as large. (Layer norm's
  // 10^-6 must not count: so it gets no smaller ones than these.)
  const int most = std::numeric_limits<real>::max_exponent - 23;
  const Tensor x = random_tensor({3, 20}, 1, 1 << 20), dout = random_tensor({3, 20}, 2);
  const auto normalized = [&](bool to_unit_length, int e) {
    const Tensor large = x.copy();
    for (Index i = 0; i < large.size(); ++i) large[i] = std::ldexp(large[i], e);
    Tensor input = large;
    input.requires_grad();
    Tape tape;
    const Tensor out = to_unit_length ? unit_length(input, 2) : layer_norm(input);
    tape.backward(out, dout);
    std::vector<real> all = numbers_of(out);
    for (const real g : gradient_of(input)) all.push_back(std::ldexp(g, e + 20));
    return all;
  };
  for (const int e : {most / 2, most - 3, most}) {
    CHECK(largest_difference(normalized(false, e), normalized(false, 0)) < 20 * epsilon);
    CHECK(largest_difference(normalized(true, e), normalized(true, 0)) < 4 * epsilon);
  }
  const real large = in_double ? real(2e190) : real(2e19);
  CHECK(numbers_of(layer_norm(Tensor({2}, {large, -large}))) == std::vector<real>{1, -1});
  const real largest = std::numeric_limits<real>::max();
  CHECK(numbers_of(layer_norm(Tensor({2}, {largest, -largest}))) == std::vector<real>{1, -1});
  for (const real y : numbers_of(unit_length(Tensor({2}, {largest, -largest}), 1))) {
    CHECK(std::abs(std::abs(y) - std::sqrt(0.5)) < epsilon);
  }
  CHECK(std::isnan(layer_norm(Tensor({2}, {std::numeric_limits<real>::infinity(), 0}))[1]));
}

TEST_CASE("a NaN stays in its row", "[normalization]") {
  for (const Index D : {1, 10, 16, 33, 40}) {
    for (const Index place : {Index{0}, D - 1}) {
      Tensor x = random_tensor({3, D}, 1);
      x[D + place] = std::numeric_limits<real>::quiet_NaN();
      for (const Tensor& y : {layer_norm(x), unit_length(x, 1)}) {
        bool as_expected = true;
        for (Index i = 0; i < y.size(); ++i) as_expected &= std::isnan(y[i]) == (i / D == 1);
        CHECK(as_expected);
      }
    }
  }
}

TEST_CASE("unit_length and its gradient equal the formula", "[normalization]") {
  for (const Shape& shape : shapes) {
    for (const Index heads : {1, 2, 3, 5}) {
      if (shape[-1] % heads == 0) check_unit_length(random_tensor(shape, 1), heads);
    }
  }
  for (const Index K : {1, 2, 7, 8, 9, 20, 31, 32, 47, 48, 128}) {
    check_unit_length(random_tensor({3, 5, 2 * K}, 1), 2);
  }
  for (const double size : {1e-25, 1e-16, 1e-8, 1e8, 1e30}) {
    check_unit_length(random_tensor({4, 40}, 1, size), 2);
  }
}

TEST_CASE("the gradient of unit_length agrees with the definition", "[normalization]") {
  for (const Shape& shape : shapes) {
    for (const Index heads : {1, 2, 3}) {
      // A single number becomes ±1, and its gradient is 0.
      if (shape[-1] % heads != 0 || shape[-1] == heads) continue;
      INFO(shape << ", " << heads << " heads");
      check_operation([=](const auto& in) { return unit_length(in[0], heads); }, {random_tensor(shape, 1)});
    }
  }
}

TEST_CASE("unit_length of a vector of zeros is zero, its derivative 10^16", "[normalization]") {
  Tensor x({2, 4}, {0, 0, 3, 4, 0, -2, 0, 0});
  x.requires_grad();
  Tape tape;
  const Tensor y = unit_length(x, 2), dout = random_tensor({2, 4}, 1);
  CHECK(largest_difference(numbers_of(y), std::vector<double>{0, 0, 0.6, 0.8, 0, -1, 0, 0}) < 2 * epsilon);
  tape.backward(y, dout);
  for (const Index i : {0, 1, 6, 7}) CHECK(std::abs(x.grad()[i] / 1e16 / dout[i] - 1) < 2 * epsilon);
}

TEST_CASE("normalization gives the same bits on any number of threads", "[normalization]") {
  const Tensor x = random_tensor({3001, 40}, 1);
  const Tensor scale = random_tensor({40}, 2), shift = random_tensor({40}, 3);
  check_threads([](const auto& in) { return layer_norm(in[0], in[1], in[2]); }, {x, scale, shift});
  check_threads([](const auto& in) { return unit_length(in[0], 2); }, {x});
}

TEST_CASE("normalization refuses what does not fit", "[normalization][errors]") {
  const Tensor x({2, 3, 6}), six({6}), five({5}), number{Shape()};
  const auto norm = [](const Tensor& a, const Tensor& b, const Tensor& c) {
    return message_of([&] { layer_norm(a, b, c); });
  };
  CHECK(norm(number, {}, {}) == "layer_norm: x (): expected at least a row");
  CHECK(norm({}, {}, {}) == "layer_norm: x (): expected at least a row");
  const std::string expected = ": expected x (..., D), scale and shift (D) or empty";
  CHECK(norm(x, five, six) == "layer_norm: x (2, 3, 6), scale (5), shift (6)" + expected);
  CHECK(norm(x, six, five) == "layer_norm: x (2, 3, 6), scale (6), shift (5)" + expected);
  CHECK(norm(x, x, {}) == "layer_norm: x (2, 3, 6), scale (2, 3, 6), shift ()" + expected);
  CHECK(norm(x, Tensor({2, 3}), {}) == "layer_norm: x (2, 3, 6), scale (2, 3), shift ()" + expected);
  CHECK(norm(x, {}, number) == "layer_norm: x (2, 3, 6), scale (), shift ()" + expected);
  const auto unit = [](const Tensor& a, Index heads) { return message_of([&] { unit_length(a, heads); }); };
  CHECK(unit(x, 4) == "unit_length: x (2, 3, 6): 4 heads do not divide the last dimension");
  CHECK(unit(x, 0) == "unit_length: x (2, 3, 6): 0 heads do not divide the last dimension");
  CHECK(unit(x, -2) == "unit_length: x (2, 3, 6): -2 heads do not divide the last dimension");
  CHECK(unit(number, 1) == "unit_length: x (): 1 heads do not divide the last dimension");
}

}  // namespace mesagrad
