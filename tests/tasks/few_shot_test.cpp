// Few-shot prompts, against a description of them token by token.
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/few_shot.h"

#include "tasks/in_context.h"
#include "tests/odd_arguments.h"

namespace mesagrad {
namespace {

enum class Kind { prefix, x, y, separator };

// What stands at a prompt's places 0, 1, ..., T, and whose it is: the number of its pair or prefix vector.
struct Written {
  std::vector<Kind> kinds;
  std::vector<Index> numbers;
};
Written written_out(const FewShot& task) {
  Written all;
  const auto write = [&](Kind kind, Index number) {
    all.kinds.push_back(kind);
    all.numbers.push_back(number);
  };
  for (Index p = 0; p < task.prefix; ++p) write(Kind::prefix, p);
  for (Index i = 0; std::ssize(all.kinds) <= task.tokens; ++i) {
    write(Kind::x, i);
    write(Kind::y, i);
    if (task.separator) write(Kind::separator, 0);
  }
  all.kinds.resize(static_cast<std::size_t>(task.tokens + 1));
  all.numbers.resize(static_cast<std::size_t>(task.tokens + 1));
  return all;
}

std::vector<double> row_of(const Matrix& a, Index row) { return {a.row(row), a.row(row) + a.columns()}; }

// W x, summed as the definition says.
std::vector<double> product(const Matrix& W, const double* x) {
  std::vector<double> y(static_cast<std::size_t>(W.rows()));
  for (Index i = 0; i < W.rows(); ++i) {
    for (Index j = 0; j < W.columns(); ++j) y[static_cast<std::size_t>(i)] += W(i, j) * x[j];
  }
  return y;
}

}  // namespace

TEST_CASE("prompts of all layouts, token by token", "[few_shot]") {
  const Index d = 3;
  for (const bool separator : {false, true}) {
    for (const Index prefix : {0, 1, 4}) {
      for (Index T = 0; T <= 14; ++T) {
        const FewShot task{.dimension = d, .tokens = T, .separator = separator, .prefix = prefix};
        INFO(T << " tokens, separator " << separator << ", prefix " << prefix);
        CHECK(task.shape() == Shape({T + 1, d}));
        const Written written = written_out(task);
        // The same pairs stand in a long prompt that has nothing else.
        const Random random(5, stream::test_data, 7);
        const Matrix states = task.sample(random).states;
        const Matrix reference = FewShot{.dimension = d, .tokens = 50}.sample(random).states;
        REQUIRE((states.rows() == T + 1 && states.columns() == d));
        std::vector<Index> positions, prefix_at, separator_at;
        for (Index t = 0; t <= T; ++t) {
          const Kind kind = written.kinds[static_cast<std::size_t>(t)];
          const Index number = written.numbers[static_cast<std::size_t>(t)];
          const std::vector<double> row = row_of(states, t);
          INFO("token " << t);
          if (kind == Kind::x && t == T) {  // of a pair that is not there
            for (const double value : row) CHECK((value != 0 && std::abs(value) < 1));
          } else if (kind == Kind::x) {
            CHECK(row == row_of(reference, 2 * number));
          } else if (kind == Kind::y) {
            CHECK(row == row_of(reference, 2 * number + 1));
          } else {
            CHECK(row == std::vector<double>(3, 0.0));
          }
          const bool example = t > 0 && written.kinds[static_cast<std::size_t>(t - 1)] == Kind::x;
          CHECK(task.is_example(t) == example);
          if (t == T) continue;
          if (kind == Kind::x) positions.push_back(t);
          prefix_at.push_back(kind == Kind::prefix ? number : -1);
          separator_at.push_back(kind == Kind::separator ? 0 : -1);
        }
        CHECK(task.positions() == positions);
        CHECK(task.pairs() == std::ssize(positions));
        for (std::size_t i = 0; i < positions.size(); ++i) {
          CHECK(task.place(static_cast<Index>(i)) == positions[i]);
        }
        CHECK(task.prefix_at() == prefix_at);
        CHECK(task.separator_at() == separator_at);
      }
    }
  }
}

TEST_CASE("labels of prompts are W x, and after a switch another W's", "[few_shot]") {
  const Index d = 4;
  for (const Index switch_after : {0, 3, 5, 99}) {
    const FewShot task{.dimension = d, .tokens = 23, .separator = true, .prefix = 2,
                       .switch_after = switch_after, .noise = 0};
    const auto [W, W_after, states] = task.sample(Random(1, stream::test_data));
    const bool switches = switch_after > 0 && switch_after < task.pairs();
    CHECK(W_after.rows() == (switches ? d : 0));
    if (switches) CHECK(largest_difference(W.values(), W_after.values()) > 0.1);
    for (const Matrix* one : {&W, &W_after}) {
      if (one->rows() == 0) continue;
      const Matrix square = multiply(transpose(*one), *one);
      for (Index i = 0; i < d; ++i) {
        for (Index j = 0; j < d; ++j) CHECK(std::abs(square(i, j) - (i == j)) < 1e-12);
      }
    }
    for (Index i = 0; i < task.pairs(); ++i) {
      const Matrix& map = switches && i >= switch_after ? W_after : W;
      const Index t = task.place(i);
      CHECK(largest_difference(row_of(states, t + 1), product(map, states.row(t))) < 1e-14);
    }
  }
  // The pairs before a switch do not know that there will be one.
  const Random random(1, stream::test_data);
  const FewShot one{.dimension = d, .tokens = 12}, two{.dimension = d, .tokens = 12, .switch_after = 4};
  const Matrix a = one.sample(random).states, b = two.sample(random).states;
  for (Index t = 0; t < 8; ++t) CHECK(row_of(a, t) == row_of(b, t));
  CHECK(row_of(a, 9) != row_of(b, 9));
}

TEST_CASE("noise and range of prompts", "[few_shot]") {
  const FewShot task{.dimension = 2, .tokens = 2000, .noise = 0.3, .range = 2};
  const auto sequence = task.sample(Random(3, stream::test_data));
  double x_squares = 0, noise_squares = 0;
  for (Index i = 0; i < task.pairs(); ++i) {
    const double *x = sequence.states.row(2 * i), *y = sequence.states.row(2 * i + 1);
    const std::vector<double> clean = product(sequence.W, x);
    for (Index j = 0; j < 2; ++j) {
      CHECK(std::abs(x[j]) < 2);
      x_squares += x[j] * x[j] / 2000;
      const double noise = y[j] - clean[static_cast<std::size_t>(j)];
      noise_squares += noise * noise / 2000;
    }
  }
  CHECK(std::abs(x_squares - 4.0 / 3) < 0.1);
  CHECK(std::abs(noise_squares - 0.09) < 0.01);
}

TEST_CASE("a batch of prompts", "[few_shot]") {
  const FewShot task{.dimension = 3, .tokens = 11, .separator = true, .prefix = 1};
  const Batch batch = task.batch(2, stream::test_data, 5, 4);
  CHECK(batch.inputs.shape() == Shape({4, 11, 3}));
  CHECK(batch.labels.shape() == Shape({4, 11, 3}));
  CHECK(batch.positions == std::vector<Index>{1, 4, 7, 10});
  for (Index n = 0; n < 4; ++n) {
    const Matrix states = task.sample(Random(2, stream::test_data, static_cast<std::uint64_t>(5 + n))).states;
    for (Index t = 0; t < 11; ++t) {
      for (Index j = 0; j < 3; ++j) {
        CHECK(batch.inputs[(n * 11 + t) * 3 + j] == static_cast<real>(states(t, j)));
        CHECK(batch.labels[(n * 11 + t) * 3 + j] == static_cast<real>(states(t + 1, j)));
      }
    }
  }
  // Losses are those of the x alone. Saying 0 costs d·range²/6 and the noise.
  const Predictor zero = [](const Matrix& s) { return Matrix(s.rows() - 1, s.columns()); };
  const LossCurve curve = loss_curve(task, 2, stream::test_data, 4000, zero);
  CHECK(curve.t == std::vector<double>{1, 4, 7, 10});
  for (const double loss : curve.mean) CHECK(std::abs(loss - 0.50015) < 0.02);
}

TEST_CASE("least squares that learns from true pairs alone", "[few_shot][in_context]") {
  for (const bool separator : {false, true}) {
    const FewShot task{.dimension = 3, .tokens = 40, .separator = separator, .prefix = separator ? 5 : 0,
                       .noise = 0};
    const auto curve = [&](const InContext& options) {
      return loss_curve(task, 1, stream::test_data, 16, least_squares_predictor(options));
    };
    const LossCurve taught =
        curve({.ridge = 1e-9, .teaches = [&](Index i) { return task.is_example(i); }});
    for (std::size_t i = 4; i < taught.mean.size(); ++i) CHECK(taught.mean[i] < 1e-8);
    CHECK(curve({.ridge = 1e-9}).mean.back() > 0.05);
  }
}

TEST_CASE("prompts of impossible sizes", "[few_shot][errors]") {
  const double nan = std::nan("");
  for (const FewShot& task : std::initializer_list<FewShot>{
           {.dimension = 0}, {.dimension = -1}, {.tokens = -1}, {.prefix = -1}, {.switch_after = -1},
           {.noise = -1}, {.noise = nan}, {.noise = HUGE_VAL}, {.range = -1}, {.range = nan},
           {.range = HUGE_VAL}}) {
    refuses("few-shot prompts", [&] { task.shape(); });
    refuses("few-shot prompts", [&] { task.sample(Random(1, stream::test_data)); });
    refuses("few-shot prompts", [&] { task.batch(1, stream::test_data, 0, 2); });
  }
  for (const FewShot& task : std::initializer_list<FewShot>{
           {.tokens = huge}, {.dimension = huge}, {.dimension = Index{1} << 32, .tokens = Index{1} << 32}}) {
    refuses("too large", [&] { task.shape(); });
  }
  // Prompts of nothing.
  const FewShot none{.dimension = 2, .tokens = 0}, all_prefix{.dimension = 2, .tokens = 3, .prefix = 5};
  CHECK(none.pairs() == 0);
  CHECK(none.batch(1, stream::test_data, 0, 2).inputs.shape() == Shape({2, 0, 2}));
  CHECK(all_prefix.pairs() == 0);
  CHECK(all_prefix.positions().empty());
  CHECK(all_prefix.prefix_at() == std::vector<Index>{0, 1, 2});
  const Matrix empty = all_prefix.sample(Random(1, stream::test_data)).states;
  for (const double value : empty.values()) CHECK(value == 0);
}

}  // namespace mesagrad
