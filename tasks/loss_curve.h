// The loss at each position of a sequence, for models and for classical predictors alike.
#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <functional>
#include <vector>

#include "core/arena.h"
#include "core/parallel.h"
#include "tasks/states.h"

namespace mesagrad {

// ℓ_t = ||f_t - y_t||²/2 at every position, over many sequences.
struct LossCurve {
  std::vector<double> t;          // (T) the positions: 0, 1, ..., or those that count
  std::vector<double> mean;       // (T) over the sequences
  std::vector<double> deviation;  // (T) standard deviation of a single sequence's ℓ_t
  Index sequences = 0;

  double total() const;                   // mean over t: the loss of training
  double standard_error() const;          // of total(), from the sequences' own spread
  double standard_error(Index position) const;  // of mean[position]
  double total_deviation = 0;             // standard deviation of a single sequence's mean over t
};

// At how many positions is `a` below `b` by more than three standard errors of their difference? (Computed as
// if they were measured on different sequences: on the same ones the difference is known better than that.)
Index clearly_below(const LossCurve& a, const LossCurve& b);

// Summarizes losses (sequences, T), row-major.
LossCurve summarize(const std::vector<double>& losses, Index tokens);

// Told from time to time how many sequences are done.
using Watch = std::function<void(Index done)>;

// Runs losses_of(first, count, out) in parallel over parts of 0 .. sequences - 1; it writes ℓ_t of the
// sequences first .. first + count - 1 to out (count, T).
LossCurve loss_curve(Index sequences, Index tokens,
                     const std::function<void(Index, Index, double*)>& losses_of,
                     const Watch& watch = {});

// A prediction (T, d) of s_1 .. s_T from states s_0 .. s_{T-1}; row t may use only s_0 .. s_t.
using Predictor = std::function<Matrix(const Matrix& states)>;

// The same at the positions of `task` that count.
template <Task T>
LossCurve loss_curve(const T& task, std::uint64_t seed, std::uint32_t stream, Index sequences,
                     const std::function<void(Index, Index, double*)>& losses_of, const Watch& watch = {}) {
  const std::vector<Index> positions = task.batch(seed, stream, 0, 1).positions;
  LossCurve curve =
      loss_curve(sequences, positions.empty() ? task.tokens : std::ssize(positions), losses_of, watch);
  if (!positions.empty()) curve.t.assign(positions.begin(), positions.end());
  return curve;
}

// The predictor's ℓ_t on one sequence of states (T + 1, d), at the positions that count (none: all T), to
// out; returns where they end. Throws unless it predicts (T, d).
double* losses_of_prediction(const Predictor& predictor, const Matrix& states,
                             const std::vector<Index>& positions, double* out);

template <Dynamics T>
LossCurve loss_curve(const T& task, std::uint64_t seed, std::uint32_t stream, Index sequences,
                     const Predictor& predictor, const Watch& watch = {}) {
  const std::vector<Index> positions = task.batch(seed, stream, 0, 1).positions;
  return loss_curve(task, seed, stream, sequences, [&](Index first, Index count, double* out) {
    for (Index i = first; i < first + count; ++i) {
      const Random random(seed, stream, static_cast<std::uint64_t>(i));
      out = losses_of_prediction(predictor, task.sample(random).states, positions, out);
    }
  }, watch);
}

// And of a model, model(inputs (B, T, n)) -> (B, T, D).
template <Task T, class Model>
LossCurve loss_curve(const T& task, std::uint64_t seed, std::uint32_t stream, Index sequences,
                     const Model& model)
  requires requires(Tensor inputs) { { model(inputs) } -> std::same_as<Tensor>; }
{
  return loss_curve(task, seed, stream, sequences, [&](Index first, Index count, double* out) {
    thread_local Arena memory;  // every part of this thread uses it again
    memory.reset();
    const Arena::Scope scope(memory);
    const Batch batch = task.batch(seed, stream, first, count);
    task.loss.each(model(batch.inputs), batch, out);
  });
}

// The largest difference between a model's predictions (the first numbers of each output) and a predictor's,
// over all positions of `sequences` sequences.
template <Dynamics T, class Model>
double largest_difference(const T& task, const Model& model, const Predictor& predictor, std::uint64_t seed,
                          Index sequences) {
  double largest = 0;
  for (Index i = 0; i < sequences; ++i) {
    const Tensor output = model(task.batch(seed, stream::analysis_data, i, 1).inputs);
    const Matrix expected =
        predictor(task.sample(Random(seed, stream::analysis_data, static_cast<std::uint64_t>(i))).states);
    for (Index t = 0; t < expected.rows(); ++t) {
      for (Index j = 0; j < expected.columns(); ++j) {
        largest = std::max(largest, std::abs(output[t * output.dim(2) + j] - expected(t, j)));
      }
    }
  }
  return largest;
}

}  // namespace mesagrad
