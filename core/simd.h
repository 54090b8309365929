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

// One round of a transposition: in every number's place, written in binary as row and column, the digit
// `distance` of the row changes places with that of the column. (Inline, so that all of it stays in
// registers.)
template <Index distance, Index... j>
[[gnu::always_inline]] inline void exchange(Vector (&row)[lanes], std::integer_sequence<Index, j...>) {
#pragma GCC unroll 8
  for (Index pair = 0; pair < lanes / 2; ++pair) {
    const Index r = pair / distance * 2 * distance + pair % distance;
    const Vector a = row[r], b = row[r + distance];
    row[r] = __builtin_shufflevector(a, b, ((j & distance) == 0 ? j : lanes + j - distance)...);
    row[r + distance] = __builtin_shufflevector(a, b, ((j & distance) == 0 ? j + distance : lanes + j)...);
  }
}

// Transposes a square of vectors, digit by digit.
template <Index distance = lanes / 2>
[[gnu::always_inline]] inline void transpose(Vector (&row)[lanes]) {
  exchange<distance>(row, std::make_integer_sequence<Index, lanes>{});
  if constexpr (distance > 1) transpose<distance / 2>(row);
}

}  // namespace mesagrad
