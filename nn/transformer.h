// The Transformer. It sees raw observations, and makes its own tokens of them; or tokens.
//
// Every part of a GPT block is here, each of them optional. The paper's models of linear dynamics leave
// most of them out: no MLP, no norms, no dropout, and no biases anywhere.
#pragma once
#include <optional>
#include <vector>

#include "nn/activations.h"
#include "nn/dropout.h"
#include "nn/embedding.h"
#include "nn/self_attention.h"

namespace mesagrad {

// x (..., D) to f(x·W1)·W2 (..., D), with W1 (D, M) and W2 (M, D); f is gelu or relu.
struct MLP {
  Tensor w1, w2;
  bool with_relu = false;
  Parameters parameters(const std::string& prefix) { return {{prefix + "w1", &w1}, {prefix + "w2", &w2}}; }
  Tensor operator()(const Tensor& x) const {
    const Tensor inner = matmul(x, w1);
    return matmul(with_relu ? relu(inner) : gelu(inner), w2);
  }
};

// A layer norm's parameters, both (D): ones and zeros at the start.
struct LayerNorm {
  Tensor scale, shift;
  explicit LayerNorm(Index width)
      : scale(Tensor({width}, 1).requires_grad()), shift(Tensor({width}).requires_grad()) {}
  Parameters parameters(const std::string& prefix) {
    return {{prefix + "scale", &scale}, {prefix + "shift", &shift}};
  }
  Tensor operator()(const Tensor& x) const { return layer_norm(x, scale, shift); }
};

struct Transformer {
  enum class Positions {
    none,
    keys,    // concatenated to what queries and keys of the first block are made of
    tokens,  // added to the embedded tokens
    learned  // a table of parameters, added to the embedded tokens
  };

  struct Options {
    Index inputs = 10;
    Index outputs = 10;
    Index width = 40;
    std::vector<Mixer> blocks = std::vector<Mixer>(7, SoftmaxAttention{});  // each block's attention
    Index heads = 4;
    Index key_size = 20;
    Positions positions = Positions::keys;
    Index tokens = 50;             // rows of the table of positions: the longest sequence
    real clip = 0;                 // bound of the residual stream after each block; 0: none
    Index mlp = 0;                 // numbers between the two matrices of each block's MLP; 0: no MLP
    bool relu = false;             // in MLPs, in the place of gelu
    bool layer_norm = false;       // before attention and before the MLP
    bool final_norm = false;       // before the readout
    bool unit_keys = false;        // queries and keys of length 1, in all blocks but the first
    bool shifted_keys = false;     // the key of a token is that of the token before, in all blocks
    bool embedded = true;          // false: tokens are as wide as the stream, which is what comes out
    bool ids = false;              // tokens are whole numbers below `inputs`, the rows of the embedding
    bool tied = false;             // the readout is the embedding, transposed; then outputs = inputs
    Index masked_channels = 0;     // so many channels of the tokens are zero on entry
    double dropout = 0;            // probability, of what a block adds to the stream, in training
    double init_deviation = 0.05;  // of all weights
  };

  struct Block {
    std::optional<LayerNorm> attention_norm, mlp_norm;
    SelfAttention attention;
    std::optional<MLP> mlp;
  };

  // Which sequences of the training a batch holds, for dropout: they differ from update to update.
  struct Noise {
    std::uint64_t seed = 0;
    std::uint64_t first = 0;  // number of the batch's first sequence
  };

  Options options;
  Tensor table;      // of positions: (tokens, width), with a gradient only if it is learned
  Tensor embedding;  // (inputs, width), or undefined
  Tensor readout;    // (width, outputs), or undefined
  std::vector<Block> blocks;
  std::optional<LayerNorm> final_norm;
  std::shared_ptr<RowGradients> embedding_apart = {};  // see nn/embedding.h

  Transformer(const Options& settings, std::uint64_t seed) : options(settings) {
    check(options.inputs > 0 && options.outputs > 0 && options.width > 0 && options.heads > 0 &&
              options.key_size > 0 && options.tokens > 0 && options.mlp >= 0,
          "transformer: ", options.inputs, " inputs, ", options.outputs, " outputs, width ", options.width,
          ", ", options.heads, " heads of key size ", options.key_size, ", ", options.tokens, " tokens, mlp ",
          options.mlp, "; all must be positive, but for mlp, which may be 0");
    check(options.masked_channels >= 0 && options.masked_channels <= options.width, "transformer: ",
          options.masked_channels, " of ", options.width, " channels masked");
    check(options.clip >= 0, "transformer: clip is ", options.clip, "; it must not be negative");
    check(options.dropout >= 0 && options.dropout < 1, "transformer: dropout is ", options.dropout,
          "; it must be in [0, 1)");
    const double deviation = options.init_deviation;
    const Index D = options.width;
    check(options.embedded || !(options.ids || options.tied), "transformer: ids and tied weights need an ",
          "embedding");
    check(!options.tied || options.inputs == options.outputs, "transformer: ", options.inputs, " inputs and ",
          options.outputs, " outputs can't have tied weights");
    Random random(seed, stream::parameters, options.blocks.size());
    if (options.embedded) {
      embedding = normal_parameter({options.inputs, D}, deviation, random);
      if (!options.tied) readout = normal_parameter({D, options.outputs}, deviation, random);
    }
    if (options.positions == Positions::learned) {
      table = normal_parameter({options.tokens, D}, deviation, random);
    } else if (options.positions != Positions::none) {
      table = sinusoidal_table(options.tokens, D);
    }
    if (options.final_norm) final_norm.emplace(D);
    for (std::size_t b = 0; b < options.blocks.size(); ++b) {
      random = Random(seed, stream::parameters, b);
      const Index seen = b == 0 && options.positions == Positions::keys ? 2 * D : D;
      Block& block = blocks.emplace_back();
      block.attention = random_self_attention(options.blocks[b], seen, D, options.heads, options.key_size,
                                              deviation, random);
      block.attention.unit_keys = options.unit_keys && b > 0;
      block.attention.shifted_keys = options.shifted_keys;
      if (options.mlp > 0) {
        block.mlp = MLP{normal_parameter({D, options.mlp}, deviation, random),
                        normal_parameter({options.mlp, D}, deviation, random), options.relu};
      }
      if (options.layer_norm) block.attention_norm.emplace(D);
      if (options.layer_norm && block.mlp) block.mlp_norm.emplace(D);
    }
  }

