// Matrices of `lanes` problems side by side: a Vector is one number of each of them. They are made of blocks
// of 4 x 4 Vectors, so that what meets a row or a column is loaded once for four multiplications. Matrices
// of other sizes are padded with zeros.
#pragma once
#include "core/simd.h"

namespace mesagrad {

constexpr Index block_size = 4;
constexpr Index blocks_of(Index n) { return (n + block_size - 1) / block_size; }

struct Four {
  Vector a[block_size];
};
struct Block {
  Four row[block_size];
};

inline Four four(const Vector* x) { return {{x[0], x[1], x[2], x[3]}}; }
inline void put(const Four& x, Vector* to) {
#pragma GCC unroll 4
  for (Index r = 0; r < block_size; ++r) to[r] = x.a[r];
}

inline Four operator*(Vector factor, Four x) {
#pragma GCC unroll 4
  for (Index r = 0; r < block_size; ++r) x.a[r] = factor * x.a[r];
  return x;
}

// sum + a·b
inline Vector multiply_add(const Four& a, const Four& b, Vector sum) {
#pragma GCC unroll 4
  for (Index r = 0; r < block_size; ++r) sum = multiply_add(a.a[r], b.a[r], sum);
  return sum;
}

// f(row, column, number) for each number of a block; f may change the number.
template <class F>
inline void each_number(Block& m, const F& f) {
#pragma GCC unroll 4
  for (Index r = 0; r < block_size; ++r) {
#pragma GCC unroll 4
    for (Index c = 0; c < block_size; ++c) {
      Vector x = m.row[r].a[c];
      f(r, c, x);
      m.row[r].a[c] = x;
    }
  }
}

}  // namespace mesagrad
