#include "nn/attention.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/scratch.h"
#include "core/tape.h"
#include "core/tile.h"

namespace mesagrad {
namespace {

// The (T, T) matrix of scores is lower triangular, and everything to the left of its diagonal blocks has
// a low rank: what a query q_t reads of all tokens before `begin` is
//
//     Σ_{i < begin} (q_t · k_i) v_i  =  q_t S,      S = Σ_{i < begin} k_i v_iᵀ   (K, V).
//
// So a sequence is cut into chunks of 64 tokens. Scores are computed among the tokens of one chunk only;
// what is farther away goes through the state S, which is carried from chunk to chunk.
constexpr Index chunk_tokens = 64;

// Within a chunk, scores are computed in groups of rows as high as a tile, each only as far to the right
// as its last row reaches; what then sticks out over the diagonal is set to zero.
// f(first row, rows) for all groups of T rows:
template <class F>
void each_group(Index T, const F& f) {
  for (Index i = 0; i < T; i += tile_rows) f(i, std::min(tile_rows, T - i));
}

// A row-major matrix as the tiles want it: rows `width` numbers apart.
struct Panel {
  const real* data;
  Index width;
};

// The transpose of m (rows, columns), written to `to` (columns, rows padded).
Panel transposed(Panel m, Index rows, Index columns, real* to) {
  pack(columns, rows, columns_of(m.data, m.width), to);
  return {to, padded(rows)};
}

// tril(x·yᵀ) for x, y (T, size); y_columns is yᵀ, packed. out: (T, T padded).
void scores(Index T, Index size, Panel x, Panel y_columns, real* out) {
  const Index width = padded(T);
  each_group(T, [&](Index i, Index rows) {
    real* to = out + i * width;
    tiles(rows, size, rows_of(x.data + i * x.width, x.width), y_columns.data, y_columns.width, to,
          width, padded(i + rows), false);
    for (Index r = 0; r < rows; ++r) {
      for (Index j = r + 1; j < rows; ++j) to[r * width + i + j] = 0;
    }
  });
}

// out (+)= scores·y, for y (T, size).
void weighted_sum(Index T, Index size, const real* scores, Panel y, real* out, Index row, bool add) {
  const Index width = padded(T);
  each_group(T, [&](Index i, Index rows) {
    tiles(rows, i + rows, rows_of(scores + i * width, width), y.data, y.width, out + i * row, row,
          size, add);
  });
}

// out (+)= scoresᵀ·x, for x (T, size). Token t sees token i only if t >= i.
void transposed_sum(Index T, Index size, const real* scores, Panel x, real* out, Index row, bool add) {
  const Index width = padded(T);
  each_group(T, [&](Index i, Index rows) {
    tiles(rows, T - i, columns_of(scores + i * width + i, width), x.data + i * x.width, x.width,
          out + i * row, row, size, add);
  });
}

// Σ x_i y_iᵀ (M, N) over the tokens of some chunks: all that other chunks need to know of them. Takes no
// memory before the first chunk has come.
class State {
 public:
  State(Index M, Index N, Scratch& scratch) : M_(M), N_(N), scratch_(scratch) {}

  // Adds xᵀ·y, for the tokens x (T, M), y (T, N) of one chunk.
  void take_in(Index T, Panel x, Panel y) {
    const bool add = sum_ != nullptr;
    if (!add) sum_ = scratch_.take<real>(M_ * padded(N_));  // rows padded, because tiles read whole vectors
    tiles(M_, T, columns_of(x.data, x.width), y.data, y.width, sum_, padded(N_), N_, add);
  }

  // out (T, N) += x·state, for x (T, M).
  void read(Index T, Panel x, real* out, Index row) const {
    if (sum_ == nullptr) return;
    tiles(T, M_, rows_of(x.data, x.width), sum_, padded(N_), out, row, N_, true);
  }

 private:
  Index M_, N_;
  Scratch& scratch_;
  real* sum_ = nullptr;
};

// One head of one sequence.
struct Head {
  Index T, K, V;             // tokens, key size, value size
  Index key_row, value_row;  // numbers from one token to the next
  const real *q, *k, *v;

  // The tokens from `begin` on, of one chunk.
  Index tokens(Index begin) const { return std::min(chunk_tokens, T - begin); }
  Panel keys(const real* x, Index begin) const { return {x + begin * key_row, key_row}; }
  Panel values(const real* x, Index begin) const { return {x + begin * value_row, value_row}; }

  void forward(real* out) const {
    const Index width = padded(tokens(0));
    Scratch scratch;
    real* a = scratch.take<real>(tokens(0) * width);
    real* columns = scratch.take<real>(K * width);
    State state(K, V, scratch);
    for (Index begin = 0; begin < T; begin += chunk_tokens) {
      const Index n = tokens(begin);
      const Panel q_c = keys(q, begin), k_c = keys(k, begin), v_c = values(v, begin);
      real* out_c = out + begin * value_row;
      scores(n, K, q_c, transposed(k_c, n, K, columns), a);
      weighted_sum(n, V, a, v_c, out_c, value_row, false);
      state.read(n, q_c, out_c, value_row);
      if (begin + n < T) state.take_in(n, k_c, v_c);
    }
  }

