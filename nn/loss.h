// The loss of all sequence tasks.
#pragma once
#include "core/tensor.h"

namespace mesagrad {

// Σ ||f_t - y_t||² / (2·sequences·T) over the sequences and tokens given.
// output (B, T, D): the prediction f_t is its first d channels; labels (B, T, d).
// `sequences` counts the whole batch, of which these B may be a part; 0 means these are all. The
// losses of the parts then add up to the loss of the batch.
// Labels get no gradient. Throws if the shapes do not fit, d > D, or there is nothing to average.
Tensor squared_error(const Tensor& output, const Tensor& labels, Index sequences = 0);

}  // namespace mesagrad
