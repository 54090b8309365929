#include "nn/activations.h"

#include <algorithm>

#include "core/exponential.h"
#include "core/parallel.h"
#include "core/tape.h"

namespace mesagrad {
namespace {

// Beyond ±10 gelu is 0 or x, but for 10⁻³⁶, and is taken to be that: so no power of x gets infinite.
constexpr real far = 10;

// s = ½(1 + tanh u) = 1/(1 + e⁻²ᵘ), the share of x that gelu lets pass: one exponential, and no
// cancellation where tanh u is near -1. 2u = z·(slope + cubic·z²), where z is x limited to ±10.
constexpr real slope = static_cast<real>(1.5957691216057308);  // 2√(2/π)
constexpr real cubic = static_cast<real>(0.044715 * 1.5957691216057308);

struct Gate {
  Vector z, e, s;
  explicit Gate(Vector x)
      : z(x > far ? broadcast(far) : x < -far ? broadcast(-far) : x),
        e(exponential(-z * multiply_add(cubic * z, z, broadcast(slope)))),
        s(1 / (1 + e)) {}
};

// to_i (+)= f(i), the vector of the numbers from i on, for i = 0, lanes, ... below n.
template <class F>
void each_vector(Index n, real* to, bool add, const F& f) {
  each_row((n + lanes - 1) / lanes, lanes, [=](Index row) {
    const Index i = row * lanes;
    store_first(std::min(lanes, n - i), f(i), to + i, add);
  });
}

}  // namespace

Tensor gelu(const Tensor& x) {
  check_defined("gelu", x);
  const Tensor out = Tape::output(x.shape(), {&x});
  // exercise 8.7: gelu of each number of x
  each_vector(x.size(), out.data(), false, [from = x.data()](Index i) {
    const Vector x_i = load(from + i);
    return x_i < -far ? Vector{} : x_i * Gate(x_i).s;
  });
  // end 8.7
  Tape::record("gelu", out, [=] {
    // exercise 8.7: the gradient of x, of that of out and the slope of gelu
    //
    // out = x·s, and with ds = s(1 - s)·d(2u) and 1 - s = e⁻²ᵘ·s (which does not cancel),
    //     d(x·s)/dx = s + x·s·(e⁻²ᵘ·s)·(slope + 3·cubic·x²)
    const auto [dx, add] = x.grad_part();
    each_vector(x.size(), dx, add, [from = x.data(), dout = out.grad()](Index i) {
      const auto [z, e, s] = Gate(load(from + i));
      const Vector inner = multiply_add(3 * cubic * z, z, broadcast(slope));
      return load(dout + i) * multiply_add(z * s * (e * s), inner, s);
    });
    // end 8.7
  });
  return out;
}

}  // namespace mesagrad
