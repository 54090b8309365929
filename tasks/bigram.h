// A language that every sequence has for itself: what follows a symbol depends on that symbol alone, by
// probabilities that a reader can only learn from the sequence.
#pragma once
#include "core/linalg.h"
#include "core/random.h"
#include "tasks/task.h"

namespace mesagrad {

// For each sequence and each of S symbols a row p_s of S probabilities, p_s ~ Dirichlet(a, ..., a), and
//
//     s_0 uniform,      s_{t+1} = j with probability p_{s_t}(j)
//
// Inputs are s_0 .. s_{T-1}, labels s_1 .. s_T. With a = 0.15 most rows allow two or three symbols. No
// predictor has a smaller mean loss than Bayes' rule, which knows how sequences are made and sees s_0 .. s_t:
//
//     P(s_{t+1} = j) = (n_ij + a) / (n_i + S·a),      i = s_t,
//
// where n_ij counts how often j has followed i, and n_i is their sum over j.
struct Bigram {
  Index symbols = 16;
  Index tokens = 96;
  double concentration = 0.15;  // a

  struct Sequence {
    Matrix follows;          // (S, S): row i is p_i
    std::vector<Index> ids;  // T + 1
  };
  Sequence sample(Random random) const;  // throws unless S > 0, T > 0 and a > 0 is finite

  Batch batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const;
  static constexpr CrossEntropy loss = {};

  // -log P of Bayes' rule, for each of s_1 .. s_T, in nats. Throws if an id is no symbol.
  std::vector<double> bayes_losses(const std::vector<Index>& ids) const;

 private:
  void check_sizes() const;
};

}  // namespace mesagrad
