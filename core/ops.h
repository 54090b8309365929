// The differentiable operations that every model is made of. Operations that belong to one idea of
// their own (attention, losses) live in nn.
//
// Each is one function: it computes its result at once and, if an argument has a gradient, leaves its
// backward step on the tape. Below, dx stands for d(loss)/dx.
#pragma once
#include "core/tape.h"
#include "core/tensor.h"

namespace mesagrad {

// Element by element; both arguments have the same shape, else they throw.
Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);

// Every element of x times one number: a constant, or a tensor with a single element, which then gets
// a gradient too. Throws if `factor` has more elements.
Tensor operator*(real factor, const Tensor& x);
Tensor scale(const Tensor& x, const Tensor& factor);

// The sum of all elements, of shape ().
Tensor sum(const Tensor& x);

// Matrix product: a (..., K) times b (K, N) gives (..., N). All dimensions of a but the last count as
// rows. Throws if b is not a matrix or the inner dimensions differ.
Tensor matmul(const Tensor& a, const Tensor& b);

// The same with b transposed: a (..., K) times b (N, K) gives (..., N).
Tensor matmul_transposed(const Tensor& a, const Tensor& b);

// max(x, 0) of every element; the gradient at 0 is 0.
Tensor relu(const Tensor& x);

// Every element limited to [-bound, bound]. Where it was cut, the gradient is 0.
Tensor clip(const Tensor& x, real bound);

// log(1 + eˣ) of every element: positive, about eˣ far below 0 and about x far above. Below x = -708 (in
// float -104) it is 0: there is no smaller number, or none of full precision.
Tensor softplus(const Tensor& x);

// A copy of x (..., D) with its first `count` channels set to 0, in the gradient too. Throws if
// count > D.
Tensor zero_channels(const Tensor& x, Index count);

}  // namespace mesagrad
