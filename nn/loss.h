// The loss of all sequence tasks.
#pragma once
#include <vector>

#include "core/tensor.h"

namespace mesagrad {

// Σ ||f_t - y_t||² / (2·sequences·P) over the sequences and the P positions that count.
// output (B, T, D): the prediction f_t is its first d channels; labels (B, T, d); positions: those that
// count, rising; none: all T.
// `sequences` counts the whole batch, of which these B may be a part; 0 means these are all. The
// losses of the parts then add up to the loss of the batch.
// Labels get no gradient. Throws if the shapes do not fit, d > D, a position is not below T or not above
// the one before, or there is nothing to average.
Tensor squared_error(const Tensor& output, const Tensor& labels, Index sequences = 0,
                     const std::vector<Index>& positions = {});

// ℓ_t = ||f_t - y_t||²/2 of each sequence and position that counts, to out (B, P). Not recorded.
void squared_errors(const Tensor& output, const Tensor& labels, double* out,
                    const std::vector<Index>& positions = {});

}  // namespace mesagrad
