// Classical algorithms that learn a sequence's system from its own past, and predict.
//
// At position t the pairs (input s_{i-1}, target s_i), i <= t, are known (with s_{-1} = 0). Least
// squares with a ridge λ minimizes Σ ||s_i - Φ s_{i-1}||² + λ||Φ||² and predicts Φ s_t, which is
//
//     f_t = C_t · A_t⁻¹ · s_t      A_t = Σ s_{i-1} s_{i-1}ᵀ + λI,    C_t = Σ s_i s_{i-1}ᵀ.
//
// All other algorithms here put something cheaper in the place of A_t⁻¹: a single step of gradient
// descent takes η·I, an iterative solver a polynomial of A_t. So an algorithm is the way it applies an
// (approximate) inverse to a vector.
//
// Where a state alone does not tell what comes next, something else may: features x_t made of s_0 .. s_t,
// which take the place of s_{i-1} and s_t in all of the above.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "tasks/linear_dynamics.h"
#include "tasks/loss_curve.h"

namespace mesagrad {

// x ≈ A⁻¹·s for a symmetric positive definite A (d, d).
using ApplyInverse = std::function<std::vector<double>(const Matrix& A, std::span<const double> s)>;

// Features x_0 .. x_T (T + 1, m) of states s_0 .. s_T (T + 1, d); x_t may use only s_0 .. s_t.
using Features = std::function<Matrix(const Matrix& states)>;

// z_t = [s_t, s_{t-1}, ..., s_{t-k+1}], with zeros before s_0: m = k·d. Throws unless k is positive.
Features stacked(Index k);

// The features of many sequences: states (N, T + 1, d) to (N, T + 1, m).
Tensor features_of(const Tensor& states, const Features& features);

struct InContext {
  double ridge = 0.001;     // λ
  bool newest_pair = true;  // false leaves out pair t, as the authors' least-squares code does
  Features features = {};   // none: the states themselves
  std::function<bool(Index i)> teaches = {};  // is pair i one to learn from? none: all are
};

// The predictor f_t above. Throws unless the ridge is positive (A_0 is the ridge alone).
Predictor predict_with(ApplyInverse inverse, const InContext& options = {});

// Exact least squares, by Cholesky decomposition.
Predictor least_squares_predictor(const InContext& options);

// One step of gradient descent from Φ = 0 with step size η: f_t = η·C_t·s_t. Uses the newest pair.
Predictor gradient_step_predictor(double eta);

// -- Approximate inverses ---------------------------------------------------------------------------
// Powers of I - Â stay bounded because A is scaled: Â = A/||A||, with the Frobenius norm. All but newton need
// only products of A with a vector, K of them.

// Σ_{k=0..K} (I - Â)^k / ||A||, the geometric series of the inverse.
ApplyInverse neumann(Index K);

// X <- X(2I - AX), K times, from X = I/trace(A): doubles the number of correct digits every time, for
// two matrix products each.
ApplyInverse newton(Index K);

// A learned step size for each iteration: p_k = p_{k-1} - ω_k Â p_{k-1}, x_k = x_{k-1} + p_k, from
// p_0 = x_0 = s; the result is x_K/||A||. With all ω = 1 this is the geometric series.
ApplyInverse richardson(std::vector<double> omega);

// The same with momentum: x_k = x_{k-1} + p_k + β_k (x_{k-1} - x_{k-2}), x_{-1} = x_0, where α_k takes
// the place of ω_k. (β_1 has no effect.) Proposition 2 of the paper, with K + 1 layers.
ApplyInverse chebyshev(std::vector<double> alpha, std::vector<double> beta);

// The authors' learned coefficients, for the states of linear dynamics, for stacked observations, and for the
// features of nonlinear dynamics. They exist for K = 6, and for states for K = 2 too; else it throws.
struct ChebyshevCoefficients {
  std::vector<double> alpha, beta;
};
enum class PublishedFor { states, stacked, features };
ChebyshevCoefficients published_coefficients(Index K, PublishedFor inputs = PublishedFor::states);

// -- Line search -----------------------------------------------------------------------------------

// The loss of gradient_step_predictor as a function of η: a parabola, whose three coefficients come
// from one pass over the data.
struct StepSizeSearch {
  double constant, linear, quadratic;
  double loss(double eta) const { return constant + eta * (linear + eta * quadratic); }
  double best_eta() const {  // throws if the loss does not depend on η
    check(quadratic > 0, "best_eta: the quadratic coefficient is ", quadratic, ", it must be positive");
    return -linear / (2 * quadratic);
  }
};
StepSizeSearch search_step_size(const LinearDynamics& task, std::uint64_t seed, std::uint32_t stream,
                                Index sequences);

}  // namespace mesagrad
