// Softmax kernel regression: what came next when a state was like this one?
//
// The oldest way to learn from examples without a model of them: predict a mean of the targets seen, each
// weighted by how similar its input is to the question (Nadaraya and Watson, 1964). With the similarity
// exp(β s_i·s_t), which a head of softmax attention could compute, the prediction is
//
//     f_t = Σ_{i<t} p_i s_{i+1},      p_i = exp(β s_i·s_t) / Σ_{j<t} exp(β s_j·s_t),      f_0 = 0.
//
// At β = 0 all weights are equal; a large β trusts the most similar state alone. The newest pair,
// (s_{t-1}, s_t), is in use.
// Paper: figure 5B.
#pragma once
#include <vector>

#include "tasks/linear_dynamics.h"
#include "tasks/loss_curve.h"

namespace mesagrad {

// Throws unless β is finite.
Predictor kernel_regression_predictor(double beta);

// One sequence's loss, the mean of ℓ_t over the T positions of states (T + 1, d), for each β. Scores are
// computed once for all of them. Throws unless all β are finite and there is a position.
std::vector<double> kernel_regression_losses(const Matrix& states, const std::vector<double>& betas);

// The same over many sequences, as a curve by β: of curve.t = betas, the loss is curve.mean.
LossCurve kernel_regression_curve(const LinearDynamics& task, std::uint64_t seed, std::uint32_t stream,
                                  Index sequences, const std::vector<double>& betas);

}  // namespace mesagrad
