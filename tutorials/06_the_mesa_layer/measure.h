// What lesson 6 measures of the mesa-layer before it is trained: its rounding errors, those of its gradient,
// and the time that it takes.
#pragma once
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/elementary.h"
#include "core/tape.h"
#include "nn/attention.h"
#include "nn/mesa.h"
#include "nn/reference.h"
#include "nn/softmax_attention.h"
#include "tasks/time_reversal.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/stopwatch.h"

namespace mesagrad {

constexpr Index measured_keys = 20;  // numbers in a key

// Independent normal vectors (1, T, 20) of about the given length.
inline Tensor vectors(Index T, double length, std::uint64_t seed, std::uint64_t number) {
  Tensor result({1, T, measured_keys});
  Random random(seed, stream::analysis_data, number);
  for (Index i = 0; i < result.size(); ++i) {
    result[i] = static_cast<real>(length / std::sqrt(static_cast<double>(measured_keys)) * random.normal());
  }
  return result;
}

// The largest error of a row, relative to its largest number, over the first 50 rows and 50 later ones of
// matrices (T, K).
inline double error_of_rows(const Matrix& got, const Matrix& exact) {
  const Index T = exact.rows();
  double largest = 0;
  for (Index t = 0; t < T; t += t < 50 ? 1 : std::max<Index>(1, T / 50)) {
    double size = 0, error = 0;
    for (Index i = 0; i < exact.columns(); ++i) {
      size = std::max(size, std::abs(exact(t, i)));
      const double off = std::abs(got(t, i) - exact(t, i));
      error = off <= error ? error : off;  // a NaN counts as an error
    }
    largest = error / size <= largest ? largest : error / size;
  }
  return largest;
}

// Of the layer, with keys of this length, against the textbook: for every token a matrix is built and a
// system solved, in double.
inline double error_of_layer(Index T, double key_length, double lambda, std::uint64_t seed) {
  const Tensor q = vectors(T, 1, seed, 1), k = vectors(T, key_length, seed, 2);
  const Tensor result = preconditioned_queries(q, k, Tensor({1}, static_cast<real>(lambda)), 1);
  const auto matrix = [](const Tensor& x) { return reference::head_of(x, 0, 0, 1); };
  return error_of_rows(matrix(result), reference::preconditioned_queries(matrix(q), matrix(k), lambda));
}

// This error for keys of four lengths, three λ, and sequences up to the longest: as a table, and of the row
// that length harms most, by what factor it grows and to what; and the error of the longest keys and the
// largest λ.
struct RoundingErrors {
  lesson::Table table;
  double growth = 0, grown = 0, hard = 0;
};

inline RoundingErrors rounding_errors(Index longest, std::uint64_t seed) {
  RoundingErrors all{.table = {.title = "Error of the layer in float, against a system solved in double",
                               .caption = "Keys of 20 numbers. Down a column, look for large λ‖k‖²: while "
                                          "some directions were never seen, R holds λ and 1/‖k‖² side by "
                                          "side, and rounding the large one costs the small one. Along a "
                                          "row: does length do harm?",
                               .columns = {"‖k‖", "λ", "50 tokens", text(longest / 16), text(longest)}}};
  for (const double length : {0.1, 1.0, 10.0, 30.0}) {
    for (const double lambda : {0.1, 1.0, 100.0}) {
      const double few = error_of_layer(50, length, lambda, seed);
      all.hard = error_of_layer(longest, length, lambda, seed);
      all.table.row({text(length), text(lambda), lesson::short_number(few, 2),
                     lesson::short_number(error_of_layer(longest / 16, length, lambda, seed), 2),
                     lesson::short_number(all.hard, 2)});
      if (all.hard / few > all.growth) {
        all.growth = all.hard / few;
        all.grown = all.hard;
      }
    }
  }
  return all;
}

// ‖R q/λ - q‖ / ‖q‖, over all tokens of q and k (1, T, K): 0 for linear attention.
inline double distance_from_linear(const Tensor& q, const Tensor& k, double lambda) {
  const Tensor result = preconditioned_queries(q, k, Tensor({1}, static_cast<real>(lambda)), 1);
  double off = 0, size = 0;
  for (Index i = 0; i < q.size(); ++i) {
    off += power(result[i] / lambda - q[i], 2);
    size += power(q[i], 2);
  }
  return std::sqrt(off / size);
}

// The gradient of the keys, as the library finds it and as the paper does, both in float, against the paper's
// way in double: the largest error relative to the largest number.
struct GradientErrors {
  double ours, reversed, start;  // start: of the R_0 that the reversed recursion arrives at
};

inline GradientErrors gradient_errors(Index T, double key_length, double lambda, std::uint64_t seed) {
  Tensor q = vectors(T, 1, seed, 1), k = vectors(T, key_length, seed, 2);
  const Tensor p = vectors(T, 1, seed, 3);
  const auto reversal = [&](auto number) {
    using Number = decltype(number);
    const auto copy = [](const Tensor& x) { return std::vector<Number>(x.data(), x.data() + x.size()); };
    return TimeReversal<Number>(T, measured_keys, copy(q).data(), copy(k).data(), copy(p).data(),
                                static_cast<Number>(lambda));
  };
  const auto exact = reversal(0.0);
  const auto reversed = reversal(0.0f);
  k.requires_grad();
  Tape tape;
  tape.backward(preconditioned_queries(q, k, Tensor({1}, static_cast<real>(lambda)), 1), p);
  const auto error = [&](const auto* dk) {
    double largest = 0, size = 0;
    for (std::size_t i = 0; i < exact.dk.size(); ++i) {
      const auto wanted = static_cast<double>(exact.dk[i]);
      size = std::max(size, std::abs(wanted));
      const double off = std::abs(static_cast<double>(dk[i]) - wanted);
      largest = off <= largest ? largest : off;
    }
    return largest / size;
  };
  return {error(k.grad()), error(reversed.dk.data()), reversed.start_error};
}

// These errors for keys of five lengths, and four pairs of λ and a number of tokens: as a table, and the
// start's error for short and for long keys, and the library's worst.
struct GradientTable {
  lesson::Table table;
  double reversal_near = 0, reversal_far = 0, ours_worst = 0;
};

inline GradientTable gradient_table(std::uint64_t seed) {
  GradientTable all{.table = {.title = "Relative errors in float",
                              .caption = "Start: the recovered R₀ against λI. Reversed and library: the "
                                         "gradient of the keys, against a computation in double, which has "
                                         "digits to spare.",
                              .columns = {"‖k‖", "λ", "tokens", "start", "reversed", "library"}}};
  for (const auto& [lambda, T] : {std::pair<double, Index>{1, 50}, {4, 50}, {1, 224}, {4, 1024}}) {
    for (const double length : {0.3, 1.0, 3.0, 10.0, 30.0}) {
      const GradientErrors e = gradient_errors(T, length, lambda, seed);
      all.table.row({text(length), text(lambda), text(T), lesson::short_number(e.start, 2),
                     lesson::short_number(e.reversed, 2), lesson::short_number(e.ours, 2)});
      if (length == 1.0 && T == 50 && lambda == 1) all.reversal_near = e.start;
      if (length == 30.0 && T == 1024) all.reversal_far = e.start;
      all.ours_worst = e.ours <= all.ours_worst ? all.ours_worst : e.ours;
    }
  }
  return all;
}

// Microseconds for a token on one thread, forward only, one head: as many tokens as the longest sequence has,
// cut into sequences of 64, 256, ... tokens. (The mesa-layer solves sixteen sequences side by side, so it is
// given sixteen times as many.)
struct Cost {
  std::vector<double> tokens, mesa, softmax;
};

inline Cost cost_by_length(const lesson::Lesson& L, Index longest) {
  Cost cost;
  omp_set_num_threads(1);
  for (Index T = 64; T <= longest; T *= 4) {
    L.check_interrupted();
    Arena memory;
    const auto microseconds = [&](Index all, const auto& attention) {
      const auto cut = [&](std::uint64_t number) {
        return vectors(all, 1, L.seed(), number).reshaped({all / T, T, measured_keys});
      };
      const Tensor q = cut(1), k = cut(2), v = cut(3);
      const lesson::Times times = lesson::time([&] {
        Tape tape(memory);
        attention(q, k, v);
      }, 0.3);
      return 1e6 * times.median / static_cast<double>(all);
    };
    cost.tokens.push_back(static_cast<double>(T));
    cost.mesa.push_back(microseconds(16 * longest, [&](const Tensor& q, const Tensor& k, const Tensor& v) {
      causal_linear_attention(preconditioned_queries(q, k, Tensor({1}, 1), 1), k, v, 1);
    }));
    cost.softmax.push_back(microseconds(longest, [&](const Tensor& q, const Tensor& k, const Tensor& v) {
      causal_softmax_attention(q, k, v, 1);
    }));
  }
  omp_set_num_threads(L.threads());
  return cost;
}

}  // namespace mesagrad
