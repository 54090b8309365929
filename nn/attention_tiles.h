// What the kinds of attention share, inside nn: heads side by side, and products with a lower triangle.
#pragma once
#include <algorithm>

#include "core/parallel.h"
#include "core/scratch.h"
#include "core/tape.h"
#include "core/tile.h"

namespace mesagrad {

// Scores are computed in groups of rows as high as a tile, each only as far to the right as its last
// row reaches. f(first row, rows) for all groups of T rows:
template <class F>
void each_group(Index T, const F& f) {
  for (Index i = 0; i < T; i += tile_rows) f(i, std::min(tile_rows, T - i));
}

// A row-major matrix as the tiles want it: rows `width` numbers apart.
struct Panel {
  const real* data;
  Index width;
  Panel from(Index row) const { return {data + row * width, width}; }
};

// The transpose of m (rows, columns), written to `to` (columns, rows padded).
inline Panel transposed(Panel m, Index rows, Index columns, real* to) {
  pack(columns, rows, columns_of(m.data, m.width), to);
  return {to, padded(rows)};
}

// out (+)= x·yᵀ for x (rows, size), and as many columns as a group of rows reaches: the tokens before
// `end`, padded. y_columns is yᵀ, packed.
inline void group_scores(Index rows, Index end, Index size, Panel x, Panel y_columns, real* out,
                         Index width) {
  tiles(rows, size, rows_of(x.data, x.width), y_columns.data, y_columns.width, out, width, padded(end),
        false);
}

// Below, `scores` are those of the n tokens from `begin` on with all tokens up to the last of them:
// (n, begin + n), zero above the diagonal, rows `width` apart.

// out (+)= scores·y, for y (begin + n, size).
inline void weighted_sum(Index begin, Index n, Index size, Panel scores, Panel y, real* out, Index row,
                         bool add) {
  each_group(n, [&](Index i, Index rows) {
    tiles(rows, begin + i + rows, rows_of(scores.data + i * scores.width, scores.width), y.data, y.width,
          out + i * row, row, size, add);
  });
}

// out (+)= scoresᵀ·x, for x (n, size) and out (begin + n, size). Token t sees token i only if t >= i.
// What is there of the tokens before `begin` is always added to.
inline void transposed_sum(Index begin, Index n, Index size, Panel scores, Panel x, real* out, Index row,
                           bool add) {
  if (begin > 0)
    tiles(begin, n, columns_of(scores.data, scores.width), x.data, x.width, out, row, size, true);
  each_group(n, [&](Index i, Index rows) {
    tiles(rows, n - i, columns_of(scores.data + i * scores.width + begin + i, scores.width),
          x.data + i * x.width, x.width, out + (begin + i) * row, row, size, add);
  });
}

// One head of one sequence. Each kind of attention adds
//     kept(T)                                     how many numbers its backward step wants kept
//     work(T, K, V)                               about its multiplications
//     forward(out, kept)
//     backward(out, dout, kept, dq, dk, dv)       gradients that nobody wants have no values
struct AttentionHead {
  Index T, K, V;             // tokens, key size, value size
  Index key_row, value_row;  // numbers from one token to the next
  const real *q, *k, *v;

  Panel keys(const real* x, Index begin) const { return {x + begin * key_row, key_row}; }
  Panel values(const real* x, Index begin) const { return {x + begin * value_row, value_row}; }
};

// Throws unless q, k (B, T, H·K) and v (B, T, H·V) fit.
inline void check_attention_shapes(const char* op, const Tensor& q, const Tensor& k, const Tensor& v,
                                   Index heads) {
  const auto shapes = [&] { return text(op, ": q ", q.shape(), ", k ", k.shape(), ", v ", v.shape()); };
  check(q.shape().rank() == 3 && q.shape() == k.shape() && v.shape().rank() == 3, shapes,
        ": expected q and k (B, T, H*K), v (B, T, H*V)");
  check(v.dim(0) == q.dim(0) && v.dim(1) == q.dim(1), shapes, ": v has other sequences or tokens");
  check(heads > 0 && q.dim(2) % heads == 0 && v.dim(2) % heads == 0, shapes, ": ", heads,
        " heads do not divide the last dimensions");
}

// All heads of all sequences: q, k (B, T, H·K), v (B, T, H·V), result (B, T, H·V).
template <class Head>
Tensor attention(const char* op, const Tensor& q, const Tensor& k, const Tensor& v, Index heads) {
  check_attention_shapes(op, q, k, v, heads);
  const Index B = q.dim(0), T = q.dim(1), key_row = q.dim(2), value_row = v.dim(2);
  const Index K = key_row / heads, V = value_row / heads;
  const auto each_head = [=](const auto& f) {  // f(head, its place in q and k, in v, in what is kept)
    if (q.size() == 0 && v.size() == 0) return;
    const auto one = [&](Index i) {
      const Index b = i / heads, h = i % heads;
      const Index keys = b * T * key_row + h * K, values = b * T * value_row + h * V;
      const real *q_i = q.data() + keys, *k_i = k.data() + keys, *v_i = v.data() + values;
      f(Head{{T, K, V, key_row, value_row, q_i, k_i, v_i}}, keys, values, i * Head::kept(T));
    };
    parallel_for(B * heads, one, B * heads * Head::work(T, K, V));
  };
  const Tensor out = Tape::output(v.shape(), {&q, &k, &v});
  const Tensor kept = Tensor::uninitialized({B, heads, Head::kept(T)});
  each_head([&](const Head& head, Index, Index values, Index place) {
    head.forward(out.data() + values, kept.data() + place);
  });
  Tape::record(op, out, [=] {
    const Tensor::GradPart dq = q.grad_part(), dk = k.grad_part(), dv = v.grad_part();
    const real* dout = out.grad();
    each_head([&](const Head& head, Index keys, Index values, Index place) {
      head.backward(out.data() + values, dout + values, kept.data() + place, dq.from(keys), dk.from(keys),
                    dv.from(values));
    });
  });
  return out;
}

}  // namespace mesagrad
