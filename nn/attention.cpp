#include "nn/attention.h"

#include <algorithm>

#include "core/arena.h"
#include "core/parallel.h"
#include "core/tape.h"
#include "core/tile.h"

namespace mesagrad {
namespace {

// The scores of a sequence form a (T, T) matrix whose upper triangle is not wanted. It is computed in
// stripes of 64 rows, and within a stripe in groups of rows as high as a tile, each only as far to the
// right as its last row reaches; what then sticks out over the diagonal is set to zero.
constexpr Index stripe_rows = 64;
static_assert(stripe_rows % tile_rows == 0);

// f(first row, rows) for the groups of a stripe that starts at row `begin`, up to row `end`.
template <class F>
void each_group(Index begin, Index end, const F& f) {
  for (Index i = begin; i < end; i += tile_rows) f(i, std::min(tile_rows, end - i));
}

// A row-major matrix as the tiles want it: rows `width` numbers apart.
struct Panel {
  const real* data;
  Index width;
};

// Memory for one head, kept by each thread from call to call.
class Scratch {
 public:
  Scratch() { memory().reset(); }
  real* take(Index count) {
    return reinterpret_cast<real*>(
        memory().allocate(static_cast<std::size_t>(count) * sizeof(real)).get());
  }

 private:
  static Arena& memory() {
    thread_local Arena arena;
    return arena;
  }
};

// The transpose of m (rows, columns), whose rows are m_row numbers apart.
Panel transposed(const real* m, Index rows, Index columns, Index m_row, Scratch& scratch) {
  real* to = scratch.take(columns * padded(rows));
  pack(columns, rows, columns_of(m, m_row), to);
  return {to, padded(rows)};
}

// One head of one sequence.
struct Head {
  Index T, K, V;             // tokens, key size, value size
  Index key_row, value_row;  // numbers from one token to the next
  const real *q, *k, *v;

  // Rows begin .. end of tril(x·yᵀ) for x, y with `size` columns; y_columns is yᵀ, packed.
  // scores: (end - begin, T padded), row i - begin belongs to token i.
  void scores(const real* x, Index row, Index size, Panel y_columns, Index begin, Index end,
              real* out) const {
    const Index width = padded(T);
    each_group(begin, end, [&](Index i, Index rows) {
      real* to = out + (i - begin) * width;
      tiles(rows, size, rows_of(x + i * row, row), y_columns.data, y_columns.width, to, width,
            padded(i + rows), false);
      for (Index r = 0; r < rows; ++r) {
        for (Index j = r + 1; j < rows; ++j) to[r * width + i + j] = 0;
      }
    });
  }

  // Rows begin .. end of out (+)= scores·y, for y (T, size).
  void weighted_sum(const real* scores, Panel y, Index size, Index begin, Index end, real* out,
                    Index row, bool add) const {
    const Index width = padded(T);
    each_group(begin, end, [&](Index i, Index rows) {
      tiles(rows, i + rows, rows_of(scores + (i - begin) * width, width), y.data, y.width,
            out + i * row, row, size, add);
    });
  }

  // All rows i < end of out (+)= scoresᵀ·x, over the tokens begin .. end, for x (T, size). A row that
  // no earlier stripe has reached is overwritten, unless `add`.
  void transposed_sum(const real* scores, Panel x, Index size, Index begin, Index end, real* out,
                      Index row, bool add) const {
    const Index width = padded(T);
    each_group(0, end, [&](Index i, Index rows) {
      const Index first = std::max(begin, i);  // token t sees i only if t >= i
      tiles(rows, end - first, columns_of(scores + (first - begin) * width + i, width),
            x.data + first * x.width, x.width, out + i * row, row, size, add || i < begin);
    });
  }

  void forward(real* out) const {
    Scratch scratch;
    const Panel k_columns = transposed(k, T, K, key_row, scratch);
    real* a = scratch.take(stripe_rows * padded(T));
    for (Index begin = 0; begin < T; begin += stripe_rows) {
      const Index end = std::min(begin + stripe_rows, T);
      scores(q, key_row, K, k_columns, begin, end, a);
      weighted_sum(a, {v, value_row}, V, begin, end, out, value_row, false);
    }
  }

  // Forward was A = tril(Q·Kᵀ), out = A·V. With dA = tril(dout·Vᵀ), the gradients are
  //     dQ = dA·K,   dK = dAᵀ·Q,   dV = Aᵀ·dout.
  // A is computed again, which is cheaper than to keep it.
  void backward(const real* dout, const Tensor::GradPart& dq, const Tensor::GradPart& dk,
                const Tensor::GradPart& dv) const {
    const Index tokens = padded(T);
    Scratch scratch;
    real* a = scratch.take(stripe_rows * tokens);
    real* da = scratch.take(stripe_rows * tokens);
    const bool inner = dq.values != nullptr || dk.values != nullptr;
    Panel v_columns{}, k_columns{};
    if (inner) v_columns = transposed(v, T, V, value_row, scratch);
    if (dv.values != nullptr) k_columns = transposed(k, T, K, key_row, scratch);
    for (Index begin = 0; begin < T; begin += stripe_rows) {
      const Index end = std::min(begin + stripe_rows, T);
      if (inner) scores(dout, value_row, V, v_columns, begin, end, da);
      if (dq.values != nullptr) weighted_sum(da, {k, key_row}, K, begin, end, dq.values, key_row, dq.add);
      if (dk.values != nullptr) transposed_sum(da, {q, key_row}, K, begin, end, dk.values, key_row, dk.add);
      if (dv.values != nullptr) {
        scores(q, key_row, K, k_columns, begin, end, a);
        transposed_sum(a, {dout, value_row}, V, begin, end, dv.values, value_row, dv.add);
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
    if (worth_threads(B * heads * T * T * (K + V))) {
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
