#include "core/ops.h"

#include <algorithm>
#include <cmath>

#include "core/elementary.h"
#include "core/elementwise.h"
#include "core/gemm.h"

namespace mesagrad {
namespace {

void check_same_shape(const char* op, const Tensor& a, const Tensor& b) {
  check_defined(op, a);
  check_defined(op, b);
  check(a.shape() == b.shape(), op, ": ", a.shape(), " and ", b.shape(), " differ in shape");
}

// dx += factor·dout
void pass_on(const Tensor& out, const Tensor& x, real factor = 1) {
  add_to_grad(x, [=, dout = out.grad()](Index i) { return factor * dout[i]; });
}

}  // namespace

Tensor operator+(const Tensor& a, const Tensor& b) {
  check_same_shape("a + b", a, b);
  const Tensor out = each_element({&a, &b}, [x = a.data(), y = b.data()](Index i) { return x[i] + y[i]; });
  Tape::record("a + b", out, [=] {
    pass_on(out, a);
    pass_on(out, b);
  });
  return out;
}

Tensor operator-(const Tensor& a, const Tensor& b) {
  check_same_shape("a - b", a, b);
  const Tensor out = each_element({&a, &b}, [x = a.data(), y = b.data()](Index i) { return x[i] - y[i]; });
  Tape::record("a - b", out, [=] {
    pass_on(out, a);
    pass_on(out, b, -1);
  });
  return out;
}

Tensor operator*(const Tensor& a, const Tensor& b) {
  check_same_shape("a * b", a, b);
  // exercise 2.2: out_i = a_i·b_i, and its backward step
  const Tensor out = each_element({&a, &b}, [x = a.data(), y = b.data()](Index i) { return x[i] * y[i]; });
  Tape::record("a * b", out, [=] {
    // forward was out = a*b, so da = dout*b and db = dout*a
    add_to_grad(a, [dout = out.grad(), y = b.data()](Index i) { return dout[i] * y[i]; });
    add_to_grad(b, [dout = out.grad(), x = a.data()](Index i) { return dout[i] * x[i]; });
  });
  return out;
  // end 2.2
}

Tensor operator*(real factor, const Tensor& x) {
  check_defined("factor * x", x);
  const Tensor out = each_element({&x}, [=, from = x.data()](Index i) { return factor * from[i]; });
  Tape::record("factor * x", out, [=] { pass_on(out, x, factor); });
  return out;
}

Tensor scale(const Tensor& x, const Tensor& factor) {
  check_defined("scale", x);
  check(factor.size() == 1, "scale: the factor must be a single number, its shape is ", factor.shape());
  // exercise 2.3: out_i = f·x_i with f = factor[0], and its backward step; one of them may have no gradient
  const real f = factor[0];
  const Tensor out = each_element({&x, &factor}, [f, from = x.data()](Index i) { return f * from[i]; });
  Tape::record("scale", out, [=] {
    pass_on(out, x, f);
    if (!factor.has_grad()) return;
    // out_i = f*x_i for all i, so df = sum_i dout_i*x_i (in double: there can be many)
    double sum = 0;
    for (Index i = 0; i < x.size(); ++i) sum += static_cast<double>(out.grad()[i]) * x[i];
    factor.grad()[0] += static_cast<real>(sum);
  });
  return out;
  // end 2.3
}

Tensor sum(const Tensor& x) {
  check_defined("sum", x);
  // exercise 2.4: out is a single number, of shape {}
  const Tensor out = Tape::output({}, {&x});
  double total = 0;
  for (Index i = 0; i < x.size(); ++i) total += x[i];
  out[0] = static_cast<real>(total);
  Tape::record("sum", out, [=] { add_to_grad(x, [d = out.grad()[0]](Index) { return d; }); });
  return out;
  // end 2.4
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  check(a.shape().rank() >= 1 && b.shape().rank() == 2, "matmul: ", a.shape(), " x ", b.shape(),
        ": the second must be a matrix, the first at least a row");
  const Index K = b.dim(0), N = b.dim(1), M = a.rows();
  check(a.dim(-1) == K, "matmul: ", a.shape(), " x ", b.shape(), ": inner dimensions ", a.dim(-1),
        " and ", K, " differ");
  const Tensor out = Tape::output(a.shape().with_last(N), {&a, &b});
  gemm(M, N, K, rows_of(a.data(), K), rows_of(b.data(), N), out.data(), N, false);
  Tape::record("matmul", out, [=] {
    // exercise 2.5: out = A·B. What are dA and dB?
    const real* d = out.grad();
    const Tensor::GradPart da = a.grad_part(), db = b.grad_part();
    // forward was out = A·B, so dA = dout·Bᵀ and dB = Aᵀ·dout     (M,N)·(N,K) and (K,M)·(M,N)
    if (da.values) gemm(M, K, N, rows_of(d, N), columns_of(b.data(), N), da.values, K, da.add);
    if (db.values) gemm(K, N, M, columns_of(a.data(), K), rows_of(d, N), db.values, N, db.add);
    // end 2.5
  });
  return out;
}

Tensor matmul_transposed(const Tensor& a, const Tensor& b) {
  check(a.shape().rank() >= 1 && b.shape().rank() == 2, "matmul_transposed: ", a.shape(), " x ", b.shape(),
        ": the second must be a matrix, the first at least a row");
  const Index K = b.dim(1), N = b.dim(0), M = a.rows();
  check(a.dim(-1) == K, "matmul_transposed: ", a.shape(), " x ", b.shape(), ": last dimensions ", a.dim(-1),
        " and ", K, " differ");
  const Tensor out = Tape::output(a.shape().with_last(N), {&a, &b});
  gemm(M, N, K, rows_of(a.data(), K), columns_of(b.data(), K), out.data(), N, false);
  Tape::record("matmul_transposed", out, [=] {
    // exercise 2.6: out = A·Bᵀ, as b is (N, K) here. What are dA and dB now?
    const real* d = out.grad();
    const Tensor::GradPart da = a.grad_part(), db = b.grad_part();
    // forward was out = A·Bᵀ, so dA = dout·B and dB = doutᵀ·A     (M,N)·(N,K) and (N,M)·(M,K)
    if (da.values) gemm(M, K, N, rows_of(d, N), rows_of(b.data(), K), da.values, K, da.add);
    if (db.values) gemm(N, K, M, columns_of(d, N), rows_of(a.data(), K), db.values, K, db.add);
    // end 2.6
  });
  return out;
}

Tensor relu(const Tensor& x) {
  check_defined("relu", x);
  const Tensor out = each_element({&x}, [from = x.data()](Index i) { return from[i] > 0 ? from[i] : real{0}; });
  Tape::record("relu", out, [=] {
    add_to_grad(x, [from = x.data(), dout = out.grad()](Index i) { return from[i] > 0 ? dout[i] : real{0}; });
  });
  return out;
}

Tensor clip(const Tensor& x, real bound) {
  check_defined("clip", x);
  check(bound > 0, "clip: the bound is ", bound, ", it must be positive");
  // exercise 2.7: limit every element to [-bound, bound], and choose what of the gradient goes on
  const Tensor out = each_element({&x}, [=, from = x.data()](Index i) {
    const real x_i = from[i];
    return x_i > bound ? bound : x_i < -bound ? -bound : x_i;
  });
  Tape::record("clip", out, [=] {
    add_to_grad(x, [=, from = x.data(), dout = out.grad()](Index i) {
      return from[i] > -bound && from[i] < bound ? dout[i] : real{0};
    });
  });
  return out;
  // end 2.7
}

Tensor softplus(const Tensor& x) {
  check_defined("softplus", x);
  // exercise 7.1: log(1 + eˣ), so that no e to a large power is ever made, and its note on the tape; in
  //    double, with exponential and log_one_plus of core/elementary.h
  const Tensor out = each_element({&x}, [from = x.data()](Index i) {
    // 1 + eˣ = eˣ(1 + e⁻ˣ): in the form whose exponent is not positive, nothing overflows
    const double x_i = from[i];
    return static_cast<real>((x_i < 0 ? 0 : x_i) + log_one_plus(exponential(-std::abs(x_i))));
  });
  Tape::record("softplus", out, [=] {
    // d log(1 + eˣ)/dx = eˣ/(1 + eˣ) = 1/(1 + e⁻ˣ), which is 0 if e⁻ˣ is infinite
    add_to_grad(x, [from = x.data(), dout = out.grad()](Index i) {
      return static_cast<real>(dout[i] / (1 + exponential(-static_cast<double>(from[i]))));
    });
  });
  return out;
  // end 7.1
}

Tensor zero_channels(const Tensor& x, Index count) {
  check(x.shape().rank() > 0, "zero_channels: a tensor of shape ", x.shape(), " has no channels");
  const Index width = x.dim(-1);
  check(count >= 0 && count <= width, "zero_channels: ", count, " of the ", width,
        " channels of a tensor of shape ", x.shape());
  const Tensor out = Tape::output(x.shape(), {&x});
  for (Index row = 0; row < x.rows(); ++row) {
    real* to = out.data() + row * width;
    std::fill_n(to, count, real{0});
    std::copy(x.data() + row * width + count, x.data() + (row + 1) * width, to + count);
  }
  Tape::record("zero_channels", out, [=] {
    add_to_grad(x, [=, dout = out.grad()](Index i) { return i % width < count ? real{0} : dout[i]; });
  });
  return out;
}

}  // namespace mesagrad
