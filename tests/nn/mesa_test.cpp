// The mesa-layer against the direct solution of its least-squares problem.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/mesa.h"

#include "nn/linear_transformer.h"
#include "tests/nn/attention_battery.h"

namespace mesagrad {
namespace {

struct Sizes {
  Index B, T, H, K;
};

std::ostream& operator<<(std::ostream& out, const Sizes& s) {
  return out << "B " << s.B << ", T " << s.T << ", H " << s.H << ", K " << s.K;
}

// The largest error of q̃ against the solutions of the reference, summed over the elements of a token and
// divided by the largest.
double error_of(const Tensor& result, const Tensor& q, const Tensor& k, const Tensor& lambda,
                const Sizes& s) {
  double largest = 0;
  for (Index b = 0; b < s.B; ++b) {
    for (Index h = 0; h < s.H; ++h) {
      const Matrix ours = reference::head_of(result, b, h, s.H);
      const Matrix exact = reference::preconditioned_queries(
          reference::head_of(q, b, h, s.H), reference::head_of(k, b, h, s.H), static_cast<double>(lambda[h]));
      for (Index t = 0; t < s.T; ++t) {
        double size = 0, error = 0;
        for (Index i = 0; i < s.K; ++i) {
          size = std::max(size, std::abs(exact(t, i)));
          error += std::abs(ours(t, i) - exact(t, i));
        }
        largest = std::isfinite(error) ? std::max(largest, error / size)
                                       : std::numeric_limits<double>::infinity();
      }
    }
  }
  return largest;
}

// Keys of about this length.
Tensor keys_of_length(double length, const Sizes& s, std::uint64_t seed) {
  return random_tensor({s.B, s.T, s.H * s.K}, seed, length / std::sqrt(static_cast<double>(s.K)));
}

const std::vector<Sizes> small_sizes = {
    {1, 1, 1, 1}, {1, 1, 1, 7}, {1, 9, 1, 1}, {2, 3, 1, 10},  // T < K
    {3, 7, 2, 3}, {5, 6, 4, 5}, {2, 8, 3, 17},
    {7, 4, 3, 2}};  // more problems than lanes, which are no multiple of the heads

Tensor lambdas(Index heads) {
  Tensor result({heads});
  for (Index h = 0; h < heads; ++h) result[h] = static_cast<real>(0.5 + 0.7 * static_cast<double>(h));
  return result;
}

// As a function of {q, k, lambda}.
Tensor preconditioned(const std::vector<Tensor>& x) {
  return preconditioned_queries(x[0], x[1], x[2], x[2].size());
}

// The whole layer, with one λ for all heads, and its gradients by the chain rule.
constexpr double some_lambda = 0.75;

Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, Index heads) {
  const Tensor lambda({heads}, static_cast<real>(some_lambda));
  return causal_linear_attention(preconditioned_queries(q, k, lambda, heads), k, v, heads);
}

HeadResults exact(const HeadArguments& x) {
  const Matrix queries = reference::preconditioned_queries(x.q, x.k, some_lambda);
  reference::AttentionGradients d = reference::linear_attention_gradients(queries, x.k, x.v, x.dout);
  const auto behind = reference::preconditioned_query_gradients(x.q, x.k, some_lambda, d.q);
  d.q = behind.q;
  for (std::size_t i = 0; i < d.k.values().size(); ++i) d.k.values()[i] += behind.k.values()[i];
  return {reference::linear_attention(queries, x.k, x.v), d};
}

HeadResults sizes(const HeadArguments&, const HeadResults& e) {
  return {largest_of(e.out, 1), {largest_of(e.d.q, 1), largest_of(e.d.k, 1), largest_of(e.d.v, 1)}};
}

// The recursion for R loses digits while there are fewer keys than their size, see the test under stress.
const AttentionKind mesa{attend, exact, sizes, 1000};

}  // namespace

TEST_CASE("the mesa-layer", "[mesa]") { check_attention(mesa); }

TEST_CASE("preconditioned queries solve the ridge regression's normal equations at every token", "[mesa]") {
  for (const Sizes& s : small_sizes) {
    const Tensor q = random_tensor({s.B, s.T, s.H * s.K}, 1), k = keys_of_length(1, s, 2);
    const Tensor lambda = lambdas(s.H);
    CAPTURE(s);
    CHECK(error_of(preconditioned_queries(q, k, lambda, s.H), q, k, lambda, s) < (in_double ? 1e-12 : 1e-5));
  }
}

