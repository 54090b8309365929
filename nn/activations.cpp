#include "nn/activations.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "core/tape.h"

namespace mesagrad {
namespace {

// ½(1 + tanh u) = 1/(1 + e⁻²ᵘ): one exponential, and no cancellation where tanh u is near -1.
// 2u = x·(slope + cubic·x²).
constexpr real slope = static_cast<real>(1.5957691216057308);  // 2√(2/π)
constexpr real cubic = static_cast<real>(0.044715 * 1.5957691216057308);

real half_one_plus_tanh(real x) { return 1 / (1 + std::exp(-x * (slope + cubic * x * x))); }

}  // namespace

Tensor gelu(const Tensor& x) {
  check(x.defined(), "gelu: the argument is an empty tensor");
  const Tensor out = Tape::output(x.shape(), {&x});
  elementwise(out.size(), [from = x.data(), to = out.data()](Index i) {
    to[i] = from[i] * half_one_plus_tanh(from[i]);
  });
  Tape::record("gelu", out, [=] {
    // With s = 1/(1 + e⁻²ᵘ): d(x·s)/dx = s + x·s(1 - s)·d(2u)/dx. Beyond ±10 that is 0 or 1 but for
    // 10⁻³⁴, and we need not compute 0 times x³, which may be infinite.
    const auto [dx, add] = x.grad_part();
    elementwise(x.size(), [add = add, dx = dx, from = x.data(), d = out.grad()](Index i) {
      const real z = std::clamp(from[i], real{-10}, real{10});
      const real s = half_one_plus_tanh(z);
      const real part = d[i] * (s + z * s * (1 - s) * (slope + 3 * cubic * z * z));
      dx[i] = add ? dx[i] + part : part;
    });
  });
  return out;
}

}  // namespace mesagrad
