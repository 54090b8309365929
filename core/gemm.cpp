#include "core/gemm.h"

#include <algorithm>
#include <vector>

#include "core/parallel.h"
#include "core/tile.h"

namespace mesagrad {

namespace {

// Columns of b are contiguous: squares of `lanes` columns are read as rows and transposed.
void pack_columns(Index K, Index columns, const real* b, Index column, real* to) {
  const Index width = padded(columns);
  for (Index j = 0; j < columns; j += lanes) {
    for (Index k = 0; k < K; k += lanes) {
      Vector square[lanes] = {};
      for (Index r = 0; r < std::min(lanes, columns - j); ++r) square[r] = load(b + (j + r) * column + k);
      transpose(square);
      for (Index r = 0; r < std::min(lanes, K - k); ++r) store(square[r], to + (k + r) * width + j);
    }
  }
}

}  // namespace

void pack(Index K, Index columns, MatrixView b, real* to) {
  if (b.row == 1) return pack_columns(K, columns, b.data, b.column, to);
  const Index width = padded(columns);
  for (Index k = 0; k < K; ++k, to += width) {
    for (Index j = 0; j < columns; ++j) to[j] = b(k, j);
    std::fill(to + columns, to + width, real{0});
  }
}

namespace {

// K is cut into pieces, so that the piece of B that belongs to a tile stays in the first-level cache while
// all rows of a block pass over it. Each number of C is the sum of the pieces' sums in their order, so this
// constant decides bits. 208: products over 4 sequences of 50 tokens are one piece.
constexpr Index depth = 208;

// Numbers this far apart or farther share few places in the first-level cache and push each other out.
constexpr Index long_stride = 512;

// C's block of `rows` rows and at most a tile's columns, one piece of K.
void gemm_piece(Index rows, Index columns, Index K, MatrixView a, MatrixView b, real* c, Index ldc,
                bool add) {
  alignas(64) real packed[depth * tile_columns];
  const bool in_place = b.column == 1 && b.row < long_stride;
  if (!in_place) pack(K, columns, b, packed);
  tiles(rows, K, a, in_place ? b.data : packed, in_place ? b.row : padded(columns), c, ldc, columns, add);
}

// Blocks of C in a product large enough for threads have at most so many rows.
constexpr Index most_rows = 512;

// A block of C, tile by tile and piece by piece.
void gemm_block(Index M, Index N, Index K, MatrixView a, MatrixView b, real* c, Index ldc, bool add) {
  // exercise 9.2: what gemm_piece packs should serve as many rows as there are; a number of C still gets its
  //    pieces one after another, from the first
  //
  // The pieces are the outer loop, so that B comes from memory once, if C fits into the second-level cache,
  // or if A had better be packed; else the tiles are, so that C does.
  const auto piece = [&](Index j, Index k, MatrixView a_k) {
    const Index columns = std::min(next_tile(N - j), N - j);
    gemm_piece(M, columns, std::min(depth, K - k), a_k, b.from(k, j), c + j, ldc, add || k > 0);
  };
  const bool pack_a = a.row == 1 && a.column >= long_stride && M <= most_rows && N > 2 * tile_columns;
  if (!pack_a && M * N * static_cast<Index>(sizeof(real)) > Index{1} << 17) {
    for (Index j = 0; j < N; j += next_tile(N - j)) {
      for (Index k = 0; k < K; k += depth) piece(j, k, a.from(0, k));
    }
    return;
  }
  for (Index k = 0; k < K; k += depth) {
    MatrixView a_k = a.from(0, k);
    if (pack_a) {
      thread_local std::vector<real> packed(static_cast<std::size_t>(most_rows * padded(depth)));
      const Index count = std::min(depth, K - k);
      pack(M, count, a_k, packed.data());
      a_k = rows_of(packed.data(), padded(count));
    }
    for (Index j = 0; j < N; j += next_tile(N - j)) piece(j, k, a_k);
  }
  //| // Tile by tile: right, and every tile packs all that it needs of B.
  //| for (Index i = 0; i < M; i += tile_rows) {
  //|   for (Index j = 0; j < N; j += next_tile(N - j)) {
  //|     const Index rows = std::min(tile_rows, M - i), columns = std::min(next_tile(N - j), N - j);
  //|     for (Index k = 0; k < K; k += depth) {
  //|       gemm_piece(rows, columns, std::min(depth, K - k), a.from(i, k), b.from(k, j), c + i * ldc + j,
  //|                  ldc, add || k > 0);
  //|     }
  //|   }
  //| }
  // end 9.2
}

constexpr Index round_up(Index n, Index multiple) { return (n + multiple - 1) / multiple * multiple; }

}  // namespace

void gemm(Index M, Index N, Index K, MatrixView a, MatrixView b, real* c, Index ldc, bool add) {
  if (M <= 0 || N <= 0) return;
  if (K <= 0) {
    for (Index i = 0; i < M && !add; ++i) std::fill_n(c + i * ldc, N, real{0});
    return;
  }
  if (!worth_threads(M * N * K)) return gemm_block(M, N, K, a, b, c, ldc, add);
  // exercise 9.3: blocks of C that threads can make independently of each other, with at most most_rows rows
  //
  // Blocks are outputs independent of each other: rows of C or, if there are more of them, columns. A
  // quarter makes enough blocks of a small C; 512 rows share the packing of B in a large one.
  const bool by_rows = M >= N;
  const Index size = by_rows ? M : N;
  const Index block = std::min<Index>(round_up(size / 4 + 1, by_rows ? tile_rows : tile_columns), most_rows);
  parallel_for((size + block - 1) / block, [&](Index number) {
    const Index from = number * block, count = std::min(block, size - from);
    if (by_rows) {
      gemm_block(count, N, K, a.from(from, 0), b, c + from * ldc, ldc, add);
    } else {
      gemm_block(M, count, K, a, b.from(0, from), c + from, ldc, add);
    }
  });
  //| gemm_block(M, N, K, a, b, c, ldc, add);
  // end 9.3
}

}  // namespace mesagrad
