// The inner loop of every matrix product: one small tile of C, kept in registers.
//
// A product C = A·B of n×n matrices makes n³ multiplications from n² numbers, so it should wait for
// arithmetic, never for memory. The plain triple loop loads and stores a number for every
// multiplication. A tile of C with R rows and W columns that stays in registers while k runs loads
// R + W numbers for R·W multiplications. With 16 numbers to a vector register, R = 8 and W = 48:
//
//                    one row of B: W = 48 numbers (3 vectors)
//                   ┌─────────────────┐
//     8 numbers of A│ 8 x 3 registers │ += a[i] * b[j]    24 multiply-adds, independent of each other
//                   └─────────────────┘
#pragma once
#include <algorithm>

#include "core/gemm.h"
#include "core/simd.h"
#include "core/tensor.h"

namespace mesagrad {

// A tile's rows and vectors: as many as the registers hold, with room for a row of B and a number of A.
// (12 sums in 4 rows of 3 would fill all 16 registers, so that every product has to load its vector of B
// again: a quarter slower.) Each sum runs over k in order, whatever the tile: its shape changes no bit.
#if defined(__AVX512F__) || defined(__aarch64__)  // 32 registers
constexpr Index tile_rows = 8, tile_vectors = 3;
#else  // 16
constexpr Index tile_rows = 6, tile_vectors = 2;
#endif
constexpr Index tile_columns = tile_vectors * lanes;
static_assert(tile_columns * sizeof(real) <= tensor_slack);

// `columns` rounded up to whole vectors: what the tiles read of a row of B.
constexpr Index padded(Index columns) { return (columns + lanes - 1) / lanes * lanes; }

// The width of the next tile when `columns` are left: all vectors of a tile, but 2 + 2 rather than 3 + 1.
constexpr Index next_tile(Index columns) {
  const Index vectors = padded(columns) / lanes;
  return (vectors == 4 ? 2 : std::min(vectors, tile_vectors)) * lanes;
}

// c[i][j] (+)= Σ_k a(i, k)·b[k*ldb + j] for i < R and j < columns, of which there are more than V - 1
// and at most V vectors. Reads V whole vectors of b, whatever stands there; see tensor_slack.
template <Index R, Index V>
inline void tile(Index K, MatrixView a, const real* __restrict b, Index ldb, real* __restrict c,
                 Index ldc, Index columns, bool add) {
  // exercise 9.1: R·V sums that stay in registers while k runs; each as it was, from k = 0 on by multiply_add
  Vector sum[R][V] = {};
  for (Index k = 0; k < K; ++k, b += ldb) {
    Vector b_k[V];
    for (Index v = 0; v < V; ++v) b_k[v] = load(b + v * lanes);
#pragma GCC unroll 8
    for (Index i = 0; i < R; ++i) {
      const Vector a_ik = broadcast(a(i, k));
      for (Index v = 0; v < V; ++v) sum[i][v] = multiply_add(a_ik, b_k[v], sum[i][v]);
    }
  }
  const Index last = columns - (V - 1) * lanes;
#pragma GCC unroll 8
  for (Index i = 0; i < R; ++i) {
    real* c_i = c + i * ldc;
    for (Index v = 0; v + 1 < V; ++v, c_i += lanes) {
      store(add ? load(c_i) + sum[i][v] : sum[i][v], c_i);
    }
    if (last == lanes) {
      store(add ? load(c_i) + sum[i][V - 1] : sum[i][V - 1], c_i);
    } else {
      store_first(last, sum[i][V - 1], c_i, add);
    }
  }
  //| // One row after another: right, and every row loads all of b anew.
  //| for (Index i = 0; i < R; ++i) {
  //|   Vector sum[V] = {};
  //|   for (Index k = 0; k < K; ++k) {
  //|     const Vector a_ik = broadcast(a(i, k));
  //|     for (Index v = 0; v < V; ++v) sum[v] = multiply_add(a_ik, load(b + k * ldb + v * lanes), sum[v]);
  //|   }
  //|   for (Index v = 0; v < V; ++v) {
  //|     store_first(std::min(lanes, columns - v * lanes), sum[v], c + i * ldc + v * lanes, add);
  //|   }
  //| }
  // end 9.1
}

// The same for any number of rows and columns. Reads padded(columns) columns of b.
template <Index R = tile_rows>
inline void tiles(Index rows, Index K, MatrixView a, const real* b, Index ldb, real* c, Index ldc,
                  Index columns, bool add) {
  Index i = 0;
  for (; i + R <= rows; i += R) {
    const MatrixView a_i = a.from(i, 0);
    for (Index j = 0; j < columns;) {
      const Index width = next_tile(columns - j);
      const Index count = columns - j < width ? columns - j : width;
      real* c_ij = c + i * ldc + j;
      if constexpr (tile_vectors == 3) {
        if (width == 3 * lanes) tile<R, 3>(K, a_i, b + j, ldb, c_ij, ldc, count, add);
      }
      if (width == 2 * lanes) tile<R, 2>(K, a_i, b + j, ldb, c_ij, ldc, count, add);
      if (width == 1 * lanes) tile<R, 1>(K, a_i, b + j, ldb, c_ij, ldc, count, add);
      j += width;
    }
  }
  if constexpr (R > 1) {  // the last rows: 4, 2 and 1 at a time
    constexpr Index fewer = R == 6 ? 4 : R / 2;
    if (i < rows) tiles<fewer>(rows - i, K, a.from(i, 0), b, ldb, c + i * ldc, ldc, columns, add);
  }
}

// Copies b (K, columns) to `to`, row-major with padded(columns) numbers a row, zeros at the end.
void pack(Index K, Index columns, MatrixView b, real* to);

}  // namespace mesagrad
