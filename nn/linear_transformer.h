// The model of the paper's constructed-token experiments: a Transformer of linear self-attention or
// mesa-layers that takes its tokens as they are, with no MLP, no norms and no positions.
#pragma once
#include "nn/transformer.h"

namespace mesagrad {

struct LinearTransformer : Transformer {
  struct Options {
    Index width = 40;
    Index blocks = 1;
    Index heads = 2;
    Index key_size = 20;
    Mixer kind = LinearAttention{};   // of all blocks
    Index masked_channels = 0;        // so many channels are zero on entry, in the residual too
    real clip = 4;                    // bound of the residual stream after each block
    double init_deviation = 0.0002;   // of all weights

    operator Transformer::Options() const {
      check(blocks >= 0, "linear transformer: there can't be ", blocks, " blocks");
      return {.width = width,
              .blocks = std::vector<Mixer>(static_cast<std::size_t>(blocks), kind),
              .heads = heads,
              .key_size = key_size,
              .positions = Positions::none,
              .clip = clip,
              .embedded = false,
              .masked_channels = masked_channels,
              .init_deviation = init_deviation};
    }
  };

  LinearTransformer(const Options& settings, std::uint64_t seed) : Transformer(settings, seed) {
    check(settings.clip > 0, "linear transformer: clip is ", settings.clip, "; it must be positive");
  }
};

}  // namespace mesagrad
