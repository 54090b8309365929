// Linear systems of which only a part can be seen.
#pragma once
#include "tasks/states.h"

namespace mesagrad {

// For each sequence a random orthogonal W (n, n) moves a hidden state h, and a random C (d, n), d < n,
// shows a part of it:
//
//     h_0 uniform in (-range, range)^n,      h_{t+1} = clip(W h_t + noise·ε_t, ±clip),
//     C = scale·(normal numbers),            s_t = C h_t + observation_noise·ε'_t
//
// Inputs are s_0 .. s_{T-1}, labels s_1 .. s_T. One observation does not tell the next, but several in a row
// do: if k·d >= n, then h_t can be computed from z_t = [s_t, ..., s_{t-k+1}] but for the noise, and s_{t+1}
// is a linear function of it (`stacked` in tasks/in_context.h). Predicting 0 costs scale²·d·n·range²/6.
// Paper: "partially observed linear dynamics"; its text and the code agree but for 0.5, which the text calls
// a variance, and the code takes for the standard deviation: as here.
struct PartiallyObserved {
  Index hidden = 15;    // n
  Index dimension = 5;  // d
  Index tokens = 50;    // T
  double noise = 0.01;  // standard deviation of each component, as are the next two
  double observation_noise = 0.01;
  double scale = 0.5;
  double range = 1;
  double clip = 10;

  Shape shape() const;  // of a sequence's states, (T + 1, d); throws unless d and n are positive, no other
                        // number is negative, and all but clip are finite

  struct Sequence {
    Matrix W, C;
    Matrix hidden;  // (T + 1, n)
    Matrix states;  // (T + 1, d), the observations
  };
  Sequence sample(Random random) const;  // throws as shape() does

  Batch batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const;
  static Tensor inputs_of(const Tensor& states) { return current_states(states); }
  static constexpr SquaredError loss = {};
};

}  // namespace mesagrad
