// The Transformer's formula in double, part by part: one sequence, a row of a Matrix for each token.
// Include tests/catch.h before this.
#pragma once
#include <numbers>

#include "nn/reference.h"
#include "nn/transformer.h"
#include "tests/helpers.h"

namespace mesagrad {

inline double naive_gelu(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

// Channel j of the table's row t, in a table of D channels.
inline double naive_position(Index t, Index j, Index D) {
  const double angle =
      static_cast<double>(t) * std::pow(1e4, -2.0 * static_cast<double>(j / 2) / static_cast<double>(D));
  return j % 2 == 0 ? std::sin(angle) : std::cos(angle);
}

// What layer norm makes of a row before it is scaled and shifted: x̂_j = r·(x_j - mean).
struct NaiveNorm {
  double mean = 0, r = 0;
  explicit NaiveNorm(std::span<const double> row) {
    const double D = static_cast<double>(row.size());
    double variance = 0;
    for (const double x : row) mean += x / D;
    for (const double x : row) variance += (x - mean) * (x - mean) / D;
    r = 1 / std::sqrt(variance + 1e-6);
  }
  double operator()(double x) const { return r * (x - mean); }
};

inline std::span<double> row_of(Matrix& m, Index t) {
  return {m.row(t), static_cast<std::size_t>(m.columns())};
}

inline Matrix sum_of(Matrix a, const Matrix& b) {
  for (std::size_t i = 0; i < a.values().size(); ++i) a.values()[i] += b.values()[i];
  return a;
}

// Columns first .. first + count - 1.
inline Matrix columns_of(const Matrix& m, Index first, Index count) {
  Matrix result(m.rows(), count);
  for (Index t = 0; t < m.rows(); ++t) std::copy_n(m.row(t) + first, count, result.row(t));
  return result;
}

inline Matrix naive_norm(Matrix x, const std::optional<LayerNorm>& norm) {
  if (!norm) return x;
  for (Index t = 0; t < x.rows(); ++t) {
    const NaiveNorm normed(row_of(x, t));
    for (Index j = 0; j < x.columns(); ++j) {
      x(t, j) = static_cast<double>(norm->scale[j]) * normed(x(t, j)) + static_cast<double>(norm->shift[j]);
    }
  }
  return x;
}

// What the layer makes of normed tokens x; `seen` is x, with the positions if there are any.
inline Matrix naive_self_attention(const SelfAttention& layer, const Matrix& seen, const Matrix& x) {
  const Index inner = layer.wq.dim(1), K = inner / layer.heads;
  Matrix mixed(x.rows(), inner);
  for (Index h = 0; h < layer.heads; ++h) {
    const auto projected = [&](const Matrix& tokens, const Tensor& w) {
      return multiply(tokens, columns_of(matrix_of(w), h * K, K));
    };
    Matrix q = projected(seen, layer.wq), k = projected(seen, layer.wk), v = projected(x, layer.wv);
    const auto to_length_1 = [](Matrix& m) {
      for (Index t = 0; t < m.rows(); ++t) {
        double square = 0;
        for (const double number : row_of(m, t)) square += number * number;
        for (double& number : row_of(m, t)) number /= std::sqrt(square);
      }
    };
    if (layer.unit_keys || layer.unit_values) to_length_1(q);
    if (layer.unit_keys) to_length_1(k);
    if (layer.unit_values) to_length_1(v);
    for (Index t = k.rows() - 1; t >= 0 && layer.shifted_keys; --t) {
      for (Index j = 0; j < K; ++j) k(t, j) = t > 0 ? k(t - 1, j) : 0;
    }
    if (const auto mesa = std::get_if<MesaLayer>(&layer.mixer)) {
      q = reference::preconditioned_queries(q, k, static_cast<double>(mesa->lambda[h]));
    }
    const bool softmax = std::holds_alternative<SoftmaxAttention>(layer.mixer);
    const auto attention = softmax ? reference::softmax_attention : reference::linear_attention;
    const Matrix out = attention(q, k, v);
    for (Index t = 0; t < x.rows(); ++t) std::copy_n(out.row(t), K, mixed.row(t) + h * K);
  }
  return multiply(mixed, matrix_of(layer.wo));
}

inline Matrix naive_mlp(const MLP& mlp, const Matrix& x) {
  Matrix hidden = multiply(x, matrix_of(mlp.w1));
  for (double& number : hidden.values()) number = mlp.with_relu ? std::max(number, 0.0) : naive_gelu(number);
  return multiply(hidden, matrix_of(mlp.w2));
}

// Observations (T, inputs) to predictions (T, outputs); tokens (T, D) to the stream if there is no embedding.
inline Matrix naive_transformer(const Transformer& model, const Matrix& observations) {
  const Transformer::Options& options = model.options;
  const Index T = observations.rows(), D = options.width;
  Matrix seen_inputs = observations;
  if (options.ids) {  // a row with a single 1 for each
    seen_inputs = Matrix(T, options.inputs);
    for (Index t = 0; t < T; ++t) seen_inputs(t, static_cast<Index>(observations(t, 0))) = 1;
  }
  Matrix x = options.embedded ? multiply(seen_inputs, matrix_of(model.embedding)) : observations;
  Matrix positions(T, D);
  for (Index t = 0; t < T; ++t) {
    for (Index j = 0; j < D; ++j) positions(t, j) = naive_position(t, j, D);
    std::fill_n(x.row(t), options.masked_channels, 0.0);
  }
  if (options.positions == Transformer::Positions::tokens) x = sum_of(x, positions);
  if (options.positions == Transformer::Positions::learned) {
    for (Index t = 0; t < T; ++t) {
      for (Index j = 0; j < D; ++j) x(t, j) += static_cast<double>(model.table[t * D + j]);
    }
  }
  for (std::size_t b = 0; b < model.blocks.size(); ++b) {
    const Transformer::Block& block = model.blocks[b];
    const Matrix normed = naive_norm(x, block.attention_norm);
    Matrix seen = normed;
    if (b == 0 && options.positions == Transformer::Positions::keys) {
      seen = Matrix(T, 2 * D);
      for (Index t = 0; t < T; ++t) {
        std::copy_n(normed.row(t), D, seen.row(t));
        std::copy_n(positions.row(t), D, seen.row(t) + D);
      }
    }
    x = sum_of(x, naive_self_attention(block.attention, seen, normed));
    if (block.mlp) x = sum_of(x, naive_mlp(*block.mlp, naive_norm(x, block.mlp_norm)));
    const double bound = options.clip;
    for (double& number : x.values()) number = bound > 0 ? std::clamp(number, -bound, bound) : number;
  }
  x = naive_norm(x, model.final_norm);
  if (options.tied) return multiply(x, transpose(matrix_of(model.embedding)));
  return options.embedded ? multiply(x, matrix_of(model.readout)) : x;
}

// For a batch of sequences x (B, T, inputs): all numbers of the result, one sequence after another.
inline std::vector<double> naive_batch(const Transformer& model, const Tensor& x) {
  std::vector<double> all;
  for (Index b = 0; b < x.dim(0); ++b) {
    const Tensor vectors = model.options.ids ? x.reshaped({x.dim(0), x.dim(1), 1}) : x;
    const Matrix y = naive_transformer(model, reference::head_of(vectors, b, 0, 1));
    all.insert(all.end(), y.values().begin(), y.values().end());
  }
  return all;
}

// The same model with other tensors as weights.
template <class Model>
Model with_weights(Model model, const std::vector<Tensor>& weights) {
  std::size_t n = 0;
  for (const Parameter& p : model.parameters()) *p.tensor = weights[n++];
  return model;
}

}  // namespace mesagrad
