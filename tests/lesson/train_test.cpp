// A lesson's training run: its tests and where they were, watchers, early ends, and other optimizers, all of
// which survive being stopped.
#include "tests/catch.h"  // first, because it is precompiled

#include "tutorials/lesson/train.h"

#include "nn/linear_transformer.h"
#include "tests/lesson/trial.h"

namespace mesagrad::lesson {
namespace {

const LinearDynamics task = {.dimension = 2, .tokens = 5};

template <class Optimizer>
Recipe<LinearTransformer, Optimizer> small_recipe() {
  return {.model = {.width = 8, .heads = 1, .key_size = 2, .init_deviation = 0.1},
          .updates = 20,
          .batch = 4,
          .rate = [](Index n) { return 0.1 / static_cast<double>(n + 1); },
          .test_every = 4,
          .test_sequences = 8};
}

std::string numbers_text(const std::vector<double>& numbers) {
  std::string result;
  for (const double x : numbers) result += exact_number(x) + " ";
  return result;
}

// Trains in a lesson of its own, which is interrupted after `stop` updates and resumed, or not.
template <class Optimizer, class Goal>
std::string results_of(const Goal& goal, Recipe<LinearTransformer, Optimizer> recipe, Index stop) {
  Trial trial;
  const std::string file = trial.directory + "/results";
  const auto body = [&](Index last) {
    return [&, last](Lesson& L) {
      omp_set_num_threads(1);  // a forked process has no others
      recipe.watch = [last](Index n, double, const LinearTransformer&) {
        if (n == last) fail("stopped");
      };
      auto run = train(L, "run", goal, recipe, 3);
      std::vector<double> weights;
      for (const Parameter& p : run.model.parameters()) {
        for (Index i = 0; i < p.tensor->size(); ++i) weights.push_back(static_cast<double>((*p.tensor)[i]));
      }
      std::ofstream(file) << numbers_text(run.tested_at) << "| " << numbers_text(run.test_loss) << "| "
                          << run.snapshots.size() << " | " << numbers_text(weights);
      L.claim("runs", 1, {.expected = 1, .tolerance = 0, .from = Scale::smoke});
    };
  };
  if (stop > 0) {
    CHECK(trial.status(body(stop), "SAVE_EVERY=0") == 2);
    CHECK(contains(trial.read("/stderr"), "stopped"));
  }
  CHECK(trial.status(body(0), stop > 0 ? "RESUME=1" : "SCALE=") == 0);
  return read_file(file);
}

template <class Optimizer>
std::string results_of(const Recipe<LinearTransformer, Optimizer>& recipe, Index stop) {
  return results_of(task, recipe, stop);
}

// The task again, in training with its loss or with two parts of as much.
Objective<LinearTransformer> as_objective(const std::string& words, const Recipe<LinearTransformer>& recipe,
                                          bool twice) {
  return {words, task.tokens,
          [=](const LinearTransformer& model, Index first, Index count) {
            const Batch batch = task.batch(3, stream::training_data, first, count);
            const Tensor loss = task.loss(model(batch.inputs), batch, recipe.batch);
            return twice ? loss + loss : loss;
          },
          [=](const LinearTransformer& model) {
            return loss_curve(task, 1, stream::test_data, recipe.test_sequences, model).total();
          }};
}

}  // namespace

TEST_CASE("a training knows when it was tested", "[train]") {
  const std::string results = results_of(small_recipe<AdamW>(), 0);
  CHECK(contains(results, "0 4 8 12 16 20 | "));
  CHECK(contains(results, " | 6 | "));
}

TEST_CASE("a training ends when somebody has seen enough", "[train]") {
  auto recipe = small_recipe<AdamW>();
  recipe.enough = [](const std::vector<double>& losses) { return losses.size() == 3; };
  const std::string results = results_of(recipe, 0);
  CHECK(contains(results, "0 4 8 | "));
  CHECK(results == results_of(recipe, 6));
}

TEST_CASE("a tuned model's recipe tells its frozen weights", "[train]") {
  using Tuned = TunedTokens<Transformer>;
  const Transformer::Options small{.inputs = 2, .outputs = 2, .width = 4, .blocks = {SoftmaxAttention{}},
                                   .heads = 1, .key_size = 2, .tokens = 5};
  const auto words = [](const auto& model, const std::vector<Index>& at) {
    using Model = std::remove_cvref_t<decltype(model)>;
    return in_words(Recipe<TunedTokens<Model>>{.model = {.model = model, .at = at, .width = 2}, .rate = {}});
  };
  const Transformer model(small, 1);
  Transformer other = snapshot(model);
  CHECK(words(other, {0, 1}) == words(model, {0, 1}));
  CHECK(words(model, {0, -1}) != words(model, {0, 1}));
  other.blocks[0].attention.wv[3] += real{1} / 1024;
  CHECK(words(other, {0, 1}) != words(model, {0, 1}));
  Transformer::Options clipped = small;
  clipped.clip = 1;
  CHECK(words(Transformer(clipped, 1), {0, 1}) != words(model, {0, 1}));
  // Tuned twice: the weights, the tokens that are frozen, and their places.
  const auto tuned = [](const Transformer& frozen, const std::vector<Index>& at, std::uint64_t seed) {
    return Tuned({.model = frozen, .at = at, .width = 2}, seed);
  };
  const std::string twice = words(tuned(model, {0}, 1), {-1, 0});
  CHECK(words(tuned(model, {0}, 1), {-1, 0}) == twice);
  CHECK(words(tuned(other, {0}, 1), {-1, 0}) != twice);
  CHECK(words(tuned(model, {0, -1}, 1), {-1, 0}) != twice);
  CHECK(words(tuned(model, {0}, 2), {-1, 0}) != twice);
}

TEST_CASE("a stopped training resumes to the same bits, with any optimizer and clipping", "[train]") {
  auto adam = small_recipe<AdamW>();
  const std::string with_adam = results_of(adam, 0);
  CHECK(with_adam == results_of(adam, 7));
  adam.clip = {.norm = 1e-3};
  CHECK(with_adam != results_of(adam, 0));
  CHECK(results_of(adam, 0) == results_of(adam, 7));
  auto sgd = small_recipe<SGD>();
  const std::string plain = results_of(sgd, 0);
  sgd.optimizer.momentum = 0.9;
  const std::string with_momentum = results_of(sgd, 0);
  CHECK(plain != with_adam);
  CHECK(plain != with_momentum);
  CHECK(with_momentum == results_of(sgd, 7));
}

TEST_CASE("a training for an objective is that for a task, if they ask the same", "[train]") {
  const auto recipe = small_recipe<AdamW>();
  const std::string expected = results_of(recipe, 0);
  CHECK(expected == results_of(as_objective("the same", recipe, false), recipe, 0));
  CHECK(expected == results_of(as_objective("the same", recipe, false), recipe, 7));
  auto clipped = small_recipe<AdamW>();
  clipped.clip = {.value = 1e-3};
  CHECK(results_of(clipped, 0) != results_of(as_objective("twice", recipe, true), clipped, 0));
}

TEST_CASE("an objective is asked for every sequence once, and tested", "[train]") {
  Trial trial;
  CHECK(trial.status([](Lesson& L) {
    omp_set_num_threads(1);
    const auto recipe = small_recipe<AdamW>();
    const auto inner = as_objective("counted", recipe, false);
    std::vector<Index> seen;
    Objective<LinearTransformer> counted = inner;
    counted.loss_of = [&](const LinearTransformer& model, Index first, Index count) {
      for (Index i = first; i < first + count; ++i) seen.push_back(i);
      return inner.loss_of(model, first, count);
    };
    double tests = 0;
    counted.test = [&](const LinearTransformer&) { return ++tests; };
    const auto run = train(L, "run", counted, recipe, 3);
    std::vector<Index> all;
    for (Index i = 0; i < 20 * 4; ++i) all.push_back(i);
    check(seen == all, "not every sequence once");
    check(run.test_loss == std::vector<double>{1, 2, 3, 4, 5, 6}, "other tests");
    L.claim("tests", tests, {.expected = 6, .tolerance = 0, .from = Scale::smoke});
  }) == 0);
}

TEST_CASE("a training does not go on for another objective", "[train][errors]") {
  Trial trial;
  const auto recipe = small_recipe<AdamW>();
  const auto body = [&](const std::string& words) {
    return [&recipe, words](Lesson& L) {
      omp_set_num_threads(1);
      train(L, "run", as_objective(words, recipe, false), recipe, 3);
      fail("stopped");
    };
  };
  CHECK(trial.status(body("one")) == 2);
  CHECK(trial.status(body("two"), "RESUME=1") == 2);
  CHECK(contains(trial.read("/stderr"), "two"));
  CHECK(trial.status(body("one"), "RESUME=1") == 2);
  CHECK(contains(trial.read("/stderr"), "stopped"));
}

TEST_CASE("with rates of zero nothing is learned", "[train]") {
  Trial trial;
  CHECK(trial.status([](Lesson& L) {
    omp_set_num_threads(1);
    const auto losses = train(L, "run", task, small_recipe<AdamW>(), 3).test_loss;
    L.claim("change", losses.back() - losses.front(), {.from = Scale::smoke});
  }, "RATE=0") == 0);
}

TEST_CASE("every update is watched", "[train]") {
  Trial trial;
  CHECK(trial.status([&](Lesson& L) {
    omp_set_num_threads(1);
    auto recipe = small_recipe<AdamW>();
    std::vector<Index> seen;
    recipe.watch = [&](Index n, double loss, const LinearTransformer& model) {
      check(loss > 0 && model.blocks.size() == 1, "no loss");
      seen.push_back(n);
    };
    train(L, "run", task, recipe, 3);
    check(seen.front() == 1 && seen.back() == 20, "not from the first to the last");
    L.claim("updates seen", static_cast<double>(seen.size()),
            {.expected = 20, .tolerance = 0, .from = Scale::smoke});
  }) == 0);
}

}  // namespace mesagrad::lesson
