// Lesson 13: memories under a grid of settings, and how many pairs one holds.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/elementary.h"
#include "core/norm.h"
#include "tasks/forgetting.h"

namespace mesagrad {

struct Remembered {
  std::string name;
  Memory memory;  // the best of its grid
  Forgetting result;
};

// Of all settings the one with the smallest mean loss on `tuned_on` sequences, tested on `sequences` others.
inline Remembered best_of(const std::string& name, const std::vector<Memory>& grid,
                          const SwitchingDynamics& task, std::uint64_t seed, Index tuned_on,
                          Index sequences) {
  Remembered best{name, grid.front(), {}};
  double least = HUGE_VAL;
  for (const Memory& memory : grid) {
    const double mean = forgetting_of(task, seed, stream::analysis_data, tuned_on, memory).mean;
    if (mean < least) best.memory = memory;
    least = std::min(least, mean);
  }
  best.result = forgetting_of(task, seed, stream::test_data, sequences, best.memory);
  return best;
}

// A vector of length 1 in a random direction.
inline std::vector<double> random_direction(Index n, Random& random) {
  std::vector<double> x(static_cast<std::size_t>(n));
  for (double& number : x) number = random.normal();
  const double length = norm(x.data(), n);
  for (double& number : x) number /= length;
  return x;
}

// The share of N pairs (key, code) that memories of K numbers give back when asked with the key, nearest of
// 64 codes: keys and codes have random directions. In the order sum, delta rule, least squares (Λ = .01), and
// softmax attention with scores of 50 k·q, which keeps all pairs.
inline std::vector<double> recalled(Index pairs, Index K, Index trials, std::uint64_t seed) {
  constexpr Index codes = 64;
  std::vector<double> right(4);
  for (Index trial = 0; trial < trials; ++trial) {
    Random random(seed, stream::analysis_data, static_cast<std::uint64_t>(trial * 1000 + pairs));
    std::vector<std::vector<double>> code, key;
    std::vector<std::size_t> value;
    for (Index i = 0; i < codes; ++i) code.push_back(random_direction(K, random));
    Matrix sum(K, K), delta(K, K), H = Matrix::identity(K);
    for (double& h : H.values()) h *= 0.01;
    for (Index i = 0; i < pairs; ++i) {
      key.push_back(random_direction(K, random));
      value.push_back(random.bits() % codes);
      const std::vector<double>&k = key.back(), &v = code[value.back()];
      for (Index r = 0; r < K; ++r) {
        double old = 0;
        for (Index j = 0; j < K; ++j) old += delta(r, j) * k[static_cast<std::size_t>(j)];
        for (Index j = 0; j < K; ++j) {
          const double k_r = k[static_cast<std::size_t>(r)], k_j = k[static_cast<std::size_t>(j)];
          sum(r, j) += v[static_cast<std::size_t>(r)] * k_j;
          delta(r, j) += (v[static_cast<std::size_t>(r)] - old) * k_j;
          H(r, j) += k_r * k_j;
        }
      }
    }
    const Matrix solved = transpose(cholesky_solve(H, transpose(sum)));
    for (std::size_t i = 0; i < key.size(); ++i) {
      Matrix q(K, 1), attended(K, 1);
      std::copy(key[i].begin(), key[i].end(), q.values().begin());
      for (std::size_t n = 0; n < key.size(); ++n) {
        double score = 0;
        for (std::size_t j = 0; j < key[n].size(); ++j) score += key[n][j] * key[i][j];
        for (std::size_t j = 0; j < key[n].size(); ++j) {
          attended.values()[j] += exponential(50 * (score - 1)) * code[value[n]][j];
        }
      }
      const Matrix said[] = {multiply(sum, q), multiply(delta, q), multiply(solved, q), attended};
      for (std::size_t m = 0; m < 4; ++m) {
        const auto likeness = [&](std::size_t c) {
          double product = 0;
          for (std::size_t j = 0; j < code[c].size(); ++j) product += code[c][j] * said[m].values()[j];
          return product;
        };
        std::size_t nearest = 0;
        for (std::size_t c = 1; c < codes; ++c) {
          if (likeness(c) > likeness(nearest)) nearest = c;
        }
        right[m] += nearest == value[i] ? 1 / static_cast<double>(pairs * trials) : 0;
      }
    }
  }
  return right;
}

}  // namespace mesagrad
