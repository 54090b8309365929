// What a task is: batches of sequences, and what a wrong answer costs.
#pragma once
#include <concepts>
#include <cstdint>
#include <vector>

#include "nn/cross_entropy.h"
#include "nn/loss.h"

namespace mesagrad {

// What a model sees of some sequences, and what it should say.
struct Batch {
  Tensor inputs;                      // (B, T, n), or ids (B, T)
  Tensor labels;                      // (B, T, m), or ids (B, T)
  std::vector<Index> positions = {};  // those that count, rising; none: all T of them
};

// A task is a value: its fields say which sequences there are. The sequences first .. first + count - 1 of
// a stream are always the same for the same seed, stream and number. Its loss is a value too: loss(...) is
// that of `batch` as a part of so many sequences (see squared_error), for training, and loss.each(...) writes
// those of each sequence and position that counts, row after row, for curves.
template <class T>
concept Task = requires(const T& task, std::uint64_t seed, std::uint32_t stream, Index i,
                        const Tensor& output, const Batch& batch, double* out) {
  { task.tokens } -> std::convertible_to<Index>;
  { task.batch(seed, stream, i, i) } -> std::same_as<Batch>;
  { task.loss(output, batch, i) } -> std::same_as<Tensor>;
  { task.loss.each(output, batch, out) } -> std::same_as<void>;
};

struct SquaredError {
  Tensor operator()(const Tensor& output, const Batch& batch, Index sequences) const {
    return squared_error(output, batch.labels, sequences, batch.positions);
  }
  void each(const Tensor& output, const Batch& batch, double* out) const {
    squared_errors(output, batch.labels, out, batch.positions);
  }
};

// Outputs are logits (B, T, V), labels ids (B, T). In nats.
struct CrossEntropy {
  Tensor operator()(const Tensor& output, const Batch& batch, Index sequences) const {
    return cross_entropy(output, batch.labels, sequences, batch.positions);
  }
  void each(const Tensor& output, const Batch& batch, double* out) const {
    cross_entropies(output, batch.labels, out, batch.positions);
  }
};

// What a language model sees of sequences of T + 1 ids each, one after another: the first T, and as labels
// the last T. Throws unless T > 0 and the ids make whole sequences.
Batch next_ids(const std::vector<Index>& ids, Index tokens);

}  // namespace mesagrad
