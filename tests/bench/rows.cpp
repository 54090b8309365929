// Matrix products, attention and training steps of the models of the lessons. Models are named as in
// other people's benchmarks of the same paper, so that they can be put side by side.
#include "tests/bench/rows.h"

#include <algorithm>

#include "core/gemm.h"
#include "core/random.h"
#include "nn/attention.h"
#include "nn/linear_transformer.h"
#include "nn/loss.h"
#include "nn/mesa.h"
#include "nn/optimizer.h"
#include "nn/training.h"
#include "nn/transformer.h"
#include "nn/tuned_tokens.h"

namespace mesagrad::bench {
namespace {

using lesson::Times, lesson::time;

// The product (M, K)·(K, N) and the two products of its backward step.
void add_matmul(std::vector<Row>& rows, Index M, Index K, Index N) {
  const double flops = 2 * product(M, K, N);
  const double bytes = size_of_reals(product(M, K) + product(K, N) + product(M, N));
  const std::string size = text(M, "x", K, "x", N);
  rows.push_back({"matmul A.B " + size, flops, bytes, [=] {
    const Tensor a = random_tensor({M, K}, 1), b = random_tensor({K, N}, 2), c({M, N});
    return time([&] { gemm(M, N, K, rows_of(a.data(), K), rows_of(b.data(), N), c.data(), N, false); });
  }});
  rows.push_back({"matmul dC.B' " + size, flops, bytes, [=] {
    const Tensor dc = random_tensor({M, N}, 1), b = random_tensor({K, N}, 2), da({M, K});
    return time(
        [&] { gemm(M, K, N, rows_of(dc.data(), N), columns_of(b.data(), N), da.data(), K, false); });
  }});
  rows.push_back({"matmul A'.dC " + size, flops, bytes, [=] {
    const Tensor a = random_tensor({M, K}, 1), dc = random_tensor({M, N}, 2), db({K, N});
    return time(
        [&] { gemm(K, N, M, columns_of(a.data(), K), rows_of(dc.data(), N), db.data(), N, false); });
  }});
}

// An attention layer on B sequences of T tokens, H heads of key and value size K: forward, and forward
// with backward. The scores and their sums cost 2·T²·K flops each; what lies above the diagonal, half
// of it, is not counted, nor are the softmax's exponentials.
void add_attention(std::vector<Row>& rows, const std::string& name,
                   Tensor (*attention)(const Tensor&, const Tensor&, const Tensor&, Index), Index B,
                   Index T, Index H, Index K) {
  const double flops = 2 * product(B, H, T, T, K), bytes = size_of_reals(product(B, T, H, K));
  const std::string size = text(" ", B, "x", T, ", ", H, " heads of ", K);
  const Shape shape{B, T, H * K};
  rows.push_back({name + size, flops, 4 * bytes, [=] {
    const Tensor q = random_tensor(shape, 1), k = random_tensor(shape, 2), v = random_tensor(shape, 3);
    Arena memory;
    return time([&] {
      Tape tape(memory);
      attention(q, k, v, H);
    });
  }});
  rows.push_back({"  with gradient" + size, 3 * flops, 11 * bytes, [=] {
    Tensor q = random_tensor(shape, 1), k = random_tensor(shape, 2), v = random_tensor(shape, 3);
    const Tensor cotangent = random_tensor(shape, 4);
    for (Tensor* x : {&q, &k, &v}) x->requires_grad();
    Arena memory;
    return time([&] {
      for (Tensor* x : {&q, &k, &v}) x->zero_grad();
      Tape tape(memory);
      tape.backward(attention(q, k, v, H), cotangent);
    });
  }});
}

// A mesa-layer with its gradient: two sweeps of recursive least squares of 6K² flops for each token and
// head, the sum of outer products, 6K², and linear attention.
void add_mesa(std::vector<Row>& rows, Index B, Index T, Index H, Index K) {
  const double flops = product(B, T, H, K, K) * 18 + 6 * product(B, H, T, T, K);
  const double bytes = size_of_reals(product(B, T, H, K));
  const Shape shape{B, T, H * K};
  rows.push_back(
      {text("mesa with gradient ", B, "x", T, ", ", H, " heads of ", K), flops, 11 * bytes, [=] {
         Tensor q = random_tensor(shape, 1), k = random_tensor(shape, 2), v = random_tensor(shape, 3);
         Tensor lambda({H}, 1);
         const Tensor cotangent = random_tensor(shape, 4);
         for (Tensor* x : {&q, &k, &v, &lambda}) x->requires_grad();
         Arena memory;
         return time([&] {
           for (Tensor* x : {&q, &k, &v, &lambda}) x->zero_grad();
           Tape tape(memory);
           tape.backward(causal_linear_attention(preconditioned_queries(q, k, lambda, H), k, v, H),
                         cotangent);
         });
       }});
}

// A whole training step, data excluded: forward, backward, clipping, AdamW. Each token
// has `inputs` numbers, and each label `labels`.
template <class Model>
Row step(const std::string& name, Index B, Index T, Index inputs, Index labels,
         const typename Model::Options& options, double flops) {
  double weights = 0;
  for (const Parameter& p : Model(options, 1).parameters())
    weights += static_cast<double>(p.tensor->size());
  // Tokens and labels are read; weights and two averages of the gradient are read and written.
  const double bytes = size_of_reals(product(B, T, inputs + labels) + 6 * weights);
  return {name, flops, bytes, [=] {
    Model model(options, 1);
    std::vector<Tensor> x, y;  // one of each for each sequence
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(B); ++i) {
      x.push_back(random_tensor({1, T, inputs}, 2 * i));
      y.push_back(random_tensor({1, T, labels}, 2 * i + 1));
    }
    const auto together = [](const std::vector<Tensor>& parts, Index first, Index count) {
      const Index size = parts[0].size();
      Tensor result = Tensor::uninitialized({count, parts[0].dim(1), parts[0].dim(2)});
      for (Index i = 0; i < count; ++i) {
        std::copy_n(parts[static_cast<std::size_t>(first + i)].data(), size, result.data() + i * size);
      }
      return result;
    };
    Training training(model, B, T);
    AdamW optimizer(model.parameters(), {.decay = 0.05});
    return time([&] {
      training([&](const Model& part, Index first, Index count) {
        return squared_error(part(together(x, first, count)), together(y, first, count), B);
      });
      clip_by_value(model.parameters(), 1);
      optimizer.step(3e-4);
    });
  }};
}

// Flops of a layer of attention on B sequences: four products with (D, H·K) matrices (queries and keys of
// inputs `seen` wide), and half of two with (T, T) scores; three times that with the backward step. A
// softmax adds an exponential, counted as one, for each score and step; a mesa-layer what it adds above.
double attention_flops(const Mixer& kind, Index B, Index T, Index D, Index seen, Index H, Index K) {
  const Index inner = H * K;
  if (std::holds_alternative<GatedMesaLayer>(kind)) {  // whose gates are made of D numbers each
    const GatedMesaFlops core = gated_mesa_flops(K);
    return 12 * product(B, T, inner) * static_cast<double>(D + seen) + 12 * product(B, T, H, D) +
           product(B, T, H) * (core.forward + core.backward);
  }
  double flops =
      3 * (product(B, T, inner) * 4 * static_cast<double>(D + seen) + 2 * product(B, T, T, inner));
  if (std::holds_alternative<SoftmaxAttention>(kind)) flops += product(B, H, T, T);
  if (std::holds_alternative<MesaLayer>(kind)) flops += 18 * product(B, T, inner, K);
  return flops;
}

}  // namespace

