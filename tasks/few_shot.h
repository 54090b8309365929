// Supervised learning in the context: prompts of examples (x_i, y_i), for models that were trained to predict
// sequences of states and never saw such a thing.
#pragma once
#include "tasks/states.h"

namespace mesagrad {

// For each prompt a random orthogonal W, and pairs
//
//     x_i uniform in (-range, range)^d,      y_i = W x_i + noise·ε_i,   ε_i ~ N(0, I)
//
// one after another, so that y_i stands where a model of states should predict it:
//
//     x_0 y_0 x_1 y_1 ...                           no separator: every second pair of neighbours, y_i x_{i+1},
//                                                   is no example of anything
//     p_0 .. p_{P-1} x_0 y_0 0 x_1 y_1 0 ...        a separator behind each pair, and a prefix
//
// Prefix and separators are vectors of zeros here: learned ones are added by TunedTokens (nn/tuned_tokens.h).
// The pairs are the same with and without them. Positions that count are those of the x_i; predicting 0 costs
// d·range²/6. Paper: "in-context supervised regression"; its text takes normal x, this is the code.
struct FewShot {
  Index dimension = 10;    // d
  Index tokens = 224;      // T
  bool separator = false;
  Index prefix = 0;        // P
  Index switch_after = 0;  // so many pairs follow a first W, all others a second one; 0: one for all
  double noise = 0.01;     // standard deviation of each component
  double range = 1;

  Shape shape() const;  // of a prompt with its last label, (T + 1, d); throws unless d > 0, no other number
                        // is negative, and noise and range are finite

  Index pairs() const;               // whose x_i is one of the T tokens
  Index place(Index pair) const;     // of x_i: that of y_i is the next one
  std::vector<Index> positions() const;  // of all x_i

  // What learned token stands at each place (T): the number of the prefix vector, or 0 at each separator;
  // -1: none.
  std::vector<Index> prefix_at() const;
  std::vector<Index> separator_at() const;

  struct Sequence {
    Matrix W, W_after;  // the second is empty if there is none
    Matrix states;      // (T + 1, d): the tokens of the prompt, and what would come next
  };
  Sequence sample(Random random) const;  // throws as shape() does

  Batch batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const;
  static Tensor inputs_of(const Tensor& states) { return current_states(states); }
  static constexpr SquaredError loss = {};

  // For InContext::teaches: is pair i of neighbours, s_{i-1} and s_i, an example (x, y)?
  bool is_example(Index i) const;

 private:
  Index period() const { return separator ? 3 : 2; }
};

}  // namespace mesagrad
