// Every function of nn with arguments that no model has: it gives what the mathematics says, or throws an
// Error that names it.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/linear_transformer.h"
#include "nn/loss.h"
#include "nn/training.h"
#include "nn/transformer.h"
#include "tests/odd_arguments.h"

namespace mesagrad {

TEST_CASE("every layer refuses empty tensors", "[odd_arguments][errors]") {
  const Tensor none, x({2, 3, 4}, 1), lambda({2}, 1), table({3, 4}, 1), number({}, 1);
  for (const Tensor& bad : {none, number}) {
    refuses("causal_linear_attention", [&] { causal_linear_attention(bad, bad, bad, 2); });
    refuses("causal_linear_attention", [&] { causal_linear_attention(x, x, bad, 2); });
    refuses("causal_linear_attention", [&] { causal_linear_attention(x, bad, x, 2); });
    refuses("causal_softmax_attention", [&] { causal_softmax_attention(bad, bad, bad, 2); });
    refuses("causal_softmax_attention", [&] { causal_softmax_attention(x, x, bad, 2); });
    refuses("preconditioned_queries", [&] { preconditioned_queries(bad, bad, lambda, 2); });
    refuses("preconditioned_queries", [&] { preconditioned_queries(x, bad, lambda, 2); });
    refuses("preconditioned_queries", [&] { preconditioned_queries(x, x, bad, 2); });
    refuses("layer_norm", [&] { layer_norm(bad); });
    refuses("layer_norm", [&] { layer_norm(x, number); });
    refuses("unit_length", [&] { unit_length(bad, 1); });
    refuses("concatenate_positions", [&] { concatenate_positions(bad, table); });
    refuses("concatenate_positions", [&] { concatenate_positions(x, bad); });
    refuses("add_positions", [&] { add_positions(bad, table); });
    refuses("add_positions", [&] { add_positions(x, bad); });
    refuses("tokens_before", [&] { tokens_before(bad); });
    refuses("dropout", [&] { dropout(bad, 0.5, 1, 0, 0); });
    refuses("dropout", [&] { dropout(bad, 0, 1, 0, 0); });
    refuses("squared_error", [&] { squared_error(bad, bad); });
    refuses("squared_error", [&] { squared_error(x, bad); });
    refuses("squared_error", [&] { squared_error(bad, x); });
  }
  refuses("gelu", [&] { gelu(none); });
  refuses("softplus", [&] { positive_lambda(none); });
  refuses("matmul", [&] { SelfAttention{}(x); });
  refuses("matmul", [&] { MLP{}(x); });
  const LinearTransformer model(LinearTransformer::Options{.width = 4}, 1);
  refuses("matmul", [&] { model(none); });
  Random random(1, stream::test_data);
  SelfAttention layer = random_self_attention(MesaLayer{}, 4, 4, 2, 2, 0.1, random);
  std::get<MesaLayer>(layer.mixer).lambda = Tensor();
  refuses("preconditioned_queries", [&] { layer(x); });
  for (const Mixer& kind : {Mixer(LinearAttention{}), Mixer(SoftmaxAttention{}), Mixer(MesaLayer{})}) {
    for (const Index heads : {-1, 0, 3}) {
      SelfAttention other = random_self_attention(kind, 4, 4, 2, 2, 0.1, random);
      other.heads = heads;
      CHECK(message_of([&] { other(x); }) != "nothing was thrown");
    }
  }
}

TEST_CASE("heads that are none, or do not divide", "[odd_arguments][errors]") {
  const Tensor x({2, 3, 4}, 1);
  for (const Index heads : {Index{0}, Index{-1}, Index{-4}, Index{3}, Index{5}, huge}) {
    const std::string count = text(heads);
    const auto refuses_count = [&](const char* op, const auto& f) {
      CHECK(lacks(f, {op, count.c_str(), "(2, 3, 4)"}) == "");
    };
    refuses_count("causal_linear_attention", [&] { causal_linear_attention(x, x, x, heads); });
    refuses_count("causal_softmax_attention", [&] { causal_softmax_attention(x, x, x, heads); });
    refuses_count("unit_length", [&] { unit_length(x, heads); });
    for (const Index lambdas : {0, 1, 4}) {
      const Tensor lambda({lambdas}, 1);
      refuses_count("preconditioned_queries", [&] { preconditioned_queries(x, x, lambda, heads); });
    }
  }
}

TEST_CASE("layers of nothing give nothing, and gradients of zero", "[odd_arguments]") {
  for (const Shape& shape : {Shape({0, 3, 4}), Shape({2, 0, 4}), Shape({2, 3, 0}), Shape({0, 0, 0})}) {
    INFO(text(shape));
    const Tensor x = Tensor(shape).requires_grad();
    const Tensor v = random_tensor({shape[0], shape[1], 6}, 1).requires_grad();
    const Tensor lambda = Tensor({2}, 1).requires_grad(), table({5, shape[2]}), number = Tensor({}, 1);
    Tape tape;
    Tensor total = sum(v);
    for (const Tensor& y : {preconditioned_queries(x, x, lambda, 2), layer_norm(x), unit_length(x, 2),
                            gelu(x), add_positions(x, table), tokens_before(x), dropout(x, 0.5, 1, 0, 0)}) {
      CHECK(y.shape() == shape);
      total = total + sum(y);
    }
    CHECK(concatenate_positions(x, Tensor({5, 2})).shape() == shape.with_last(shape[2] + 2));
    CHECK(concatenate_positions(v, Tensor({5, 0})).shape() == v.shape());
    for (const Tensor& y : {causal_linear_attention(x, x, v, 2), causal_softmax_attention(x, x, v, 2)}) {
      CHECK(y.shape() == v.shape());
      for (const real value : numbers_of(y)) CHECK(std::isfinite(value));
      total = total + sum(y);
    }
    for (const Tensor& y : {causal_linear_attention(v, v, x, 2), causal_softmax_attention(v, v, x, 2)}) {
      CHECK(y.shape() == x.shape());
      total = total + sum(y);
    }
    tape.backward(total);
    for (const real g : gradient_of(v)) CHECK(std::isfinite(g));
    CHECK(gradient_of(lambda) == std::vector<real>{0, 0});
  }
  // Keys of no numbers: every score is 0. Linear attention passes nothing, softmax the mean.
  const Tensor keys({1, 2, 0}), values({1, 2, 1}, {3, 5});
  CHECK(numbers_of(causal_linear_attention(keys, keys, values, 1)) == std::vector<real>{0, 0});
  CHECK(numbers_of(causal_softmax_attention(keys, keys, values, 1)) == std::vector<real>{3, 4});
  CHECK(sinusoidal_table(0, 4).shape() == Shape({0, 4}));
  CHECK(sinusoidal_table(4, 0).shape() == Shape({4, 0}));
  CHECK(lacks([] { sinusoidal_table(huge, huge); }, {"shape", "too large"}) == "");
}

TEST_CASE("a loss of one position, of no channel, and of none", "[loss]") {
  const Tensor f({1, 1, 3}, {1, 2, 3}), y({1, 1, 2}, {3, 5});
  CHECK(squared_error(f, y).item() == real{6.5});
  CHECK(squared_error(f, y, 1).item() == real{6.5});
  CHECK(squared_error(f, y, 2).item() == real{3.25});
  CHECK(squared_error(f, Tensor({1, 1, 0})).item() == 0);
  CHECK(squared_error(Tensor({0, 3, 4}), Tensor({0, 3, 4}), 5).item() == 0);
  for (const Index sequences : {Index{-1}, -huge}) {
    const auto mean = [&] { squared_error(f, y, sequences); };
    CHECK(lacks(mean, {"squared_error", "no mean over", "(1, 1, 3)"}) == "");
  }
  for (const Shape& shape : {Shape({0, 3, 4}), Shape({3, 0, 4})}) {
    const Tensor none(shape);
    CHECK(lacks([&] { squared_error(none, none); }, {"squared_error", "no mean over"}) == "");
  }
  CHECK(lacks([&] { squared_error(Tensor({1, 2, 3}), Tensor({1, 2, 3}), huge); }, {"too large"}) == "");
}

TEST_CASE("models of impossible sizes", "[transformer][errors]") {
  const double nan = std::nan("");
  const auto linear = [](const LinearTransformer::Options& o) {
    return message_of([&] { LinearTransformer(o, 1); });
  };
  using Linear = LinearTransformer::Options;
  CHECK(linear({.blocks = 0}) == "nothing was thrown");
  for (const Linear& o :
       {Linear{.width = 0}, {.width = -1}, {.blocks = -1}, {.heads = 0}, {.heads = -2}, {.key_size = 0},
        {.key_size = -20}, {.clip = 0}, {.clip = -1}, {.clip = static_cast<real>(nan)},
        {.masked_channels = -1}, {.masked_channels = 41}}) {
    CHECK(linear(o).find("transformer: ") != std::string::npos);
  }
  for (const double deviation : {nan, -1.0, HUGE_VAL})
    CHECK(linear({.init_deviation = deviation}).starts_with("self-attention: "));
  for (const Linear& o :
       {Linear{.width = huge}, {.heads = huge}, {.key_size = huge}, {.heads = 1 << 30, .key_size = huge}})
    CHECK(linear(o).ends_with("too large for any memory"));

  const auto raw = [](const Transformer::Options& o) { return message_of([&] { Transformer(o, 1); }); };
  using Raw = Transformer::Options;
  CHECK(raw({.blocks = {}}) == "nothing was thrown");
  for (const Raw& o :
       {Raw{.inputs = 0}, {.outputs = 0}, {.width = 0}, {.heads = 0}, {.heads = -1}, {.key_size = 0},
        {.key_size = -1}, {.tokens = 0}, {.tokens = -1}, {.clip = -1}, {.clip = static_cast<real>(nan)},
        {.mlp = -1}, {.dropout = -0.1}, {.dropout = 1}, {.dropout = nan}}) {
    CHECK(raw(o).starts_with("transformer: "));
  }
  CHECK(raw({.init_deviation = nan}).starts_with("self-attention: "));
  for (const Raw& o :
       {Raw{.inputs = huge}, {.outputs = huge}, {.heads = huge}, {.tokens = huge}, {.mlp = huge}})
    CHECK(raw(o).ends_with("too large for any memory"));
  const Transformer model(Raw{.blocks = {LinearAttention{}}}, 1);
  CHECK(lacks([&] { model.after_block(1, Tensor({1, 1, 40})); }, {"transformer", "no block 1"}) == "");

  Random random(1, stream::test_data);
  const std::array<Index, 4> impossible[] = {{0, 4, 2, 2}, {4, 0, 2, 2},  {4, 4, 0, 2},
                                             {4, 4, 2, 0}, {-4, 4, 2, 2}, {4, 4, -1, -1}};
  for (const auto& [seen, width, heads, key_size] : impossible) {
    const auto layer = [&, s = seen, w = width, h = heads, k = key_size] {
      random_self_attention(MesaLayer{}, s, w, h, k, 1, random);
    };
    refuses("self-attention", layer);
  }
}

TEST_CASE("dropout of odd probabilities", "[dropout][errors]") {
  for (const double p : {-0.1, 1.0, 2.0, std::nan("")})
    refuses("dropout: the probability", [&] { dropout(Tensor({2, 3}), p, 1, 0, 0); });
  CHECK(dropout(Tensor({0}), 0.5, 1, 0, 0).size() == 0);
  CHECK(dropout(Tensor({5, 0}), 0.5, 1, 0, 0).size() == 0);
}

}  // namespace mesagrad
