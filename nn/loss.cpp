#include "nn/loss.h"

#include <algorithm>

#include "core/sum.h"
#include "core/tape.h"
#include "nn/counted_rows.h"

namespace mesagrad {

namespace {

CountedRows checked(const char* op, const Tensor& output, const Tensor& labels,
                    const std::vector<Index>& positions) {
  check(output.shape().rank() == 3 && labels.shape().rank() == 3 && output.dim(0) == labels.dim(0) &&
            output.dim(1) == labels.dim(1) && labels.dim(2) <= output.dim(2),
        op, ": output ", output.shape(), " and labels ", labels.shape(),
        ": expected (B, T, D) and (B, T, d) with d <= D");
  return {op, output.dim(0), output.dim(1), positions};
}

// ||x - y||² of d numbers.
double squared_distance(const real* x, const real* y, Index d) {
  return sum_in_double(d, [=](Index j) {
    const double error = static_cast<double>(x[j]) - y[j];
    return error * error;
  });
}

}  // namespace

Tensor squared_error(const Tensor& output, const Tensor& labels, Index sequences,
                     const std::vector<Index>& positions) {
  const CountedRows rows = checked("squared_error", output, labels, positions);
  const Index D = output.dim(2), d = labels.dim(2);
  const Index counted = sequences != 0 ? sequences : output.dim(0);
  check(counted > 0 && output.dim(1) > 0, "squared_error: output ", output.shape(), ": no mean over ",
        counted, " sequences");
  const Index terms = Shape({counted, rows.of_a_sequence()}).size();
  const Tensor loss = Tape::output({}, {&output});
  // Of output, (B·T, D), and of labels, (B·T, d), those rows count that are number rows[n], n < rows.count().
  // exercise 4.1: the loss, from the rows that count
  double sum = 0;
  for (Index n = 0; n < rows.count(); ++n)
    sum += squared_distance(output.data() + rows[n] * D, labels.data() + rows[n] * d, d);
  loss[0] = static_cast<real>(sum / (2 * static_cast<double>(terms)));
  // end 4.1
  Tape::record("squared_error", loss, [=] {
    // exercise 4.2: add to the gradient of `output` what belongs there
    const real scale = loss.grad()[0] / static_cast<real>(terms);
    // d(e²/2n)/de = e/n in the first d channels where a position counts, nothing elsewhere
    const auto [dx, add] = output.grad_part();
    if (!add) std::fill_n(dx, output.size(), real{0});
    for (Index n = 0; n < rows.count(); ++n) {
      const real *x = output.data() + rows[n] * D, *y = labels.data() + rows[n] * d;
      real* dx_row = dx + rows[n] * D;
#pragma omp simd
      for (Index j = 0; j < d; ++j) dx_row[j] += scale * (x[j] - y[j]);
    }
    // end 4.2
  });
  return loss;
}

void squared_errors(const Tensor& output, const Tensor& labels, double* out,
                    const std::vector<Index>& positions) {
  const CountedRows rows = checked("squared_errors", output, labels, positions);
  const Index D = output.dim(2), d = labels.dim(2);
  for (Index n = 0; n < rows.count(); ++n) {
    double sum = 0;  // in the order in which curves of other predictors are summed: the same bits
    for (Index j = 0; j < d; ++j) {
      const double error = static_cast<double>(output[rows[n] * D + j]) - labels[rows[n] * d + j];
      sum += error * error;
    }
    out[n] = sum / 2;
  }
}

}  // namespace mesagrad
