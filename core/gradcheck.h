// Is a backward step right? Compare it with the definition of the derivative.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace mesagrad {

struct GradCheck {
  double error = 0;  // the largest of all elements, see below
  Index input = 0;   // where it was: element `element` of input `input` ...
  Index element = 0;
  double analytic = 0;  // ... what backward says there,
  double numeric = 0;   // and what the definition says
  std::string report() const;
};

// Checks d(c·f(x))/dx for every element of every input, where c is a random tensor of f's shape (the
// sum of all outputs would not do: it is blind to every error that cancels in it, and under a softmax
// it has gradient 0 everywhere). The numeric side is the central difference
//     (c·f(x + h) - c·f(x - h)) / 2h,
// whose own error is about h² + (precision of real)/h. The error of an element is
//     |analytic - numeric| / (|analytic| + |numeric| + r),
// where r is the root mean square of the input's analytic gradient: a small element of a large
// gradient can't be told from rounding. In double expect 1e-8, in float 1e-2.
//
// Backward runs twice: from gradients of zero, and from others, whose share is then subtracted again. The
// error is that of the worse one. Whatever happens, the inputs are left as they were.
GradCheck check_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                          std::vector<Tensor> inputs, std::uint64_t seed = 1);

}  // namespace mesagrad
