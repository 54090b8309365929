#include "nn/dpfp.h"

#include <algorithm>
#include <vector>

#include "core/parallel.h"
#include "core/tape.h"

namespace mesagrad {
namespace {

// r of one head's x (K).
void halves(const real* x, Index K, real* r) {
  for (Index i = 0; i < K; ++i) {
    r[i] = x[i] > 0 ? x[i] : real{0};
    r[K + i] = x[i] < 0 ? -x[i] : real{0};
  }
}

// f(i, the place j before it on a circle of n)
template <class F>
void around(Index n, Index j, const F& f) {
  for (Index i = 0; i < n; ++i) f(i, (i + n - j % n) % n);
}

}  // namespace

Tensor dpfp(const Tensor& x, Index heads, Index n) {
  check(x.shape().rank() > 0 && heads > 0 && x.dim(-1) % heads == 0, "dpfp: ", heads,
        " heads do not divide the last dimension of ", x.shape());
  check(n > 0, "dpfp: the order is ", n, ", it must be positive");
  const Index K = x.dim(-1) / heads, wide = 2 * K, rows = x.rows() * heads;
  const Tensor out = Tape::output(x.shape().with_last(Shape({heads, wide, n}).size()), {&x});
  each_row(rows, wide * n, [=](Index row) {
    thread_local std::vector<real> r;
    r.resize(static_cast<std::size_t>(wide));
    halves(x.data() + row * K, K, r.data());
    real* to = out.data() + row * wide * n;
    for (Index j = 1; j <= n; ++j, to += wide) {
      around(wide, j, [&, from = r.data()](Index i, Index before) { to[i] = from[i] * from[before]; });
    }
  });
  Tape::record("dpfp", out, [=] {
    const auto [dx, add] = x.grad_part();
    each_row(rows, wide * n, [=, dx = dx, add = add](Index row) {
      thread_local std::vector<real> both;
      both.assign(static_cast<std::size_t>(2 * wide), real{0});
      real *r = both.data(), *dr = r + wide;
      halves(x.data() + row * K, K, r);
      const real* dout = out.grad() + row * wide * n;
      for (Index j = 1; j <= n; ++j, dout += wide) {
        // a product's gradient goes to both its factors
        around(wide, j, [&](Index i, Index before) {
          dr[i] += dout[i] * r[before];
          dr[before] += dout[i] * r[i];
        });
      }
      for (Index i = 0; i < K; ++i) {
        const real x_i = x[row * K + i], part = x_i > 0 ? dr[i] : x_i < 0 ? -dr[K + i] : real{0};
        dx[row * K + i] = add ? dx[row * K + i] + part : part;
      }
    });
  });
  return out;
}

}  // namespace mesagrad
