// Propositions 1 and 2 by hand.
//
// One layer makes one step of gradient descent; several layers first precondition, then predict.
// Least squares predicts C_t·A_t⁻¹·s_t, with A_t = Σ s_{i-1} s_{i-1}ᵀ and C_t = Σ s_i s_{i-1}ᵀ over
// i <= t. Steps α_1 .. α_K of gradient descent on ½xᵀA_t·x - s_tᵀx (Richardson's iteration) lead from
// x = 0 towards x = A_t⁻¹·s_t. Written with what is still missing, r = s_t - A_t·x, a step is
//
//     r ← r - α_k A_t·r,     and the prediction C_t·x grows by α_k C_t·r,     from r = s_t and 0.
//
// Both are sums over the past, so both are attention: no layer has to add s_t again, which attention
// could not do.
#pragma once
#include <vector>

#include "nn/linear_transformer.h"

namespace mesagrad {

// A head that adds Σ_{i <= t} `step`·value_i (key_i·query_t) to a group of channels of token t, `output`.
// `query` and `value` are groups too, 0 to 3, and the key is the last one.
struct GroupHead {
  Index query, value, output;
  double step;
};

// The Transformer whose layers have these heads, written into its weights as ones and steps, for tokens of
// four groups of d channels. Nothing is clipped. Throws unless d > 0, each layer has `heads` heads, and
// they name groups that exist.
LinearTransformer transformer_of(Index d, Index heads, const std::vector<std::vector<GroupHead>>& layers);

// Proposition 1: one head that makes one step of gradient descent with step size η on constructed tokens.
// Query s_t, key s_{i-1}, value s_i, output η times that into the first group.
LinearTransformer gradient_descent_transformer(Index d, double eta);

// Proposition 2: the Transformer that does the above on constructed tokens [0, s_t, s_t, s_{t-1}]: one layer
// for each step. The first group collects the prediction, and the second holds r. In layer k both heads have
// the query r_t and the key s_{i-1}; the first head adds α_k times the value s_i to the prediction, the
// second subtracts α_k times the value s_{i-1} from r. Nothing is clipped, and there is no ridge. With one
// step, η, it predicts what Proposition 1 does.
LinearTransformer proposition_2_transformer(Index d, const std::vector<double>& steps);

// The K steps that serve all eigenvalues in [least, greatest] best: of all polynomials of degree K that
// are 1 at 0, Chebyshev's is the one whose largest value on the interval is smallest. What is missing
// after the steps is Π (1 - α_k A)·s_t, so the steps are the inverses of its roots:
//
//     1/α_k = (greatest + least)/2 + (greatest - least)/2·cos(π(2k - 1)/2K)
//
// The order makes no difference but for rounding and clipping; the smallest step comes first.
std::vector<double> chebyshev_steps(Index K, double least, double greatest);

}  // namespace mesagrad
