// Systems whose next state is no linear function of the last one, but of features of it.
#pragma once
#include "tasks/states.h"

namespace mesagrad {

// A network of two layers and its features: f(s) = gelu(s A) B for a state s as a row, A (d, M), B (M, d),
// with gelu(x) = ½x(1 + tanh(√(2/π)(x + 0.044715x³))), brought to length 1: f/(‖f‖ + 10⁻¹⁶).
struct FeatureNetwork {
  Matrix A, B;

  Matrix raw_features(const Matrix& states) const;   // f(s) for each row s of (n, d)
  Matrix unit_features(const Matrix& states) const;  // of length 1
};

// With independent normal numbers of standard deviation 1.1, always the same for the same key.
FeatureNetwork random_feature_network(Index d, Index M, std::uint64_t key);

// One network for all sequences, whatever the seed and the stream; for each a random orthogonal W, and
//
//     s_0 uniform in (-range, range)^d,      s_{t+1} = W f(s_t)/‖f(s_t)‖ + noise·ε_t,   ε_t ~ N(0, I)
//
// Inputs are s_0 .. s_{T-1}, labels s_1 .. s_T. All states but the first have lengths near 1, so predicting 0
// costs ½ (from s_1 on). Who knows the features of every state has a linear problem: find W.
// Paper: "nonlinear dynamics"; the length of 1 is in the authors' code, not in the text.
struct NonlinearDynamics {
  FeatureNetwork network = random_feature_network(10, 40, 421);
  Index tokens = 50;     // T
  double noise = 0.01;   // standard deviation of each component
  double range = 0.25;

  Shape shape() const;  // of a sequence's states, (T + 1, d); throws unless the network's matrices fit each
                        // other, and the other numbers are finite and not negative

  struct Sequence {
    Matrix W;
    Matrix states;  // (T + 1, d)
  };
  Sequence sample(Random random) const;  // throws as shape() does

  Batch batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const;
  static Tensor inputs_of(const Tensor& states) { return current_states(states); }
  static constexpr SquaredError loss = {};
};

}  // namespace mesagrad
