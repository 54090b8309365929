// Linear probes on streams whose content is known.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/linear_transformer.h"
#include "tasks/probes.h"

#include "tests/helpers.h"

namespace mesagrad {
namespace {

// ||x[:, t, :]||²/2N: the loss of saying 0.
double energy(const Tensor& x, Index t) {
  const Index N = x.dim(0), T = x.dim(1), d = x.dim(2);
  double sum = 0;
  for (Index n = 0; n < N; ++n) {
    for (Index j = 0; j < d; ++j) sum += std::pow(x[(n * T + t) * d + j], 2);
  }
  return sum / static_cast<double>(2 * N);
}

// x[n, t, :]·M with another M (D, d) at each position.
Tensor mapped(const Tensor& x, Index d, std::uint64_t seed) {
  const Index N = x.dim(0), T = x.dim(1), D = x.dim(2);
  const Tensor M = random_tensor({T, D, d}, seed), result({N, T, d});
  for (Index n = 0; n < N; ++n) {
    for (Index t = 0; t < T; ++t) {
      for (Index j = 0; j < d; ++j) {
        for (Index i = 0; i < D; ++i) {
          result[(n * T + t) * d + j] += x[(n * T + t) * D + i] * M[(t * D + i) * d + j];
        }
      }
    }
  }
  return result;
}

Tensor plus(const Tensor& x, const Tensor& y) {
  const Tensor result(x.shape());
  for (Index i = 0; i < x.size(); ++i) result[i] = x[i] + y[i];
  return result;
}

ApplyInverse published() {
  const ChebyshevCoefficients six = published_coefficients(6);
  return chebyshev(six.alpha, six.beta);
}

}  // namespace

TEST_CASE("a probe finds what is there in linear form", "[probes]") {
  const Tensor stream = random_tensor({60, 4, 7}, 1), targets = mapped(stream, 3, 2);
  const Matrix losses = linear_probe({stream}, targets);
  REQUIRE((losses.rows() == 1 && losses.columns() == 4));
  for (Index t = 0; t < 4; ++t) {
    CHECK(losses(0, t) < 100 * epsilon * epsilon * energy(targets, t));
    CHECK(energy(targets, t) > 1);
  }
}

TEST_CASE("a probe of noise explains its share by chance", "[probes]") {
  // The target's projection on D random directions of N: D/N of its energy, on average.
  const Index N = 400, D = 100, d = 20;
  const Tensor noise = random_tensor({N, 2, D}, 1), targets = random_tensor({N, 2, d}, 2);
  const Matrix losses = linear_probe({noise}, targets);
  for (Index t = 0; t < 2; ++t) CHECK(std::abs(losses(0, t) / energy(targets, t) - 0.75) < 0.03);
}

TEST_CASE("what a probe can not explain is what was added", "[probes]") {
  const Index N = 2000;
  const Tensor stream = random_tensor({N, 3, 4}, 1), noise = random_tensor({N, 3, 2}, 2, 0.1);
  const Matrix losses = linear_probe({noise, stream}, plus(mapped(stream, 2, 3), noise));
  for (Index t = 0; t < 3; ++t) {
    CHECK(losses(0, t) > 0.5);  // streams may differ in width, and each has a row of its own
    CHECK(std::abs(losses(1, t) / energy(noise, t) - 1) < 0.01);
  }
}

TEST_CASE("a probe of one channel is a regression without bias", "[probes]") {
  // a = 1, 2, 3 and y = 1, 1, 3: M = Σay/Σa² = 12/14, and the loss (Σy² - (Σay)²/Σa²)/2N.
  const Tensor a({3, 1, 1}), y({3, 1, 1}), zero({3, 1, 1});
  for (Index n = 0; n < 3; ++n) a[n] = static_cast<real>(n + 1);
  y[0] = y[1] = 1;
  y[2] = 3;
  const Matrix losses = linear_probe({a, zero}, y);
  CHECK(std::abs(losses(0, 0) - (11 - 144.0 / 14) / 6) < 1e-14);
  CHECK(std::abs(losses(1, 0) - 11.0 / 6) < 1e-14);
  Matrix chosen(3, 1, 1);
  chosen(1, 0) = 0;  // leaves a = 1, 3 and y = 1, 3
  CHECK(linear_probe({a, zero}, y, chosen)(0, 0) < 1e-28);
  CHECK(std::abs(linear_probe({a, zero}, y, chosen)(1, 0) - 10.0 / 4) < 1e-14);
}

TEST_CASE("copies and silent channels in a stream change nothing", "[probes]") {
  const Index N = 50, D = 4;
  const Tensor stream = random_tensor({N, 2, D}, 1), targets = random_tensor({N, 2, 3}, 2);
  const Tensor redundant({N, 2, 3 * D});  // the stream, nothing, and the stream but for rounding
  for (Index row = 0; row < N * 2; ++row) {
    for (Index j = 0; j < D; ++j) {
      const real x = stream[row * D + j];
      redundant[row * 3 * D + j] = x;
      redundant[row * 3 * D + 2 * D + j] = x * (1 + (row % 2 == 0 ? 1 : -1) * real(epsilon));
    }
  }
  const Matrix losses = linear_probe({stream, redundant}, targets);
  for (Index t = 0; t < 2; ++t) CHECK(std::abs(losses(1, t) / losses(0, t) - 1) < 1e3 * epsilon);
}

TEST_CASE("the variance explained is one minus the error's share, component by component", "[probes]") {
  const Index N = 300, T = 3, t = 1;
  const Tensor stream = random_tensor({N, T, 1}, 1), noise = random_tensor({N, T, 2}, 2), targets({N, T, 2});
  for (Index i = 0; i < N * T; ++i) {
    targets[2 * i] = 3 * stream[i] + noise[2 * i];
    targets[2 * i + 1] = 100 + noise[2 * i + 1];
  }
  double expected = 0;
  for (Index j = 0; j < 2; ++j) {
    double x_sum = 0, y_sum = 0, xx = 0, xy = 0, yy = 0;
    for (Index n = 0; n < N; ++n) {
      x_sum += stream[n * T + t];
      y_sum += targets[(n * T + t) * 2 + j];
    }
    for (Index n = 0; n < N; ++n) {
      const double x = stream[n * T + t] - x_sum / static_cast<double>(N);
      const double y = targets[(n * T + t) * 2 + j] - y_sum / static_cast<double>(N);
      xx += x * x;
      xy += x * y;
      yy += y * y;
    }
    expected += xy * xy / (xx * yy) / 2;  // the square of the correlation
  }
  const std::vector<double> ours = variance_explained({targets, stream}, targets, t);
  REQUIRE(ours.size() == 2);
  CHECK(std::abs(ours[0] - 1) < 1e-6);
  CHECK(std::abs(ours[1] / expected - 1) < 1e-6);
  CHECK(std::abs(expected - 0.45) < 0.1);
}

TEST_CASE("what a stream holds too faintly explains nothing", "[probes]") {
  const Tensor targets = random_tensor({300, 2, 1}, 1), noise = random_tensor({300, 2, 1}, 2);
  const Tensor stream({300, 2, 2});  // the target a hundred times smaller than something else
  for (Index i = 0; i < 600; ++i) {
    stream[2 * i] = noise[i] + 5;
    stream[2 * i + 1] = targets[i] / 100;
  }
  CHECK(variance_explained({stream}, targets, 1)[0] > 0.999);
  CHECK(variance_explained({stream}, targets, 1, 0.001)[0] > 0.999);
  CHECK(variance_explained({stream}, targets, 1, 0.1)[0] < 0.05);
}

TEST_CASE("outliers are more than two deviations above the mean length", "[probes]") {
  // At t = 0 lengths 1 and one of 5: mean 1.4 and deviation 1.2. At t = 1 the short one is none.
  const Tensor x({10, 2, 2});
  for (Index n = 0; n < 10; ++n) {
    x[n * 4 + n % 2] = real(n == 4 ? -5 : n % 3 == 0 ? -1 : 1);
    x[n * 4 + 2] = real(n == 7 ? 0 : 3);
    x[n * 4 + 3] = real(n == 7 ? 0 : 4);
  }
  const Matrix chosen = without_outliers(x);
  for (Index n = 0; n < 10; ++n) {
    CHECK(chosen(n, 0) == (n == 4 ? 0 : 1));
    CHECK(chosen(n, 1) == 1);
  }
}

TEST_CASE("outliers are outliers in any unit", "[probes]") {
  const Tensor x = random_tensor({200, 2, 3}, 1);
  const Matrix chosen = without_outliers(x);
  Index count = 0;
  for (const double c : chosen.values()) count += c == 0;
  CHECK(count > 0);
  for (const int exponent : {-100, 100, in_double ? -900 : -100, in_double ? 900 : 100}) {
    const Matrix scaled = without_outliers(std::ldexp(real{1}, exponent) * x);
    CHECK(std::equal(scaled.values().begin(), scaled.values().end(), chosen.values().begin()));
  }
}

TEST_CASE("targets are the states and the preconditioned states", "[probes]") {
  const LinearDynamics task{.dimension = 3, .tokens = 8};
  const Tensor states = sample_states(task, 3, stream::analysis_data, 0, 4);
  const Tensor current = current_states(states);
  const Tensor exact = preconditioned_states(
      states, [](const Matrix& A, std::span<const double> s) {
        Matrix b(3, 1);
        std::copy(s.begin(), s.end(), b.row(0));
        const Matrix x = lu_solve(A, b);
        return std::vector<double>(x.values().begin(), x.values().end());
      }, 0.5);
  REQUIRE((current.shape() == Shape({4, 8, 3}) && exact.shape() == current.shape()));
  for (Index n = 0; n < 4; ++n) {
    for (Index t = 0; t < 8; ++t) {
      const auto s = [&](Index i, Index j) { return static_cast<double>(states[(n * 9 + i) * 3 + j]); };
      for (Index j = 0; j < 3; ++j) {
        CHECK(current[(n * 8 + t) * 3 + j] == states[(n * 9 + t) * 3 + j]);
        double product = 0;  // (A_t·target)_j
        for (Index k = 0; k < 3; ++k) {
          double A = j == k ? 0.5 : 0;
          for (Index i = 0; i < t; ++i) A += s(i, j) * s(i, k);
          product += A * exact[(n * 8 + t) * 3 + k];
        }
        CHECK(std::abs(product - s(t, j)) < 1e3 * epsilon);
      }
    }
  }
}

TEST_CASE("the preconditioned states are what the iterative predictor multiplies", "[probes]") {
  // f_t = C_t·x_t with C_t = Σ s_i s_{i-1}ᵀ.
  const LinearDynamics task{.dimension = 3, .tokens = 8};
  const Tensor states = sample_states(task, 3, stream::analysis_data, 0, 1);
  const Tensor x = preconditioned_states(states, published());
  Matrix s(9, 3);
  std::copy_n(states.data(), states.size(), s.values().begin());
  const Matrix f = predict_with(published())(s);
  for (Index t = 0; t < 8; ++t) {
    for (Index j = 0; j < 3; ++j) {
      double product = 0;
      for (Index i = 1; i <= t; ++i) {
        for (Index k = 0; k < 3; ++k) product += s(i, j) * s(i - 1, k) * x[t * 3 + k];
      }
      CHECK(std::abs(product - f(t, j)) < 1e3 * epsilon);
    }
  }
}

TEST_CASE("a model's streams lead from its tokens to its output", "[probes]") {
  const Index d = 2;
  LinearTransformer model(
      {.width = 4 * d, .blocks = 3, .masked_channels = d, .clip = 2, .init_deviation = 0.3}, 1);
  const Tensor tokens = random_tensor({3, 5, 4 * d}, 2);
  const std::vector<Tensor> streams = model.residual_streams(tokens);
  REQUIRE(streams.size() == 4);
  for (Index i = 0; i < tokens.size(); ++i) {
    CHECK(streams[0][i] == (i % (4 * d) < d ? 0 : tokens[i]));
  }
  CHECK(numbers_of(streams[3]) == numbers_of(model(tokens)));
  model.options.masked_channels = 0;
  for (std::size_t l = 0; l < 3; ++l) {
    LinearTransformer block = model;
    block.blocks = {model.blocks[l]};
    CHECK(numbers_of(block(streams[l])) == numbers_of(streams[l + 1]));
  }
}

TEST_CASE("untrained states hold no future, and the preconditioned state alone neither", "[probes]") {
  const LinearDynamics task;
  const Tensor states = sample_states(task, 3, stream::analysis_data, 0, 256);
  const Tensor tokens = constructed_tokens(states), next = next_states(states);
  const Tensor x = preconditioned_states(states, published());
  const Matrix of_next = linear_probe({tokens, x}, next, without_outliers(x));
  const Matrix of_current = linear_probe({tokens}, current_states(states));
  for (const Index t : {9, 19, 49}) {
    CHECK((of_next(0, t) > 1.4 && of_next(0, t) < 1.75));  // 5/3 but for chance, 20 of 256
    CHECK((of_next(1, t) > 1.5 && of_next(1, t) < 1.75));
    CHECK(of_current(0, t) < 1e-10);
  }
}

TEST_CASE("shares of no variance are refused", "[probes][errors]") {
  const Tensor x = random_tensor({9, 3, 2}, 1);
  const auto refused = [&](const Tensor& targets, Index t, std::initializer_list<const char*> words) {
    return lacks([&] { variance_explained({x}, targets, t); }, words);
  };
  CHECK(refused(x, 3, {"variance_explained", "position 3", "(9, 3, 2)"}) == "");
  CHECK(refused(x, -1, {"variance_explained", "position -1"}) == "");
  CHECK(refused(Tensor({9, 3, 2}), 0, {"variance_explained", "component 0", "position 0"}) == "");
  CHECK(refused(random_tensor({9, 2, 2}, 1), 0, {"variance_explained", "does not fit"}) == "");
}

TEST_CASE("probes that do not fit are refused", "[probes][errors]") {
  const Tensor targets({4, 3, 2}), stream({4, 3, 5}), flat({4, 6});
  CHECK(lacks([&] { linear_probe({stream}, flat); }, {"linear_probe", "targets (4, 6)"}) == "");
  CHECK(lacks([&] { linear_probe({stream, flat}, targets); }, {"linear_probe", "stream (4, 6)"}) == "");
  for (const Shape& shape : {Shape({5, 3, 5}), Shape({4, 2, 5})}) {
    CHECK(lacks([&] { linear_probe({Tensor(shape)}, targets); },
                {"linear_probe", "does not fit targets (4, 3, 2)"}) == "");
  }
  CHECK(lacks([&] { linear_probe({stream}, targets, Matrix(3, 4)); },
              {"linear_probe", "chosen (3, 4)"}) == "");
  for (const auto& size : {std::pair<Index, Index>{4, 4}, {4, 2}, {3, 3}, {5, 3}}) {
    const Index rows = size.first, columns = size.second;
    CHECK(lacks([&] { linear_probe({stream}, targets, Matrix(rows, columns, 1)); },
                {"linear_probe", text("chosen (", rows, ", ", columns, ")").c_str()}) == "");
  }
  CHECK(lacks([&] { linear_probe({stream}, targets, Matrix(4, 3)); },
              {"linear_probe", "no sequence is left at position"}) == "");
  CHECK(lacks([&] { without_outliers(flat); }, {"without_outliers", "x (4, 6)"}) == "");
  CHECK(lacks([&] { current_states(flat); }, {"current_states", "states (4, 6)"}) == "");
  CHECK(lacks([&] { preconditioned_states(flat, published()); },
              {"preconditioned_states", "states (4, 6)"}) == "");
}

}  // namespace mesagrad
