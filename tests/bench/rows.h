// What `make bench` measures.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "nn/transformer.h"
#include "tutorials/lesson/stopwatch.h"

namespace mesagrad::bench {

struct Row {
  std::string name;
  double flops;  // that the result needs; what an algorithm repeats or wastes is not counted
  double bytes;  // that must cross main memory: inputs once, results once
  std::function<lesson::Times()> measure;
};

std::vector<Row> rows();
void add_decoding(std::vector<Row>& rows);  // tests/bench/decoding.cpp
void add_language_rows(std::vector<Row>& rows);

template <class... Numbers>
double product(Numbers... x) {
  return (1.0 * ... * static_cast<double>(x));
}

inline double size_of_reals(double count) { return count * sizeof(real); }

Tensor random_tensor(const Shape& shape, std::uint64_t number);

// Of a training step of a Transformer on B sequences of T tokens.
double step_flops(Index B, Index T, const Transformer::Options& options);

// Of the core of a mesa-layer that forgets, for each token and head of key and value size K.
struct GatedMesaFlops {
  double forward, backward;
};
GatedMesaFlops gated_mesa_flops(Index K);

}  // namespace mesagrad::bench