TEST_CASE("mesa-layer gradients agree with the definition in every element", "[mesa]") {
  for (const Sizes& s : small_sizes) {
    CAPTURE(s);
    const Shape shape{s.B, s.T, s.H * s.K};
    const Tensor q = random_tensor(shape, 1), k = random_tensor(shape, 2, 0.6), v = random_tensor(shape, 3);
    check_gradient(preconditioned, {q, k, lambdas(s.H)});
    check_gradient([&](const std::vector<Tensor>& x) {
      return causal_linear_attention(preconditioned_queries(x[0], x[1], x[3], s.H), x[1], x[2], s.H);
    }, {q, k, v, lambdas(s.H)});
  }
}

TEST_CASE("mesa-layer gradients are added to what is there, and only where they are wanted", "[mesa]") {
  const std::vector<Tensor> inputs = {random_tensor({2, 6, 10}, 1), random_tensor({2, 6, 10}, 2), lambdas(2)};
  check_wanted_gradients(preconditioned, inputs);
  check_added_gradients(preconditioned, inputs);
  check_memory(preconditioned, inputs);
}

TEST_CASE("a mesa-layer with a small lambda is lambda times linear attention", "[mesa]") {
  const Sizes s{2, 9, 2, 4};
  const Tensor q = random_tensor({s.B, s.T, s.H * s.K}, 1), k = random_tensor({s.B, s.T, s.H * s.K}, 2);
  const double tiny = in_double ? 1e-9 : 1e-5;
  const Tensor result = preconditioned_queries(q, k, Tensor({s.H}, static_cast<real>(tiny)), s.H);
  for (Index i = 0; i < q.size(); ++i) {
    CHECK(result[i] / tiny == Approx(q[i]).margin(100 * tiny + 10 * epsilon));
  }
}

TEST_CASE("a mesa-layer with a large lambda finds the matrix behind noiseless pairs", "[mesa]") {
  const Sizes s{1, 12, 1, 4};
  const Tensor q = random_tensor({1, s.T, s.K}, 1), k = random_tensor({1, s.T, s.K}, 2);
  const Tensor Phi = random_tensor({s.K, s.K}, 3);
  const Tensor out = causal_linear_attention(preconditioned_queries(q, k, Tensor({1}, real{1e4}), 1), k,
                                             matmul(k, Phi), 1);
  const Tensor expected = matmul(q, Phi);
  for (Index i = 6 * s.K; i < out.size(); ++i)
    CHECK(out[i] == Approx(expected[i]).margin(in_double ? 1e-2 : 5e-2));
}

TEST_CASE("preconditioned queries stay finite and near a double-precision solution under stress", "[mesa]") {
  // While fewer than K keys have been seen, R holds λ in some directions and 1/‖k‖² in others, and
  // rounding to the larger costs the smaller a factor of λ‖k‖² digits. Long sequences add a little.
  for (const Index T : {50, 1024, 16384}) {
    for (const double length : {0.1, 1.0, 10.0, 30.0, 1e3, 1e5}) {
      for (const real lambda_value : {real(0.1), real(1), real(100)}) {
        const double ratio = static_cast<double>(lambda_value) * length * length;
        const double bound = epsilon * (50 + 20 * ratio + static_cast<double>(T) / 30);
        if (bound >= 1) continue;
        const Sizes s{1, T, 1, 20};
        const Tensor q = random_tensor({1, T, s.K}, 1), k = keys_of_length(length, s, 2);
        const Tensor lambda({1}, lambda_value);
        const double error = error_of(preconditioned_queries(q, k, lambda, 1), q, k, lambda, s);
        INFO("T " << T << ", |k| " << length << ", lambda " << lambda_value << ": error " << error);
        CHECK(error < bound);
      }
    }
  }
}

TEST_CASE("preconditioned queries stay bounded where float has no digits left", "[mesa]") {
  // R must not grow: the largest it may ever be is λI. With λ‖k‖² far above 1/ε nothing but that is sure.
  const Sizes s{16, 2000, 1, 20};
  const Tensor q = random_tensor({s.B, s.T, s.K}, 1);
  for (const double length : {1e3, 1e5}) {
    for (const double lambda : {1e2, 1e6}) {
      const Tensor result = preconditioned_queries(q, keys_of_length(length, s, 2),
                                                   Tensor({1}, static_cast<real>(lambda)), 1);
      double largest = 0;
      for (const real x : numbers_of(result)) {
        largest = std::isfinite(x) ? std::max(largest, std::abs(static_cast<double>(x)))
                                   : std::numeric_limits<double>::infinity();
      }
      INFO("|k| " << length << ", lambda " << lambda);
      CHECK(largest < 20 * lambda);
    }
  }
}

