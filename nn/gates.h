// What gates are made of.
#pragma once
#include "core/tensor.h"

namespace mesagrad {

// Every head's vector of x (..., H·K) divided by √(‖x_h‖² + 10⁻⁶). Unlike unit_length (nn/normalization.h),
// whose derivative at a vector of zeros is 10¹⁶, this one passes at most 10³ times a gradient on.
// Throws if H does not divide the last dimension.
Tensor safe_unit_length(const Tensor& x, Index heads);

// 1/(1 + e⁻ˣ) of every element, between 0 and 1; and its logarithm, never above 0.
Tensor sigmoid(const Tensor& x);
Tensor log_sigmoid(const Tensor& x);

// x (..., D) with shift (D) added to every row. Throws if the shapes do not fit.
Tensor add_to_rows(const Tensor& x, const Tensor& shift);

}  // namespace mesagrad