  Parameters parameters() {
    Parameters result;
    const auto add = [&](const Parameters& part) { result.insert(result.end(), part.begin(), part.end()); };
    if (options.embedded) {
      // The gradient of a tied embedding comes from its use as readout too, and is none of few rows.
      add({{"embedding", &embedding, options.ids && !options.tied ? &embedding_apart : nullptr}});
      if (!options.tied) add({{"readout", &readout}});
    }
    if (options.positions == Positions::learned) add({{"positions", &table}});
    Index number = 0;
    for (Block& block : blocks) {
      const std::string prefix = text("blocks.", number++, ".");
      add(block.attention.parameters(prefix));
      if (block.mlp) add(block.mlp->parameters(prefix));
      if (block.attention_norm) add(block.attention_norm->parameters(prefix + "attention_norm."));
      if (block.mlp_norm) add(block.mlp_norm->parameters(prefix + "mlp_norm."));
    }
    if (final_norm) add(final_norm->parameters("final_norm."));
    return result;
  }

  // Observations (B, T, inputs), or ids (B, T), to predictions (B, T, outputs); or, if there is no embedding,
  // tokens (B, T, D) to the residual stream after the last block, whose first channels are the prediction.
  // Without `noise` nothing is dropped.
  Tensor operator()(const Tensor& x, const Noise* noise = nullptr) const {
    return read_out(residual_streams(x, noise).back());
  }

  // What the model says, of its last residual stream (B, T, D).
  Tensor read_out(Tensor last) const {
    if (final_norm) last = (*final_norm)(last);
    if (!options.embedded) return last;
    return options.tied ? matmul_transposed(last, embedding) : matmul(last, readout);
  }

  // Observations (B, T, inputs) or ids (B, T) as tokens (B, T, D).
  Tensor embed(const Tensor& x) const {
    if (!options.embedded) return x;
    return options.ids ? Embedding{embedding, embedding_apart}(x) : matmul(x, embedding);
  }

  // The residual stream (B, T, D) before the first block, of tokens that stand behind `before` others.
  Tensor first_stream(const Tensor& x, Index before = 0) const {
    Tensor tokens = embed(x);
    if (options.masked_channels > 0) tokens = zero_channels(tokens, options.masked_channels);
    if (options.positions == Positions::tokens || options.positions == Positions::learned) {
      tokens = add_positions(tokens, positions_of(tokens, before));
    }
    return tokens;
  }

  // The residual streams (B, T, D) before the first block and after each.
  std::vector<Tensor> residual_streams(const Tensor& x, const Noise* noise = nullptr) const {
    std::vector<Tensor> streams = {first_stream(x)};
    for (std::size_t b = 0; b < blocks.size(); ++b) streams.push_back(after_block(b, streams.back(), noise));
    return streams;
  }

  // What block b makes of its residual stream x (B, T, D). With a state, which goes on from there, x are the
  // tokens behind those that the state has read.
  Tensor after_block(std::size_t b, Tensor x, const Noise* noise = nullptr,
                     AttentionState* state = nullptr) const {
    check(b < blocks.size(), "transformer: there is no block ", b, ", only ", blocks.size());
    const Block& block = blocks[b];
    // exercise 8.8: attention and then the MLP (if there is one) read a norm of the stream (or the stream, if
    //    there is none), and add to it; options.clip bounds what comes out. With noise, each addition passes
    //    through dropout, at the sites 2b and 2b + 1. With Positions::keys, attention of block 0 is given
    //    positions_of(x, the tokens that the state has read).
    const auto normed = [&](const auto& norm) { return norm ? (*norm)(x) : x; };
    const auto dropped = [&](const Tensor& part, std::size_t site) {
      return noise == nullptr ? part : dropout(part, options.dropout, noise->seed, noise->first,
                                               static_cast<std::uint32_t>(2 * b + site));
    };
    const bool first = b == 0 && options.positions == Positions::keys;
    const Tensor positions = first ? positions_of(x, state == nullptr ? 0 : state->tokens) : Tensor();
    x = x + dropped(block.attention(normed(block.attention_norm), positions, state), 0);
    if (block.mlp) x = x + dropped((*block.mlp)(normed(block.mlp_norm)), 1);
    return options.clip > 0 ? clip(x, options.clip) : x;
    //| const Tensor positions = b == 0 && options.positions == Positions::keys ? table : Tensor();
    //| x = x + block.attention(x, positions, state);
    //| return options.clip > 0 ? clip(x, options.clip) : x;
    // end 8.8
  }

 private:
  // The table's rows for tokens x (B, T, D) behind `before` others.
  Tensor positions_of(const Tensor& x, Index before) const {
    if (before == 0) return table;
    const Index T = x.dim(1), width = table.dim(1);
    check(before + T <= table.dim(0), "transformer: ", before + T, " tokens so far, but there are only ",
          table.dim(0), " positions");
    return Tensor({T, width}, std::span<const real>(table.data() + before * width,
                                                    static_cast<std::size_t>(T * width)));
  }
};

}  // namespace mesagrad