TEST_CASE("mesa-layer gradients in float are those of a double-precision solution", "[mesa]") {
  for (const Sizes& s : {Sizes{2, 50, 2, 20}, Sizes{1, 400, 1, 10}}) {
    Tensor q = random_tensor({s.B, s.T, s.H * s.K}, 1), k = keys_of_length(1, s, 2), lambda = lambdas(s.H);
    const Tensor dout = random_tensor({s.B, s.T, s.H * s.K}, 3);
    for (Tensor* x : {&q, &k, &lambda}) x->requires_grad();
    Tape tape;
    tape.backward(preconditioned_queries(q, k, lambda, s.H), dout);
    double scale = 0;  // of the gradient's elements
    for (const real g : gradient_of(k)) scale = std::max(scale, std::abs(static_cast<double>(g)));
    for (Index h = 0; h < s.H; ++h) {
      double dlambda = 0;
      for (Index b = 0; b < s.B; ++b) {
        const auto head = [&](const Tensor& x) { return reference::head_of(x, b, h, s.H); };
        const auto exact = reference::preconditioned_query_gradients(
            head(q), head(k), static_cast<double>(lambda[h]), head(dout));
        const Matrix dq = head(Tensor(q.shape(), gradient_of(q))),
                     dk = head(Tensor(k.shape(), gradient_of(k)));
        CHECK(largest_difference(dq.values(), exact.q.values()) < (in_double ? 1e-11 : 1e-3));
        CHECK(largest_difference(dk.values(), exact.k.values()) < 1e-3 * scale * (in_double ? 1e-8 : 1));
        dlambda += exact.lambda;
      }
      CHECK(std::abs(static_cast<double>(lambda.grad()[h]) - dlambda) < (in_double ? 1e-11 : 1e-3) * scale);
    }
  }
}

TEST_CASE("keys that repeat, vanish or never span the space are no trouble", "[mesa]") {
  const Sizes s{1, 2000, 1, 8};
  Tensor q = random_tensor({1, s.T, s.K}, 1), k({1, s.T, s.K});
  const Tensor lambda({1}, 1);
  CHECK(preconditioned_queries(q, k, lambda, 1).copy()[17] == q[17]);  // no keys: R = λI
  for (Index t = 0; t < s.T; ++t) k[t * s.K + 2] = 3;                   // one key, again and again
  CHECK(error_of(preconditioned_queries(q, k, lambda, 1), q, k, lambda, s) < 1000 * epsilon);
}

TEST_CASE("a NaN stays where the mathematics puts it", "[mesa]") {
  const Sizes s{20, 6, 2, 5};
  const auto finite_tokens = [&](bool in_key) {
    Tensor q = random_tensor({s.B, s.T, s.H * s.K}, 1), k = random_tensor({s.B, s.T, s.H * s.K}, 2);
    Tensor& broken = in_key ? k : q;
    // of sequence 7, token 3, head 1
    broken[((7 * s.T + 3) * s.H + 1) * s.K + 2] = std::numeric_limits<real>::quiet_NaN();
    const Tensor result = preconditioned_queries(q, k, Tensor({s.H}, 1), s.H);
    std::vector<bool> finite;
    for (Index row_number = 0; row_number < s.B * s.T * s.H; ++row_number) {
      finite.push_back(std::all_of(result.data() + row_number * s.K, result.data() + (row_number + 1) * s.K,
                                   [](real x) { return std::isfinite(x); }));
    }
    return finite;
  };
  const auto number = [&](Index t) { return static_cast<std::size_t>((7 * s.T + t) * s.H + 1); };
  std::vector<bool> expected(static_cast<std::size_t>(s.B * s.T * s.H), true);
  expected[number(3)] = false;
  CHECK(finite_tokens(false) == expected);
  expected[number(4)] = expected[number(5)] = false;
  CHECK(finite_tokens(true) == expected);
}

