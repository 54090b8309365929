#include "nn/loss.h"

#include <algorithm>

#include "core/sum.h"
#include "core/tape.h"

namespace mesagrad {

Tensor squared_error(const Tensor& output, const Tensor& labels, Index sequences) {
  check(output.shape().rank() == 3 && labels.shape().rank() == 3 && output.dim(0) == labels.dim(0) &&
            output.dim(1) == labels.dim(1) && labels.dim(2) <= output.dim(2),
        "squared_error: output ", output.shape(), " and labels ", labels.shape(),
        ": expected (B, T, D) and (B, T, d) with d <= D");
  const Index rows = output.rows(), D = output.dim(2), d = labels.dim(2);
  const Index counted = sequences != 0 ? sequences : output.dim(0);
  check(counted > 0 && output.dim(1) > 0, "squared_error: output ", output.shape(), ": no mean over ",
        counted, " sequences");
  const Index positions = Shape({counted, output.dim(1)}).size();
  const Tensor loss = Tape::output({}, {&output});
  double sum = 0;
  for (Index row = 0; row < rows; ++row) {
    const real *x = output.data() + row * D, *y = labels.data() + row * d;
    sum += sum_in_double(d, [=](Index j) {
      const double error = static_cast<double>(x[j]) - y[j];
      return error * error;
    });
  }
  loss[0] = static_cast<real>(sum / (2 * static_cast<double>(positions)));
  Tape::record("squared_error", loss, [=] {
    // d(e²/2n)/de = e/n in the first d channels, nothing in the others
    const real scale = loss.grad()[0] / static_cast<real>(positions);
    const auto [dx, add] = output.grad_part();
    for (Index row = 0; row < rows; ++row) {
      const real *x = output.data() + row * D, *y = labels.data() + row * d;
      real* dx_row = dx + row * D;
      if (!add) std::fill_n(dx_row, D, real{0});
#pragma omp simd
      for (Index j = 0; j < d; ++j) dx_row[j] += scale * (x[j] - y[j]);
    }
  });
  return loss;
}

}  // namespace mesagrad
