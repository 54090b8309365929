// What lesson 4 measures with, besides the library and tutorials/lesson/stopwatch.h.
#pragma once
#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "core/random.h"
#include "core/tensor.h"

namespace mesagrad {

// Normal numbers of standard deviation 1/2, others for every `number`.
inline Tensor random_tensor(const Shape& shape, std::uint64_t seed, std::uint64_t number) {
  Tensor result(shape);
  Random random(seed, stream::analysis_data, number);
  for (Index i = 0; i < result.size(); ++i) result[i] = static_cast<real>(random.normal() / 2);
  return result;
}

// Sequences begin .. begin + count - 1 of a batch: (count, T, n) from (B, T, n).
inline Tensor sequences_of(const Tensor& batch, Index begin, Index count) {
  const Index each = batch.dim(1) * batch.dim(2);
  Tensor result = Tensor::uninitialized({count, batch.dim(1), batch.dim(2)});
  std::copy_n(batch.data() + begin * each, result.size(), result.data());
  return result;
}

// The largest difference between the elements of two tensors of one shape.
inline double largest_difference(const Tensor& a, const Tensor& b) {
  double largest = 0;
  for (Index i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return largest;
}

// sum(x, threads) on 1 to 8 threads.
template <class Sum>
std::vector<double> on_1_to_8_threads(const Tensor& x, const Sum& sum) {
  std::vector<double> results;
  for (int threads = 1; threads <= 8; ++threads) results.push_back(sum(x, threads));
  return results;
}

// How many of the numbers are different ones?
inline Index different(const std::vector<double>& numbers) {
  return std::ssize(std::set<double>(numbers.begin(), numbers.end()));
}

}  // namespace mesagrad
