// How far back a layer looks, on layers whose answer is known.
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/token_binding.h"

#include "tasks/linear_dynamics.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

const Transformer::Options small{.inputs = 3, .outputs = 3, .width = 6, .blocks = {SoftmaxAttention{}},
                                 .heads = 2, .key_size = 3, .tokens = 8, .init_deviation = 0.6};

}  // namespace

TEST_CASE("sensitivity is the mean norm of the derivative", "[token_binding]") {
  const Transformer model = snapshot(Transformer(small, 3));
  const Tensor x = random_tensor({2, 5, 3}, 1);
  const Index t = 3, T = 5, d = 3, D = 6;
  const auto f = [&](const Tensor& s) { return model.residual_streams(s)[1]; };
  const std::vector<double> ours = sensitivity(f, x, t);
  REQUIRE(ours.size() == 5);
  const double h = in_double ? 1e-5 : 1e-2;
  for (Index s = 0; s < T; ++s) {
    double expected = 0;
    for (Index b = 0; b < 2; ++b) {
      for (Index l = 0; l < D; ++l) {
        double squares = 0;
        for (Index j = 0; j < d; ++j) {
          Tensor above = x.copy(), below = x.copy();
          above[(b * T + s) * d + j] += static_cast<real>(h);
          below[(b * T + s) * d + j] -= static_cast<real>(h);
          const Index place = (b * T + t) * D + l;
          const double slope =
              (static_cast<double>(f(above)[place]) - static_cast<double>(f(below)[place])) / (2 * h);
          squares += slope * slope;
        }
        expected += std::sqrt(squares) / (2 * D);
      }
    }
    INFO("token " << s);
    CHECK(std::abs(ours[static_cast<std::size_t>(s)] - expected) < (in_double ? 1e-8 : 1e-3));
  }
  CHECK(ours[4] == 0);  // the future
  CHECK(ours[3] > 0);
  CHECK(ours[0] > 0);
}

TEST_CASE("sensitivity leaves its input as it was", "[token_binding]") {
  const Tensor x = random_tensor({1, 2, 3}, 1);
  const std::vector<double> s = sensitivity([](const Tensor& y) { return real{2} * y; }, x, 1);
  CHECK(std::abs(s[1] - 2) < 10 * epsilon);
  CHECK(s[0] == 0);
  CHECK(!x.has_grad());
  CHECK(lacks([&] { sensitivity([](const Tensor& y) { return y; }, x, 2); },
              {"sensitivity", "position 2"}) == "");
}

TEST_CASE("sensitivity to slopes whose squares are no numbers", "[token_binding]") {
  for (const double slope : {in_double ? 1e200 : 1e30, in_double ? 1e-200 : 1e-30}) {
    const auto f = [=](const Tensor& y) { return static_cast<real>(slope) * y; };
    CHECK(std::abs(sensitivity(f, random_tensor({2, 3, 2}, 1), 1)[1] / slope - 1) < 10 * epsilon);
  }
}

TEST_CASE("sensitivities by steps back, and the mean of the older ones", "[token_binding]") {
  CHECK(by_steps_back({1, 2, 3, 4, 5, 6}, 4, 2) == std::vector<double>{5, 4, 3, 1.5});
  CHECK(by_steps_back({1, 2}, 1, 0) == std::vector<double>{2, 1});
  for (const auto& [t, back] : {std::pair<Index, Index>{6, 1}, {4, 4}, {4, -1}, {0, 0}, {-1, 0}}) {
    const Index position = t, steps = back;
    const auto refused = [&] { by_steps_back({1, 2, 3, 4, 5, 6}, position, steps); };
    CHECK(lacks(refused, {"by_steps_back"}) == "");
  }
}

