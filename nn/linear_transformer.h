// A Transformer of linear self-attention or mesa-layers, with no MLP, no norms and no biases: the model
// of the paper's constructed-token experiments.
#pragma once
#include <vector>

#include "nn/self_attention.h"

namespace mesagrad {

struct LinearTransformer {
  struct Options {
    Index width = 40;
    Index blocks = 1;
    Index heads = 2;
    Index key_size = 20;
    bool mesa = false;                // mesa-layers: one λ for each head, 1 at the start
    bool softplus_lambda = false;     // ... the parameter is ρ, and λ = positive_lambda(ρ)
    Index masked_channels = 0;        // this many channels are zero on entry, in the residual too
    real clip = 4;                    // bound of the residual stream after each block
    double init_deviation = 0.0002;   // of all weights
  };

  Options options;
  std::vector<SelfAttention> blocks;

  LinearTransformer(const Options& settings, std::uint64_t seed) : options(settings) {
    check(options.masked_channels >= 0 && options.masked_channels <= options.width,
          "linear transformer: ", options.masked_channels, " of ", options.width, " channels masked");
    check(options.width > 0 && options.heads > 0 && options.key_size > 0 && options.blocks >= 0,
          "linear transformer: ", options.blocks, " blocks of width ", options.width, " with ", options.heads,
          " heads of key size ", options.key_size);
    check(options.clip > 0, "linear transformer: clip is ", options.clip, "; it must be positive");
    check(options.mesa || !options.softplus_lambda,
          "linear transformer: softplus_lambda is set, but without mesa-layers there is no lambda");
    for (Index b = 0; b < options.blocks; ++b) {
      Random random(seed, stream::parameters, static_cast<std::uint64_t>(b));
      blocks.push_back(random_self_attention(options.mesa ? Attention::mesa : Attention::linear,
                                             options.width, options.width, options.heads, options.key_size,
                                             options.init_deviation, random, options.softplus_lambda));
    }
  }

  Parameters parameters() {
    Parameters result;
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      const Parameters block = blocks[b].parameters(text("blocks.", b, "."));
      result.insert(result.end(), block.begin(), block.end());
    }
    return result;
  }

  // Tokens (B, T, D) to the residual stream after the last block, (B, T, D). The prediction is in its
  // first channels.
  Tensor operator()(const Tensor& tokens) const { return residual_streams(tokens).back(); }

  // The residual streams (B, T, D) before the first block and after each.
  std::vector<Tensor> residual_streams(const Tensor& tokens) const {
    std::vector<Tensor> x = {
        options.masked_channels > 0 ? zero_channels(tokens, options.masked_channels) : tokens};
    for (const SelfAttention& attention : blocks) {
      x.push_back(clip(x.back() + attention(x.back()), options.clip));
    }
    return x;
  }
};

}  // namespace mesagrad
