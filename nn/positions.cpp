#include "nn/positions.h"

#include <algorithm>

#include "core/elementary.h"
#include "core/elementwise.h"

namespace mesagrad {
namespace {

void check_table(const char* op, const Tensor& x, const Tensor& table) {
  check(x.shape().rank() == 3 && table.shape().rank() == 2, op, ": x ", x.shape(), ", table ",
        table.shape(), ": expected x (B, T, D) and a matrix");
  check(x.dim(1) <= table.dim(0), op, ": x ", x.shape(), " has ", x.dim(1), " tokens, the table ",
        table.shape(), " only ", table.dim(0), " positions");
}

}  // namespace

Tensor sinusoidal_table(Index T, Index D) {
  const Tensor table({T, D});
  for (Index p = 0; p < T; ++p) {
    for (Index j = 0; j < D; ++j) {
      const double exponent = static_cast<double>(j - j % 2) / static_cast<double>(D);
      const double angle = static_cast<double>(p) * exponential(-exponent * logarithm(10000));
      table[p * D + j] = static_cast<real>(j % 2 == 0 ? sine(angle) : cosine(angle));
    }
  }
  return table;
}

Tensor concatenate_positions(const Tensor& x, const Tensor& table) {
  check_table("concatenate_positions", x, table);
  const Index T = x.dim(1), D = x.dim(2), P = table.dim(1), width = D + P;
  const Tensor out = Tape::output(x.shape().with_last(width), {&x});
  each_row(x.rows(), width, [=, from = x.data(), rows = table.data(), to = out.data()](Index row) {
    std::copy_n(from + row * D, D, to + row * width);
    std::copy_n(rows + row % T * P, P, to + row * width + D);
  });
  Tape::record("concatenate_positions", out, [=] {
    const Tensor::GradPart dx = x.grad_part();
    each_row(x.rows(), D, [=, d = out.grad()](Index row) {
      for (Index j = 0; j < D; ++j) {
        const real part = d[row * width + j];
        real& to = dx.values[row * D + j];
        to = dx.add ? to + part : part;
      }
    });
  });
  return out;
}

Tensor add_positions(const Tensor& x, const Tensor& table) {
  check_table("add_positions", x, table);
  const Index T = x.dim(1), D = x.dim(2);
  check(table.dim(1) == D, "add_positions: x ", x.shape(), " and table ", table.shape(),
        " differ in their last dimension");
  const Tensor out = Tape::output(x.shape(), {&x, &table});
  each_row(x.rows(), D, [=, from = x.data(), rows = table.data(), to = out.data()](Index row) {
    for (Index j = 0; j < D; ++j) to[row * D + j] = from[row * D + j] + rows[row % T * D + j];
  });
  Tape::record("add_positions", out, [=] {
    add_to_grad(x, [dout = out.grad()](Index i) { return dout[i]; });
    if (!table.has_grad()) return;
    real* dtable = table.grad();  // a position's, from every sequence
    for (Index i = 0; i < out.size(); ++i) dtable[i % (T * D)] += out.grad()[i];
  });
  return out;
}

Tensor tokens_before(const Tensor& x, const Tensor& first) {
  check(x.shape().rank() == 3, "tokens_before: x ", x.shape(), ": expected (B, T, D)");
  const Index T = x.dim(1), D = x.dim(2);
  check(!first.defined() || first.shape() == Shape({x.dim(0), 1, D}), "tokens_before: x ", x.shape(),
        " and the token before it ", [&] { return text(first.shape()); });
  check(!first.defined() || !first.has_grad(), "tokens_before: the token before passes no gradient on");
  const Tensor out = Tape::output(x.shape(), {&x});
  each_row(x.rows(), D, [=, from = x.data(), to = out.data()](Index row) {
    if (row % T != 0) std::copy_n(from + (row - 1) * D, D, to + row * D);
    else if (first.defined()) std::copy_n(first.data() + row / T * D, D, to + row * D);
    else std::fill_n(to + row * D, D, real{0});
  });
  Tape::record("tokens_before", out, [=] {
    // The last token of a sequence comes before none.
    add_to_grad(x, [=, dout = out.grad()](Index i) { return i / D % T == T - 1 ? 0 : dout[i + D]; });
  });
  return out;
}

Tensor last_token(const Tensor& x) {
  check(x.shape().rank() == 3 && x.dim(1) > 0, "last_token: x ", x.shape(), ": expected (B, T, D), T > 0");
  const Index B = x.dim(0), T = x.dim(1), D = x.dim(2);
  const Tensor last({B, 1, D});
  for (Index b = 0; b < B; ++b) std::copy_n(x.data() + (b * T + T - 1) * D, D, last.data() + b * D);
  return last;
}

}  // namespace mesagrad
