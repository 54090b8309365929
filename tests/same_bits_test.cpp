// The same bits on every machine: a fingerprint of what each operation computes, and of its gradients.
//
// The numbers below were computed once, and are those of every processor, compiler and optimization
// level. Where one differs, look at the first that does: those below it build on it. (Whoever changes an
// operation's arithmetic on purpose, changes its number here.)
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
#include "tasks/bigram.h"
#include "tasks/few_shot.h"
#include "tasks/in_context.h"
#include "tasks/linear_dynamics.h"
#include "tasks/nonlinear_dynamics.h"
#include "tasks/partially_observed.h"
#include "tasks/probes.h"
#include "tests/catch.h"  // first, because it is precompiled
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
      const Tensor states = sample_states(task, 1, stream::training_data, first, count);
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
    {"exponential", [] { return bits_of(exponential, -710, 710); }, "ad349314476ecf6c",
     "ad349314476ecf6c"},
    {"logarithm", [] { return bits_of(logarithm, 1e-3, 20); }, "1b6b08b1ac336bfd", "1b6b08b1ac336bfd"},
    {"log_one_plus", [] { return bits_of(log_one_plus, 0, 1); }, "01d391551f508ae2", "01d391551f508ae2"},
    {"sine", [] { return bits_of(sine, -9, 1000); }, "ee5ac647880ff4c4", "ee5ac647880ff4c4"},
    {"cosine", [] { return bits_of(cosine, -9, 1000); }, "59efd74769ec5676", "59efd74769ec5676"},
    {"normal numbers", [] { return bits_of(random_matrix(100, 100).values()); }, "c2818a8743d131bd",
     "c2818a8743d131bd"},
    {"qr", [] { return bits_of(qr(random_matrix(13, 10)).q.values()); }, "0621c6d63f308e1a",
     "0621c6d63f308e1a"},
    {"cholesky_solve",
     [] {
       const Matrix a = random_matrix(10, 10);
       Matrix square = multiply(a, transpose(a));
       for (Index i = 0; i < 10; ++i) square(i, i) += 1;
       return bits_of(cholesky_solve(square, random_matrix(10, 3)).values());
     },
     "d2db30371a56b9bf", "d2db30371a56b9bf"},
    {"lu_solve", [] { return bits_of(lu_solve(random_matrix(10, 10), random_matrix(10, 3)).values()); },
     "6c4605533fd2d7a0", "6c4605533fd2d7a0"},
    {"least_squares",
     [] { return bits_of(least_squares(random_matrix(13, 10), random_matrix(13, 3)).values()); },
     "6360157d29d17209", "6360157d29d17209"},
    {"least squares in context",
     [] {
       const auto sequence = LinearDynamics{}.sample(Random(1, stream::test_data, 3));
       return bits_of(least_squares_predictor({})(sequence.states).values());
     },
     "d964c04acf530e83", "d964c04acf530e83"},
    {"partially observed dynamics",
     [] { return bits_of(sample_states(PartiallyObserved{}, 1, stream::test_data, 0, 20)); },
     "e00917c935c3675f", "fe94070798cedd31"},
    {"nonlinear dynamics",
     [] { return bits_of(sample_states(NonlinearDynamics{}, 1, stream::test_data, 0, 20)); },
     "cd8e4cbaec4a4caa", "20a780ed7674c4e8"},
    {"few-shot prompts",
     [] { return bits_of(sample_states(FewShot{.switch_after = 3}, 1, stream::test_data, 0, 20)); },
     "6dfdfa0a0e3ecdc5", "7080efae350ed5af"},
    {"bigram language",
     [] {
       std::vector<double> all;
       for (std::uint64_t i = 0; i < 20; ++i) {
         const Bigram::Sequence one = Bigram{}.sample(Random(1, stream::test_data, i));
         all.insert(all.end(), one.follows.values().begin(), one.follows.values().end());
         const std::vector<double> losses = Bigram{}.bayes_losses(one.ids);
         all.insert(all.end(), losses.begin(), losses.end());
       }
       return bits_of(all);
     },
     "c4b3d491deacc965", "c4b3d491deacc965"},
    {"linear dynamics", [] { return bits_of(sample_states(LinearDynamics{}, 1, stream::test_data, 0, 20)); },
     "f13897a2238fa5ca", "4cf373eee52f8d97"},
    {"matmul",
     [] {
       return bits_of([](const auto& x) { return matmul(x[0], x[1]); },
                      {normal({5, 50, 37}), normal({37, 13}, 2)});
     },
     "6a440b1023e723d4", "625880a669430803"},
    {"a long matmul",
     [] {
       return bits_of([](const auto& x) { return matmul(x[0], x[1]); },
                      {normal({1000, 4}), normal({4, 70}, 2)});
     },
     "fa6af107dcd2b1a2", "b536e392e22724a5"},
    {"sum and product",
     [] {
       return bits_of([](const auto& x) { return sum(x[0] * x[1]); }, {normal({37}), normal({37}, 2)});
     },
     "c77ddc6bf56de432", "6a3aa8ed4f4137a7"},
    {"scale and clip",
     [] {
       return bits_of([](const auto& x) { return clip(scale(x[0], x[1]), 1); },
                      {normal({37}), normal({1}, 2)});
     },
     "2a1204cea54f3e01", "5d6929b616690a4f"},
    {"softplus",
     [] { return bits_of([](const auto& x) { return softplus(x[0]); }, {random_tensor({500}, 1, 9)}); },
     "e4656fae578f2ee5", "80a0805e6a417a94"},
    {"gelu",
     [] { return bits_of([](const auto& x) { return gelu(x[0]); }, {random_tensor({500}, 1, 3)}); },
     "06b09ac62ad28bae", "250fabe2b09c65e1"},
    {"layer_norm",
     [] {
       return bits_of([](const auto& x) { return layer_norm(x[0], x[1], x[2]); },
                      {normal({300, 37}), normal({37}, 2), normal({37}, 3)});
     },
     "98978772a699c6c0", "dbe8fd866b7b2a30"},
    {"unit_length",
     [] {
       return bits_of([](const auto& x) { return unit_length(x[0], 2); }, {normal({50, 26})});
     },
     "2ac54561167b2243", "217e39261a90329c"},
    {"positions", [] { return bits_of(sinusoidal_table(300, 10)); }, "2734e24e6506ac79",
     "3254216bb105b9d1"},
    {"linear attention",
     [] {
       return bits_of([](const auto& x) { return causal_linear_attention(x[0], x[1], x[2], 2); },
                      {normal({3, 150, 26}), normal({3, 150, 26}, 2), normal({3, 150, 14}, 3)});
     },
     "1f68a42e30fc0ca9", "862d7bb64847d5f6"},
    {"softmax attention",
     [] {
       return bits_of([](const auto& x) { return causal_softmax_attention(x[0], x[1], x[2], 2); },
                      {normal({3, 150, 26}), normal({3, 150, 26}, 2), normal({3, 150, 14}, 3)});
     },
     "fc40b15592a4137d", "71b3adac3e696846"},
    {"mesa-layer",
     [] {
       return bits_of([](const auto& x) { return preconditioned_queries(x[0], x[1], x[2], 2); },
                      {normal({3, 40, 26}), normal({3, 40, 26}, 2), Tensor({2}, {real{0.5}, 2})});
     },
     "2924d964be53cfd9", "c73050991755ddb9"},
    {"squared_error",
     [] {
       return bits_of(
           [](const auto& x) {
             return squared_error(x[0], normal({3, 9, 13}, 2), 3);
           },
           {normal({3, 9, 26})});
     },
     "0c3f0b94700f86a2", "e3ec303fae420aa1"},
    {"training, linear layers",
     [] { return bits_of_training<LinearTransformer>({.blocks = 2}, constructed_tokens); },
     "2d2b9c5dd8905095", "b28eaef2f04c5aa0"},
    {"training, mesa-layer",
     [] {
       return bits_of_training<LinearTransformer>({.heads = 1, .key_size = 40, .kind = MesaLayer{}},
                                                  constructed_tokens);
     },
     "b4899ec2953dfc0f", "cc6164045ab46353"},
    {"training, softmax layers",
     [] {
       return bits_of_training<Transformer>({.blocks = {2, SoftmaxAttention{}},
                                             .clip = 2,
                                             .mlp = 30,
                                             .layer_norm = true,
                                             .unit_keys = true,
                                             .dropout = 0.1},
                                            current_states);
     },
     "370cd0c3f3fac6a1", "225f569c46e8afb1"},
};

}  // namespace

TEST_CASE("every operation computes the published bits", "[same_bits]") {
  for (const Fingerprint& expected : fingerprints) {
    const std::string name = text(expected.name, ": ");
    CHECK(name + expected.compute() == name + (in_double ? expected.in_double : expected.in_float));
  }
}

}  // namespace mesagrad
