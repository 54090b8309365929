#include "nn/normalization.h"

#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "core/tape.h"

namespace mesagrad {
namespace {

double dot(Index n, const real* a, const real* b) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index j = 0; j < n; ++j) sum += static_cast<double>(a[j]) * b[j];
  return sum;
}

double mean(Index n, const real* a) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index j = 0; j < n; ++j) sum += a[j];
  return sum / static_cast<double>(n);
}

double variance(Index n, const real* a, double mean_of_a) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index j = 0; j < n; ++j) sum += (a[j] - mean_of_a) * (a[j] - mean_of_a);
  return sum / static_cast<double>(n);
}

// Every row with mean 0 and variance 1: x̂ = r·(x - μ) with r = 1/√(σ² + 10⁻⁶).
Tensor standardized(const Tensor& x) {
  const Index D = x.dim(-1), rows = x.rows();
  const Tensor out = Tape::output(x.shape(), {&x}), r = Tensor::uninitialized({rows});
  each_row(rows, D, [=, from = x.data(), to = out.data(), r_of = r.data()](Index row) {
    const real* x_row = from + row * D;
    const double mu = mean(D, x_row), r_row = 1 / std::sqrt(variance(D, x_row, mu) + 1e-6);
    r_of[row] = static_cast<real>(r_row);
#pragma omp simd
    for (Index j = 0; j < D; ++j) to[row * D + j] = static_cast<real>(r_row * (x_row[j] - mu));
  });
  Tape::record("layer_norm", out, [=] {
    // dx = r·(dx̂ - mean(dx̂) - x̂·mean(dx̂·x̂)): a common shift of the row, and a common factor, change
    // nothing but μ and r, so the gradient has no part along these two directions.
    const auto [dx, add] = x.grad_part();
    each_row(rows, D, [=, add = add, to = dx, from = out.data(), grad = out.grad()](Index row) {
      const real *x_hat = from + row * D, *d = grad + row * D;
      real* dx_row = to + row * D;
      const real shifting = static_cast<real>(mean(D, d)), r_row = r[row];
      const real scaling = static_cast<real>(dot(D, d, x_hat) / static_cast<double>(D));
#pragma omp simd
      for (Index j = 0; j < D; ++j) {
        const real part = r_row * (d[j] - shifting - x_hat[j] * scaling);
        dx_row[j] = add ? dx_row[j] + part : part;
      }
    });
  });
  return out;
}

// x_j·scale_j + shift_j for every row of x (..., D).
Tensor scaled_and_shifted(const Tensor& x, const Tensor& scale, const Tensor& shift) {
  const Index D = x.dim(-1), rows = x.rows();
  const Tensor out = Tape::output(x.shape(), {&x, &scale, &shift});
  each_row(rows, D, [=, from = x.data(), to = out.data(), a = scale.data(), b = shift.data()](Index row) {
#pragma omp simd
    for (Index j = 0; j < D; ++j) {
      const Index i = row * D + j;
      to[i] = (a != nullptr ? a[j] : 1) * from[i] + (b != nullptr ? b[j] : 0);
    }
  });
  Tape::record("scale and shift", out, [=] {
    const real* d = out.grad();
    if (x.has_grad()) {
      const auto [dx, add] = x.grad_part();
      each_row(rows, D, [=, add = add, to = dx, a = scale.data()](Index row) {
#pragma omp simd
        for (Index j = 0; j < D; ++j) {
          const Index i = row * D + j;
          const real part = (a != nullptr ? a[j] : 1) * d[i];
          to[i] = add ? to[i] + part : part;
        }
      });
    }
    // dscale_j = Σ dout_j·x_j and dshift_j = Σ dout_j over the rows (in double: there can be many)
    const auto add_columns = [=](const Tensor& parameter, const auto& term) {
      if (!parameter.has_grad()) return;
      std::vector<double> sum(static_cast<std::size_t>(D));
      for (Index row = 0; row < rows; ++row) {
#pragma omp simd
        for (Index j = 0; j < D; ++j) sum[static_cast<std::size_t>(j)] += term(row * D + j);
      }
      real* grad = parameter.grad();
      for (Index j = 0; j < D; ++j) grad[j] += static_cast<real>(sum[static_cast<std::size_t>(j)]);
    };
    add_columns(scale, [d, from = x.data()](Index i) { return static_cast<double>(d[i]) * from[i]; });
    add_columns(shift, [d](Index i) { return static_cast<double>(d[i]); });
  });
  return out;
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift) {
  check(x.shape().rank() >= 1, "layer_norm: x ", x.shape(), ": expected at least a row");
  const Shape channels{x.dim(-1)};
  const auto fits = [&](const Tensor& p) { return !p.defined() || p.shape() == channels; };
  check(fits(scale) && fits(shift), "layer_norm: x ", x.shape(), ", scale ", scale.shape(), ", shift ",
        shift.shape(), ": expected x (..., D), scale and shift (D) or empty");
  const Tensor x_hat = standardized(x);
  return scale.defined() || shift.defined() ? scaled_and_shifted(x_hat, scale, shift) : x_hat;
}

Tensor unit_length(const Tensor& x, Index heads) {
  check(x.shape().rank() >= 1 && heads > 0 && x.dim(-1) % heads == 0, "unit_length: x ", x.shape(), ": ",
        heads, " heads do not divide the last dimension");
  const Index K = x.dim(-1) / heads, vectors = x.rows() * heads;
  constexpr double least = 1e-16;
  const Tensor out = Tape::output(x.shape(), {&x});
  each_row(vectors, K, [=, from = x.data(), to = out.data()](Index v) {
    const real* x_v = from + v * K;
    const real factor = static_cast<real>(1 / (least + std::sqrt(dot(K, x_v, x_v))));
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
      const double n = std::sqrt(dot(K, x_v, x_v));
      const real factor = static_cast<real>(1 / (least + n));
      const real along = static_cast<real>(n > 0 ? dot(K, y + v * K, d) / n : 0);
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
