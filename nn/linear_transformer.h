// A Transformer of linear self-attention or mesa-layers, with no MLP, no norms and no biases: the model
// of the paper's constructed-token experiments.
#pragma once
#include <cmath>
#include <vector>

#include "core/ops.h"
#include "nn/attention.h"
#include "nn/mesa.h"
#include "nn/parameters.h"

namespace mesagrad {

// λ = log(1 + e^ρ) + 10⁻⁴. Training can step over the end of the positive numbers, where the mesa-layer
// throws, if it moves λ itself; if it moves ρ instead, λ is positive wherever ρ goes. The constant is
// there because log(1 + e^ρ) is 0 for ρ = -1000, to a computer. (The paper's code trains λ itself.)
constexpr double least_lambda = 1e-4;
inline Tensor positive_lambda(const Tensor& rho) {
  return softplus(rho) + Tensor(rho.shape(), static_cast<real>(least_lambda));
}

// B sequences, T tokens, D width, H heads, K key size.
struct LinearAttention {
  Tensor wq, wk, wv;  // (D, H·K): head h owns columns h·K .. h·K + K - 1
  Tensor wo;          // (H·K, D): head h owns the rows of the same numbers
  Index heads = 1;
  Tensor lambda;  // (H) makes this a mesa-layer, whose queries are preconditioned; or undefined
  Tensor rho;     // (H) makes it one too, with positive_lambda(rho)

  // x (B, T, D) to (B, T, D): Σ_h Σ_{i <= t} (x_t Wq_h · x_i Wk_h) x_i Wv_h Wo_h.
  Tensor operator()(const Tensor& x) const {
    const Tensor k = matmul(x, wk);
    Tensor q = matmul(x, wq);
    if (lambda.defined()) q = preconditioned_queries(q, k, lambda, heads);
    if (rho.defined()) q = preconditioned_queries(q, k, positive_lambda(rho), heads);
    return matmul(causal_linear_attention(q, k, matmul(x, wv), heads), wo);
  }
};

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
  std::vector<LinearAttention> blocks;

  LinearTransformer(const Options& settings, std::uint64_t seed) : options(settings) {
    check(options.masked_channels >= 0 && options.masked_channels <= options.width,
          "linear transformer: ", options.masked_channels, " of ", options.width, " channels masked");
    check(options.mesa || !options.softplus_lambda,
          "linear transformer: softplus_lambda is set, but without mesa-layers there is no lambda");
    const Index inner = options.heads * options.key_size;
    for (Index b = 0; b < options.blocks; ++b) {
      Random random(seed, stream::parameters, static_cast<std::uint64_t>(b));
      const auto weight = [&](Index rows, Index columns) {
        return normal_parameter({rows, columns}, options.init_deviation, random);
      };
      LinearAttention& block = blocks.emplace_back();
      block.wq = weight(options.width, inner);
      block.wk = weight(options.width, inner);
      block.wv = weight(options.width, inner);
      block.wo = weight(inner, options.width);
      block.heads = options.heads;
      if (options.softplus_lambda) {
        const double rho = std::log(std::expm1(1 - least_lambda));  // where λ = 1
        block.rho = Tensor({options.heads}, static_cast<real>(rho)).requires_grad();
      } else if (options.mesa) {
        block.lambda = Tensor({options.heads}, 1).requires_grad();
      }
    }
  }

  Parameters parameters() {
    Parameters result;
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      const std::string prefix = text("blocks.", b, ".");
      result.push_back({prefix + "wq", &blocks[b].wq});
      result.push_back({prefix + "wk", &blocks[b].wk});
      result.push_back({prefix + "wv", &blocks[b].wv});
      result.push_back({prefix + "wo", &blocks[b].wo});
      if (options.softplus_lambda) {
        result.push_back({prefix + "rho", &blocks[b].rho});
      } else if (options.mesa) {
        result.push_back({prefix + "lambda", &blocks[b].lambda});
      }
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
    for (const LinearAttention& attention : blocks) {
      x.push_back(clip(x.back() + attention(x.back()), options.clip));
    }
    return x;
  }
};

}  // namespace mesagrad
