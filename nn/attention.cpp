#include "nn/attention.h"

#include "nn/attention_tiles.h"
#include "nn/gated_mesa.h"

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

// tril(x·yᵀ) for x, y (T, size); y_columns is yᵀ, packed. out: (T, T padded). What a group of rows sticks
// out over the diagonal is set to zero.
Panel scores(Index T, Index size, Panel x, Panel y_columns, real* out) {
  const Index width = padded(T);
  each_group(T, [&](Index i, Index rows) {
    real* to = out + i * width;
    group_scores(rows, i + rows, size, x.from(i), y_columns, to, width);
    for (Index r = 0; r < rows; ++r) {
      for (Index j = r + 1; j < rows; ++j) to[r * width + i + j] = 0;
    }
  });
  return {out, width};
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

struct LinearHead : AttentionHead {
  static Index kept(Index) { return 0; }
  static Index work(Index tokens, Index key_size, Index value_size) {
    return tokens * std::min(tokens, chunk_tokens) * (key_size + value_size);
  }

  // The tokens from `begin` on, of one chunk.
  Index tokens(Index begin) const { return std::min(chunk_tokens, T - begin); }

  // q_t begins at q + t·key_row, as does k_t; v_t and out_t begin t·value_row behind v and out.
  void forward(real* out, real*) const {
    // exercise 3.3: write out_t = Σ_{i <= t} (q_t·k_i) v_i for all tokens (whatever stands there before)
    const Index width = padded(tokens(0));
    Scratch scratch;
    real* a = scratch.take<real>(tokens(0) * width);
    real* columns = scratch.take<real>(K * width);
    State state(K, V, scratch);
    for (Index begin = 0; begin < T; begin += chunk_tokens) {
      const Index n = tokens(begin);
      const Panel q_c = keys(q, begin), k_c = keys(k, begin), v_c = values(v, begin);
      real* out_c = out + begin * value_row;
      const Panel A = scores(n, K, q_c, transposed(k_c, n, K, columns), a);
      weighted_sum(0, n, V, A, v_c, out_c, value_row, false);
      state.read(n, q_c, out_c, value_row);
      if (begin + n < T) state.take_in(n, k_c, v_c);
    }
    // end 3.3
  }

  // dout has the rows of out; dq.values and dk.values have those of q, dv.values those of v. A gradient whose
  // values are nullptr is not wanted. If its `add` is true, add to what is there; if not, write every number.
  void backward(const real*, const real* dout, const real*, const Tensor::GradPart& dq,
                const Tensor::GradPart& dk, const Tensor::GradPart& dv) const {
    // exercise 3.4: the gradients dq_t, dk_i and dv_i of reference.h
    //
    // Forward was, in each chunk, A = tril(Q·Kᵀ), out = A·V + Q·S. With dA = tril(dout·Vᵀ), and dS the sum
    // of Qᵀ·dout over all later chunks, the gradients are
    //     dQ = dA·K + dout·Sᵀ,   dK = dAᵀ·Q + V·dSᵀ,   dV = Aᵀ·dout + K·dS.
    // A and S are computed again, which is cheaper than to keep them.
    const bool for_q = dq.values != nullptr, for_k = dk.values != nullptr, for_v = dv.values != nullptr;
    const Index width = padded(tokens(0));
    Scratch scratch;
    real* a = scratch.take<real>(tokens(0) * width);
    real* columns = scratch.take<real>(std::max(K, V) * width);

    // Within the chunks, and from earlier ones: Sᵀ (V, K).
    State state(V, K, scratch);
    for (Index begin = 0; begin < T; begin += chunk_tokens) {
      const Index n = tokens(begin), key = begin * key_row, value = begin * value_row;
      const Panel q_c = keys(q, begin), k_c = keys(k, begin), v_c = values(v, begin);
      const Panel dout_c = values(dout, begin);
      Panel A = {};  // or dA
      if (for_q || for_k) A = scores(n, V, dout_c, transposed(v_c, n, V, columns), a);
      if (for_q) {
        weighted_sum(0, n, K, A, k_c, dq.values + key, key_row, dq.add);
        state.read(n, dout_c, dq.values + key, key_row);
        if (begin + n < T) state.take_in(n, v_c, k_c);
      }
      if (for_k) transposed_sum(0, n, K, A, q_c, dk.values + key, key_row, dk.add);
      if (for_v) {
        A = scores(n, K, q_c, transposed(k_c, n, K, columns), a);
        transposed_sum(0, n, V, A, dout_c, dv.values + value, value_row, dv.add);
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
    // end 3.4
  }
};

}  // namespace

Tensor causal_linear_attention(const Tensor& q, const Tensor& k, const Tensor& v, Index heads) {
  return attention<LinearHead>("causal_linear_attention", q, k, v, heads);
}

Tensor causal_linear_attention(const Tensor& q, const Tensor& k, const Tensor& v, Index heads,
                               AttentionState* state) {
  if (state == nullptr) return causal_linear_attention(q, k, v, heads);
  check(q.shape().rank() == 3 && heads > 0, "causal_linear_attention: q ", q.shape(), ", ", heads, " heads");
  const Shape gates{q.dim(0), q.dim(1), heads};  // nothing is forgotten, and all tokens count alike
  return gated_linear_attention(q, k, v, Tensor(gates, 0), Tensor(gates, 1), heads, state);
}

}  // namespace mesagrad
