// Generation: what a decoder takes for one token more, after few tokens and after many. With a recurrent
// state it should be the same; with a key-value cache it grows.
#include "nn/decoder.h"
#include "tests/bench/rows.h"

namespace mesagrad::bench {
namespace {

// A small language model: two GPT layers, without positions, so that it may read as much as it likes.
Transformer::Options language_model(const Mixer& kind) {
  return {.inputs = 512,
          .outputs = 512,
          .width = 128,
          .blocks = {2, kind},
          .heads = 4,
          .key_size = 32,
          .positions = Transformer::Positions::none,
          .mlp = 512,
          .layer_norm = true,
          .final_norm = true,
          .ids = true};
}

// Flops of a token, by the table of nn/attention_state.h: `state_flops` for each head, behind its matrices.
double token_flops(const Transformer::Options& o, Index state_flops) {
  const Index layer = 2 * (4 * o.width * o.heads * o.key_size + 2 * o.width * o.mlp) + o.heads * state_flops;
  return static_cast<double>(std::ssize(o.blocks) * layer + 2 * o.width * o.outputs);
}

// All weights are read but the embedding, of which one row is; and the state is read and, but for a cache,
// written.
double token_bytes(const Transformer::Options& o, Index state_numbers, bool written) {
  const Index layer = 4 * o.width * o.heads * o.key_size + 2 * o.width * o.mlp +
                      o.heads * state_numbers * (written ? 2 : 1);
  return static_cast<double>(std::ssize(o.blocks) * layer + o.width * o.outputs) * sizeof(real);
}

}  // namespace

void add_decoding(std::vector<Row>& rows) {
  constexpr Index K = 32, few = 256, many = 16384;
  const auto add = [&](const char* name, const Mixer& kind, Index tokens, Index flops, Index numbers) {
    const Transformer::Options options = language_model(kind);
    const bool written = !std::holds_alternative<SoftmaxAttention>(kind);
    rows.push_back({text("a token after ", tokens, ", ", name), token_flops(options, flops),
                    token_bytes(options, numbers, written), [=] {
      Decoder decoder(Transformer(options, 1));
      Tensor ids({1, tokens});
      for (Index t = 0; t < tokens; ++t) ids[t] = static_cast<real>(t * t % options.inputs);
      decoder(ids);
      const Tensor next({1, 1}, {7});
      return lesson::time([&] { decoder(next); }, 0.01);  // few calls: each makes a cache longer
    }});
  };
  for (const Index tokens : {few, many}) {
    add("linear", LinearAttention{}, tokens, 4 * K * K, K * K);
    add("mesa", MesaLayer{}, tokens, 10 * K * K, 2 * K * K);
    add("gated mesa", GatedMesaLayer{}, tokens, K * K * K / 3 + 10 * K * K, 2 * K * K);
    add("softmax", SoftmaxAttention{}, tokens, 4 * tokens * K, 2 * tokens * K);
  }
}

}  // namespace mesagrad::bench