TEST_CASE("the token probe finds the states that a stream holds", "[token_binding]") {
  const Tensor states = random_tensor({400, 6, 2}, 1), noise = random_tensor({400, 6, 2}, 2);
  const Tensor stream({400, 6, 5});  // s_t, 0.5·s_{t-2} + noise, and a constant
  for (Index n = 0; n < 400; ++n) {
    for (Index t = 2; t < 6; ++t) {
      real* to = stream.data() + (n * 6 + t) * 5;
      for (Index j = 0; j < 2; ++j) {
        to[j] = states[(n * 6 + t) * 2 + j];
        to[2 + j] = states[(n * 6 + t - 2) * 2 + j] / 2 + noise[(n * 6 + t) * 2 + j] / 2;
      }
      to[4] = 1;
    }
  }
  const std::vector<double> error = token_probe(stream, states, 4);
  REQUIRE(error.size() == 6);
  CHECK(error[4] < 1e-9);
  CHECK(std::abs(error[2] - 0.5) < 0.1);  // half signal, half noise: half of the variance is explained
  for (const std::size_t other : {0u, 1u, 3u, 5u}) CHECK(std::abs(error[other] - 1) < 0.15);
  CHECK(lacks([&] { token_probe(stream, states, 6); }, {"token_probe", "position 6"}) == "");
}

TEST_CASE("fitted to few sequences, a probe looks better than it is, by what it fits", "[token_binding]") {
  double sum = 0;
  for (std::uint64_t trial = 1; trial <= 50; ++trial) {  // of streams that know nothing: the error is 1
    const Tensor stream = random_tensor({20, 6, 5}, 2 * trial);
    const Tensor states = random_tensor({20, 6, 2}, 2 * trial + 1);
    for (const double error : token_probe(stream, states, 4)) sum += error / (50 * 6);
  }
  CHECK(std::abs(error_of_fewer(1, 5, 1'000'000'000, 20) - 0.75) < 1e-6);
  CHECK(std::abs(sum - 0.75) < 0.05);  // 600 sums of about 15 squares: ± .011
  CHECK(std::abs(error_of_fewer(sum, 5, 20, 1'000'000'000) - 1) < 0.07);
}

TEST_CASE("attention maps are the softmax weights that the layer uses", "[token_binding]") {
  Transformer model(small, 5);
  SelfAttention& layer = model.blocks[0].attention;
  layer.unit_keys = GENERATE(false, true);
  const Tensor x = random_tensor({3, 7, 6}, 2);
  const std::vector<Matrix> maps = attention_maps(layer, x, model.table);
  REQUIRE(maps.size() == 2);
  for (const Matrix& map : maps) {
    for (Index t = 0; t < 7; ++t) {
      double sum = 0;
      for (Index s = 0; s < 7; ++s) {
        sum += map(t, s);
        if (s > t) CHECK(map(t, s) == 0);
      }
      CHECK(std::abs(sum - 1) < 1e-12);
    }
  }
  // With values that say which token they are from, the layer's own result is the map: one sequence, and
  // values e_s in the columns of each head.
  const Tensor one = random_tensor({1, 3, 6}, 3);
  const Tensor seen = concatenate_positions(one, model.table);
  Tensor q = matmul(seen, layer.wq), k = matmul(seen, layer.wk);
  if (layer.unit_keys) {
    q = unit_length(q, 2);
    k = unit_length(k, 2);
  }
  const Tensor v({1, 3, 6});
  for (Index s = 0; s < 3; ++s) v[s * 6 + s] = v[s * 6 + 3 + s] = 1;
  const Tensor out = causal_softmax_attention(q, k, v, 2);
  const std::vector<Matrix> weights = attention_maps(layer, one, model.table);
  for (Index h = 0; h < 2; ++h)
    for (Index t = 0; t < 3; ++t)
      for (Index s = 0; s < 3; ++s) {
        const double expected = static_cast<double>(out[t * 6 + h * 3 + s]);
        CHECK(std::abs(weights[static_cast<std::size_t>(h)](t, s) - expected) < 100 * epsilon);
      }
  // With a single token there is nothing else to look at.
  for (const Matrix& map : attention_maps(layer, random_tensor({2, 1, 6}, 4), model.table)) {
    CHECK((map.rows() == 1 && map.columns() == 1));
    CHECK(std::abs(map(0, 0) - 1) < 1e-15);
  }
  SelfAttention linear = layer;
  linear.mixer = LinearAttention{};
  CHECK(lacks([&] { attention_maps(linear, x, model.table); }, {"attention_maps", "softmax"}) == "");
}

}  // namespace mesagrad
