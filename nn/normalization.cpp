#include "nn/normalization.h"

#include <algorithm>
#include <cmath>

#include "core/norm.h"
#include "core/parallel.h"
#include "core/sum.h"
#include "core/tape.h"
#include "core/tile.h"

namespace mesagrad {
namespace {

// Below, f(j) is the vector of a row's numbers from j on. Behind the row's end it may hold anything.

// to_j (+)= f(j).
template <class F>
void fill(Index n, real* to, bool add, const F& f) {
  for (Index j = 0; j < n; j += lanes) store_first(std::min(lanes, n - j), f(j), to + j, add);
}

// A row of x with mean 0 and variance 1: x̂_j = r·(x_j - μ), r = 1/√(σ² + 10⁻⁶). All is computed from the
// distances to the row's first number. So a large part that they have in common costs no digits: a
// constant row gives zeros. Where squares overflow, f·x takes the place of x, with a power of two f.
struct Standardized {
  const real* x;
  real f = 1, origin, mean, r;  // f·μ = origin + mean

  Standardized(const real* row, Index D) : x(row) {
    if (std::isfinite(measured_variance(D))) return;
    f = scale_to_one(largest_of(D, x)) / 4;  // so that a distance, too, is below 1
    measured_variance(D);
  }

  Vector operator()(Index j) const { return r * ((f * load(x + j) - origin) - mean); }

  real slope() const { return f * r; }  // ∂x̂_j/∂x_j while μ and σ stay as they are

 private:
  real measured_variance(Index D) {
    const real share = 1 / static_cast<real>(D);
    origin = f * x[0];
    mean = share * sum_of(D, [&](Index j) { return f * load(x + j) - origin; });
    const real variance = share * sum_of(D, [&](Index j) {
      const Vector distance = (f * load(x + j) - origin) - mean;
      return distance * distance;
    });
    r = 1 / std::sqrt(variance + f * f * static_cast<real>(1e-6));
    return variance;
  }
};

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift) {
  check(x.shape().rank() >= 1, "layer_norm: x ", x.shape(), ": expected at least a row");
  const Index D = x.dim(-1), rows = x.rows();
  const auto fits = [&](const Tensor& p) { return !p.defined() || p.shape() == Shape({D}); };
  check(fits(scale) && fits(shift), "layer_norm: x ", x.shape(), ", scale ", scale.shape(), ", shift ",
        shift.shape(), ": expected x (..., D), scale and shift (D) or empty");
  const Tensor factor = scale.defined() ? scale : Tensor({D}, 1);
  const Tensor offset = shift.defined() ? shift : Tensor({D}, 0);
  const Tensor out = Tape::output(x.shape(), {&x, &scale, &shift});
  each_row(rows, D, [=, from = x.data(), to = out.data(), a = factor.data(), b = offset.data()](Index row) {
    const Standardized x_hat(from + row * D, D);
    fill(D, to + row * D, false, [&](Index j) { return load(a + j) * x_hat(j) + load(b + j); });
  });
  Tape::record("layer_norm", out, [=] {
    // exercise 8.6: the gradients of x, scale and shift, if they have any
    //
    // With dx̂_j = scale_j·dout_j,
    //     dx = r·(dx̂ - mean(dx̂) - x̂·mean(dx̂·x̂)):
    // a common shift of the row, and a common factor, change nothing but μ and σ, so that the gradient
    // has no part along these two directions. For the parameters
    //     dscale_j = Σ dout_j·x̂_j,   dshift_j = Σ dout_j      over all rows,
    // summed up in pieces of a fixed number of rows: the same sums on any number of threads.
    constexpr Index piece = 256;
    const Index pieces = (rows + piece - 1) / piece, width = padded(D);
    const bool for_parameters = scale.has_grad() || shift.has_grad();
    const Tensor sums({for_parameters ? pieces : 0, 2, width});
    const Tensor::GradPart dx = x.grad_part();
    each_row(pieces, piece * D, [=, from = x.data(), a = factor.data(), grad = out.grad()](Index p) {
      real *dscale = sums.data() + p * 2 * width, *dshift = dscale + width;
      for (Index row = p * piece; row < std::min(rows, (p + 1) * piece); ++row) {
        const Standardized x_hat(from + row * D, D);
        const real* dout = grad + row * D;
        const auto dx_hat = [&](Index j) { return load(a + j) * load(dout + j); };
        if (dx.values != nullptr) {
          const real share = 1 / static_cast<real>(D);
          const real shifting = share * sum_of(D, dx_hat);
          const real scaling = share * sum_of(D, [&](Index j) { return dx_hat(j) * x_hat(j); });
          fill(D, dx.values + row * D, dx.add,
               [&](Index j) { return x_hat.slope() * (dx_hat(j) - shifting - x_hat(j) * scaling); });
        }
        for (Index j = 0; for_parameters && j < D; j += lanes) {
          store(load(dscale + j) + load(dout + j) * x_hat(j), dscale + j);
          store(load(dshift + j) + load(dout + j), dshift + j);
        }
      }
    });
    const auto add_sums = [&](const Tensor& parameter, Index which) {
      if (!parameter.has_grad()) return;
      real* to = parameter.grad();
      for (Index p = 0; p < pieces; ++p) {
        for (Index j = 0; j < D; ++j) to[j] += sums[(2 * p + which) * width + j];
      }
    };
    add_sums(scale, 0);
    add_sums(shift, 1);
    // end 8.6
  });
  return out;
}

namespace {

// The length of n numbers: n = length/f, where f is a power of two, and 1 unless that overflows. In double:
// the squares of large floats are too large for a float, those of small ones too small.
struct Length {
  real f = 1, length;

