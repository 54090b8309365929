#include "core/gemm.h"

#include <algorithm>

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

// A block of C: `rows` rows and at most a tile's columns. K is cut into pieces, so that the piece of B
// stays in the first-level cache while all rows of the block pass over it.
void gemm_block(Index rows, Index columns, Index K, MatrixView a, MatrixView b, real* c, Index ldc,
                bool add) {
  constexpr Index depth = 192;
  alignas(64) real packed[depth * tile_columns];
  const bool in_place = b.column == 1 && b.row < 512;
  for (Index k = 0; k < K; k += depth) {
    const Index k_count = std::min(depth, K - k);
    const MatrixView b_k = {b.data + k * b.row, b.row, b.column};
    if (!in_place) pack(k_count, columns, b_k, packed);
    tiles(rows, k_count, {a.data + k * a.column, a.row, a.column}, in_place ? b_k.data : packed,
          in_place ? b.row : padded(columns), c, ldc, columns, add || k > 0);
  }
}

}  // namespace

void gemm(Index M, Index N, Index K, MatrixView a, MatrixView b, real* c, Index ldc, bool add) {
  if (M <= 0 || N <= 0) return;
  if (K <= 0) {
    for (Index i = 0; i < M && !add; ++i) std::fill_n(c + i * ldc, N, real{0});
    return;
  }
  // Blocks are outputs independent of each other. A quarter of M makes enough of them for a small C,
  // 512 rows share the packing of B in a large one.
  const bool threads = worth_threads(M * N * K);
  const Index block_rows = threads ? std::clamp<Index>(padded(M / 4), lanes, 512) : M;
  const auto row_of_blocks = [&](Index block) {
    const Index i = block * block_rows;
    const Index rows = std::min(block_rows, M - i);
    for (Index j = 0; j < N; j += next_tile(N - j)) {
      gemm_block(rows, std::min(next_tile(N - j), N - j), K, {a.data + i * a.row, a.row, a.column},
                 {b.data + j * b.column, b.row, b.column}, c + i * ldc + j, ldc, add);
    }
  };
  const Index blocks = (M + block_rows - 1) / block_rows;
  if (threads) {
    parallel_for(blocks, row_of_blocks);
  } else {
    for (Index block = 0; block < blocks; ++block) row_of_blocks(block);
  }
}

}  // namespace mesagrad
