// Proposition 2 by hand against the iteration that it stands for.
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/proposition_2.h"

#include "tasks/compression.h"
#include "tasks/in_context.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

// x after the steps x <- x + α (s - A·x) from 0.
ApplyInverse iteration(const std::vector<double>& steps) {
  return [steps](const Matrix& A, std::span<const double> s) {
    std::vector<double> x(s.size());
    for (const double step : steps) {
      const std::vector<double> before = x;
      for (std::size_t i = 0; i < x.size(); ++i) {
        double missing = s[i];
        for (std::size_t j = 0; j < x.size(); ++j) {
          missing -= A(static_cast<Index>(i), static_cast<Index>(j)) * before[j];
        }
        x[i] += step * missing;
      }
    }
    return x;
  };
}

constexpr double no_ridge = 1e-300;  // A_0 must not be 0

// The largest difference of a model's predictions from a predictor's, over a few sequences.
double difference(const Transformer& model, const Predictor& predictor,
                  const LinearDynamics& task) {
  const Index d = task.dimension, T = task.tokens;
  const Tensor states = sample_states(task, 3, stream::analysis_data, 0, 3);
  const Tensor output = model(constructed_tokens(states));
  double largest = 0;
  for (Index b = 0; b < 3; ++b) {
    Matrix s(T + 1, d);
    std::copy_n(states.data() + b * (T + 1) * d, (T + 1) * d, s.values().begin());
    const Matrix expected = predictor(s);
    for (Index t = 0; t < T; ++t) {
      for (Index j = 0; j < d; ++j) {
        largest = std::max(largest, std::abs(output[(b * T + t) * 4 * d + j] - expected(t, j)));
      }
    }
  }
  return largest;
}

}  // namespace

TEST_CASE("the layers are Richardson's iteration and one step", "[proposition_2]") {
  for (const Index d : {1, 3, 10}) {
    const LinearDynamics task{.dimension = d, .tokens = 20, .noise = 0.1};
    for (const std::vector<double>& steps :
         {std::vector<double>{0.1}, {0.03, 0.2}, {0.2, -0.01, 0.05, 0.1}}) {
      const Predictor by_iteration = predict_with(iteration(steps), {.ridge = no_ridge});
      CHECK(difference(proposition_2_transformer(d, steps), by_iteration, task) < 1e4 * epsilon);
    }
  }
}

TEST_CASE("with one step Proposition 2 is Proposition 1", "[proposition_2]") {
  const LinearDynamics task;
  const Transformer model = proposition_2_transformer(10, {0.03});
  CHECK(difference(model, gradient_step_predictor(0.03), task) < 1e3 * epsilon);
  CHECK(difference(model, gradient_step_predictor(0.031), task) > 1e-2);
}

TEST_CASE("many steps are least squares", "[proposition_2]") {
  // Two dimensions: ||s_t||² < 2, so after 30 tokens no eigenvalue of A_t is above 60, and those below
  // 0.5 belong to short states, whose loss is small anyway.
  const LinearDynamics task{.dimension = 2, .tokens = 30};
  const auto last_loss = [&](const auto& predictor) {
    return loss_curve(task, 3, stream::analysis_data, 200, predictor).mean.back();
  };
  const double exact = last_loss(least_squares_predictor({.ridge = 1e-6}));
  CHECK(exact < 3e-4);  // the noise floor is 1e-4
  CHECK(last_loss(proposition_2_transformer(2, chebyshev_steps(20, 0.5, 62))) < exact + 1e-3);
  CHECK(last_loss(proposition_2_transformer(2, chebyshev_steps(2, 0.5, 62))) > exact + 0.01);
}