TEST_CASE("a key that is too long for its square makes NaN of all later tokens, and of no others", "[mesa]") {
  const Sizes s{1, 4, 2, 5};
  const Tensor q = random_tensor({s.B, s.T, s.H * s.K}, 1), k = random_tensor({s.B, s.T, s.H * s.K}, 2);
  const real huge = in_double ? real(1e200) : real(1e20);
  for (Index j = 0; j < s.K; ++j) k[(s.H + 1) * s.K + j] = huge;  // token 1, head 1
  const Tensor result = preconditioned_queries(q, k, Tensor({s.H}, 1), s.H);
  for (Index t = 0; t < s.T; ++t) {
    for (Index h = 0; h < s.H; ++h) {
      for (Index j = 0; j < s.K; ++j) {
        CHECK(std::isnan(result[(t * s.H + h) * s.K + j]) == (h == 1 && t >= 1));
      }
    }
  }
}

TEST_CASE("the gradient of a tiny or a huge lambda", "[mesa]") {
  // Without keys q̃ = λq, so with cotangents of 1 the gradient of λ is the sum of q.
  const real extreme = in_double ? real(1e-200) : real(1e-25);
  for (const real value : {std::numeric_limits<real>::min(), extreme, real{1}, 1 / extreme}) {
    const Tensor q({1, 2, 3}, {1, 2, 3, 4, 5, -13}), k({1, 2, 3});
    Tensor lambda({1}, value);
    lambda.requires_grad();
    Tape tape;
    const Tensor result = preconditioned_queries(q, k, lambda, 1);
    tape.backward(result, Tensor(result.shape(), 1));
    INFO("lambda " << value);
    CHECK(std::abs(lambda.grad()[0] - 2) < 20 * epsilon);
  }
}

TEST_CASE("preconditioned queries refuse what makes no sense", "[mesa][errors]") {
  const Tensor x = random_tensor({2, 3, 4}, 1);
  const auto with_lambda = [&](real value) {
    return [=] { preconditioned_queries(x, x, Tensor({2}, value), 2); };
  };
  CHECK(lacks(with_lambda(0), {"lambda of head 0 is 0", "positive"}) == "");
  CHECK(lacks(with_lambda(-1), {"lambda of head 0 is -1"}) == "");
  CHECK(lacks(with_lambda(std::numeric_limits<real>::denorm_min()), {"lambda of head 0", "positive"}) == "");
  CHECK(lacks(with_lambda(std::numeric_limits<real>::quiet_NaN()), {"lambda of head 0"}) == "");
  CHECK(lacks(with_lambda(std::numeric_limits<real>::infinity()), {"lambda of head 0", "finite"}) == "");
  CHECK(lacks([&] { preconditioned_queries(x, x, Tensor({3}, 1), 3); }, {"(2, 3, 4)", "3 heads"}) == "");
  CHECK(lacks([&] { preconditioned_queries(x, x, Tensor({2}, 1), 4); }, {"lambda (2)", "H = 4"}) == "");
  CHECK(lacks(
            [&] {
              preconditioned_queries(x, random_tensor({2, 3, 6}, 1), Tensor({2}, 1), 2);
            },
            {"k (2, 3, 6)"}) == "");
}

TEST_CASE("preconditioned queries are the same to the last bit on any number of threads", "[mesa]") {
  const Shape shape{64, 50, 4 * 20};
  check_threads(preconditioned, {random_tensor(shape, 1), random_tensor(shape, 2), lambdas(4)});
}

TEST_CASE("a Transformer of mesa-layers has a lambda for each head among its parameters", "[mesa]") {
  LinearTransformer model(
      {.width = 8, .blocks = 2, .heads = 2, .key_size = 3, .kind = MesaLayer{}, .init_deviation = 0.3}, 1);
  CHECK(model.parameters().size() == 10);
  CHECK(model.parameters()[4].name == "blocks.0.lambda");
  CHECK(numbers_of(std::get<MesaLayer>(model.blocks[1].attention.mixer).lambda) == std::vector<real>{1, 1});
  const Tensor x = random_tensor({2, 5, 8}, 1);
  check_gradient([&](const std::vector<Tensor>& lambda) {
    LinearTransformer copy = model;
    std::get<MesaLayer>(copy.blocks[0].attention.mixer).lambda = lambda[0];
    copy.blocks[1].attention.wk = lambda[1];
    return copy(x);
  }, {std::get<MesaLayer>(model.blocks[0].attention.mixer).lambda.copy(),
                          model.blocks[1].attention.wk.copy()});
}

}  // namespace mesagrad
