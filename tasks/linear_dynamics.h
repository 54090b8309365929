// The paper's task: predict the next state of a random linear system, each sequence another system.
#pragma once
#include "tasks/states.h"

namespace mesagrad {

// What a model sees of the states (B, T + 1, d): constructed tokens, or the states alone.
enum class Tokens { constructed, raw };

// For each sequence a random orthogonal W (every one equally likely) and
//
//     s_0 uniform in (-range, range)^d,      s_{t+1} = clip(W s_t + noise·ε_t, ±clip),   ε_t ~ N(0, I)
//
// Inputs are s_0 .. s_{T-1}, labels s_1 .. s_T. Nothing can predict better than W s_t, whose loss is
// the noise floor d·noise²/2; predicting 0 costs d·range²/6, because W keeps lengths.
// Paper: "fully observed linear dynamics"; where its text and the authors' code differ (uniform or
// normal s_0), this is the code.
//
// Two controls take other systems:
//
//   contracting   W = Z·diag(λ)·Z⁻¹ with normal numbers in Z, one λ = 0.9 and the others uniform in
//                 (0.3, 0.9). States die out in the end, but first they may grow, because the
//                 eigenvectors are not orthogonal. The paper sets the clip to 2.
//   fixed         One orthogonal W for all sequences, whatever the seed and the stream: only s_0 and
//                 the noise differ, and a model may learn W by heart.
struct LinearDynamics {
  enum class System { orthogonal, contracting, fixed };

  Index dimension = 10;  // d
  Index tokens = 50;     // T
  double noise = 0.01;   // standard deviation of each component
  double range = 1;
  double clip = 10;
  System system = System::orthogonal;
  std::uint64_t fixed_key = 42;  // seed of the one W of System::fixed,
  Matrix fixed_W = {};           // unless it is given, (d, d)
  Tokens inputs = Tokens::constructed;

  Shape shape() const;  // (T + 1, d); throws unless d > 0, no other number is negative, all but clip are
                        // finite, and a given W fits

  // One sequence's system and states (T + 1, d). Throws as shape() does.
  struct Sequence {
    Matrix W;
    Matrix states;
  };
  Sequence sample(Random random) const;

  // What a model sees of states (see Task): inputs_of(states), and next_states(states) as labels.
  Batch batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const;
  Tensor inputs_of(const Tensor& states) const;
  static constexpr SquaredError loss = {};

  // A sequence's W (d, d); System::fixed leaves `random` untouched.
  Matrix sample_system(Random& random) const;
};

}  // namespace mesagrad
