#include "nn/activations.h"

#include <algorithm>

#include "core/exponential.h"
#include "core/parallel.h"
#include "core/simd.h"
#include "core/tape.h"

namespace mesagrad {
namespace {

// ½(1 + tanh u) = 1/(1 + e⁻²ᵘ): one exponential, and no cancellation where tanh u is near -1.
// 2u = x·(slope + cubic·x²).
constexpr real slope = static_cast<real>(1.5957691216057308);  // 2√(2/π)
constexpr real cubic = static_cast<real>(0.044715 * 1.5957691216057308);

Vector half_one_plus_tanh(Vector x) { return 1 / (1 + exponential(-x * (slope + cubic * x * x))); }

// to_i = f(x_i, d_i), or added to it, for n numbers, vector by vector. Tensors may be read past their end.
template <class F>
void vector_by_vector(Index n, const real* x, const real* d, real* to, bool add, const F& f) {
  constexpr Index cost = 4 * lanes;
  each_row((n + lanes - 1) / lanes, cost, [=](Index v) {
    const Index i = v * lanes;
    store_first(std::min(lanes, n - i), f(load(x + i), load(d + i)), to + i, add);
  });
}

}  // namespace

Tensor gelu(const Tensor& x) {
  check(x.defined(), "gelu: the argument is an empty tensor");
  const Tensor out = Tape::output(x.shape(), {&x});
  vector_by_vector(x.size(), x.data(), x.data(), out.data(), false,
                   [](Vector z, Vector) { return z * half_one_plus_tanh(z); });
  Tape::record("gelu", out, [=] {
    // With s = 1/(1 + e⁻²ᵘ): d(x·s)/dx = s + x·s(1 - s)·d(2u)/dx. Beyond ±10 that is 0 or 1 but for
    // 10⁻³⁴, and we need not compute 0 times x³, which may be infinite.
    const auto [dx, add] = x.grad_part();
    vector_by_vector(x.size(), x.data(), out.grad(), dx, add, [](Vector from, Vector d) {
      Vector z = from < -10 ? Vector{} - 10 : from;
      z = z > 10 ? Vector{} + 10 : z;
      const Vector s = half_one_plus_tanh(z);
      return d * (s + z * s * (1 - s) * (slope + 3 * cubic * z * z));
    });
  });
  return out;
}

}  // namespace mesagrad
