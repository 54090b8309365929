#include "nn/mesa_solver.h"

#include "core/sum.h"

namespace mesagrad {

real dot(Index n, const real* a, const real* b) {
  return static_cast<real>(
      sum_in_double(n, [=](Index j) { return static_cast<double>(a[j]) * static_cast<double>(b[j]); }));
}

void solve_exactly(Index K, const real* H, const real* penalty, const real* q, real* x, real* U) {
  for (Index i = 0; i < K; ++i) {
    for (Index j = i; j < K; ++j) U[i * K + j] = H[i * K + j];
    U[i * K + i] += penalty[i];
    x[i] = q[i];
  }
  for (Index i = 0; i < K; ++i) {
    real* row = U + i * K;
    const real left = row[i] < penalty[i] ? penalty[i] : row[i];
    const real inverse = 1 / std::sqrt(left);
    for (Index j = i; j < K; ++j) row[j] *= inverse;
    row[i] = inverse;  // what both systems need of it
    x[i] *= inverse;
    for (Index n = i + 1; n < K; ++n) add_multiple(K - n, -row[n], row + n, U + n * K + n);
    add_multiple(K - i - 1, -x[i], row + i + 1, x + i + 1);
  }
  for (Index i = K - 1; i >= 0; --i) {
    x[i] = (x[i] - dot(K - i - 1, U + i * K + i + 1, x + i + 1)) * U[i * K + i];
  }
}

}  // namespace mesagrad
