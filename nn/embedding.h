// A vector for each of V things, such as the tokens of a text.
#pragma once
#include <memory>

#include "nn/parameters.h"

namespace mesagrad {

// The gradient of a table of which few rows are used: those rows alone, in the order of their use, as often
// as they are. A table of 50,000 rows would otherwise have a gradient of zeros, nearly, for each shard of a
// batch.
struct RowGradients {
  std::vector<Index> rows;
  std::vector<real> values;  // one row of the gradient after another

  void clear() {
    rows.clear();
    values.clear();
  }
  void add_to(const Tensor& table) const;  // to the table's own gradient
};

struct Embedding {
  Tensor table;                               // (V, D)
  std::shared_ptr<RowGradients> apart = {};   // keeps the gradient; none: the table's own does

  // Ids (B, T), whole numbers 0 .. V-1, to their rows (B, T, D). Throws if one is none of these.
  Tensor operator()(const Tensor& ids) const;

  // Lets a training keep the gradient apart.
  Parameters parameters(const std::string& name) { return {{name, &table, &apart}}; }
};

}  // namespace mesagrad
