#include "nn/tuned_tokens.h"

#include <algorithm>

#include "core/elementwise.h"
#include "core/tape.h"

namespace mesagrad {

Tensor add_tokens(const Tensor& x, const Tensor& vectors, const std::vector<Index>& at) {
  check(x.shape().rank() == 3 && vectors.shape().rank() == 2 && x.dim(2) == vectors.dim(1), "add_tokens: x ",
        x.shape(), ", vectors ", vectors.shape(), ": expected (B, T, n) and (R, n)");
  const Index B = x.dim(0), T = x.dim(1), n = x.dim(2);
  check(std::ssize(at) >= T, "add_tokens: x ", x.shape(), " has ", T, " tokens, of ", at.size(),
        " it is known what stands there");
  for (const Index r : at) {
    check(r >= -1 && r < vectors.dim(0), "add_tokens: there is no vector ", r, " among ", vectors.shape());
  }
  const Tensor out = Tape::output(x.shape(), {&x, &vectors});
  std::copy_n(x.data(), x.size(), out.data());
  // add(row of x, row of vectors) for each of the tokens that get one
  const auto each = [=](const auto& add) {
    for (Index b = 0; b < B; ++b) {
      for (Index t = 0; t < T; ++t) {
        const Index r = at[static_cast<std::size_t>(t)];
        if (r >= 0) add((b * T + t) * n, r * n);
      }
    }
  };
  each([&](Index to, Index from) {
    for (Index j = 0; j < n; ++j) out[to + j] += vectors[from + j];
  });
  Tape::record("add_tokens", out, [=] {
    add_to_grad(x, [dout = out.grad()](Index i) { return dout[i]; });
    if (!vectors.has_grad()) return;
    each([&, dv = vectors.grad(), dout = out.grad()](Index row, Index r) {
      for (Index j = 0; j < n; ++j) dv[r + j] += dout[row + j];
    });
  });
  return out;
}

}  // namespace mesagrad
