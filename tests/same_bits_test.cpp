// The same bits on every machine: a fingerprint of what each operation computes, and of its gradients.
//
// The numbers below were computed once, and are those of every processor, compiler and optimization
// level. Where one differs, look at the first that does: those below it build on it. (Whoever changes an
// operation's arithmetic on purpose, changes its number here.)
#include "tests/catch.h"  // first, because it is precompiled

#include <cstdio>
#include <numeric>

#include "core/checksum.h"
#include "core/elementary.h"
#include "core/linalg.h"
#include "nn/activations.h"
#include "nn/attention.h"
#include "nn/linear_transformer.h"
#include "nn/loss.h"
#include "nn/mesa.h"
#include "nn/normalization.h"
#include "nn/optimizer.h"
#include "nn/positions.h"
#include "nn/softmax_attention.h"
#include "nn/training.h"
#include "nn/transformer.h"
#include "tasks/in_context.h"
#include "tasks/linear_dynamics.h"
#include "tasks/probes.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

void add(Checksum& sum, const real* values, Index n) {
  sum.add(std::span<const real>(values, static_cast<std::size_t>(n)));
}

std::string bits_of(std::span<const double> numbers) {
  Checksum sum;
  sum.add(numbers);
  return sum.text();
}

std::string bits_of(const Tensor& x) {
  Checksum sum;
  add(sum, x.data(), x.size());
  return sum.text();
}

// A function at many points of an interval.
std::string bits_of(double (*f)(double), double low, double high) {
  std::vector<double> values;
  for (int i = 0; i < 20000; ++i) values.push_back(f(low + (high - low) * i / 19999));
  return bits_of(values);
}

// An operation's result and the gradients of its arguments, for a random cotangent.
std::string bits_of(const std::function<Tensor(const std::vector<Tensor>&)>& f, std::vector<Tensor> x) {
  for (Tensor& argument : x) argument.requires_grad();
  Tape tape;
  const Tensor out = f(x);
  tape.backward(out, random_tensor(out.shape(), 99));
  Checksum sum;
  add(sum, out.data(), out.size());
  for (const Tensor& argument : x) add(sum, argument.grad(), argument.size());
  return sum.text();
}

// A model's weights after five updates.
template <class Model>
std::string bits_of_training(const typename Model::Options& options, Tensor (*tokens)(const Tensor&)) {
  Model model(options, 1);
  const LinearDynamics task;
  Training training(model, 40, task.tokens);
  AdamW optimizer(model.parameters(), {.decay = 0.05});
  const WarmupCosine rate = {.peak = 1e-2, .end = 1e-4, .warmup = 2, .total = 5};
  for (Index n = 0; n < 5; ++n) {
    training([&](const Model& part, Index first, Index count) {
      const Tensor states = task.sample(1, stream::training_data, first, count);
      return squared_error(part(tokens(states)), next_states(states), 40);
    });
    clip_by_norm(model.parameters(), 1);
    optimizer.step(rate(n));
  }
  Checksum sum;
  for (const Parameter& p : model.parameters()) add(sum, p.tensor->data(), p.tensor->size());
  return sum.text();
}

struct Fingerprint {
  const char* name;
  std::function<std::string()> compute;
  const char *in_float, *in_double;
};

Matrix random_matrix(Index rows, Index columns) {
  Matrix result(rows, columns);
  Random random(5, stream::test_data);
  for (double& x : result.values()) x = random.normal();
  return result;
}

Tensor normal(const Shape& shape, std::uint64_t seed = 1) { return random_tensor(shape, seed); }

