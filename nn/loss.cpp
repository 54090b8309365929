#include "nn/loss.h"

#include <algorithm>

#include "core/sum.h"
#include "core/tape.h"

namespace mesagrad {

namespace {

// f(row, prediction, label) for all sequences and positions that count; `row` is that of output (B·T, D).
template <class F>
void each_counted(const Tensor& output, const Tensor& labels, const std::vector<Index>& positions,
                  const F& f) {
  const Index T = output.dim(1), D = output.dim(2), d = labels.dim(2);
  const Index count = positions.empty() ? T : std::ssize(positions);
  for (Index b = 0; b < output.dim(0); ++b) {
    for (Index p = 0; p < count; ++p) {
      const Index row = b * T + (positions.empty() ? p : positions[static_cast<std::size_t>(p)]);
      f(row, output.data() + row * D, labels.data() + row * d);
    }
  }
}

void check_shapes(const char* op, const Tensor& output, const Tensor& labels,
                  const std::vector<Index>& positions) {
  check(output.shape().rank() == 3 && labels.shape().rank() == 3 && output.dim(0) == labels.dim(0) &&
            output.dim(1) == labels.dim(1) && labels.dim(2) <= output.dim(2),
        op, ": output ", output.shape(), " and labels ", labels.shape(),
        ": expected (B, T, D) and (B, T, d) with d <= D");
  Index before = -1;
  for (const Index p : positions) {
    check(p > before && p < output.dim(1), op, ": position ", p,
          " counts; positions that do must rise from 0 to ", output.dim(1) - 1);
    before = p;
  }
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
  check_shapes("squared_error", output, labels, positions);
  const Index D = output.dim(2), d = labels.dim(2);
  const Index counted = sequences != 0 ? sequences : output.dim(0);
  check(counted > 0 && output.dim(1) > 0, "squared_error: output ", output.shape(), ": no mean over ",
        counted, " sequences");
  const Index terms = Shape({counted, positions.empty() ? output.dim(1) : std::ssize(positions)}).size();
  const Tensor loss = Tape::output({}, {&output});
  double sum = 0;
  each_counted(output, labels, positions,
               [&](Index, const real* x, const real* y) { sum += squared_distance(x, y, d); });
  loss[0] = static_cast<real>(sum / (2 * static_cast<double>(terms)));
  Tape::record("squared_error", loss, [=] {
    // d(e²/2n)/de = e/n in the first d channels where a position counts, nothing elsewhere
    const real scale = loss.grad()[0] / static_cast<real>(terms);
    const auto [dx, add] = output.grad_part();
    if (!add) std::fill_n(dx, output.size(), real{0});
    each_counted(output, labels, positions, [&, to = dx](Index row, const real* x, const real* y) {
      real* dx_row = to + row * D;
#pragma omp simd
      for (Index j = 0; j < d; ++j) dx_row[j] += scale * (x[j] - y[j]);
    });
  });
  return loss;
}

void squared_errors(const Tensor& output, const Tensor& labels, double* out,
                    const std::vector<Index>& positions) {
  check_shapes("squared_errors", output, labels, positions);
  each_counted(output, labels, positions, [&](Index, const real* x, const real* y) {
    double sum = 0;  // in the order in which curves of other predictors are summed: the same bits
    for (Index j = 0; j < labels.dim(2); ++j) {
      const double error = static_cast<double>(x[j]) - y[j];
      sum += error * error;
    }
    *out++ = sum / 2;
  });
}

}  // namespace mesagrad
