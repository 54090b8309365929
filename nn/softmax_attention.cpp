#include "nn/softmax_attention.h"

#include <cmath>
#include <limits>

#include "core/exponential.h"
#include "core/sum.h"
#include "nn/attention_tiles.h"
#include "nn/mesa_solver.h"

namespace mesagrad {
namespace {

// The backward step takes the queries in stripes: 64 rows of probabilities against all tokens up to the
// last of them, enough for an outer product to be worth its loads and stores.
constexpr Index stripe_tokens = 64;

inline Vector larger(Vector a, Vector b) { return a > b ? a : b; }

struct SoftmaxHead : AttentionHead {
  static Index kept(Index T) { return 2 * T; }
  static Index work(Index T, Index K, Index V) { return T * T / 2 * (K + V); }

  // A row's largest score, and 1 / Σ exp((score - largest)/√K): what makes probabilities of its scores.
  struct Row {
    real largest, inverse_sum;
  };

  real scale() const { return 1 / std::sqrt(static_cast<real>(std::max<Index>(K, 1))); }

  // q_t and k_t begin t·key_row behind q and k; v_t and out_t begin t·value_row behind v and out. For the
  // backward step, kept[2t] and kept[2t + 1] become the two numbers of token t's Row.
  void forward(real* out, real* kept) const {
    // exercise 8.3: write out_t = Σ_{i <= t} p_ti v_i for all tokens, and keep their rows
    //
    // Scores of one group of queries are computed, weighed and used while they are in the first-level
    // cache. No exponential exceeds 1, since the largest score is subtracted first. The division by
    // their sum comes last, when there are only V numbers to divide.
    const Index width = padded(T);
    Scratch scratch;
    real* scores = scratch.take<real>(tile_rows * width);
    const Panel columns = transposed(keys(k, 0), T, K, scratch.take<real>(K * width));
    each_group(T, [&](Index i, Index rows) {
      const Index end = i + rows;
      real* out_i = out + i * value_row;
      group_scores(rows, end, K, keys(q, i), columns, scores, width);
      for (Index r = 0; r < rows; ++r) {
        const Row row = exponentials(i + r, end, scores + r * width);
        kept[2 * (i + r)] = row.largest;
        kept[2 * (i + r) + 1] = row.inverse_sum;
      }
      tiles(rows, end, rows_of(scores, width), v, value_row, out_i, value_row, V, false);
      for (Index r = 0; r < rows; ++r) {
        const real f = row_of(kept, i + r).inverse_sum;
        for (Index j = 0; j < V; j += lanes) {
          real* place = out_i + r * value_row + j;
          store_first(std::min(lanes, V - j), f * load(place), place, false);
        }
      }
    });
    // end 8.3
  }

  // dout has the rows of out; dq.values and dk.values have those of q, dv.values those of v. A gradient whose
  // values are nullptr is not wanted. If its `add` is true, add to what is there; if not, write every number.
  void backward(const real* out, const real* dout, const real* kept, const Tensor::GradPart& dq,
                const Tensor::GradPart& dk, const Tensor::GradPart& dv) const {
    // exercise 8.4: the gradients dq_t, dk_i and dv_i, with what `forward` kept and what it said
    //
    // With dP = dout·Vᵀ, the gradient of the probabilities, that of the scores S = Q·Kᵀ is
    //
    //     dS_ti = p_ti (dP_ti - Σ_j p_tj dP_tj)/√K,    Σ_j p_tj dP_tj = dout_t · Σ_j p_tj v_j = dout_t·out_t,
    //
    // and then dQ = dS·K, dK = dSᵀ·Q, dV = Pᵀ·dout. P is computed again, which is cheaper than to keep it.
    const bool for_q = dq.values != nullptr, for_k = dk.values != nullptr, for_v = dv.values != nullptr;
    const bool for_scores = for_q || for_k;
    const Index width = padded(T), height = std::min(stripe_tokens, T);
    Scratch scratch;
    real* p = scratch.take<real>(height * width);
    real* d = for_scores ? scratch.take<real>(height * width) : nullptr;  // dP, then dS
    const Panel k_columns = transposed(keys(k, 0), T, K, scratch.take<real>(K * width));
    const Panel v_columns =
        for_scores ? transposed(values(v, 0), T, V, scratch.take<real>(V * width)) : Panel{};
    for (Index begin = 0; begin < T; begin += stripe_tokens) {
      const Index n = std::min(stripe_tokens, T - begin);
      const Panel q_s = keys(q, begin), dout_s = values(dout, begin);
      each_group(n, [&](Index i, Index rows) {
        const Index end = begin + i + rows;
        group_scores(rows, end, K, q_s.from(i), k_columns, p + i * width, width);
        if (for_scores) group_scores(rows, end, V, dout_s.from(i), v_columns, d + i * width, width);
        for (Index r = i; r < i + rows; ++r) {
          const Index t = begin + r;
          probabilities(t, end, row_of(kept, t), p + r * width);
          if (for_scores) score_gradients(end, dot(t, out, dout), p + r * width, d + r * width);
        }
      });
      const Panel P = {p, width}, dS = {d, width};
      if (for_q) weighted_sum(begin, n, K, dS, keys(k, 0), dq.values + begin * key_row, key_row, dq.add);
      if (for_k) transposed_sum(begin, n, K, dS, q_s, dk.values, key_row, dk.add);
      if (for_v) transposed_sum(begin, n, V, P, dout_s, dv.values, value_row, dv.add);
    }
    // end 8.4
  }

