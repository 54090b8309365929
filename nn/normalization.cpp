#include "nn/normalization.h"

#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "core/tape.h"

namespace mesagrad {
namespace {

template <class Term>
real sum_of(Index n, const Term& term) {
  real sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index j = 0; j < n; ++j) sum += term(j);
  return sum;
}

template <class Term>
real mean_of(Index n, const Term& term) {
  return sum_of(n, term) / static_cast<real>(n);
}

// A row's μ and 1/√(σ² + 10⁻⁶).
struct Moments {
  real mean, inverse;
  Moments(Index D, const real* x) : mean(mean_of(D, [=](Index j) { return x[j]; })) {
    const real variance = mean_of(D, [=, m = mean](Index j) { return (x[j] - m) * (x[j] - m); });
    inverse = 1 / std::sqrt(variance + static_cast<real>(1e-6));
  }
};

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift) {
  check(x.shape().rank() >= 1 && scale.shape() == Shape{x.dim(-1)} && shift.shape() == scale.shape(),
        "layer_norm: x ", x.shape(), ", scale ", scale.shape(), ", shift ", shift.shape(),
        ": expected x (..., D), scale and shift (D)");
  const Index D = x.dim(-1), rows = x.rows();
  const Tensor out = Tape::output(x.shape(), {&x, &scale, &shift});
  each_row(rows, 4 * D, [=, from = x.data(), to = out.data(), a = scale.data(), b = shift.data()](Index row) {
    const real* x_row = from + row * D;
    real* out_row = to + row * D;
    const Moments m(D, x_row);
#pragma omp simd
    for (Index j = 0; j < D; ++j) out_row[j] = a[j] * ((x_row[j] - m.mean) * m.inverse) + b[j];
  });
  Tape::record("layer_norm", out, [=] {
    // out_j = scale_j x̂_j + shift_j with x̂ = (x - μ)r, so dx̂_j = scale_j dout_j, and
    //     dx = r(dx̂ - mean(dx̂) - x̂ mean(dx̂·x̂)):
    // a common shift of the row, and a common factor, change nothing but μ and r, and the gradient has no
    // part along these two directions. dscale_j = Σ dout_j x̂_j and dshift_j = Σ dout_j over the rows.
    const Tensor::GradPart dx = x.has_grad() ? x.grad_part() : Tensor::GradPart{};
    std::vector<double> dscale(static_cast<std::size_t>(D)), dshift(dscale);
    const real* a = scale.data();
    std::vector<real> x_hat(static_cast<std::size_t>(D)), dx_hat(x_hat);
    for (Index row = 0; row < rows; ++row) {
      const real *x_row = x.data() + row * D, *d = out.grad() + row * D;
      const Moments m(D, x_row);
      real *xh = x_hat.data(), *dxh = dx_hat.data();
      double *to_scale = dscale.data(), *to_shift = dshift.data();
#pragma omp simd
      for (Index j = 0; j < D; ++j) {
        xh[j] = (x_row[j] - m.mean) * m.inverse;
        dxh[j] = a[j] * d[j];
        to_scale[j] += static_cast<double>(d[j] * xh[j]);
        to_shift[j] += static_cast<double>(d[j]);
      }
      if (dx.values == nullptr) continue;
      const real along_shift = mean_of(D, [=](Index j) { return dxh[j]; });
      const real along_x = mean_of(D, [=](Index j) { return dxh[j] * xh[j]; });
      real* dx_row = dx.values + row * D;
#pragma omp simd
      for (Index j = 0; j < D; ++j) {
        const real part = m.inverse * (dxh[j] - along_shift - xh[j] * along_x);
        dx_row[j] = dx.add ? dx_row[j] + part : part;
      }
    }
    for (const auto& [parameter, sum] : {std::pair{&scale, &dscale}, {&shift, &dshift}}) {
      if (!parameter->has_grad()) continue;
      const auto [to, add] = parameter->grad_part();
      for (Index j = 0; j < D; ++j) {
        const real part = static_cast<real>((*sum)[static_cast<std::size_t>(j)]);
        to[j] = add ? to[j] + part : part;
      }
    }
  });
  return out;
}

Tensor unit_length(const Tensor& x, Index heads) {
  check(x.shape().rank() >= 1 && heads > 0 && x.dim(-1) % heads == 0, "unit_length: x ", x.shape(), ": ",
        heads, " heads do not divide the last dimension");
  const Index K = x.dim(-1) / heads, vectors = x.rows() * heads;
  constexpr double least = 1e-16;
  // Σ a_j b_j, in double: the squares of large floats are too large for a float.
  const auto dot = [K](const real* a, const real* b) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Index j = 0; j < K; ++j) sum += static_cast<double>(a[j]) * static_cast<double>(b[j]);
    return sum;
  };
  const Tensor out = Tape::output(x.shape(), {&x});
  each_row(vectors, K, [=, from = x.data(), to = out.data()](Index v) {
    const real* x_v = from + v * K;
    const real factor = static_cast<real>(1 / (least + std::sqrt(dot(x_v, x_v))));
#pragma omp simd
    for (Index j = 0; j < K; ++j) to[v * K + j] = factor * x_v[j];
  });
  Tape::record("unit_length", out, [=] {
    // With n = ||x||, y = x/(10⁻¹⁶ + n) and dn = x·dx/n:
    //     dx = (dy - (x/n)(y·dy))/(10⁻¹⁶ + n): what points along x would only change the length
    const auto [dx, add] = x.grad_part();
    each_row(vectors, K, [=, add = add, to = dx, from = x.data(), y = out.data(), dy = out.grad()](Index v) {
      const real *x_v = from + v * K, *d = dy + v * K;
      real* dx_v = to + v * K;
      const double n = std::sqrt(dot(x_v, x_v));
      const real factor = static_cast<real>(1 / (least + n));
      const real along = static_cast<real>(n > 0 ? dot(y + v * K, d) / n : 0);
#pragma omp simd
      for (Index j = 0; j < K; ++j) {
        const real part = factor * (d[j] - x_v[j] * along);
        dx_v[j] = add ? dx_v[j] + part : part;
      }
    });
  });
  return out;
}

}  // namespace mesagrad
