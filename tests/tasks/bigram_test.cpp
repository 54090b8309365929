// The bigram language: what it promises, and Bayes' rule for it.
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/bigram.h"

#include <numeric>

#include "tasks/loss_curve.h"
#include "tests/helpers.h"
#include "tests/odd_arguments.h"

namespace mesagrad {
namespace {

Bigram::Sequence sequence(const Bigram& task, std::uint64_t i) {
  return task.sample(Random(4, stream::test_data, i));
}

double mean_of(const std::vector<double>& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

}  // namespace

TEST_CASE("rows of the bigram language are of the Dirichlet distribution", "[bigram]") {
  for (const double a : {0.15, 0.5, 1.0, 4.0}) {
    const Bigram task{.symbols = 4, .tokens = 1, .concentration = a};
    double first = 0, square = 0, fourth = 0;
    constexpr double N = 16000;
    for (std::uint64_t i = 0; i < 4000; ++i) {
      const Matrix p = sequence(task, i).follows;
      for (Index s = 0; s < 4; ++s) {
        CHECK(std::abs(std::accumulate(p.row(s), p.row(s) + 4, 0.0) - 1) < 1e-14);
        first += p(s, 1) / N;
        square += std::pow(p(s, 1), 2) / N;
        fourth += std::pow(p(s, 1), 4) / N;
      }
    }
    // Mean 1/S, mean square (a + 1)/(S(Sa + 1)), to five standard errors.
    CHECK(std::abs(first - 0.25) < 5 * std::sqrt((square - first * first) / N));
    CHECK(std::abs(square - (a + 1) / (4 * (4 * a + 1))) < 5 * std::sqrt((fourth - square * square) / N));
  }
}

TEST_CASE("symbols follow each other as their row says", "[bigram]") {
  const Bigram task{.symbols = 3, .tokens = 30000, .concentration = 1};
  const auto s = sequence(task, 1);
  Matrix counts(3, 3);
  for (std::size_t t = 1; t < s.ids.size(); ++t) counts(s.ids[t - 1], s.ids[t]) += 1;
  for (Index i = 0; i < 3; ++i) {
    const double n = std::accumulate(counts.row(i), counts.row(i) + 3, 0.0);
    for (Index j = 0; j < 3; ++j) {
      CHECK(std::abs(counts(i, j) / n - s.follows(i, j)) < 5 * 0.5 / std::sqrt(n));
    }
  }
}

// By integration: over rows drawn as the language draws them, weighted by how well each explains what was
// seen.
TEST_CASE("Bayes' rule is the mean over all rows that there could have been", "[bigram]") {
  const Bigram task{.symbols = 2, .tokens = 1, .concentration = 0.5};
  const std::vector<Index> ids = {0, 1, 0, 0, 1, 1, 0, 1, 0};
  double before = 0, both = 0;
  for (std::uint64_t i = 0; i < 200000; ++i) {
    const Matrix p = sequence(task, i).follows;
    double likelihood = 1;
    for (std::size_t t = 1; t + 1 < ids.size(); ++t) likelihood *= p(ids[t - 1], ids[t]);
    before += likelihood;
    both += likelihood * p(ids[ids.size() - 2], ids.back());
  }
  CHECK(std::abs(task.bayes_losses(ids).back() + std::log(both / before)) < 0.01);
}

TEST_CASE("the mean loss of Bayes' rule is the language's known one", "[bigram]") {
  const Bigram task;
  std::vector<double> all;
  for (std::uint64_t i = 0; i < 4000; ++i) {
    const std::vector<double> one = task.bayes_losses(sequence(task, i).ids);
    REQUIRE(std::ssize(one) == 96);
    CHECK(std::abs(one[0] - std::log(16.0)) < 1e-12);
    all.insert(all.end(), one.begin(), one.end());
  }
  CHECK(std::abs(mean_of(all) - 2.1535) < 0.015);
}

TEST_CASE("a batch of the bigram language is its symbols and the next ones", "[bigram]") {
  const Bigram task{.symbols = 5, .tokens = 7};
  const Batch batch = task.batch(4, stream::test_data, 3, 2);
  REQUIRE(batch.inputs.shape() == Shape({2, 7}));
  REQUIRE(batch.labels.shape() == Shape({2, 7}));
  for (Index b = 0; b < 2; ++b) {
    const std::vector<Index> ids = sequence(task, static_cast<std::uint64_t>(3 + b)).ids;
    for (Index t = 0; t < 7; ++t) {
      CHECK(batch.inputs[b * 7 + t] == static_cast<real>(ids[static_cast<std::size_t>(t)]));
      CHECK(batch.labels[b * 7 + t] == static_cast<real>(ids[static_cast<std::size_t>(t + 1)]));
    }
  }
}

TEST_CASE("the loss of ids is a mean over symbols, and a curve of them", "[bigram]") {
  const Bigram task{.symbols = 5, .tokens = 7};
  const auto model = [](const Tensor& ids) { return Tensor({ids.dim(0), ids.dim(1), 5}); };
  const Batch batch = task.batch(4, stream::test_data, 0, 3);
  CHECK(std::abs(task.loss(model(batch.inputs), batch, 3).item() - std::log(5.0)) < 1e-6);
  const LossCurve curve = loss_curve(task, 4, stream::test_data, 20, model);
  REQUIRE(curve.mean.size() == 7);
  for (const double loss : curve.mean) CHECK(std::abs(loss - std::log(5.0)) < 1e-6);
}

TEST_CASE("bigram languages of impossible sizes", "[bigram][errors]") {
  for (const Bigram& task : {Bigram{.symbols = 0}, Bigram{.tokens = 0}, Bigram{.concentration = 0},
                             Bigram{.concentration = HUGE_VAL}, Bigram{.concentration = std::nan("")}}) {
    refuses("bigram language", [&] { task.sample(Random(1, stream::test_data)); });
    refuses("bigram language", [&] { task.batch(1, stream::test_data, 0, 1); });
  }
  refuses("sequences from number -1", [] { Bigram{}.batch(1, stream::test_data, -1, 1); });
  refuses("16 is no symbol", [] { Bigram{}.bayes_losses({0, 16}); });
  refuses("no whole sequences", [] { next_ids({1, 2, 3}, 1); });
  refuses("no whole sequences", [] { next_ids({}, 0); });
}

}  // namespace mesagrad