  Length(Index n, const real* x) {
    const auto squares = [&] {
      return sum_in_double(n, [x, f = double{f}](Index j) { return (f * x[j]) * (f * x[j]); });
    };
    double sum = squares();
    if (!(sum > 1e-280 && sum < largest_square)) {
      f = scale_to_one(largest_of(n, x));
      sum = squares();
    }
    length = static_cast<real>(std::sqrt(sum));
  }

  // 1/(10⁻¹⁶ + n), over f.
  real inverse() const { return 1 / (f * static_cast<real>(1e-16) + length); }

  // Of a length that is surely a `real`, and of numbers whose squares are surely doubles.
  static constexpr double largest_square = sizeof(real) == 4 ? 1e75 : 1e300;
};

}  // namespace

Tensor unit_length(const Tensor& x, Index heads) {
  check(x.shape().rank() >= 1 && heads > 0 && x.dim(-1) % heads == 0, "unit_length: x ", x.shape(), ": ",
        heads, " heads do not divide the last dimension");
  const Index K = x.dim(-1) / heads, vectors = x.rows() * heads;
  const Tensor out = Tape::output(x.shape(), {&x});
  each_row(vectors, K, [=, from = x.data(), to = out.data()](Index v) {
    const real* x_v = from + v * K;
    const Length n(K, x_v);
    const real inverse = n.inverse();
    fill(K, to + v * K, false, [=, f = n.f](Index j) { return inverse * (f * load(x_v + j)); });
  });
  Tape::record("unit_length", out, [=] {
    // With n = ||x||, y = x/(10⁻¹⁶ + n) and dn = x·dx/n:
    //     dx = (dy - (x/n)(y·dy))/(10⁻¹⁶ + n): what points along x would only change the length
    const Tensor::GradPart dx = x.grad_part();
    const real *from = x.data(), *y = out.data(), *dy = out.grad();
    each_row(vectors, K, [=](Index v) {
      const real *x_v = from + v * K, *y_v = y + v * K, *d = dy + v * K;
      const Length n(K, x_v);
      const real factor = n.f * n.inverse();
      const auto product = [=](Index j) { return load(y_v + j) * load(d + j); };
      const real along = n.length > 0 ? sum_of(K, product) / n.length : 0;
      fill(K, dx.values + v * K, dx.add,
           [=, f = n.f](Index j) { return factor * (load(d + j) - f * load(x_v + j) * along); });
    });
  });
  return out;
}

}  // namespace mesagrad