double step_flops(Index B, Index T, const Transformer::Options& o) {
  double flops = o.embedded ? 6 * product(B, T, o.width, o.inputs + o.outputs) : 0;
  for (std::size_t b = 0; b < o.blocks.size(); ++b) {
    const bool wide = b == 0 && o.positions == Transformer::Positions::keys;
    flops +=
        attention_flops(o.blocks[b], B, T, o.width, wide ? 2 * o.width : o.width, o.heads, o.key_size);
    flops += 12 * product(B, T, o.width, o.mlp);
  }
  return flops;
}

namespace {

void add_step(std::vector<Row>& rows, const std::string& name, Index B, Index T,
              const Transformer::Options& o) {
  rows.push_back(
      step<Transformer>(name, B, T, o.embedded ? o.inputs : o.width, o.outputs, o, step_flops(B, T, o)));
}

// One step that tunes a token of a model's input, between every two tokens. Each matrix of the frozen model
// is used twice, forward and for the gradient of what goes in, and not a third time for its own gradient.
void add_tuning(std::vector<Row>& rows, const std::string& name, Index B, Index T,
                const Transformer::Options& o) {
  TunedTokens<Transformer>::Options options{.model = Transformer(o, 1), .at = {}, .width = o.inputs};
  for (Index t = 0; t < T; ++t) options.at.push_back(t % 3 == 2 ? 0 : -1);
  double scores = 0;  // what attention costs apart from matrices
  for (const Mixer& kind : o.blocks) scores += attention_flops(kind, B, T, 0, 0, o.heads, o.key_size);
  const double matrices = step_flops(B, T, o) - scores;
  rows.push_back(step<TunedTokens<Transformer>>(name, B, T, o.inputs, o.outputs, options,
                                                2 * matrices / 3 + scores));
}

}  // namespace