  // Forward was, in each chunk, A = tril(Q·Kᵀ), out = A·V + Q·S. With dA = tril(dout·Vᵀ), and dS the sum
  // of Qᵀ·dout over all later chunks, the gradients are
  //     dQ = dA·K + dout·Sᵀ,   dK = dAᵀ·Q + V·dSᵀ,   dV = Aᵀ·dout + K·dS.
  // A and S are computed again, which is cheaper than to keep them.
  void backward(const real* dout, const Tensor::GradPart& dq, const Tensor::GradPart& dk,
                const Tensor::GradPart& dv) const {
    const bool for_q = dq.values != nullptr, for_k = dk.values != nullptr, for_v = dv.values != nullptr;
    const Index width = padded(tokens(0));
    Scratch scratch;
    real* a = scratch.take<real>(tokens(0) * width);  // A or dA
    real* columns = scratch.take<real>(std::max(K, V) * width);

    // Within the chunks, and from earlier ones: Sᵀ (V, K).
    State state(V, K, scratch);
    for (Index begin = 0; begin < T; begin += chunk_tokens) {
      const Index n = tokens(begin), key = begin * key_row, value = begin * value_row;
      const Panel q_c = keys(q, begin), k_c = keys(k, begin), v_c = values(v, begin);
      const Panel dout_c = values(dout, begin);
      if (for_q || for_k) scores(n, V, dout_c, transposed(v_c, n, V, columns), a);
      if (for_q) {
        weighted_sum(n, K, a, k_c, dq.values + key, key_row, dq.add);
        state.read(n, dout_c, dq.values + key, key_row);
        if (begin + n < T) state.take_in(n, v_c, k_c);
      }
      if (for_k) transposed_sum(n, K, a, q_c, dk.values + key, key_row, dk.add);
      if (for_v) {
        scores(n, K, q_c, transposed(k_c, n, K, columns), a);
        transposed_sum(n, V, a, dout_c, dv.values + value, value_row, dv.add);
      }
    }

    // From later chunks, the last one first: dS (K, V) and its transpose.
    State dstate(K, V, scratch), dstate_transposed(V, K, scratch);
    for (Index later = (T - 1) / chunk_tokens * chunk_tokens; later > 0; later -= chunk_tokens) {
      const Index begin = later - chunk_tokens, n = tokens(later);
      const Panel q_later = keys(q, later), dout_later = values(dout, later);
      if (for_k) {
        dstate_transposed.take_in(n, dout_later, q_later);
        dstate_transposed.read(chunk_tokens, values(v, begin), dk.values + begin * key_row, key_row);
      }
      if (for_v) {
        dstate.take_in(n, q_later, dout_later);
        dstate.read(chunk_tokens, keys(k, begin), dv.values + begin * value_row, value_row);
      }
    }
  }
};

}  // namespace

Tensor causal_linear_attention(const Tensor& q, const Tensor& k, const Tensor& v, Index heads) {
  const auto shapes = [&] {
    return text("causal_linear_attention: q ", q.shape(), ", k ", k.shape(), ", v ", v.shape());
  };
  check(q.shape().rank() == 3 && q.shape() == k.shape() && v.shape().rank() == 3, shapes(),
        ": expected q and k (B, T, H*K), v (B, T, H*V)");
  const Index B = q.dim(0), T = q.dim(1), key_row = q.dim(2), value_row = v.dim(2);
  check(v.dim(0) == B && v.dim(1) == T, shapes(), ": v has other sequences or tokens");
  check(heads > 0 && key_row % heads == 0 && value_row % heads == 0, shapes(), ": ", heads,
        " heads do not divide the last dimensions");
  const Index K = key_row / heads, V = value_row / heads;
  const auto head_of = [=](Index index) {
    const Index b = index / heads, h = index % heads;
    const Index keys = b * T * key_row + h * K, values = b * T * value_row + h * V;
    return Head{T, K, V, key_row, value_row, q.data() + keys, k.data() + keys, v.data() + values};
  };
  const auto each_head = [=](const auto& f) {
    if (worth_threads(B * heads * T * std::min(T, chunk_tokens) * (K + V))) {
      parallel_for(B * heads, f);
    } else {
      for (Index i = 0; i < B * heads; ++i) f(i);
    }
  };
  const Tensor out = Tape::output(v.shape(), {&q, &k, &v});
  each_head([&](Index i) { head_of(i).forward(out.data() + (i / heads * T * value_row + i % heads * V)); });
  Tape::record("causal_linear_attention", out, [=] {
    const auto part = [](const Tensor& x) { return x.has_grad() ? x.grad_part() : Tensor::GradPart{}; };
    const auto at = [](Tensor::GradPart all, Index offset) {
      return Tensor::GradPart{all.values == nullptr ? nullptr : all.values + offset, all.add};
    };
    const Tensor::GradPart dq = part(q), dk = part(k), dv = part(v);
    each_head([&](Index i) {
      const Index keys = i / heads * T * key_row + i % heads * K;
      const Index values = i / heads * T * value_row + i % heads * V;
      head_of(i).backward(out.grad() + values, at(dq, keys), at(dk, keys), at(dv, values));
    });
  });
  return out;
}

}  // namespace mesagrad
