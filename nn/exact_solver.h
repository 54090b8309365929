// Solving (H + Λ) x = q exactly, for `lanes` systems side by side: a Vector is one number of each. H is
// symmetric without negative eigenvalues, and the diagonal Λ is positive. Nothing here compares with an
// absolute constant: numbers may be of any size.
//
// H + Λ = L D⁻¹ Lᵀ, where L is lower triangular and D its diagonal: Cholesky's decomposition without its
// square roots. Both L and V = D⁻¹ Lᵀ are kept, so that each d is divided by once:
//
//     l_ji = h_ij - Σ_{n<i} l_in v_nj  (j >= i),      v_ij = l_ji/d_i
//
// block by block. Systems of other sizes are padded with rows of zeros and penalties of 1.
#pragma once
#include "nn/blocks.h"

namespace mesagrad {

inline Vector subtract_product(Vector a, Vector b, Vector c) { return multiply_add(-a, b, c); }  // c - ab

// The factors of a matrix of n x n blocks: V above the diagonal, 1/d on it, L below.
class Factors {
 public:
  Factors(Index n, Block* memory) : n_(n), U_(memory) {}

  // Makes the factors of H + Λ, and x <- (H + Λ)⁻¹ x. block(i, j) is a reference to a block of H, which is
  // asked for once for each i and j >= i; Λ and x have 4n numbers. No d is below its number of Λ: where
  // rounding says otherwise, Λ's is the better guess.
  template <class BlockOf>
  void solve(const BlockOf& block, const Vector* penalty, Vector* x) {
    for (Index i = 0; i < n_; ++i) {
      Vector* x_i = x + i * block_size;
      factorize(i, remaining(block(i, i), i, i), penalty + i * block_size);
      for (Index m = 0; m < i; ++m) subtract(at(i, m), x + m * block_size, x_i);
      const Block& d = at(i, i);
#pragma GCC unroll 4
      for (Index r = 0; r < block_size; ++r) {
        x_i[r] *= d.row[r].a[r];
#pragma GCC unroll 4
        for (Index s = r + 1; s < block_size; ++s) x_i[s] = subtract_product(d.row[s].a[r], x_i[r], x_i[s]);
      }
      for (Index j = i + 1; j < n_; ++j) eliminate(i, j, remaining(block(i, j), i, j));
    }
    for (Index i = n_ - 1; i >= 0; --i) {
      Vector* x_i = x + i * block_size;
      for (Index m = i + 1; m < n_; ++m) subtract(at(i, m), x + m * block_size, x_i);
      const Block& d = at(i, i);
#pragma GCC unroll 4
      for (Index r = block_size - 1; r > 0; --r) {
#pragma GCC unroll 4
        for (Index s = 0; s < r; ++s) x_i[s] = subtract_product(d.row[s].a[r], x_i[r], x_i[s]);
      }
    }
  }

 private:
  Block& at(Index i, Index j) const { return U_[i * n_ + j]; }

  // to -= block·x
  static void subtract(const Block& block, const Vector* x, Vector* to) {
    Four sum = four(to);
#pragma GCC unroll 4
    for (Index c = 0; c < block_size; ++c) {
      const Vector minus_x = -x[c];
#pragma GCC unroll 4
      for (Index r = 0; r < block_size; ++r) sum.a[r] = multiply_add(block.row[r].a[c], minus_x, sum.a[r]);
    }
    put(sum, to);
  }

  // What the rows above leave of a block.
  Block remaining(const Block& whole, Index i, Index j) const {
    Block block;
#pragma GCC unroll 4
    for (Index r = 0; r < block_size; ++r) block.row[r] = whole.row[r];
    const Block* above = &at(0, j);
    for (const Block* left = &at(i, 0); left != &at(i, i); ++left, above += n_) {
#pragma GCC unroll 4
      for (Index m = 0; m < block_size; ++m) {
        const Four v_m = above->row[m];
#pragma GCC unroll 4
        for (Index r = 0; r < block_size; ++r) {
          const Vector minus_l = -left->row[r].a[m];
#pragma GCC unroll 4
          for (Index c = 0; c < block_size; ++c) {
            block.row[r].a[c] = multiply_add(minus_l, v_m.a[c], block.row[r].a[c]);
          }
        }
      }
    }
    return block;
  }

  // The block on the diagonal.
  void factorize(Index i, Block block, const Vector* penalty) {
    auto& a = block.row;
    Block& u = at(i, i);
#pragma GCC unroll 4
    for (Index r = 0; r < block_size; ++r) {
      const Vector least = penalty[r], left = a[r].a[r] + least, inverse = 1 / (left < least ? least : left);
      u.row[r].a[r] = inverse;
#pragma GCC unroll 4
      for (Index c = r + 1; c < block_size; ++c) {
        const Vector v = a[r].a[c] * inverse;
#pragma GCC unroll 4
        for (Index s = r + 1; s <= c; ++s) a[s].a[c] = subtract_product(a[r].a[s], v, a[s].a[c]);
        u.row[r].a[c] = v;
        u.row[c].a[r] = a[r].a[c];
      }
    }
  }

  // A block to the right of it.
  void eliminate(Index i, Index j, Block block) {
    auto& a = block.row;
    const Block& d = at(i, i);
    Block &v = at(i, j), &l = at(j, i);
#pragma GCC unroll 4
    for (Index r = 0; r < block_size; ++r) {
      const Vector inverse = d.row[r].a[r];
#pragma GCC unroll 4
      for (Index c = 0; c < block_size; ++c) {
        const Vector v_rc = a[r].a[c] * inverse;
#pragma GCC unroll 4
        for (Index s = r + 1; s < block_size; ++s) {
          a[s].a[c] = subtract_product(d.row[s].a[r], v_rc, a[s].a[c]);
        }
        v.row[r].a[c] = v_rc;
        l.row[c].a[r] = a[r].a[c];
      }
    }
  }

  Index n_;
  Block* U_;
};

}  // namespace mesagrad
