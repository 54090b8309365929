#include "nn/gated_pieces.h"

#include "core/exponential.h"
#include "core/tile.h"
#include "nn/gated_heads.h"

namespace mesagrad {
namespace {

// A problem's tokens in all tensors (B, T, H·n).
struct Tokens {
  Index first, H;  // token t is row first + t·H of n numbers
  Tokens(const Heads& heads, Index problem)
      : first(problem / heads.H * heads.T * heads.H + problem % heads.H), H(heads.H) {}
  Index operator()(Index t) const { return first + t * H; }
};

// sum = decay·before + Σ_t weights[t] a_t b_tᵀ, over n tokens from `begin` on.
void add_products(const OuterProducts& x, const Tokens& place, Index begin, Index n, const real* weights,
                  real decay, const real* before, real* sum) {
  Scratch scratch;
  real* a = scratch.take<real>(n * x.rows);
  for (Index t = 0; t < n; ++t) {
    const real* from = x.a + place(begin + t) * x.rows;
    for (Index i = 0; i < x.rows; ++i) a[t * x.rows + i] = weights[t] * from[i];
  }
  for (Index i = 0; i < x.rows * x.columns; ++i) sum[i] = decay * before[i];
  tiles(x.rows, n, columns_of(a, x.rows), x.b + place(begin) * x.columns, place.H * x.columns, sum,
        x.columns, x.columns, true);
}

// f(problem, its tokens, its sum of piece c, as a function of c) for all problems
template <class F>
Tensor sums(const Heads& heads, const OuterProducts& x, const F& f) {
  const Index size = x.rows * x.columns, pieces = heads.pieces(), H = heads.H;
  const Tensor result = Tensor::uninitialized({heads.B, pieces, H, size});
  parallel_for(heads.problems(), [&](Index problem) {
    real* first = result.data() + (problem / H * pieces * H + problem % H) * size;
    f(problem, Tokens(heads, problem), [=](Index piece) { return first + piece * H * size; });
  }, heads.problems() * heads.T * size);
  return result;
}

// to[j] is number j of each row; row(p) is where that of piece p begins.
template <class Row>
void read_rows(Index n, Vector* to, const Row& row) {
  for (Index j = 0; j < n; j += lanes) {
    Vector square[lanes];
    for (Index p = 0; p < lanes; ++p) {
      const real* from = row(p);
      square[p] = from != nullptr ? load(from + j) : Vector{};
    }
    transpose(square);
    if (n - j >= lanes) {
      for (Index i = 0; i < lanes; ++i) to[j + i] = square[i];
    } else {
      std::copy_n(square, n - j, to + j);
    }
  }
}

}  // namespace

void Pieces::read(const real* x, Index n, Index t, Vector* to) const {
  read_rows(n, to, [&](Index p) { return t < count_[p] ? x + (place_[p] + t * H_) * n : nullptr; });
}

void Pieces::read_of_heads(const real* x, Index n, Vector* to) const {
  read_rows(n, to, [&](Index p) { return x + head_[p] * n; });
}

void Pieces::read_matrix(const real* x, Index rows, Index columns, Block* to) const {
  const Index width = blocks_of(columns);
  std::fill_n(to, blocks_of(rows) * width, Block{});
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; j += lanes) {
      const Index n = std::min(lanes, columns - j);
      Vector row[lanes];
      read_rows(n, row, [&](Index p) { return x + (piece_[p] * rows + i) * columns + j; });
      Block* block_row = to + i / block_size * width;
      for (Index c = 0; c < n; ++c) {
        block_row[(j + c) / block_size].row[i % block_size].a[(j + c) % block_size] = row[c];
      }
    }
  }
}