  // What `forward` does, for the last of the T tokens alone: q is its query; k and v come from caches, with a
  // row for each channel: number j of k_i is k[j·key_row + i].
  void decode(real* out) const {
    // exercise 8.5: the V numbers of out, from T keys and values
    Scratch scratch;
    real* scores = scratch.take<real>(padded(T));
    std::fill_n(scores, padded(T), real{0});
    for (Index j = 0; j < K; ++j) add_multiple(T, q[j], k + j * key_row, scores);
    const real inverse_sum = exponentials(T - 1, T, scores).inverse_sum;
    for (Index j = 0; j < V; ++j) out[j] = inverse_sum * mesagrad::dot(T, scores, v + j * value_row);
    // end 8.5
  }

 private:
  static Row row_of(const real* kept, Index t) { return {kept[2 * t], kept[2 * t + 1]}; }

  // Where token t's row ends: it sees tokens 0 .. t, the last of them in the vector that begins here.
  static Index last_vector(Index t) { return t / lanes * lanes; }

  // The scores of token t become exp((score - largest)/√K), and zero for the tokens t + 1 .. end - 1.
  Row exponentials(Index t, Index end, real* scores) const {
    // exercise 8.3: so that no exponential is above 1; returns what the comment of Row says
    const Index last = last_vector(t);
    const Vector tail = first(t + 1 - last, load(scores + last), -std::numeric_limits<real>::infinity());
    Vector largest = tail;
    for (Index j = 0; j < last; j += lanes) largest = larger(largest, load(scores + j));
    largest = over_lanes(largest, larger);
    const auto f = [&](Vector s) { return exponential((s - largest) * scale()); };
    store(tail, scores + last);
    const real sum = sum_of(last + lanes, [&](Index j) {
      const Vector e = f(load(scores + j));
      store(e, scores + j);
      return e;
    });
    for (Index j = last + lanes; j < end; j += lanes) store(Vector{}, scores + j);
    return {largest[0], 1 / sum};
    // end 8.3
  }

  // The same once more, and divided by the sum.
  void probabilities(Index t, Index end, Row row, real* scores) const {
    // exercise 8.4: the scores of token t become p_ti, and zero for the tokens t + 1 .. end - 1
    const Index last = last_vector(t);
    for (Index j = 0; j <= last; j += lanes) {
      const Vector p = row.inverse_sum * exponential((load(scores + j) - row.largest) * scale());
      store(p, scores + j);
    }
    store(first(t + 1 - last, load(scores + last), 0), scores + last);
    for (Index j = last + lanes; j < end; j += lanes) store(Vector{}, scores + j);
    // end 8.4
  }

  // dP becomes dS.
  void score_gradients(Index end, real mean, const real* p, real* d) const {
    // exercise 8.4: for one row, whose p and d begin there
    for (Index j = 0; j < end; j += lanes) store(load(p + j) * (load(d + j) - mean) * scale(), d + j);
    // end 8.4
  }

  // a_t·b_t, for two rows of values.
  real dot(Index t, const real* a, const real* b) const {
    const Index row = t * value_row;
    return sum_of(V, [=](Index j) { return load(a + row + j) * load(b + row + j); });
  }
};

// Writes x (B, T, H·n) behind the `tokens` of a cache (B, H, n, room), which gets so much room first.
void append(const Tensor& x, Index heads, Index tokens, Index room, Tensor& cache) {
  const Index B = x.dim(0), T = x.dim(1), channels = x.dim(2);
  if (cache.dim(3) < room) {
    const Tensor larger({B, heads, channels / heads, room});
    for (Index row = 0; row < B * channels; ++row) {
      std::copy_n(cache.data() + row * cache.dim(3), tokens, larger.data() + row * room);
    }
    cache = larger;
  }
  for (Index b = 0; b < B; ++b) {
    for (Index t = 0; t < T; ++t) {
      for (Index j = 0; j < channels; ++j) {
        cache[(b * channels + j) * room + tokens + t] = x[(b * T + t) * channels + j];
      }
    }
  }
}

}  // namespace

Tensor causal_softmax_attention(const Tensor& q, const Tensor& k, const Tensor& v, Index heads) {
  return attention<SoftmaxHead>("causal_softmax_attention", q, k, v, heads);
}

Tensor causal_softmax_attention(const Tensor& q, const Tensor& k, const Tensor& v, Index heads,
                                AttentionState* state) {
  if (state == nullptr) return causal_softmax_attention(q, k, v, heads);
  const char* op = "causal_softmax_attention";
  check_attention_shapes(op, q, k, v, heads);
  const Index B = q.dim(0), T = q.dim(1), K = q.dim(2) / heads, V = v.dim(2) / heads;
  const Index before = state->tokens, end = before + T;
  const Tensor out = Tape::output(v.shape(), {&q, &k, &v});
  part_of(state, &AttentionState::keys, op, {B, heads, K, state->room}, out);
  part_of(state, &AttentionState::values, op, {B, heads, V, state->room}, out);
  Index room = std::max<Index>(1, state->room);
  while (room < end) room *= 2;
  append(k, heads, before, room, state->keys);
  append(v, heads, before, room, state->values);
  state->room = room;
  if (before == 0) return causal_softmax_attention(q, k, v, heads);
  parallel_for(B * heads, [&](Index i) {
    const real *keys = state->keys.data() + i * K * room, *values = state->values.data() + i * V * room;
    for (Index t = 0; t < T; ++t) {
      const Index row = (i / heads * T + t) * heads + i % heads;
      SoftmaxHead{{before + t + 1, K, V, room, room, q.data() + row * K, keys, values}}.decode(
          out.data() + row * V);
    }
  }, B * heads * T * end * (K + V));
  Tape::record(op, out, [] {});
  return out;
}

}  // namespace mesagrad
