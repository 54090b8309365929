// What linear attention and mesa-layers may do to queries and keys before, and to their results after.
#pragma once
#include <cmath>
#include <string>

#include "core/ops.h"
#include "nn/dpfp.h"
#include "nn/normalization.h"

namespace mesagrad {

struct KeyFeatures {
  Index dpfp = 0;             // order of the features that queries and keys become; 0: what they are
  bool unit_keys = false;     // queries and keys (their features) of length 1, head by head
  bool unit_outputs = false;  // each head's result is brought to length √V: linear attention sums t values,
                              // so that its results grow with t

  std::string name() const {
    return text(dpfp > 0 ? text(" of order ", dpfp) : "", unit_keys ? " of unit keys" : "",
                unit_outputs ? " to unit outputs" : "");
  }
  Tensor keys(const Tensor& k, Index heads) const {  // and queries
    const Tensor features = dpfp > 0 ? mesagrad::dpfp(k, heads, dpfp) : k;
    return unit_keys ? unit_length(features, heads) : features;
  }
  Tensor outputs(const Tensor& out, Index heads) const {
    if (!unit_outputs) return out;
    const auto V = static_cast<real>(out.dim(-1) / heads);
    return std::sqrt(V) * unit_length(out, heads);
  }
};

}  // namespace mesagrad
