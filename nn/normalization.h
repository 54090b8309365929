// Vectors brought to a standard size.
#pragma once
#include "core/tensor.h"

namespace mesagrad {

// Every row of x (..., D) is shifted to mean 0 and scaled to variance 1; then channel j is multiplied by
// scale_j and shift_j is added:
//
//     out_j = scale_j·(x_j - μ)/√(σ² + 10⁻⁶) + shift_j,      μ = Σ x_j / D,   σ² = Σ (x_j - μ)² / D
//
// scale, shift: (D), or empty tensors, which count as ones and zeros.
// Throws unless the shapes fit.
// Source: Ba, Kiros and Hinton, "Layer normalization", 2016; the 10⁻⁶ is that of the paper's code.
Tensor layer_norm(const Tensor& x, const Tensor& scale = {}, const Tensor& shift = {});

// Every head's vector of x (..., H·K) divided by its length: x_h / (10⁻¹⁶ + ||x_h||). Head h owns
// columns h·K .. h·K + K - 1. A vector of zeros stays one (its derivative is 10¹⁶).
// Throws if H does not divide the last dimension.
// Source: the paper's code, for queries and keys.
Tensor unit_length(const Tensor& x, Index heads);

}  // namespace mesagrad
