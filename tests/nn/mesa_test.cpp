// The mesa-layer against the direct solution of its least-squares problem.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/mesa.h"

#include "core/linalg.h"
#include "core/ops.h"
#include "nn/linear_transformer.h"
#include "nn/reference.h"
#include "tasks/time_reversal.h"
#include "tests/helpers.h"

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
double error_of(const Tensor& result, const Tensor& q, const Tensor& k, const Tensor& lambda, const Sizes& s) {
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

const std::vector<Sizes> small_sizes = {{1, 1, 1, 1}, {1, 1, 1, 7}, {1, 9, 1, 1}, {2, 3, 1, 10},  // T < K
                                        {3, 7, 2, 3}, {5, 6, 4, 5}, {2, 8, 3, 17}};

Tensor lambdas(Index heads) {
  Tensor result({heads});
  for (Index h = 0; h < heads; ++h) result[h] = static_cast<real>(0.5 + 0.7 * static_cast<double>(h));
  return result;
}

}  // namespace

TEST_CASE("preconditioned queries solve the ridge regression's normal equations at every token") {
  for (const Sizes& s : small_sizes) {
    const Tensor q = random_tensor({s.B, s.T, s.H * s.K}, 1), k = keys_of_length(1, s, 2);
    const Tensor lambda = lambdas(s.H);
    CAPTURE(s);
    CHECK(error_of(preconditioned_queries(q, k, lambda, s.H), q, k, lambda, s) < (in_double ? 1e-12 : 1e-5));
  }
}

TEST_CASE("mesa-layer gradients agree with the definition in every element") {
  for (const Sizes& s : small_sizes) {
    CAPTURE(s);
    const Shape shape{s.B, s.T, s.H * s.K};
    const Tensor q = random_tensor(shape, 1), k = random_tensor(shape, 2, 0.6), v = random_tensor(shape, 3);
    check_gradient(
        [&](const std::vector<Tensor>& x) { return preconditioned_queries(x[0], x[1], x[2], s.H); },
        {q, k, lambdas(s.H)});
    check_gradient([&](const std::vector<Tensor>& x) {
      return causal_linear_attention(preconditioned_queries(x[0], x[1], x[3], s.H), x[1], x[2], s.H);
    }, {q, k, v, lambdas(s.H)});
  }
}

