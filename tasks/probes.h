// Linear probes: what can be read off the residual stream, at each layer and position?
//
// A probe is a linear map from the residual stream a_l[:, t, :] to a target, fitted to N sequences by
// least squares. Its loss on the same sequences tells how much of the target is there in linear form.
// Even noise explains some of it: with D channels that know nothing, about D/N of the target's energy.
// So take N >> D, and compare layers with each other, not with 0.
#pragma once
#include <vector>

#include "tasks/in_context.h"

namespace mesagrad {

// -- Targets (N, T, d), from states (N, T + 1, d); the states are current_states and next_states -

// The preconditioned states A_t⁻¹·s_t with A_t = Σ_{i<t} s_i s_iᵀ + λI, where `inverse` stands for A⁻¹:
// the paper takes chebyshev with its six published coefficients. (The exact inverse is a poor target:
// the heavy tails of its first positions drown everything else.)
Tensor preconditioned_states(const Tensor& states, const ApplyInverse& inverse, double ridge = 0.001);

// -- Probes -----------------------------------------------------------------------------------------

// (N, T): 1 where ||x[n, t, :]||, x (N, T, d), is at most two standard deviations above its mean over
// the sequences, 0 for outliers.
Matrix without_outliers(const Tensor& x);

// Losses (L, T) of the best linear map, without bias and of the smallest norm, from each of L streams
// (N, T, D) to the targets (N, T, d):
//
//     min_M Σ_n ||targets[n, t, :] - a_l[n, t, :]·M||² / 2N
//
// over the N sequences n that have a 1 in chosen[n, t]; if it is empty, over all. Directions of the
// stream no larger than its rounding errors count as absent.
Matrix linear_probe(const std::vector<Tensor>& streams, const Tensor& targets, const Matrix& chosen = {});

// R² (L): which share of the targets' variance do the best linear maps with a bias explain at position t?
//
//     1 - Σ_n (targets[n, t, j] - a_l[n, t, :]·M_j - b_j)² / Σ_n (targets[n, t, j] - their mean over n)²
//
// in the mean over the components j. Directions in which the stream varies less than `smallest` times as much
// as where it varies most count as absent, as do those no larger than rounding errors. Without such a bound a
// probe finds in a stream whatever it holds, however faintly, where no layer would. Throws if a component is
// the same in all sequences. Paper: nonlinear-feature probe.
std::vector<double> variance_explained(const std::vector<Tensor>& streams, const Tensor& targets, Index t,
                                       double smallest = 0);

}  // namespace mesagrad
