// Dropout: noise in training that keeps channels from relying on each other.
#pragma once
#include <cstdint>

#include "core/tensor.h"

namespace mesagrad {

// Every element of x (B, ...) is 0 with this probability, else x/(1 - probability), so that its mean is
// x. With probability 0 the result is x itself.
// Sequence b of x is number first + b of the whole training, and `site` (below 256) tells the places in
// the model apart: which elements are dropped depends on these numbers, the seed and the probability,
// not on how a batch is cut or on the number of threads.
// Throws unless 0 <= probability < 1 and site < 256.
// Source: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout", 2014.
Tensor dropout(const Tensor& x, double probability, std::uint64_t seed, std::uint64_t first,
               std::uint32_t site);

}  // namespace mesagrad
