// How long something takes, and how fast the machine could be.
#pragma once
#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "core/parallel.h"
#include "core/tile.h"

namespace mesagrad::lesson {

struct Times {
  double best, median;  // seconds
};

// Repeats `work` for about `seconds`, at least 7 times, after one call that does not count.
inline Times time(const std::function<void()>& work, double seconds = 0.5) {
  const auto now = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  work();
  std::vector<double> all;
  const double start = now();
  while (all.size() < 7 || (now() - start < seconds && all.size() < 1000)) {
    const double begin = now();
    work();
    all.push_back(now() - begin);
  }
  std::sort(all.begin(), all.end());
  return {all.front(), all[all.size() / 2]};
}

// The machine's peak in flops per second, on as many threads as OpenMP uses: fused multiply-adds on
// numbers that never leave the registers, enough independent ones to keep all arithmetic units busy.
inline double measure_peak() {
  constexpr Index chains = 10, rounds = 2'000'000;
  const int threads = omp_get_max_threads();
  std::vector<real> results(static_cast<std::size_t>(threads));  // used, so not optimized away
  const Times t = time([&] {
#pragma omp parallel for schedule(static)
    for (int thread = 0; thread < threads; ++thread) {
      Vector x[chains], sum = {};
      for (Index i = 0; i < chains; ++i) x[i] = broadcast(static_cast<real>(i + thread));
      for (Index r = 0; r < rounds; ++r) {
#pragma GCC unroll 10
        for (Index i = 0; i < chains; ++i) {
          x[i] = multiply_add(x[i], broadcast(real(0.999)), broadcast(real(0.001)));
        }
      }
      for (const Vector& chain : x) sum += chain;
      results[static_cast<std::size_t>(thread)] = sum[0];
    }
  });
  return 2.0 * chains * lanes * rounds * threads / t.best;
}

}  // namespace mesagrad::lesson
