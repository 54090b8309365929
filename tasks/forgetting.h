// Sequences whose system is exchanged on the way, and classical algorithms that forget the old one, or don't.
#pragma once
#include <functional>

#include "tasks/loss_curve.h"

namespace mesagrad {

// Linear dynamics (tasks/linear_dynamics.h) with an orthogonal W up to some token, and another one from
// there:
//
//     s_{t+1} = W s_t + noise·ε_t  for t < n,      s_{t+1} = W' s_t + noise·ε_t  for t >= n
//
// where n, from T/4 to 3T/4 - 1, is every sequence's own. At position n nothing can be predicted: the pair
// (s_n, s_{n+1}), the first that W' made, is the label there, and is seen with token n + 1.
//
// Tokens are constructed for a layer that compares vectors of length 1: [0, s_t, s_{t-1}, cue], with a 1 as
// cue in token n + 1 if there is one, else a 0: 3d + 1 numbers, the first d of an output the prediction.
struct SwitchingDynamics {
  Index dimension = 10;  // d
  Index tokens = 100;    // T
  double noise = 0.01;   // standard deviation of each component
  double range = 1;      // s_0 is uniform in (-range, range)^d
  bool cue = false;

  Shape shape() const;  // (T + 1, d); throws unless d > 0, T >= 4 and the others are finite and not negative

  struct Sequence {
    Index switched = 0;  // n
    Matrix states;       // (T + 1, d)
  };
  Sequence sample(Random random) const;

  Batch batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const;
  static constexpr SquaredError loss = {};
};

// -- Predictors -------------------------------------------------------------------------------------
// Each remembers the pairs (k_i, s_i) with the keys k_i = s_{i-1}/‖s_{i-1}‖ in a matrix Φ, and predicts Φ q_t
// for q_t = s_t/‖s_t‖, times a constant scale. They differ in what a pair does to Φ:
struct Memory {
  enum class Kind {
    sum,    // Φ <- γΦ + β s kᵀ: linear attention, gated
    delta,  // Φ <- γΦ + β (s - γΦk) kᵀ: the key's old value is replaced by the new one (the delta rule)
    least_squares  // Φ = G (H + ΛI)⁻¹ of nn/gated_mesa.h: the mesa-layer, gated
  };
  enum class Forget {
    steadily,    // γ at every token
    at_switch,   // and 0 where the first pair of a new system arrives, as if one had been told
    on_surprise  // and 0 where the last prediction was wrong by more than half of ‖s‖², unless Φ was emptied,
                 // or the sequence began, at most d + 1 tokens ago: it can know little then
  };
  Kind kind = Kind::least_squares;
  double decay = 1;     // γ
  double strength = 1;  // β
  double penalty = 0.01;  // Λ
  double scale = 1;
  Forget forget = Forget::steadily;
};

// The losses ‖prediction - s_{t+1}‖²/2 at t = 0 .. T - 1 of one sequence, to `out`; returns how often Φ was
// emptied. Throws unless 0 <= γ <= 1, β >= 0, and Λ > 0 for least squares.
Index losses_of_memory(const Memory& memory, const SwitchingDynamics::Sequence& sequence, double* out);

// What matters of losses, over many sequences.
struct Forgetting {
  double mean = 0;                              // over all positions
  double before = 0, at = 0, after = 0, later = 0;  // at the positions n - 1, n, n + d and n + 2d
  double resets = 0;                            // times that Φ was emptied, per sequence
  double standard_error = 0;                    // of `mean`
  std::vector<double> around;                   // the mean at n - T/4 .. n + T/4 - 1
};

// Of losses (sequences, T), row-major, of the first sequences of this stream.
Forgetting forgetting_of(const SwitchingDynamics& task, std::uint64_t seed, std::uint32_t stream,
                         const std::vector<double>& losses);
Forgetting forgetting_of(const SwitchingDynamics& task, std::uint64_t seed, std::uint32_t stream,
                         Index sequences, const Memory& memory);

}  // namespace mesagrad
