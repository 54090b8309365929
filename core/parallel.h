// Loops over all cores.
//
// Two rules keep results the same, bit for bit, on any number of threads: a parallel loop writes
// outputs that do not depend on each other, and sums over parallel parts are taken in a fixed order.
// A loop with little work runs on one thread, because waking the others and waiting for them takes
// about a microsecond, in which one core makes 100,000 multiplications; and so does a loop inside a
// parallel region, whose threads are all busy.
#pragma once
#include <algorithm>
#include <exception>

#include "core/real.h"

#ifdef _OPENMP
#include <omp.h>
#else  // without OpenMP everything runs on one thread
inline int omp_get_max_threads() { return 1; }
inline int omp_get_level() { return 0; }
inline void omp_set_num_threads(int) {}
#endif

namespace mesagrad {

inline bool worth_threads(Index work) { return work > 100000 && omp_get_level() == 0; }

// f(i) for i = 0 .. n-1; the f(i) must be independent of each other. Vectorized: for short arithmetic.
template <class F>
void elementwise(Index n, const F& f) {
  // f is copied: what it holds then stays in registers, where no store of the loop could change it.
  const auto piece = [](Index begin, Index end, const F g) {
#pragma omp simd
    for (Index i = begin; i < end; ++i) g(i);
  };
  if (!worth_threads(n)) return piece(0, n, f);
  constexpr Index size = 10000;
#pragma omp parallel for schedule(static)
  for (Index begin = 0; begin < n; begin += size) piece(begin, std::min(begin + size, n), f);
}

// f(row) for row = 0 .. rows-1, each of which takes about `width` steps; the f(row) must be independent
// of each other, and throw nothing. Without width there is nothing to do.
template <class F>
void each_row(Index rows, Index width, const F& f) {
  if (width == 0) return;
  if (!worth_threads(rows * width)) {
    for (Index row = 0; row < rows; ++row) f(row);
    return;
  }
#pragma omp parallel for schedule(static)
  for (Index row = 0; row < rows; ++row) f(row);
}

// f(i) for i = 0 .. n-1; `work` is how many steps they take together: without it, enough to be worth
// threads. An exception in one of them is thrown on, after the loop.
template <class F>
void parallel_for(Index n, const F& f, Index work = most_numbers) {
  if (n <= 1 || !worth_threads(work)) {
    for (Index i = 0; i < n; ++i) f(i);
    return;
  }
  std::exception_ptr first;  // an exception must not leave an OpenMP region
#pragma omp parallel for schedule(dynamic)
  for (Index i = 0; i < n; ++i) {
    try {
      f(i);
    } catch (...) {
#pragma omp critical
      if (!first) first = std::current_exception();
    }
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace mesagrad