Tensor random_tensor(const Shape& shape, std::uint64_t number) {
  Tensor result(shape);
  Random random(1, stream::analysis_data, number);
  for (Index i = 0; i < result.size(); ++i) result[i] = static_cast<real>(random.normal() / 2);
  return result;
}

std::vector<Row> rows() {
  constexpr Index B = 256, T = 50;
  std::vector<Row> result;
  add_matmul(result, B * T, 40, 80);
  add_matmul(result, B * T, 40, 240);
  add_matmul(result, B * T, 80, 40);
  add_matmul(result, 1024, 1024, 1024);
  add_attention(result, "linear attention", causal_linear_attention, B, T, 4, 20);
  add_attention(result, "softmax attention", causal_softmax_attention, B, T, 4, 20);
  add_mesa(result, B, T, 1, 40);
  add_mesa(result, B, T, 4, 20);
  const LinearTransformer::Options two = {.width = 40, .blocks = 2, .heads = 4, .key_size = 20};
  const auto changed = [&](Index width, Index blocks, Index heads, Index key_size) {
    return LinearTransformer::Options{
        .width = width, .blocks = blocks, .heads = heads, .key_size = key_size};
  };
  LinearTransformer::Options one = changed(40, 1, 2, 20);
  one.masked_channels = 20;
  add_step(result, "linear-1", B, T, one);
  add_step(result, "linear-2", B, T, two);
  add_step(result, "linear-6", B, T, changed(40, 6, 4, 40));
  LinearTransformer::Options mesa = changed(40, 1, 1, 40);
  mesa.kind = MesaLayer{};
  add_step(result, "mesa-1", B, T, mesa);
  mesa = changed(40, 1, 4, 20);
  mesa.kind = MesaLayer{};
  add_step(result, "mesa-1, 4 heads of 20", B, T, mesa);
  // Seven layers as in a GPT, but for positions; then the paper's models, which have neither MLP nor norms.
  const auto none = Transformer::Positions::none;
  add_step(result, "softmax-7-mlp", B, T,
           Transformer::Options{.positions = none, .clip = real{1.5}, .mlp = 160, .layer_norm = true});
  add_step(result, "softmax-7", B, T, Transformer::Options{});
  const std::vector<Mixer> hybrid = {SoftmaxAttention{}, MesaLayer{}};
  add_step(result, "hybrid-mesa", B, T,
           Transformer::Options{.blocks = hybrid, .positions = none, .clip = real{1.5}});
  add_step(result, "hybrid-mesa with positions", B, T, Transformer::Options{.blocks = hybrid, .clip = 1});
  // Systems that hide, and few-shot prompts: training, and tuning of a token before the same model.
  const Transformer::Options partial{.inputs = 5, .outputs = 5, .width = 80, .heads = 12},
      nonlinear{.width = 60, .mlp = 300, .unit_keys = true}, few_shot{.tokens = 224};
  add_step(result, "partial-7", B, T, partial);
  add_step(result, "nonlinear-7", B, T, nonlinear);
  add_step(result, "few-shot-7, 224 tokens", 128, 224, few_shot);
  add_tuning(result, "  tuning a token", 128, 224, few_shot);
  add_step(result, "linear-2, 64 sequences", 64, T, two);
  add_step(result, "linear-2, 512 sequences", 512, T, two);
  add_step(result, "linear-2, 224 tokens", B, 224, two);
  add_step(result, "linear-2, width 20", B, T, changed(20, 2, 2, 20));
  add_step(result, "linear-2, width 80", B, T, changed(80, 2, 4, 20));
  add_step(result, "linear-2, width 256", B, T, changed(256, 2, 4, 64));
  add_decoding(result);
  add_language_rows(result);
  return result;
}

}  // namespace mesagrad::bench