TEST_CASE("mesa-layer gradients are added to what is there, and only where they are wanted") {
  const Sizes s{2, 6, 2, 5};
  const Shape shape{s.B, s.T, s.H * s.K};
  const auto gradients = [&](bool with_q, bool with_k, bool with_lambda, int times) {
    Tensor q = random_tensor(shape, 1), k = random_tensor(shape, 2), lambda = lambdas(s.H);
    if (with_q) q.requires_grad();
    if (with_k) k.requires_grad();
    if (with_lambda) lambda.requires_grad();
    for (int i = 0; i < times; ++i) {
      Arena memory;
      fill_with_nan(memory);
      Tape tape(memory);
      tape.backward(preconditioned_queries(q, k, lambda, s.H), random_tensor(shape, 3));
    }
    std::vector<real> all;
    for (const Tensor* x : {&q, &k, &lambda}) {
      const auto part =
          x->has_grad() ? gradient_of(*x) : std::vector<real>(static_cast<std::size_t>(x->size()));
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  };
  const std::vector<real> all = gradients(true, true, true, 1);
  std::vector<real> twice = all;
  for (real& x : twice) x *= 2;
  CHECK(largest_difference(gradients(true, true, true, 2), twice) < 100 * epsilon);
  const auto q = gradients(true, false, false, 1), k = gradients(false, true, false, 1),
             lambda = gradients(false, false, true, 1);
  std::vector<real> sum(all.size());
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = q[i] + k[i] + lambda[i];
  CHECK(sum == all);
}

TEST_CASE("a mesa-layer with a small lambda is lambda times linear attention") {
  const Sizes s{2, 9, 2, 4};
  const Tensor q = random_tensor({s.B, s.T, s.H * s.K}, 1), k = random_tensor({s.B, s.T, s.H * s.K}, 2);
  const double tiny = in_double ? 1e-9 : 1e-5;
  const Tensor result = preconditioned_queries(q, k, Tensor({s.H}, static_cast<real>(tiny)), s.H);
  for (Index i = 0; i < q.size(); ++i) {
    CHECK(result[i] / tiny == Approx(q[i]).margin(100 * tiny + 10 * epsilon));
  }
}

TEST_CASE("a mesa-layer with a large lambda finds the matrix behind noiseless pairs") {
  const Sizes s{1, 12, 1, 4};
  const Tensor q = random_tensor({1, s.T, s.K}, 1), k = random_tensor({1, s.T, s.K}, 2);
  const Tensor Phi = random_tensor({s.K, s.K}, 3);
  const Tensor out = causal_linear_attention(preconditioned_queries(q, k, Tensor({1}, real{1e4}), 1), k,
                                             matmul(k, Phi), 1);
  const Tensor expected = matmul(q, Phi);
  for (Index i = 6 * s.K; i < out.size(); ++i)
    CHECK(out[i] == Approx(expected[i]).margin(in_double ? 1e-2 : 5e-2));
}

TEST_CASE("preconditioned queries stay finite and near a double-precision solution under stress") {
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

TEST_CASE("preconditioned queries stay bounded where float has no digits left") {
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

TEST_CASE("mesa-layer gradients in float are those of a double-precision solution") {
  for (const Sizes& s : {Sizes{2, 50, 2, 20}, Sizes{1, 400, 1, 10}}) {
    Tensor q = random_tensor({s.B, s.T, s.H * s.K}, 1), k = keys_of_length(1, s, 2), lambda = lambdas(s.H);
    const Tensor dout = random_tensor({s.B, s.T, s.H * s.K}, 3);
    for (Tensor* x : {&q, &k, &lambda}) x->requires_grad();
    Tape tape;
    tape.backward(preconditioned_queries(q, k, lambda, s.H), dout);
    double scale = 0;  // of the gradient's elements
    for (const real g : gradient_of(k)) scale = std::max(scale, std::abs(static_cast<double>(g)));
    for (Index b = 0; b < s.B; ++b) {
      for (Index h = 0; h < s.H; ++h) {
        const auto lambda_h = static_cast<double>(lambda[h]);
        const Matrix key = reference::head_of(k, b, h, s.H);
        const Matrix x = reference::preconditioned_queries(reference::head_of(q, b, h, s.H), key, lambda_h),
                     y = reference::preconditioned_queries(reference::head_of(dout, b, h, s.H), key, lambda_h);
        Matrix M(s.K, s.K);
        for (Index t = s.T - 1; t >= 0; --t) {
          for (Index i = 0; i < s.K; ++i) {
            double dk = 0;
            for (Index j = 0; j < s.K; ++j) {
              M(i, j) += x(t, i) * y(t, j) + y(t, i) * x(t, j);
              dk -= M(i, j) * key(t, j);
            }
            const Index at = ((b * s.T + t) * s.H + h) * s.K + i;
            CHECK(k.grad()[at] == Approx(dk).epsilon(0).margin(1e-3 * scale * (in_double ? 1e-8 : 1)));
            CHECK(q.grad()[at] == Approx(y(t, i)).epsilon(0).margin(in_double ? 1e-11 : 1e-3));
          }
        }
      }
    }
  }
}

TEST_CASE("the paper's time-reversed backward pass agrees, until keys are long") {
  const Sizes s{1, 50, 1, 20};
  const auto reversal = [&](double length, double lambda_value) {
    const Tensor q = random_tensor({1, s.T, s.K}, 1), k = keys_of_length(length, s, 2),
                 p = random_tensor({1, s.T, s.K}, 3);
    return TimeReversal<real>(s.T, s.K, q.data(), k.data(), p.data(), static_cast<real>(lambda_value));
  };
  Tensor q = random_tensor({1, s.T, s.K}, 1), k = keys_of_length(1, s, 2), lambda({1}, 1);
  for (Tensor* x : {&q, &k, &lambda}) x->requires_grad();
  Tape tape;
  tape.backward(preconditioned_queries(q, k, lambda, 1), random_tensor({1, s.T, s.K}, 3));
  const auto near = reversal(1, 1);
  const double tolerance = in_double ? 1e-11 : 1e-3;
  CHECK(largest_difference(near.dq, gradient_of(q)) < tolerance);
  CHECK(largest_difference(near.dk, gradient_of(k)) < 10 * tolerance);
  CHECK(std::abs(static_cast<double>(near.dlambda - lambda.grad()[0])) < 10 * tolerance);
  CHECK(near.start_error < 1000 * epsilon);
  CHECK(reversal(10, 4).start_error > 1000 * near.start_error);
  if (!in_double) CHECK(reversal(10, 4).start_error > 1e-3);
}

TEST_CASE("keys that repeat, vanish or never span the space are no trouble") {
  const Sizes s{1, 2000, 1, 8};
  Tensor q = random_tensor({1, s.T, s.K}, 1), k({1, s.T, s.K});
  const Tensor lambda({1}, 1);
  CHECK(preconditioned_queries(q, k, lambda, 1).copy()[17] == q[17]);  // no keys: R = λI
  for (Index t = 0; t < s.T; ++t) k[t * s.K + 2] = 3;                   // one key, again and again
  CHECK(error_of(preconditioned_queries(q, k, lambda, 1), q, k, lambda, s) < 1000 * epsilon);
}

TEST_CASE("a NaN stays where the mathematics puts it") {
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

TEST_CASE("a key that is too long for its square makes NaN of all later tokens, and of no others") {
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

TEST_CASE("the gradient of a tiny or a huge lambda") {
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

TEST_CASE("preconditioned queries refuse what makes no sense") {
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

TEST_CASE("preconditioned queries are the same to the last bit on any number of threads") {
  const Sizes s{64, 50, 4, 20};
  const Shape shape{s.B, s.T, s.H * s.K};
  const auto run = [&](int threads) {
    const Threads guard(threads);
    Tensor q = random_tensor(shape, 1), k = random_tensor(shape, 2), lambda = lambdas(s.H);
    for (Tensor* x : {&q, &k, &lambda}) x->requires_grad();
    Tape tape;
    const Tensor out = preconditioned_queries(q, k, lambda, s.H);
    tape.backward(out, random_tensor(shape, 3));
    return std::vector{numbers_of(out), gradient_of(q), gradient_of(k), gradient_of(lambda)};
  };
  const auto one = run(1);
  CHECK(run(2) == one);
  CHECK(run(5) == one);
}

TEST_CASE("a Transformer of mesa-layers has a lambda for each head among its parameters") {
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
