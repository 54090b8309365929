// Features of queries and keys: more numbers than they have themselves, so that linear attention can tell
// more keys apart.
#pragma once
#include "core/tensor.h"

namespace mesagrad {

// Deterministic parameter-free projection of order n. With r = [max(x, 0), max(-x, 0)], 2K numbers for the K
// of each head, it is all products of numbers 1 to n places apart, around the circle:
//
//     [r_i r_{i-1}]_i, [r_i r_{i-2}]_i, ..., [r_i r_{i-n}]_i,      indices modulo 2K: 2·K·n numbers
//
// x (..., H·K), result (..., H·2Kn); head h owns columns h·2Kn .. (h + 1)·2Kn - 1. Throws unless n > 0 and H
// divides the last dimension.
// Source: Schlag, Irie and Schmidhuber, "Linear Transformers are secretly fast weight programmers", 2021.
Tensor dpfp(const Tensor& x, Index heads, Index n);

}  // namespace mesagrad
