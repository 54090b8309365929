// The loss at each position of a sequence, for models and for classical predictors alike.
#pragma once
#include <concepts>
#include <cstdint>
#include <functional>
#include <vector>

#include "core/parallel.h"
#include "core/tensor.h"
#include "tasks/linear_dynamics.h"

namespace mesagrad {

// ℓ_t = ||f_t - y_t||²/2 at every position, over many sequences.
struct LossCurve {
  std::vector<double> mean;       // (T) over the sequences
  std::vector<double> deviation;  // (T) standard deviation of a single sequence's ℓ_t
  Index sequences = 0;

  double total() const;                   // mean over t: the loss of training
  double standard_error() const;          // of total(), from the sequences' own spread
  double standard_error(Index t) const;   // of mean[t]
  double total_deviation = 0;             // standard deviation of a single sequence's mean over t
};

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

LossCurve loss_curve(const LinearDynamics& task, std::uint64_t seed, std::uint32_t stream,
                     Index sequences, const Predictor& predictor, const Watch& watch = {});

// The same for a model: model(tokens_of(states (B, T + 1, d))) -> (B, T, D), prediction in the first d
// channels.
template <class Model>
LossCurve loss_curve(const LinearDynamics& task, std::uint64_t seed, std::uint32_t stream,
                     Index sequences, const Model& model,
                     Tensor (*tokens_of)(const Tensor& states) = constructed_tokens)
  requires requires(Tensor tokens) { { model(tokens) } -> std::same_as<Tensor>; }
{
  return loss_curve(sequences, task.tokens, [&](Index first, Index count, double* out) {
    thread_local Arena memory;  // every part of this thread uses it again
    memory.reset();
    const Arena::Scope scope(memory);
    const Tensor states = task.sample(seed, stream, first, count);
    const Tensor output = model(tokens_of(states)), labels = next_states(states);
    const Index d = task.dimension;
    check(output.shape().rank() == 3 && output.dim(0) == count && output.dim(1) == task.tokens &&
              output.dim(2) >= d,
          "loss_curve: the model gives ", output.shape(), " for labels ", labels.shape());
    const Index D = output.dim(2);
    for (Index row = 0; row < output.rows(); ++row) {
      double sum = 0;
      for (Index j = 0; j < d; ++j) {
        const double error = static_cast<double>(output[row * D + j]) - labels[row * d + j];
        sum += error * error;
      }
      out[row] = sum / 2;
    }
  });
}

}  // namespace mesagrad
