// Dropout: noise in training that keeps channels from relying on each other.
#pragma once
#include <cstdint>

#include "core/tensor.h"

namespace mesagrad {

// Every element of x (B, ...) is 0 with this probability, else x/(1 - probability), so that its mean is x.
// With probability 0 the result is x itself.
// Sequence b of x is sequence number first + b of the training (update·batch + its place in the batch),
// and the calls of one model have different sites. Seed, site and the sequence's number alone decide what
// is dropped: not how a batch is cut into passes, nor who computes them.
// Throws unless 0 <= probability < 1, site < 2⁸ and first + B <= 2⁵⁶.
// Source: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout", 2014.
Tensor dropout(const Tensor& x, double probability, std::uint64_t seed, std::uint64_t first,
               std::uint32_t site);

}  // namespace mesagrad
