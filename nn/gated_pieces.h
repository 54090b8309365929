// How layers that forget fill vectors.
//
// A head's matrix M_t = γ_t M_{t-1} + β_t a_t b_tᵀ is a long chain of small steps. So each head of each
// sequence is cut into pieces of 32 tokens, and `lanes` pieces are worked off side by side: a Vector is one
// number of each of them, and the arithmetic reads as if there were only one. What a piece starts from is
// known beforehand, because 32 steps of the recursion at once are a product of matrices, which is cheap:
//
//     M_{t+32} = Γ M_t + Σ_i w_i a_i b_iᵀ,      w_i = β_i·(what token t + 32 has kept of token i)
//
// Every piece computes what it would alone, so it does not matter which others are in its vectors.
#pragma once
#include <algorithm>

#include "core/parallel.h"
#include "core/scratch.h"
#include "core/simd.h"
#include "core/tensor.h"
#include "nn/blocks.h"

namespace mesagrad {

constexpr Index piece_tokens = 32;

// B sequences of T tokens, H heads of each.
struct Heads {
  Index B, T, H;
  Index problems() const { return B * H; }
  Index pieces() const { return (T + piece_tokens - 1) / piece_tokens; }  // of one problem
};

// Up to `lanes` pieces: numbers first, first + 1, .. of all (B, pieces, H), so that those of all heads, which
// are neighbours in memory, come together. Tokens are counted from each piece's beginning.
class Pieces {
 public:
  Pieces(const Heads& heads, Index first) : H_(heads.H) {
    const Index pieces = heads.pieces(), last = heads.problems() * pieces - 1;
    for (Index p = 0; p < lanes; ++p) {
      piece_[p] = std::min(first + p, last);
      const Index b = piece_[p] / H_ / pieces, token = piece_[p] / H_ % pieces * piece_tokens;
      head_[p] = piece_[p] % H_;
      place_[p] = (b * heads.T + token) * H_ + head_[p];
      count_[p] = first + p <= last ? std::min(piece_tokens, heads.T - token) : 0;
      tokens_ = std::max(tokens_, count_[p]);
    }
  }

  Index tokens() const { return tokens_; }  // of the longest piece

  // The n numbers of token t of x (B, T, H·n); zeros behind a piece's end.
  void read(const real* x, Index n, Index t, Vector* to) const;
  // The n numbers of each piece's head, of x (H, n).
  void read_of_heads(const real* x, Index n, Vector* to) const;
  // The matrix of each piece, of x (B, pieces, H, rows, columns), as rows of blocks.
  void read_matrix(const real* x, Index rows, Index columns, Block* to) const;
  // The number of token t of x (B, T, H).
  Vector read_gate(const real* x, Index t) const {
    Vector result;
    for (Index p = 0; p < lanes; ++p) result[p] = t < count_[p] ? x[place_[p] + t * H_] : 0;
    return result;
  }

  void write(const Tensor::GradPart& to, Index n, Index t, const Vector* from) const;
  void write_gate(real* to, Index t, Vector from) const {
    for (Index p = 0; p < lanes; ++p) {
      if (t < count_[p]) to[place_[p] + t * H_] = from[p];
    }
  }

 private:
  Index H_, tokens_ = 0;
  Index piece_[lanes], head_[lanes], place_[lanes], count_[lanes];
};

// n numbers for each of so many tokens, uninitialized, each with zeros up to a whole block.
inline Vector* take_padded(Scratch& scratch, Index n, Index tokens = 1) {
  const Index padded_n = blocks_of(n) * block_size;
  Vector* result = scratch.take<Vector>(tokens * padded_n);
  for (Index t = 0; t < tokens; ++t) std::fill_n(result + t * padded_n + n, padded_n - n, Vector{});
  return result;
}

// f(pieces) for all pieces, `lanes` at a time, in parallel.
template <class F>
void each_pieces(const Heads& heads, Index work, const F& f) {
  const Index all = heads.problems() * heads.pieces();
  parallel_for((all + lanes - 1) / lanes, [&](Index group) { f(Pieces(heads, group * lanes)); }, work);
}

// γ (B, T, H), as log_decay within its bounds says.
Tensor decays_of(const Tensor& log_decay);

// What a matrix (rows, columns) grows by: a_t b_tᵀ, for a (B, T, H·rows) and b (B, T, H·columns).
struct OuterProducts {
  const real* a;
  Index rows;
  const real* b;
  Index columns;
};

// Σ_i Γ_ti β_i a_i b_iᵀ over all tokens i <= t before each piece, t the last of them; (B, pieces, H,
// rows·columns). `kept_sums` (B, H, rows, columns) are those before the first token, and become those after
// the last; without them, all is zero before the first.
Tensor sums_before(const Heads& heads, const OuterProducts& products, const Tensor& decays,
                   const Tensor& strength, const Tensor& kept_sums = {});
// Σ_t Γ_ti a_t b_tᵀ over all tokens t after each piece, i the last token of the piece.
Tensor sums_after(const Heads& heads, const OuterProducts& products, const Tensor& decays);

// The gradient of the logarithm of decays. A result is a sum of terms that hold Γ_ti = e^{c_t - c_i}, where
// c_t is the sum of the logarithms up to t. So, if s_t is a token's result times its gradient, all terms with
// c_t, and e_i all terms with -c_i, which is β_i times β's gradient,
//
//     dc_t = s_t - e_t,      dlog_decay_t = Σ_{s>=t} dc_s
//
// as the decay of token t is part of all c_s from there on. Takes s and β's gradient, both (B, T, H).
void gate_gradients(const Heads& heads, const Tensor& results, const Tensor& strength_gradient,
                    const Tensor& log_decay, const Tensor& strength);

}  // namespace mesagrad
