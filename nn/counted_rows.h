// Which rows of an output a loss counts.
#pragma once
#include <vector>

#include "core/tensor.h"

namespace mesagrad {

// Of B sequences of T rows each, those at `positions`; none: all of them. Throws unless positions rise from 0
// to T - 1.
class CountedRows {
 public:
  CountedRows(const char* op, Index sequences, Index tokens, const std::vector<Index>& positions)
      : tokens_(tokens), positions_(positions),
        each_(positions.empty() ? tokens : std::ssize(positions)), count_(sequences * each_) {
    Index before = -1;
    for (const Index p : positions) {
      check(p > before && p < tokens, op, ": position ", p, " counts; positions that do must rise from 0 to ",
            tokens - 1);
      before = p;
    }
  }
  Index count() const { return count_; }
  Index of_a_sequence() const { return each_; }

  // Row 0 .. B·T - 1 of the n-th that counts.
  Index operator[](Index n) const {
    if (positions_.empty()) return n;
    return n / each_ * tokens_ + positions_[static_cast<std::size_t>(n % each_)];
  }

 private:
  Index tokens_;
  std::vector<Index> positions_;
  Index each_, count_;
};

}  // namespace mesagrad
