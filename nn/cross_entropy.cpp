#include "nn/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/elementary.h"
#include "core/exponential.h"
#include "core/parallel.h"
#include "core/sum.h"
#include "core/tape.h"
#include "nn/counted_rows.h"

namespace mesagrad {
namespace {

// log Σ exp(x_v) = largest + log Σ exp(x_v - largest), in two parts: together they might round the second
// away.
struct Normalizer {
  double largest, rest;
};

// Of n > 0 numbers, block by block: what has been summed is scaled down whenever a larger number turns up, so
// that no exponential exceeds 1, and each block is read once from memory.
Normalizer log_sum_exponentials(const real* x, Index n) {
  constexpr Index block = 512;
  constexpr real least = -std::numeric_limits<real>::infinity();
  double largest = static_cast<double>(least), sum = 0;
  for (Index begin = 0; begin < n; begin += block) {
    const Index count = std::min(block, n - begin);
    const real* from = x + begin;
    Vector most = broadcast(least);
    for (Index j = 0; j < count; j += lanes) {
      const Vector x_j = first(std::min(lanes, count - j), load(from + j), least);
      most = most > x_j ? most : x_j;
    }
    const real block_largest = over_lanes(most, [](Vector a, Vector b) { return a > b ? a : b; })[0];
    if (block_largest > largest) {
      sum *= exponential(largest - static_cast<double>(block_largest));
      largest = static_cast<double>(block_largest);
    }
    const Vector shift = broadcast(static_cast<real>(largest));
    sum += static_cast<double>(sum_of(count, [=](Index j) { return exponential(load(from + j) - shift); }));
  }
  return {largest, logarithm(sum)};
}

// -log p of a number x
double surprise(const Normalizer& all, real x) { return all.rest + (all.largest - static_cast<double>(x)); }

Index label_of(const Tensor& labels, Index row) { return static_cast<Index>(labels[row]); }

CountedRows checked(const char* op, const Tensor& logits, const Tensor& labels,
                    const std::vector<Index>& positions) {
  check(logits.shape().rank() == 3 && labels.shape().rank() == 2 && logits.dim(0) == labels.dim(0) &&
            logits.dim(1) == labels.dim(1),
        op, ": logits ", logits.shape(), " and labels ", labels.shape(), ": expected (B, T, V) and (B, T)");
  const Index V = logits.dim(2);
  for (Index row = 0; row < labels.size(); ++row) {
    check(labels[row] >= 0 && labels[row] < static_cast<real>(V) &&
              labels[row] == static_cast<real>(label_of(labels, row)),
          op, ": label ", labels[row], " is none of the whole numbers 0 to ", V - 1);
  }
  return {op, logits.dim(0), logits.dim(1), positions};
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, Index sequences,
                     const std::vector<Index>& positions) {
  const CountedRows rows = checked("cross_entropy", logits, labels, positions);
  const Index V = logits.dim(2), T = logits.dim(1), N = rows.count();
  const Index counted = sequences != 0 ? sequences : logits.dim(0);
  check(counted > 0 && T > 0, "cross_entropy: logits ", logits.shape(), ": no mean over ", counted,
        " sequences");
  const double terms = static_cast<double>(Shape({counted, rows.of_a_sequence()}).size());
  const Tensor loss = Tape::output({}, {&logits});
  const Tensor normalizers = Tensor::uninitialized({N, 2}), losses = Tensor::uninitialized({N});
  each_row(N, V, [=](Index n) {
    const real* x = logits.data() + rows[n] * V;
    const Normalizer all = log_sum_exponentials(x, V);
    normalizers[2 * n] = static_cast<real>(all.largest);
    normalizers[2 * n + 1] = static_cast<real>(all.rest);
    losses[n] = static_cast<real>(surprise(all, x[label_of(labels, rows[n])]));
  });
  double sum = 0;
  for (Index n = 0; n < N; ++n) sum += static_cast<double>(losses[n]);
  loss[0] = static_cast<real>(sum / terms);
  Tape::record("cross_entropy", loss, [=] {
    // d(log Σ exp)/dx_v = p_v, and the label's own logit is subtracted
    const real scale = static_cast<real>(loss.grad()[0] / terms);
    const Tensor::GradPart dlogits = logits.grad_part();
    if (!positions.empty() && !dlogits.add) std::fill_n(dlogits.values, logits.size(), real{0});
    each_row(N, V, [=](Index n) {
      const real* x = logits.data() + rows[n] * V;
      const auto [dx, add] = dlogits.from(rows[n] * V);
      const Vector largest = broadcast(normalizers[2 * n]), rest = broadcast(normalizers[2 * n + 1]);
      for (Index v = 0; v < V; v += lanes) {
        const Vector p = exponential((load(x + v) - largest) - rest);
        store_first(std::min(lanes, V - v), scale * p, dx + v, add);
      }
      dx[label_of(labels, rows[n])] -= scale;
    });
  });
  return loss;
}

void cross_entropies(const Tensor& logits, const Tensor& labels, double* out,
                     const std::vector<Index>& positions) {
  const CountedRows rows = checked("cross_entropies", logits, labels, positions);
  const Index V = logits.dim(2);
  each_row(rows.count(), V, [&](Index n) {
    const real* x = logits.data() + rows[n] * V;
    out[n] = surprise(log_sum_exponentials(x, V), x[label_of(labels, rows[n])]);
  });
}

}  // namespace mesagrad