TEST_CASE("everything but prediction and residual stays as it was", "[proposition_2]") {
  const Index d = 3;
  const LinearDynamics task{.dimension = d, .tokens = 10};
  const Tensor tokens = constructed_tokens(sample_states(task, 3, stream::analysis_data, 0, 2));
  const std::vector<double> steps = {0.1, 0.2};
  const std::vector<Tensor> streams = proposition_2_transformer(d, steps).residual_streams(tokens);
  for (const Tensor& x : streams) {
    for (Index i = 0; i < tokens.size(); ++i) {
      if (i % (4 * d) >= 2 * d) CHECK(x[i] == tokens[i]);
    }
  }
  // r after the first step: s_t - α Σ_{i <= t} s_{i-1} (s_{i-1}·s_t).
  for (Index t = 0; t < 10; ++t) {
    const real* now = tokens.data() + t * 4 * d;
    for (Index j = 0; j < d; ++j) {
      double r = now[2 * d + j];
      for (Index i = 0; i <= t; ++i) {
        const real* previous = tokens.data() + i * 4 * d + 3 * d;
        for (Index k = 0; k < d; ++k) r -= 0.1 * previous[j] * previous[k] * now[2 * d + k];
      }
      CHECK(std::abs(streams[1][t * 4 * d + d + j] - r) < 100 * epsilon);
    }
  }
}

TEST_CASE("compression loses nothing of Proposition 2", "[proposition_2]") {
  const LinearDynamics task{.dimension = 3, .tokens = 10};
  const std::vector<double> steps = {0.1, 0.2};
  const Transformer small = compress(proposition_2_transformer(3, steps), 3);
  const Predictor by_iteration = predict_with(iteration(steps), {.ridge = no_ridge});
  CHECK(difference(small, by_iteration, task) < 1e3 * epsilon);
}

TEST_CASE("Chebyshev's steps leave the same at most everywhere in the interval", "[proposition_2]") {
  // |Π (1 - α_k x)| <= 1/T_K(m), m = (b + a)/(b - a), with equality at both ends and K - 1 times between.
  const double a = 2, b = 30, m = (b + a) / (b - a);
  for (const Index K : {1, 2, 4, 6}) {
    const std::vector<double> steps = chebyshev_steps(K, a, b);
    REQUIRE(steps.size() == static_cast<std::size_t>(K));
    CHECK(std::is_sorted(steps.begin(), steps.end()));
    const auto left = [&](double x) {
      double product = 1;
      for (const double step : steps) product *= 1 - step * x;
      return product;
    };
    const double bound = 1 / std::cosh(static_cast<double>(K) * std::acosh(m));
    CHECK(std::abs(left(a) - bound) < 1e-12);
    CHECK(std::abs(std::abs(left(b)) - bound) < 1e-12);
    double largest = 0;
    for (double x = a; x <= b; x += 0.01) largest = std::max(largest, std::abs(left(x)));
    CHECK(largest < bound + 1e-12);
  }
  CHECK(chebyshev_steps(0, 1, 2).empty());
  CHECK(std::abs(chebyshev_steps(3, 4, 4)[1] - 0.25) < 1e-15);
}

TEST_CASE("heads that no layer has room for are refused", "[proposition_2][errors]") {
  const GroupHead head = {2, 2, 0, 1};
  CHECK(lacks([&] { transformer_of(0, 1, {{head}}); }, {"transformer of heads", "dimension is 0"}) == "");
  CHECK(lacks([&] { transformer_of(2, 2, {{head}}); }, {"transformer of heads", "has 1", "not 2"}) == "");
  for (const GroupHead& wrong : {GroupHead{4, 2, 0, 1}, GroupHead{2, 4, 0, 1}, GroupHead{2, 2, 4, 1}}) {
    CHECK(lacks([&] { transformer_of(2, 1, {{wrong}}); }, {"transformer of heads", "no group 4"}) == "");
  }
  const GroupHead negative = {-1, 2, 0, 1};
  CHECK(lacks([&] { transformer_of(2, 1, {{negative}}); }, {"no group -1"}) == "");
}

TEST_CASE("impossible eigenvalues are refused", "[proposition_2][errors]") {
  CHECK(lacks([] { chebyshev_steps(2, 0, 1); }, {"chebyshev_steps", "2 steps", "[0, 1]"}) == "");
  CHECK(lacks([] { chebyshev_steps(2, 3, 1); }, {"chebyshev_steps", "[3, 1]"}) == "");
  CHECK(lacks([] { chebyshev_steps(-1, 1, 2); }, {"chebyshev_steps", "-1 steps"}) == "");
}

}  // namespace mesagrad
