// Vector registers, as a type: arithmetic on `lanes` numbers at once, written with + and *.
//
// Registers differ from machine to machine; results do not. Arithmetic on a vector treats each number
// alone, and what goes across the numbers of a vector (a sum) is in core/sum.h, in an order that no
// register decides.
#pragma once
#include <cmath>
#include <cstring>
#include <utility>

#if defined(__FMA__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "core/real.h"

namespace mesagrad {

// Numbers in one vector register.
#if defined(__AVX512F__)
constexpr Index lanes = 64 / sizeof(real);
#elif defined(__AVX__)
constexpr Index lanes = 32 / sizeof(real);
#else
constexpr Index lanes = 16 / sizeof(real);
#endif

typedef real Vector __attribute__((vector_size(lanes * sizeof(real))));

inline Vector load(const real* from) {
  Vector result;
  std::memcpy(&result, from, sizeof result);
  return result;
}

inline void store(Vector x, real* to) { std::memcpy(to, &x, sizeof x); }

// x in every lane. (x - 0 is x for every x, so nothing is left to subtract; 0 + x would turn -0 into 0.)
inline Vector broadcast(real x) { return x - Vector{}; }

// a·b + c, rounded once. Most processors have an instruction for it, which C++ can't name for vectors.
// Everywhere else in this library a*b + c is rounded twice, on every machine (see the Makefile's flags):
// the source decides, not the compiler. Without the instruction the standard library computes the same
// numbers, about fifty times slower.
inline Vector multiply_add(Vector a, Vector b, Vector c) {
#if defined(__AVX512F__) && defined(MESAGRAD_DOUBLE)
  return _mm512_fmadd_pd(a, b, c);
#elif defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__FMA__) && defined(MESAGRAD_DOUBLE)
  return _mm256_fmadd_pd(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__aarch64__) && defined(MESAGRAD_DOUBLE)
  return vfmaq_f64(c, a, b);
#elif defined(__aarch64__)
  return vfmaq_f32(c, a, b);
#else
  for (Index j = 0; j < lanes; ++j) c[j] = std::fma(a[j], b[j], c[j]);
  return c;
#endif
}

// The first `count` numbers of x, and behind them `rest`.
inline Vector first(Index count, Vector x, real rest) {
  const int n = static_cast<int>(count);
#pragma omp simd
  for (int j = 0; j < static_cast<int>(lanes); ++j) x[j] = j < n ? x[j] : rest;
  return x;
}

inline Vector square_root(Vector x) {
  Vector result;
#pragma omp simd
  for (int j = 0; j < static_cast<int>(lanes); ++j) result[j] = std::sqrt(x[j]);
  return result;
}

// x with its numbers moved to the left in a ring, by `distance` places.
template <Index distance, std::size_t... j>
Vector rotated(Vector x, std::index_sequence<j...>) {
  return __builtin_shufflevector(x, x, ((static_cast<Index>(j) + distance) % lanes)...);
}

// Stores the first n numbers of x, or adds them to what is there: one instruction for n = 1, 2, 4, ...
template <Index n, std::size_t... j>
void store_part(Vector x, real* to, bool add, std::index_sequence<j...>) {
  typedef real Part __attribute__((vector_size(n * sizeof(real))));
  Part part = __builtin_shufflevector(x, x, j...);
  if (add) {
    Part there;
    std::memcpy(&there, to, sizeof there);
    part = there + part;
  }
  std::memcpy(to, &part, sizeof part);
}

// Stores the first `count` numbers of x, at most `lanes`, or adds them to what is there, and touches no
// others. AVX-512 has an instruction that does (and the compiler finds it in these loops). Others get a
// part for each binary digit of `count`, so that no number is stored alone but the last.
#if defined(__AVX512F__)
inline void store_first(Index count, Vector x, real* to, bool add) {
  const int n = static_cast<int>(count);
  if (add) {
#pragma omp simd
    for (int j = 0; j < static_cast<int>(lanes); ++j) {
      if (j < n) to[j] += x[j];
    }
  } else {
#pragma omp simd
    for (int j = 0; j < static_cast<int>(lanes); ++j) {
      if (j < n) to[j] = x[j];
    }
  }
}
#else
template <Index digit = lanes>
void store_first(Index count, Vector x, real* to, bool add) {
  if ((count & digit) != 0) {
    store_part<digit>(x, to, add, std::make_index_sequence<digit>{});
    if constexpr (digit < lanes) x = rotated<digit>(x, std::make_index_sequence<lanes>{});
    to += digit;
  }
  if constexpr (digit > 1) {
    if (digit < lanes || count < lanes) store_first<digit / 2>(count, x, to, add);
  }
}
#endif

// f of all numbers of x, for example their sum or the largest of them, in every lane of the result.
template <Index distance = lanes / 2, class F>
Vector over_lanes(Vector x, const F& f) {
  if constexpr (distance == 0) {
    return x;
  } else {
    return over_lanes<distance / 2>(f(x, rotated<distance>(x, std::make_index_sequence<lanes>{})), f);
  }
}

// Below, registers count as rows of 16 bytes, because instructions that stay inside of these are fast.
constexpr Index quarter = 16 / sizeof(real);

// Of every 16 bytes of a and b the first (half = 0) or second halves, interleaved: a_0 b_0 a_1 b_1 ...
template <Index half, Index... j>
Vector interleave(Vector a, Vector b, std::integer_sequence<Index, j...>) {
  return __builtin_shufflevector(
      a, b, (j / quarter * quarter + half * quarter / 2 + j % quarter / 2 + (j % 2) * lanes)...);
}

// Blocks of `size` numbers: of every two of a the one with number `which`, and behind it that of b.
template <Index size, Index which, Index... j>
Vector choose_blocks(Vector a, Vector b, std::integer_sequence<Index, j...>) {
  return __builtin_shufflevector(a, b, ((j & ~size) + which * size + ((j & size) != 0 ? lanes : 0))...);
}

// One round of a transposition: in every number's place, written in binary as row and column, the digit
// `distance` of the row changes places with one of the column's.
template <Index distance>
void exchange(Vector (&row)[lanes]) {
  constexpr auto all = std::make_integer_sequence<Index, lanes>{};
#pragma GCC unroll 8
  for (Index pair = 0; pair < lanes / 2; ++pair) {
    const Index r = pair / distance * 2 * distance + pair % distance;
    const Vector a = row[r], b = row[r + distance];
    if constexpr (distance < quarter) {
      row[r] = interleave<0>(a, b, all);
      row[r + distance] = interleave<1>(a, b, all);
    } else {
      row[r] = choose_blocks<distance, 0>(a, b, all);
      row[r + distance] = choose_blocks<distance, 1>(a, b, all);
    }
  }
}

// Transposes a square of vectors. A digit from `quarter` on is exchanged with the same digit of the
// column. Inside of 16 bytes, to interleave takes the column's first digit for the row's, and puts the
// row's behind the column's last: done for every digit of the row, first to last, that is a transposition.
inline void transpose(Vector (&row)[lanes]) {
  if constexpr (quarter > 2) exchange<quarter / 2>(row);
  exchange<1>(row);
  if constexpr (lanes > quarter) exchange<quarter>(row);
  if constexpr (lanes > 2 * quarter) exchange<2 * quarter>(row);
}

}  // namespace mesagrad