// 13 and 37: no multiples of any register's lanes.
const std::vector<Fingerprint> fingerprints = {
    {"exponential", [] { return bits_of(exponential, -710, 710); }, "", ""},
    {"logarithm", [] { return bits_of(logarithm, 1e-3, 20); }, "", ""},
    {"log_one_plus", [] { return bits_of(log_one_plus, 0, 1); }, "", ""},
    {"sine", [] { return bits_of(sine, -9, 1000); }, "", ""},
    {"cosine", [] { return bits_of(cosine, -9, 1000); }, "", ""},
    {"normal numbers", [] { return bits_of(random_matrix(100, 100).values()); }, "", ""},
    {"qr", [] { return bits_of(qr(random_matrix(13, 10)).q.values()); }, "", ""},
    {"cholesky_solve",
     [] {
       const Matrix a = random_matrix(10, 10);
       Matrix square = multiply(a, transpose(a));
       for (Index i = 0; i < 10; ++i) square(i, i) += 1;
       return bits_of(cholesky_solve(square, random_matrix(10, 3)).values());
     },
     "", ""},
    {"lu_solve", [] { return bits_of(lu_solve(random_matrix(10, 10), random_matrix(10, 3)).values()); }, "",
     ""},
    {"least_squares",
     [] { return bits_of(least_squares(random_matrix(13, 10), random_matrix(13, 3)).values()); }, "", ""},
    {"least squares in context",
     [] {
       const auto sequence = LinearDynamics{}.sample(Random(1, stream::test_data, 3));
       return bits_of(least_squares_predictor({})(sequence.states).values());
     },
     "", ""},
    {"linear dynamics", [] { return bits_of(LinearDynamics{}.sample(1, stream::test_data, 0, 20)); }, "", ""},
    {"matmul",
     [] {
       return bits_of([](const auto& x) { return matmul(x[0], x[1]); }, {normal({5, 50, 37}), normal({37, 13}, 2)});
     },
     "", ""},
    {"a long matmul",
     [] { return bits_of([](const auto& x) { return matmul(x[0], x[1]); }, {normal({1000, 4}), normal({4, 70}, 2)}); },
     "", ""},
    {"sum and product",
     [] { return bits_of([](const auto& x) { return sum(x[0] * x[1]); }, {normal({37}), normal({37}, 2)}); }, "", ""},
    {"scale and clip",
     [] {
       return bits_of([](const auto& x) { return clip(scale(x[0], x[1]), 1); }, {normal({37}), normal({1}, 2)});
     },
     "", ""},
    {"softplus", [] { return bits_of([](const auto& x) { return softplus(x[0]); }, {random_tensor({500}, 1, 9)}); },
     "", ""},
    {"gelu", [] { return bits_of([](const auto& x) { return gelu(x[0]); }, {random_tensor({500}, 1, 3)}); }, "", ""},
    {"layer_norm",
     [] {
       return bits_of([](const auto& x) { return layer_norm(x[0], x[1], x[2]); },
                      {normal({300, 37}), normal({37}, 2), normal({37}, 3)});
     },
     "", ""},
    {"unit_length", [] { return bits_of([](const auto& x) { return unit_length(x[0], 2); }, {normal({50, 26})}); }, "",
     ""},
    {"positions", [] { return bits_of(sinusoidal_table(300, 10)); }, "", ""},
    {"linear attention",
     [] {
       return bits_of([](const auto& x) { return causal_linear_attention(x[0], x[1], x[2], 2); },
                      {normal({3, 150, 26}), normal({3, 150, 26}, 2), normal({3, 150, 14}, 3)});
     },
     "", ""},
    {"softmax attention",
     [] {
       return bits_of([](const auto& x) { return causal_softmax_attention(x[0], x[1], x[2], 2); },
                      {normal({3, 150, 26}), normal({3, 150, 26}, 2), normal({3, 150, 14}, 3)});
     },
     "", ""},
    {"mesa-layer",
     [] {
       return bits_of([](const auto& x) { return preconditioned_queries(x[0], x[1], x[2], 2); },
                      {normal({3, 40, 26}), normal({3, 40, 26}, 2), Tensor({2}, {real{0.5}, 2})});
     },
     "", ""},
    {"squared_error",
     [] { return bits_of([](const auto& x) { return squared_error(x[0], normal({3, 9, 13}, 2), 3); }, {normal({3, 9, 26})}); },
     "", ""},
    {"training, linear layers",
     [] { return bits_of_training<LinearTransformer>({.blocks = 2}, constructed_tokens); }, "", ""},
    {"training, mesa-layer",
     [] { return bits_of_training<LinearTransformer>({.heads = 1, .key_size = 40, .mesa = true}, constructed_tokens); },
     "", ""},
    {"training, softmax layers",
     [] {
       return bits_of_training<Transformer>(
           {.blocks = {2, Attention::softmax}, .clip = 2, .mlp = 30, .layer_norm = true, .unit_keys = true, .dropout = 0.1},
           current_states);
     },
     "", ""},
};

}  // namespace

TEST_CASE("every operation computes the published bits", "[same bits]") {
  for (const Fingerprint& expected : fingerprints) {
    const std::string name = text(expected.name, ": ");
    CHECK(name + expected.compute() == name + (in_double ? expected.in_double : expected.in_float));
  }
}

}  // namespace mesagrad
