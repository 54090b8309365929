// Matrix products on raw numbers: C = A·B or C += A·B, for every transposition that gradients need.
#pragma once
#include "core/real.h"

namespace mesagrad {

// A matrix somewhere in memory: element (i, j) is data[i*row + j*column].
struct MatrixView {
  const real* data;
  Index row;
  Index column;
  real operator()(Index i, Index j) const { return data[i * row + j * column]; }
  MatrixView from(Index i, Index j) const { return {data + i * row + j * column, row, column}; }
};

// Row-major matrix whose rows are `width` numbers apart, and its transpose.
inline MatrixView rows_of(const real* data, Index width) { return {data, width, 1}; }
inline MatrixView columns_of(const real* data, Index width) { return {data, 1, width}; }

// c (M, N) row-major with rows ldc apart; a (M, K); b (K, N).
// a and b must have tensor_slack readable bytes behind their last number, as the numbers of a tensor have.
// `add` adds the product to c, otherwise c is overwritten. Uses all threads if the work is worth it;
// the result is the same, bit for bit, on any number of them.
void gemm(Index M, Index N, Index K, MatrixView a, MatrixView b, real* c, Index ldc, bool add);

}  // namespace mesagrad
