// Language models, and the mesa-layer that forgets.
#include <algorithm>

#include "core/random.h"
#include "nn/cross_entropy.h"
#include "nn/gated_mesa.h"
#include "nn/optimizer.h"
#include "nn/training.h"
#include "nn/transformer.h"
#include "tests/bench/rows.h"

namespace mesagrad::bench {
namespace {

// Whole numbers below V.
Tensor random_ids(const Shape& shape, Index V, std::uint64_t number) {
  Tensor ids(shape);
  Random random(1, stream::analysis_data, number);
  for (Index i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<real>(static_cast<Index>(random.uniform(0, static_cast<double>(V))));
  }
  return ids;
}

// A training step on B texts of T tokens: forward, cross entropy, backward, clipping by the norm, AdamW.
void add_language_step(std::vector<Row>& rows, const std::string& name, Index B,
                       const Transformer::Options& o) {
  const Index T = o.tokens, V = o.inputs, D = o.width;
  // The embedding is looked up, which costs no flops; an exponential counts as one, as those of attention do.
  const double flops = step_flops(B, T, o) - 6 * product(B, T, V, D) + 2 * product(B, T, V);
  double weights = 0;
  for (const Parameter& p : Transformer(o, 1).parameters()) weights += static_cast<double>(p.tensor->size());
  rows.push_back({name, flops, size_of_reals(2 * product(B, T) + 6 * weights), [=] {
    Transformer model(o, 1);
    std::vector<Tensor> ids, labels;
    for (std::uint64_t b = 0; b < static_cast<std::uint64_t>(B); ++b) {
      ids.push_back(random_ids({1, T}, V, 2 * b));
      labels.push_back(random_ids({1, T}, V, 2 * b + 1));
    }
    const auto together = [T](const std::vector<Tensor>& parts, Index first, Index count) {
      Tensor result({count, T});
      for (Index b = 0; b < count; ++b) {
        std::copy_n(parts[static_cast<std::size_t>(first + b)].data(), T, result.data() + b * T);
      }
      return result;
    };
    Training training(model, B, T);
    AdamW optimizer(model.parameters(), {.decay = 0.05});
    return lesson::time([&] {
      training([&](const Transformer& part, Index first, Index count) {
        return cross_entropy(part(together(ids, first, count)), together(labels, first, count), B);
      });
      clip_by_norm(model.parameters(), 1);
      optimizer.step(3e-4);
    });
  }});
}

// The arguments of the core of a mesa-layer that forgets, for one sequence.
struct GatedMesa {
  Tensor q, k, v, log_decay, strength, penalty, cotangent;

  GatedMesa(Index T, Index H, Index K, bool with_gradient)
      : q(random_tensor({1, T, H * K}, 1)), k(random_tensor({1, T, H * K}, 2)),
        v(random_tensor({1, T, H * K}, 3)), log_decay({1, T, H}, real(-0.05)), strength({1, T, H}, real(0.9)),
        penalty({H * K}, 1), cotangent(random_tensor({1, T, H * K}, 4)) {
    if (with_gradient) {
      for (Tensor* x : {&q, &k, &v, &log_decay, &strength, &penalty}) x->requires_grad();
    }
  }
  void operator()(Index H) const {
    thread_local Arena memory;
    for (const Tensor& x : {q, k, v, log_decay, strength, penalty}) {
      if (x.has_grad()) x.zero_grad();
    }
    Tape tape(memory);
    const Tensor queries = gated_preconditioned_queries(q, k, log_decay, strength, penalty, H);
    const Tensor out = gated_linear_attention(queries, k, v, log_decay, strength, H);
    if (q.has_grad()) tape.backward(out, cotangent);
  }
};

// Forward, and forward with backward, for B sequences of T tokens, H heads of key and value size K; one
// sequence after another on each thread, as in a training step.
void add_gated_mesa(std::vector<Row>& rows, Index B, Index T, Index H, Index K) {
  const double tokens = product(B, T, H), bytes = size_of_reals(tokens * static_cast<double>(K));
  const std::string size = text(" ", B, "x", T, ", ", H, " heads of ", K);
  for (const bool with_gradient : {false, true}) {
    const double flops = gated_mesa_flops(K).forward + (with_gradient ? gated_mesa_flops(K).backward : 0);
    rows.push_back({(with_gradient ? "  with gradient" : "gated mesa") + size, tokens * flops,
                    (with_gradient ? 11 : 4) * bytes, [=] {
      std::vector<GatedMesa> sequences;
      for (Index b = 0; b < B; ++b) sequences.emplace_back(T, H, K, with_gradient);
      return lesson::time([&] {
        parallel_for(B, [&](Index b) { sequences[static_cast<std::size_t>(b)](H); });
      });
    }});
  }
}

}  // namespace

// Forward: H decays and takes an outer product in, of which symmetry leaves half, 3K²/2; its factors K³/3;
// two triangular systems 2K²; G likewise 3K², and Gq 2K². Backward: the two systems for the gradient, 2K²;
// the sum of D xᵀ + x Dᵀ, half of 5K², and its product with k, 2K²; Gᵀdo 2K²; the sum of do qᵀ, 3K², and two
// products with it, 4K². What the backward step makes once more (H, its factors, G) is not counted.
GatedMesaFlops gated_mesa_flops(Index K) {
  const double square = product(K, K);
  return {square * static_cast<double>(K) / 3 + 8.5 * square, 15.5 * square};
}

void add_language_rows(std::vector<Row>& rows) {
  const auto learned = Transformer::Positions::learned;
  add_language_step(rows, "gpt", 8,
                    {.inputs = 256, .outputs = 256, .width = 128,
                     .blocks = std::vector<Mixer>(4, SoftmaxAttention{}), .heads = 4, .key_size = 32,
                     .positions = learned, .tokens = 256, .mlp = 512, .layer_norm = true, .final_norm = true,
                     .ids = true});
  // Lesson 12's: softmax attention, and a second layer of each kind.
  const auto two_layers = [&](const std::string& name, const Mixer& second) {
    add_language_step(rows, "text-2, " + name, 16,
                      {.inputs = 512, .outputs = 512, .width = 64, .blocks = {SoftmaxAttention{}, second},
                       .heads = 4, .key_size = 16, .positions = learned, .tokens = 128, .layer_norm = true,
                       .final_norm = true, .ids = true});
  };
  two_layers("softmax", SoftmaxAttention{});
  two_layers("linear", LinearAttention{});
  two_layers("mesa", MesaLayer{});
  two_layers("gated mesa", GatedMesaLayer{});
  // As many tokens at T = 256 as at T = 16,384, so that their times compare.
  for (const Index K : {16, 32}) {
    add_gated_mesa(rows, 64, 256, 4, K);
    add_gated_mesa(rows, 1, 16384, 4, K);
  }
}

}  // namespace mesagrad::bench
