// The function between the two matrices of an MLP.
#pragma once
#include "core/tensor.h"

namespace mesagrad {

// The Gaussian error linear unit, x times the probability that a standard normal number is below x, in
// the approximation by a hyperbolic tangent:
//
//     gelu(x) = ½x·(1 + tanh u),      u = √(2/π)·(x + 0.044715·x³)
//
// Element by element. Throws if x is an empty tensor.
// Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016; the paper's nonlinear tasks.
Tensor gelu(const Tensor& x);

}  // namespace mesagrad
