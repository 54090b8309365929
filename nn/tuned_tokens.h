// Learned tokens in the input of a model whose weights stay as they are.
//
// A trained model can be put to another use without a change to it: vectors in its input, at places that are
// kept free for them, are learned by the gradient that reaches them through all of its layers. (Prompt
// tuning: Lester, Al-Rfou and Constant, 2021.)
#pragma once
#include <utility>
#include <vector>

#include "nn/parameters.h"

namespace mesagrad {

// x (B, T, n) with vectors[at[t], :], of vectors (R, n), added to token t of every sequence; -1: none.
// Throws if the shapes do not fit, or `at`, which may be longer than T, names no vector.
Tensor add_tokens(const Tensor& x, const Tensor& vectors, const std::vector<Index>& at);

// A model with learned tokens, which are the only parameters, is a model again.
template <class Model>
struct TunedTokens {
  struct Options {
    Model model;            // stays as it is: its weights are copied, and have no gradient
    std::vector<Index> at;  // (T) which learned token stands at each place; -1: none
    Index width = 10;       // n, numbers of a token
    double init_deviation = 1;
  };

  Model model;
  std::vector<Index> at;
  Tensor tokens;  // (R, n), as many as `at` names

  TunedTokens(const Options& options, std::uint64_t seed) : model(snapshot(options.model)), at(options.at) {
    Index count = 0;
    for (const Index token : at) count = std::max(count, token + 1);
    check(count > 0 && options.width > 0, "tuned tokens: ", count, " tokens of ", options.width,
          " numbers; both must be positive");
    Random random(seed, stream::tuned_tokens);
    tokens = normal_parameter({count, options.width}, options.init_deviation, random);
  }

  Parameters parameters() { return {{"tokens", &tokens}}; }
  Parameters frozen_parameters() {  // of all models inside
    Parameters all = model.parameters();
    if constexpr (requires { model.frozen_parameters(); }) {
      const Parameters inner = model.frozen_parameters();
      all.insert(all.end(), inner.begin(), inner.end());
    }
    return all;
  }
  Tensor operator()(const Tensor& x) const { return model(add_tokens(x, tokens, at)); }
};

}  // namespace mesagrad
