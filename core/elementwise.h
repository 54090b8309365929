// What operations on each element alone are made of.
#pragma once
#include <initializer_list>

#include "core/parallel.h"
#include "core/tape.h"

namespace mesagrad {

// A result of the first argument's shape: out_i = f(i).
template <class F>
Tensor each_element(std::initializer_list<const Tensor*> arguments, const F& f) {
  const Tensor out = Tape::output((*arguments.begin())->shape(), arguments);
  elementwise(out.size(), [f, to = out.data()](Index i) { to[i] = f(i); });
  return out;
}

// For the backward step: dx_i += f(i), if x has a gradient.
template <class F>
void add_to_grad(const Tensor& x, const F& f) {
  const Tensor::GradPart dx = x.grad_part();
  if (dx.values == nullptr) return;
  if (dx.add) {
    elementwise(x.size(), [f, to = dx.values](Index i) { to[i] += f(i); });
  } else {
    elementwise(x.size(), [f, to = dx.values](Index i) { to[i] = f(i); });
  }
}

}  // namespace mesagrad
