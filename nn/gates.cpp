#include "nn/gates.h"

#include <cmath>

#include "core/elementary.h"
#include "core/elementwise.h"
#include "core/sum.h"

namespace mesagrad {
namespace {

double sigmoid_of(double x) { return 1 / (1 + exponential(-x)); }  // 0 if e⁻ˣ is infinite

double dot(Index n, const real* a, const real* b) {
  return sum_in_double(n, [=](Index j) { return static_cast<double>(a[j]) * static_cast<double>(b[j]); });
}

}  // namespace

Tensor sigmoid(const Tensor& x) {
  check_defined("sigmoid", x);
  const Tensor out = each_element({&x}, [from = x.data()](Index i) {
    return static_cast<real>(sigmoid_of(static_cast<double>(from[i])));
  });
  Tape::record("sigmoid", out, [=] {
    add_to_grad(x, [y = out.data(), dy = out.grad()](Index i) { return dy[i] * y[i] * (1 - y[i]); });
  });
  return out;
}

Tensor log_sigmoid(const Tensor& x) {
  check_defined("log_sigmoid", x);
  const Tensor out = each_element({&x}, [from = x.data()](Index i) {
    const double x_i = from[i];
    return static_cast<real>((x_i > 0 ? 0 : x_i) - log_one_plus(exponential(-std::abs(x_i))));
  });
  Tape::record("log_sigmoid", out, [=] {  // its derivative is 1 - 1/(1 + e⁻ˣ) = 1/(1 + eˣ)
    add_to_grad(x, [from = x.data(), dy = out.grad()](Index i) {
      return static_cast<real>(dy[i] * sigmoid_of(-static_cast<double>(from[i])));
    });
  });
  return out;
}

Tensor add_to_rows(const Tensor& x, const Tensor& shift) {
  check(x.shape().rank() >= 1 && shift.shape() == Shape{x.dim(-1)}, "add_to_rows: x ", x.shape(),
        " and shift ", shift.shape(), " do not fit");
  const Index width = x.dim(-1);
  const Tensor out = Tape::output(x.shape(), {&x, &shift});
  for (Index i = 0; i < x.size(); ++i) out[i] = x[i] + shift[i % width];
  Tape::record("add_to_rows", out, [=] {
    const real* dout = out.grad();
    add_to_grad(x, [dout](Index i) { return dout[i]; });
    if (!shift.has_grad()) return;
    real* to = shift.grad();
    for (Index i = 0; i < x.size(); ++i) to[i % width] += dout[i];
  });
  return out;
}

Tensor safe_unit_length(const Tensor& x, Index heads) {
  check(x.shape().rank() >= 1 && heads > 0 && x.dim(-1) % heads == 0, "safe_unit_length: x ", x.shape(), ": ",
        heads, " heads do not divide the last dimension");
  const Index K = x.dim(-1) / heads, vectors = x.rows() * heads;
  const auto inverse_length = [K, from = x.data()](Index n) {
    return 1 / std::sqrt(dot(K, from + n * K, from + n * K) + 1e-6);
  };
  const Tensor out = Tape::output(x.shape(), {&x});
  each_row(vectors, K, [=, from = x.data(), to = out.data()](Index n) {
    const auto inverse = static_cast<real>(inverse_length(n));
    for (Index j = n * K; j < n * K + K; ++j) to[j] = inverse * from[j];
  });
  Tape::record("safe_unit_length", out, [=] {
    // With y = x/ℓ and dℓ = x·dx/ℓ:  dx = (dy - y (y·dy))/ℓ
    const Tensor::GradPart dx = x.grad_part();
    each_row(vectors, K, [=, y = out.data(), dy = out.grad()](Index n) {
      const auto inverse = static_cast<real>(inverse_length(n));
      const auto along = static_cast<real>(dot(K, y + n * K, dy + n * K));
      for (Index j = n * K; j < n * K + K; ++j) {
        dx.values[j] = (dx.add ? dx.values[j] : 0) + inverse * (dy[j] - y[j] * along);
      }
    });
  });
  return out;
}

}  // namespace mesagrad
