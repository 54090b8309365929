// Every function of tasks with arguments that no experiment has: it gives what the mathematics says, or
// throws an Error that names it.
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/compression.h"
#include "tasks/in_context.h"
#include "tasks/nonlinear_dynamics.h"
#include "tasks/partially_observed.h"
#include "tasks/probes.h"
#include "tasks/proposition_2.h"
#include "tasks/time_reversal.h"
#include "tasks/token_binding.h"
#include "tests/odd_arguments.h"

namespace mesagrad {

TEST_CASE("sequences of impossible sizes", "[dynamics][errors]") {
  const double nan = std::nan("");
  for (const LinearDynamics& task : std::initializer_list<LinearDynamics>{
           {.dimension = 0}, {.dimension = -1}, {.tokens = -1}, {.noise = -1}, {.noise = nan},
           {.noise = HUGE_VAL}, {.range = -1}, {.range = nan}, {.clip = -1}, {.clip = nan}}) {
    Random random(1, stream::test_data);
    refuses("linear dynamics", [&] { task.sample(random); });
    refuses("linear dynamics", [&] { task.sample_system(random); });
    refuses("linear dynamics", [&] { sample_states(task, 1, stream::test_data, 0, 2); });
  }
  for (const LinearDynamics& task : std::initializer_list<LinearDynamics>{
           {.tokens = huge}, {.dimension = huge}, {.dimension = Index{1} << 32, .tokens = Index{1} << 32}}) {
    refuses("too large", [&] { task.sample(Random(1, stream::test_data)); });
    refuses("too large", [&] { sample_states(task, 1, stream::test_data, 0, 2); });
  }
  const LinearDynamics task{.dimension = 2, .tokens = 3};
  CHECK(sample_states(task, 1, stream::test_data, 5, 0).shape() == Shape({0, 4, 2}));
  refuses("-1 sequences from number 0", [&] { sample_states(task, 1, stream::test_data, 0, -1); });
  refuses("sequences from number -1", [&] { sample_states(task, 1, stream::test_data, -1, 1); });
  refuses("sequences from number", [&] { sample_states(task, 1, stream::test_data, huge, 1); });
  refuses("too large", [&] { sample_states(task, 1, stream::test_data, 0, huge); });
  const Tensor none, matrix({2, 3}), no_state({2, 0, 3});
  for (const Tensor& states : {none, matrix, no_state}) {
    refuses("next_states", [&] { next_states(states); });
    refuses("current_states", [&] { current_states(states); });
    refuses("constructed_tokens", [&] { constructed_tokens(states); });
    refuses("preconditioned_states", [&] { preconditioned_states(states, neumann(1)); });
  }
  for (const Shape& shape : {Shape({0, 3, 2}), Shape({2, 1, 2}), Shape({2, 3, 0})}) {
    const Tensor states(shape);
    CHECK(next_states(states).shape() == Shape({shape[0], shape[1] - 1, shape[2]}));
    CHECK(current_states(states).shape() == next_states(states).shape());
    CHECK(constructed_tokens(states).shape() == next_states(states).shape().with_last(4 * shape[2]));
    CHECK(preconditioned_states(states, neumann(1)).shape() == next_states(states).shape());
  }
}

TEST_CASE("partially observed and nonlinear systems of impossible sizes", "[dynamics][errors]") {
  const double nan = std::nan("");
  for (const PartiallyObserved& task : std::initializer_list<PartiallyObserved>{
           {.hidden = 0}, {.hidden = -1}, {.dimension = 0}, {.tokens = -1}, {.noise = -1}, {.noise = nan},
           {.observation_noise = HUGE_VAL}, {.scale = -1}, {.range = nan}, {.clip = -1}, {.clip = nan}}) {
    refuses("partially observed dynamics", [&] { task.sample(Random(1, stream::test_data)); });
    refuses("partially observed dynamics", [&] { task.batch(1, stream::test_data, 0, 2); });
  }
  for (const PartiallyObserved& task :
       std::initializer_list<PartiallyObserved>{{.hidden = huge}, {.dimension = huge}, {.tokens = huge}}) {
    refuses("too large", [&] { task.sample(Random(1, stream::test_data)); });
  }
  CHECK(PartiallyObserved{.tokens = 0}.batch(1, stream::test_data, 0, 2).inputs.shape() == Shape({2, 0, 5}));
  const FeatureNetwork network = random_feature_network(2, 3, 1);
  for (const NonlinearDynamics& task : std::initializer_list<NonlinearDynamics>{
           {.network = {}}, {.network = {network.A, network.A}}, {.network = {Matrix(0, 3), Matrix(3, 0)}},
           {.tokens = -1}, {.noise = nan}, {.noise = -1}, {.range = HUGE_VAL}}) {
    refuses("nonlinear dynamics", [&] { task.sample(Random(1, stream::test_data)); });
    refuses("nonlinear dynamics", [&] { task.batch(1, stream::test_data, 0, 2); });
  }
  refuses("too large", [&] { NonlinearDynamics{.tokens = huge}.batch(1, stream::test_data, 0, 2); });
  CHECK(NonlinearDynamics{.tokens = 0}.batch(1, stream::test_data, 0, 2).inputs.shape() == Shape({2, 0, 10}));
  refuses("matrix", [] { random_feature_network(-1, 3, 1); });
  refuses("multiply", [&] { network.raw_features(Matrix(2, 3)); });
}

TEST_CASE("loss curves of nothing", "[loss_curve][errors]") {
  const LinearDynamics task{.dimension = 2, .tokens = 3}, still{.dimension = 2, .tokens = 0};
  const Predictor predictor = gradient_step_predictor(0.1);
  for (const Index sequences : {Index{0}, Index{-1}, -huge}) {
    refuses("loss_curve", [&] { loss_curve(task, 1, stream::test_data, sequences, predictor); });
    refuses("search_step_size", [&] { search_step_size(task, 1, stream::test_data, sequences); });
  }
  refuses("loss_curve", [&] { loss_curve(still, 1, stream::test_data, 2, predictor); });
  refuses("search_step_size", [&] { search_step_size(still, 1, stream::test_data, 2); });
  refuses("too large", [&] { loss_curve(task, 1, stream::test_data, huge, predictor); });
  refuses("loss curve", [] { summarize({}, 3); });
  refuses("loss curve", [] { summarize({1, 2}, 0); });
  refuses("loss curve", [] { summarize({1, 2}, -1); });
  refuses("loss curve", [] { summarize({1, 2, 3}, 2); });
  const LossCurve curve = summarize({1, 2}, 2);
  CHECK((curve.total() == 1.5 && curve.standard_error() == 0 && curve.standard_error(1) == 0));
  for (const Index t : {Index{-1}, Index{2}, huge}) refuses("loss curve", [&] { curve.standard_error(t); });
  refuses("loss curve", [] { LossCurve().total(); });
  refuses("loss curve", [] { LossCurve().standard_error(); });
  refuses("loss_curve: a prediction (3, 1)", [&] {
    loss_curve(task, 1, stream::test_data, 2, Predictor([](const Matrix&) { return Matrix(3, 1); }));
  });
  for (const Shape& wrong : {Shape({4, 3, 1}), Shape({4, 4, 2}), Shape({5, 3, 2}), Shape({12, 2}), Shape()}) {
    refuses("squared_errors: output", [&] {
      loss_curve(task, 1, stream::test_data, 4, [&](const Tensor&) { return Tensor(wrong); });
    });
  }
  refuses("squared_errors: output", [&] {
    loss_curve(task, 1, stream::test_data, 4, [&](const Tensor&) { return Tensor(); });
  });
}

TEST_CASE("predictors of nothing, and inverses that do not fit", "[in_context][errors]") {
  const auto wrong = [](const Matrix&, std::span<const double>) { return std::vector<double>(7); };
  refuses("predict_with", [&] { predict_with(wrong)(Matrix(3, 2)); });
  for (const Predictor& predictor : {least_squares_predictor({}), gradient_step_predictor(1),
                                     predict_with(neumann(2)), predict_with(newton(2))}) {
    refuses("predict_with", [&] { predictor(Matrix()); });
    CHECK(predictor(Matrix(1, 3)).rows() == 0);
    CHECK(predictor(Matrix(4, 0)).rows() == 3);
  }
  for (const double ridge : {0.0, -1.0, std::nan("")}) {
    refuses("predict_with", [&] { predict_with(neumann(1), {.ridge = ridge}); });
    refuses("preconditioned_states", [&] { preconditioned_states(Tensor({2, 3, 2}), neumann(1), ridge); });
  }
  refuses("neumann", [] { neumann(-1); });
  refuses("too large", [] { neumann(huge); });
  refuses("newton", [] { newton(-1); });
  refuses("published_coefficients", [] { published_coefficients(0); });
  refuses("published_coefficients", [] { published_coefficients(2, PublishedFor::stacked); });
  const std::vector<double> s = {1, 2};
  for (const Matrix& A : {Matrix(2, 3, 1), Matrix(3, 3, 1), Matrix()}) {
    refuses("newton", [&] { newton(1)(A, s); });
    refuses("chebyshev", [&] { neumann(1)(A, s); });
  }
  refuses("preconditioned_states", [&] { preconditioned_states(Tensor({2, 3, 2}, 1), wrong); });
  const LinearDynamics one_token{.dimension = 2, .tokens = 1};
  refuses("best_eta", [&] { search_step_size(one_token, 1, stream::test_data, 2).best_eta(); });
}

TEST_CASE("models of no groups, and heads that are not there", "[compression][errors]") {
  const LinearTransformer model({.width = 8, .heads = 2, .key_size = 3}, 1);
  const SelfAttention& block = model.blocks[0].attention;
  for (const Index head : {Index{-1}, Index{2}, huge}) {
    const std::string name = text("no head ", head);
    refuses(("query_key_product: there is " + name).c_str(), [&] { query_key_product(block, head); });
    refuses(("value_output_product: there is " + name).c_str(), [&] { value_output_product(block, head); });
  }
  for (const Index heads : {Index{0}, Index{-1}, Index{5}}) {
    SelfAttention odd = block;
    odd.heads = heads;
    refuses("query_key_product", [&] { query_key_product(odd, 0); });
    refuses("value_output_product", [&] { value_output_product(odd, 0); });
  }
  refuses("query_key_product", [] { query_key_product(SelfAttention{}, 0); });
  refuses("value_output_product", [] { value_output_product(SelfAttention{}, 0); });
  SelfAttention odd = block;
  odd.wk = Tensor({8, 4});
  odd.wo = Tensor({6, 7});
  refuses("query_key_product: wq (8, 6) and wk (8, 4)", [&] { query_key_product(odd, 0); });
  refuses("value_output_product: wv (8, 6) and wo (6, 7)", [&] { value_output_product(odd, 0); });
  for (const Index d : {Index{0}, Index{-1}, Index{-2}, huge, (huge / 4 + 1) + 2}) {
    refuses("compress", [&] { compress(model, d); });
    CHECK(message_of([&] { effective_step_size(model, d); }) != "nothing was thrown");
    CHECK(message_of([&] { gradient_descent_transformer(d, 1); }) != "nothing was thrown");
    CHECK(message_of([&] { proposition_2_transformer(d, {1}); }) != "nothing was thrown");
    if (d <= 0) refuses("block_scalars", [&] { block_scalars(Matrix(4, 4), d); });
  }
  CHECK(block_scalars(Matrix(), 3).rows() == 0);
  CHECK(proposition_2_transformer(2, {}).blocks.empty());
  CHECK(chebyshev_steps(0, 1, 2).empty());
  refuses("chebyshev_steps", [] { chebyshev_steps(-1, 1, 2); });
  for (const auto& range : {std::pair{0.0, 1.0}, {-1.0, 1.0}, {2.0, 1.0}, {1.0, HUGE_VAL},
                                        {std::nan(""), 1.0}, {1.0, std::nan("")}}) {
    refuses("chebyshev_steps", [&] { chebyshev_steps(2, range.first, range.second); });
  }
}

TEST_CASE("readings of nothing", "[probes][token_binding][errors]") {
  const Tensor none, x({4, 3, 2}, 1);
  refuses("without_outliers", [&] { without_outliers(none); });
  CHECK(without_outliers(Tensor({0, 3, 2})).rows() == 0);
  CHECK(without_outliers(Tensor({4, 3, 0}))(3, 2) == 1);
  refuses("linear_probe", [&] { linear_probe({x}, none); });
  refuses("linear_probe", [&] { linear_probe({none}, x); });
  refuses("linear_probe", [] { linear_probe({Tensor({0, 3, 2})}, Tensor({0, 3, 2})); });
  CHECK(linear_probe({}, x).rows() == 0);
  CHECK(linear_probe({Tensor({4, 0, 2})}, Tensor({4, 0, 2})).columns() == 0);
  // Nothing is known: the whole energy, 4·2/(2·4), is left.
  CHECK(std::abs(linear_probe({Tensor({4, 3, 0})}, x)(0, 2) - 1) < 1e-15);
  CHECK(linear_probe({x}, Tensor({4, 3, 0}))(0, 2) == 0);
  const auto identity = [](const Tensor& y) { return real{1} * y; };
  for (const Index t : {Index{-1}, Index{3}, huge}) {
    refuses("sensitivity", [&] { sensitivity(identity, x, t); });
    refuses("token_probe", [&] { token_probe(x, x, t); });
  }
  refuses("sensitivity", [&] { sensitivity(identity, none, 0); });
  refuses("sensitivity", [&] { sensitivity([](const Tensor&) { return Tensor(); }, x, 0); });
  for (const Shape& wrong : {Shape({5, 3, 2}), Shape({4, 4, 2}), Shape({4, 3, 0}), Shape({4, 3})})
    refuses("sensitivity", [&] { sensitivity([&](const Tensor&) { return Tensor(wrong); }, x, 0); });
  CHECK(sensitivity(identity, Tensor({0, 3, 2}), 1) == std::vector<double>(3));
  refuses("token_probe", [&] { token_probe(none, x, 0); });
  refuses("token_probe", [&] { token_probe(x, none, 0); });
  refuses("linear_probe", [&] { token_probe(Tensor({5, 3, 2}), x, 0); });
  Random random(1, stream::test_data);
  SelfAttention layer = random_self_attention(SoftmaxAttention{}, 2, 2, 2, 1, 0.1, random);
  refuses("attention_maps", [&] { attention_maps(layer, none); });
  refuses("attention_maps", [&] { attention_maps(layer, Tensor({4, 0, 2})); });
  CHECK(frobenius_norm(attention_maps(layer, Tensor({0, 3, 2}))[1]) == 0);
  for (const Index heads : {0, -1, 3}) {
    layer.heads = heads;
    refuses("attention_maps", [&] { attention_maps(layer, x); });
  }
}

TEST_CASE("time reversal of nothing", "[time_reversal]") {
  const double* none = nullptr;
  CHECK(TimeReversal<double>(0, 3, none, none, none, 1).dq.empty());
  CHECK(TimeReversal<double>(0, 3, none, none, none, 1).dlambda == 0);
  CHECK(TimeReversal<double>(3, 0, none, none, none, 1).dk.empty());
  for (const auto& size : {std::pair<Index, Index>{-1, 2}, {2, -1}, {huge, huge}})
    refuses("shape", [&] { TimeReversal<double>(size.first, size.second, none, none, none, 1); });
}

}  // namespace mesagrad
