#include "nn/mesa_solver.h"

#include "core/sum.h"

namespace mesagrad {

real dot(Index n, const real* a, const real* b) {
  return static_cast<real>(
      sum_in_double(n, [=](Index j) { return static_cast<double>(a[j]) * static_cast<double>(b[j]); }));
}

}  // namespace mesagrad
