// How far back does a layer look? Three readings of the first layer of a model that has to find out by
// itself which tokens belong together.
#pragma once
#include <functional>
#include <vector>

#include "core/linalg.h"
#include "nn/transformer.h"

namespace mesagrad {

// How much each input counts for what a function f makes of position t: for x (B, T, d), f(x) (B, T, D),
//
//     S(t') = mean over b and channels l of ||∂f(x)[b, t, l] / ∂x[b, t', :]||,      t' = 0 .. T-1
//
// found by D backward passes. f must treat sequences independently, as all our models do.
// Paper: sensitivity of the first layer.
std::vector<double> sensitivity(const std::function<Tensor(const Tensor&)>& f, const Tensor& x, Index t);

// The same S(0 .. t) seen from t: S(t), S(t-1), ..., S(t-back), and last the mean over all that are older.
// Throws unless there are such, 0 <= back < t.
std::vector<double> by_steps_back(const std::vector<double>& S, Index t, Index back);

// Mean squared error (T), over sequences and components, of the best linear maps from the residual stream
// at position t, stream (N, T, D), to each of the states s_0 .. s_{T-1}, states (N, T, d). Near 0 where
// the token at t knows the state. Like linear_probe, which it uses, it wants N much larger than D.
// Paper: token-binding probes.
std::vector<double> token_probe(const Tensor& stream, const Tensor& states, Index t);

// A map from D numbers that is fitted to N sequences, and measured on the same ones, shows the part 1 - D/N of
// the error that it has on others. So this is what such an error would be if there were `few` in place of N.
inline double error_of_fewer(double error, Index D, Index N, Index few) {
  const auto shown = [D](Index n) { return 1 - static_cast<double>(D) / static_cast<double>(n); };
  return error * shown(few) / shown(N);
}

// The softmax weights of each head, (T, T), mean over the sequences of x (B, T, D): row t says how token
// t spreads its attention over the tokens 0 .. t. Positions as in SelfAttention.
// Throws unless the layer is of softmax attention. Paper: attention maps.
std::vector<Matrix> attention_maps(const SelfAttention& layer, const Tensor& x, const Tensor& positions = {});

}  // namespace mesagrad
