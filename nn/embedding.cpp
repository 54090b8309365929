#include "nn/embedding.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/tape.h"

namespace mesagrad {
namespace {

void add_row(const real* from, Index D, real* to) {
#pragma omp simd
  for (Index j = 0; j < D; ++j) to[j] += from[j];
}

}  // namespace

void RowGradients::add_to(const Tensor& table) const {
  const Index D = table.dim(1);
  real* to = table.grad();
  for (std::size_t n = 0; n < rows.size(); ++n) {
    add_row(values.data() + static_cast<Index>(n) * D, D, to + rows[n] * D);
  }
}

Tensor Embedding::operator()(const Tensor& ids) const {
  check(ids.shape().rank() == 2 && table.shape().rank() == 2, "embedding: ids ", ids.shape(), ", table ",
        table.shape(), ": expected (B, T) and (V, D)");
  const Index V = table.dim(0), D = table.dim(1), count = ids.size();
  std::vector<Index> rows;
  for (Index i = 0; i < count; ++i) {
    check(ids[i] >= 0 && ids[i] < static_cast<real>(V) &&
              ids[i] == static_cast<real>(static_cast<Index>(ids[i])),
          "embedding: id ", ids[i], " is none of the whole numbers 0 to ", V - 1);
    rows.push_back(static_cast<Index>(ids[i]));
  }
  const Tensor out = Tape::output({ids.dim(0), ids.dim(1), D}, {&table});
  for (Index i = 0; i < count; ++i) {
    std::copy_n(table.data() + rows[static_cast<std::size_t>(i)] * D, D, out.data() + i * D);
  }
  Tape::record("embedding", out, [rows = std::move(rows), out, table = table, apart = apart, D] {
    const real* dout = out.grad();
    if (apart) {
      apart->rows.insert(apart->rows.end(), rows.begin(), rows.end());
      apart->values.insert(apart->values.end(), dout, dout + out.size());
      return;
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      add_row(dout + static_cast<Index>(i) * D, D, table.grad() + rows[i] * D);
    }
  });
  return out;
}

}  // namespace mesagrad