void Pieces::write(const Tensor::GradPart& to, Index n, Index t, const Vector* from) const {
  for (Index j = 0; j < n; j += lanes) {
    const Index width = std::min(lanes, n - j);
    Vector square[lanes];
    if (width == lanes) {
      for (Index i = 0; i < lanes; ++i) square[i] = from[j + i];
    } else {
      for (Index i = 0; i < lanes; ++i) square[i] = i < width ? from[j + i] : Vector{};
    }
    transpose(square);
    for (Index p = 0; p < lanes; ++p) {
      if (t >= count_[p]) continue;
      real* place = to.values + (place_[p] + t * H_) * n + j;
      if (width == lanes) {
        store(to.add ? load(place) + square[p] : square[p], place);
      } else {
        store_first(width, square[p], place, to.add);
      }
    }
  }
}

Tensor decays_of(const Tensor& log_decay) {
  const Tensor result = Tensor::uninitialized(log_decay.shape());
  const Vector least = broadcast(static_cast<real>(least_log_decay));
  for (Index i = 0; i < result.size(); i += lanes) {
    const Vector x = load(log_decay.data() + i), not_above = x > 0 ? Vector{} : x;
    store_first(std::min(lanes, result.size() - i), exponential(not_above < least ? least : not_above),
                result.data() + i, false);
  }
  return result;
}

Tensor sums_before(const Heads& heads, const OuterProducts& products, const Tensor& decays,
                   const Tensor& strength, const Tensor& kept_sums) {
  const Index size = products.rows * products.columns, last = heads.pieces() - 1;
  return sums(heads, products, [&](Index problem, const Tokens& place, const auto& sum) {
    if (heads.T == 0) return;
    real* kept_sum = kept_sums.defined() ? kept_sums.data() + problem * size : nullptr;
    if (kept_sum == nullptr) {
      std::fill_n(sum(0), size, real{0});
    } else {
      std::copy_n(kept_sum, size, sum(0));
    }
    for (Index piece = 0; piece <= last; ++piece) {
      real* next = piece < last ? sum(piece + 1) : kept_sum;
      if (next == nullptr) break;
      const Index begin = piece * piece_tokens, n = std::min(piece_tokens, heads.T - begin);
      real weights[piece_tokens], kept = 1;
      for (Index t = n - 1; t >= 0; --t) {
        weights[t] = kept * strength[place(begin + t)];
        kept *= decays[place(begin + t)];
      }
      add_products(products, place, begin, n, weights, kept, sum(piece), next);
    }
  });
}

Tensor sums_after(const Heads& heads, const OuterProducts& products, const Tensor& decays) {
  return sums(heads, products, [&](Index, const Tokens& place, const auto& sum) {
    const Index last = heads.pieces() - 1;
    if (heads.T > 0) std::fill_n(sum(last), products.rows * products.columns, real{0});
    for (Index piece = last; piece > 0; --piece) {
      const Index begin = piece * piece_tokens, n = std::min(piece_tokens, heads.T - begin);
      real weights[piece_tokens], kept = 1;
      for (Index t = 0; t < n; ++t) weights[t] = kept *= decays[place(begin + t)];
      add_products(products, place, begin, n, weights, kept, sum(piece), sum(piece - 1));
    }
  });
}

void gate_gradients(const Heads& heads, const Tensor& results, const Tensor& strength_gradient,
                    const Tensor& log_decay, const Tensor& strength) {
  const Tensor::GradPart dlog = log_decay.grad_part(), dbeta = strength.grad_part();
  const auto write = [](const Tensor::GradPart& to, Index i, real x) {
    if (to.values != nullptr) to.values[i] = to.add ? to.values[i] + x : x;
  };
  parallel_for(heads.problems(), [&](Index problem) {
    const Tokens place(heads, problem);
    double sum = 0;
    for (Index t = heads.T - 1; t >= 0; --t) {
      const Index i = place(t);
      sum += static_cast<double>(results[i]) - static_cast<double>(strength[i] * strength_gradient[i]);
      write(dbeta, i, strength_gradient[i]);
      const bool limited = log_decay[i] < least_log_decay || log_decay[i] > 0;
      write(dlog, i, limited ? 0 : static_cast<real>(sum));
    }
  }, heads.problems() * heads.T);
}

}  // namespace mesagrad
