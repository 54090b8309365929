// Classical in-context learners against their formulas, written with full matrices.
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/in_context.h"

#include "tests/helpers.h"

namespace mesagrad {
namespace {

using Vector = std::vector<double>;

const LinearDynamics task{.dimension = 4, .tokens = 12, .noise = 0.1};

Matrix some_states(std::uint64_t i = 0) {
  return task.sample(Random(3, stream::analysis_data, i)).states;
}

// A symmetric positive definite matrix.
Matrix positive_definite(Index n, double ridge = 0.5) {
  Random random(5, stream::analysis_data);
  Matrix x(n, n);
  for (double& value : x.values()) value = random.normal();
  Matrix a = multiply(transpose(x), x);
  for (Index i = 0; i < n; ++i) a(i, i) += ridge;
  return a;
}

Matrix plus(Matrix a, double factor, const Matrix& b) {  // a + factor·b
  for (std::size_t i = 0; i < a.values().size(); ++i) a.values()[i] += factor * b.values()[i];
  return a;
}

Matrix times(double factor, const Matrix& a) {
  return plus(Matrix(a.rows(), a.columns()), factor, a);
}

Matrix power(const Matrix& a, int exponent) {
  Matrix result = Matrix::identity(a.rows());
  for (int i = 0; i < exponent; ++i) result = multiply(result, a);
  return result;
}

Vector on_vector(const Matrix& a, std::span<const double> x) {
  Matrix column(a.columns(), 1);
  std::copy(x.begin(), x.end(), column.values().begin());
  const Matrix product = multiply(a, column);
  return {product.values().begin(), product.values().end()};
}

// The learned polynomial of A as the authors wrote it:
//   Â = A/||A||;  term = inv = I;  for each k: term <- term (I - α_k Â),
//   inv <- inv + term + β_k (inv - previous inv);  result inv/||A||
Matrix naive_chebyshev(const Matrix& A, const Vector& alpha, const Vector& beta) {
  const Matrix identity = Matrix::identity(A.rows()), scaled = times(1 / frobenius_norm(A), A);
  Matrix term = identity, inverse = identity, previous = identity;
  for (std::size_t k = 0; k < alpha.size(); ++k) {
    term = multiply(term, plus(identity, -alpha[k], scaled));
    const Matrix next = plus(plus(inverse, 1, term), beta[k], plus(inverse, -1, previous));
    previous = inverse;
    inverse = next;
  }
  return times(1 / frobenius_norm(A), inverse);
}

// The inverse applied to several vectors agrees with the matrix `expected`.
void check_inverse(const ApplyInverse& inverse, const Matrix& A, const Matrix& expected) {
  const Matrix rows = positive_definite(A.rows(), 2);
  for (Index i = 0; i < A.rows(); ++i) {
    const std::span<const double> s(rows.row(i), static_cast<std::size_t>(A.rows()));
    const Vector exact = on_vector(expected, s);
    double size = 0;
    for (const double x : exact) size = std::max(size, std::abs(x));
    CHECK(largest_difference(inverse(A, s), exact) < 1e-11 * size);
  }
}

// Φ_t x_t, with Φ_t fitted to the pairs (x_{i-1}, s_i) up to t by the normal equations; `teaches` as in
// InContext.
Matrix naive_regression(const Matrix& s, const Matrix& x, double ridge,
                        const std::function<bool(Index)>& teaches) {
  const Index T = s.rows() - 1, d = s.columns(), m = x.columns();
  Matrix prediction(T, d);
  for (Index t = 0; t < T; ++t) {
    std::vector<Index> pairs;
    for (Index i = 1; i <= t; ++i) {
      if (teaches(i)) pairs.push_back(i);
    }
    Matrix X(std::ssize(pairs), m), Y(std::ssize(pairs), d), x_t(1, m);
    for (Index n = 0; n < std::ssize(pairs); ++n) {
      const Index i = pairs[static_cast<std::size_t>(n)];
      std::copy_n(x.row(i - 1), m, X.row(n));
      std::copy_n(s.row(i), d, Y.row(n));
    }
    std::copy_n(x.row(t), m, x_t.row(0));
    const Matrix A = plus(multiply(transpose(X), X), ridge, Matrix::identity(m));
    const Matrix f = multiply(x_t, lu_solve(A, multiply(transpose(X), Y)));
    std::copy_n(f.row(0), d, prediction.row(t));
  }
  return prediction;
}

// The same of the states themselves.
Matrix naive_least_squares(const Matrix& s, double ridge, bool newest_pair) {
  const Index T = s.rows() - 1, d = s.columns();
  Matrix prediction(T, d);
  for (Index t = 0; t < T; ++t) {
    const Index pairs = std::max<Index>(0, newest_pair ? t : t - 1);
    Matrix X(pairs, d), Y(pairs, d), s_t(1, d);
    for (Index j = 0; j < d; ++j) {
      for (Index i = 0; i < pairs; ++i) {
        X(i, j) = s(i, j);
        Y(i, j) = s(i + 1, j);
      }
      s_t(0, j) = s(t, j);
    }
    const Matrix A = plus(multiply(transpose(X), X), ridge, Matrix::identity(d));
    const Matrix W = lu_solve(A, multiply(transpose(X), Y));
    const Matrix f = multiply(s_t, W);
    std::copy_n(f.row(0), d, prediction.row(t));
  }
  return prediction;
}

}  // namespace

TEST_CASE("least squares solves the normal equations at each position", "[in_context]") {
  for (const bool newest : {true, false}) {
    for (const double ridge : {0.001, 1.0}) {
      INFO("newest pair " << newest << ", ridge " << ridge);
      const InContext options{.ridge = ridge, .newest_pair = newest};
      const Matrix s = some_states();
      const Matrix f = least_squares_predictor(options)(s);
      CHECK(f.rows() == 12);
      const Matrix exact = naive_least_squares(s, ridge, newest);
      CHECK(largest_difference(f.values(), exact.values()) < 1e-9);
      for (Index j = 0; j < 4; ++j) {
        CHECK(f(0, j) == 0);                       // nothing has been seen
        CHECK((std::abs(f(1, j)) > 0) == newest);  // one pair
      }
    }
  }
}

TEST_CASE("least squares takes features for states, and only pairs that teach", "[in_context]") {
  const Matrix s = some_states();
  const auto squares = [](const Matrix& states) {  // six features of four numbers
    Matrix x(states.rows(), 6);
    for (Index t = 0; t < states.rows(); ++t) {
      for (Index j = 0; j < 6; ++j) x(t, j) = states(t, j % 4) * (j < 4 ? 1 : states(t, j - 3));
    }
    return x;
  };
  const auto all = [](Index) { return true; };
  const auto every_third = [](Index i) { return i % 3 == 1; };
  const Matrix f = least_squares_predictor({.ridge = 0.1, .features = squares})(s);
  CHECK(largest_difference(f.values(), naive_regression(s, squares(s), 0.1, all).values()) < 1e-10);
  const Matrix some = least_squares_predictor({.ridge = 0.1, .teaches = every_third})(s);
  CHECK(largest_difference(some.values(), naive_regression(s, s, 0.1, every_third).values()) < 1e-10);
  const InContext options{.ridge = 0.1, .features = squares, .teaches = every_third};
  const Matrix both = least_squares_predictor(options)(s);
  CHECK(largest_difference(both.values(), naive_regression(s, squares(s), 0.1, every_third).values()) < 1e-10);
  const Features short_ones = [](const Matrix& states) { return Matrix(states.rows() - 1, 2); };
  CHECK(lacks([&] { least_squares_predictor({.features = short_ones})(s); },
              {"predict_with", "features (12, 2) of states (13, 4)"}) == "");
}

TEST_CASE("stacked observations are the newest states, newest first", "[in_context]") {
  const Matrix s = some_states();
  for (const Index k : {1, 2, 5, 20}) {
    const Matrix z = stacked(k)(s);
    REQUIRE((z.rows() == 13 && z.columns() == 4 * k));
    for (Index t = 0; t < 13; ++t) {
      for (Index j = 0; j < 4 * k; ++j) CHECK(z(t, j) == (t >= j / 4 ? s(t - j / 4, j % 4) : 0));
    }
  }
  for (const Index k : {Index{0}, Index{-1}}) {
    CHECK(lacks([&] { stacked(k); }, {"stacked", "at least one"}) == "");
  }
}

TEST_CASE("features of many sequences are those of each", "[in_context]") {
  const Tensor states = sample_states(task, 3, stream::analysis_data, 0, 3);
  const Tensor z = features_of(states, stacked(2));
  REQUIRE(z.shape() == Shape({3, 13, 8}));
  for (std::uint64_t n = 0; n < 3; ++n) {
    for (Index t = 0; t < 13; ++t) {
      for (Index j = 0; j < 8; ++j) {
        const Index row = static_cast<Index>(n) * 13 + t - j / 4;
        const real expected = t >= j / 4 ? states[row * 4 + j % 4] : real{0};
        CHECK(z[(static_cast<Index>(n) * 13 + t) * 8 + j] == expected);
      }
    }
  }
  const Features uneven = [first = states[0]](const Matrix& s) {
    return Matrix(s.rows(), static_cast<real>(s(0, 0)) == first ? 2 : 3);
  };
  CHECK(lacks([&] { features_of(states, uneven); }, {"features_of", "(13, 3)"}) == "");
  CHECK(lacks([&] { features_of(Tensor({2, 3}), stacked(1)); }, {"features_of", "(2, 3)"}) == "");
  CHECK(lacks([&] { features_of(Tensor({0, 3, 2}), stacked(1)); }, {"features_of", "N > 0"}) == "");
}

TEST_CASE("least squares learns a system without noise", "[in_context]") {
  const LinearDynamics clean{.dimension = 4, .tokens = 12, .noise = 0};
  const Matrix s = clean.sample(Random(3, stream::analysis_data)).states;
  const Matrix f = least_squares_predictor({.ridge = 1e-10})(s);
  const Matrix behind = least_squares_predictor({.ridge = 1e-10, .newest_pair = false})(s);
  const auto error = [&](const Matrix& prediction, Index t) {
    double largest = 0;
    for (Index j = 0; j < 4; ++j) {
      largest = std::max(largest, std::abs(prediction(t, j) - s(t + 1, j)));
    }
    return largest;
  };
  for (Index t = 4; t < 12; ++t) CHECK(error(f, t) < 1e-6);  // four pairs determine Φ
  CHECK(error(behind, 4) > 1e-3);
  for (Index t = 5; t < 12; ++t) CHECK(error(behind, t) < 1e-6);
}

TEST_CASE("a gradient step is the weighted sum of all targets seen", "[in_context]") {
  const Matrix s = some_states(), f = gradient_step_predictor(0.3)(s);
  Matrix expected(12, 4);
  for (Index t = 0; t < 12; ++t) {
    for (Index i = 1; i <= t; ++i) {
      double dot = 0;
      for (Index j = 0; j < 4; ++j) dot += s(i - 1, j) * s(t, j);
      for (Index j = 0; j < 4; ++j) expected(t, j) += 0.3 * s(i, j) * dot;
    }
  }
  CHECK(largest_difference(f.values(), expected.values()) < 1e-13);
}

TEST_CASE("no predictor looks ahead", "[in_context]") {
  const Matrix s = some_states();
  const auto [alpha, beta] = published_coefficients(6);
  for (const Predictor& predictor :
       {least_squares_predictor({}), gradient_step_predictor(0.3), predict_with(neumann(3)),
        predict_with(newton(3)), predict_with(chebyshev(alpha, beta))}) {
    const Matrix f = predictor(s);
    for (Index changed = 1; changed <= 12; ++changed) {
      Matrix other = s;
      for (Index j = 0; j < 4; ++j) other(changed, j) = 7;
      const Matrix g = predictor(other);
      CHECK(std::equal(f.row(0), f.row(changed), g.row(0)));
      if (changed < 12) CHECK_FALSE(std::equal(f.row(changed), f.row(changed) + 4, g.row(changed)));
    }
  }
}

TEST_CASE("a predictor is C times the inverse of A times the state", "[in_context]") {
  for (const bool newest : {true, false}) {
    const InContext options{.ridge = 0.25, .newest_pair = newest};
    const Matrix s = some_states();
    std::vector<Matrix> seen;
    const Matrix f = predict_with(
        [&](const Matrix& A, std::span<const double> x) {
          seen.push_back(A);
          return on_vector(power(A, 2), x);
        },
        options)(s);
    REQUIRE(seen.size() == 12);
    for (Index t = 0; t < 12; ++t) {
      Matrix A = times(0.25, Matrix::identity(4)), C(4, 4);
      for (Index i = 1; i <= (newest ? t : t - 1); ++i) {
        for (Index j = 0; j < 4; ++j) {
          for (Index k = 0; k < 4; ++k) {
            A(j, k) += s(i - 1, j) * s(i - 1, k);
            C(j, k) += s(i, j) * s(i - 1, k);
          }
        }
      }
      CHECK(largest_difference(seen[static_cast<std::size_t>(t)].values(), A.values()) < 1e-12);
      const Vector expected = on_vector(multiply(C, power(A, 2)), {s.row(t), 4});
      CHECK(largest_difference(std::span(f.row(t), 4), expected) < 1e-9);
    }
  }
}

TEST_CASE("neumann is the geometric series", "[in_context]") {
  const Matrix A = positive_definite(4), identity = Matrix::identity(4);
  const double norm = frobenius_norm(A);
  Matrix series(4, 4);
  for (int K = 0; K <= 6; ++K) {
    INFO("K " << K);
    series = plus(series, 1 / norm, power(plus(identity, -1 / norm, A), K));
    check_inverse(neumann(K), A, series);
  }
  check_inverse(neumann(3000), A, lu_solve(A, identity));
}

TEST_CASE("newton squares its error in each iteration", "[in_context]") {
  const Matrix A = positive_definite(4), identity = Matrix::identity(4);
  const Matrix exact = lu_solve(A, identity);
  const double trace = A(0, 0) + A(1, 1) + A(2, 2) + A(3, 3);
  const Matrix error = plus(identity, -1 / trace, A);  // I - A·X for the first X
  for (const int K : {0, 1, 2, 5}) {
    INFO("K " << K);
    check_inverse(newton(K), A, multiply(exact, plus(identity, -1, power(error, 1 << K))));
  }
  check_inverse(newton(20), A, exact);
}

TEST_CASE("richardson and chebyshev are the authors' polynomials", "[in_context]") {
  const Matrix A = positive_definite(4);
  for (const std::size_t K : {0u, 1u, 2u, 5u}) {
    const Vector all_alpha = {1.2, 3.0, 0.5, 2.5, 1.75}, all_beta = {0.4, 0.8, -0.3, 1.5, 2.25};
    const auto n = static_cast<std::ptrdiff_t>(K);
    const Vector alpha(all_alpha.begin(), all_alpha.begin() + n), none(K);
    const Vector beta(all_beta.begin(), all_beta.begin() + n);
    check_inverse(richardson(alpha), A, naive_chebyshev(A, alpha, none));
    check_inverse(chebyshev(alpha, beta), A, naive_chebyshev(A, alpha, beta));
    const Vector s = {1, -2, 3, 0.5};
    CHECK(chebyshev(alpha, none)(A, s) == richardson(alpha)(A, s));
    if (K > 0) {
      Vector other = beta;
      other[0] = 99;
      CHECK(chebyshev(alpha, other)(A, s) == chebyshev(alpha, beta)(A, s));
    }
    if (K > 1) CHECK(chebyshev(alpha, beta)(A, s) != richardson(alpha)(A, s));
  }
  CHECK(lacks([] { chebyshev({1, 2, 3}, {1, 2}); }, {"chebyshev", "3 values", "2 of beta"}) == "");
}

TEST_CASE("the published coefficients come close to least squares", "[in_context]") {
  // the authors' table, digit by digit
  CHECK(published_coefficients(6).alpha ==
        Vector{1.0292039, 3.8550997, 3.7469113, 3.3827868, 2.9881542, 2.0934358});
  CHECK(published_coefficients(6).beta ==
        Vector{0, 0.6402129, 0.4798134, 0.8143542, 1.6680348, 2.4196014});
  CHECK(published_coefficients(6, PublishedFor::stacked).alpha[5] == 0.22242576);
  CHECK(published_coefficients(6, PublishedFor::stacked).beta[5] == 2.2919629);
  CHECK(published_coefficients(6, PublishedFor::features).alpha[1] == 4.0157757);
  CHECK(published_coefficients(6, PublishedFor::features).beta[5] == 2.425832);
  CHECK(published_coefficients(2).alpha == Vector{1.231576, 8.199612});
  CHECK(published_coefficients(2).beta == Vector{0, 4.9499435});
  const LinearDynamics paper;
  const auto loss = [&](const Predictor& predictor) {
    return loss_curve(paper, 1, stream::test_data, 400, predictor).total();
  };
  std::vector<double> losses;
  for (const Index K : {6, 2}) {
    const auto [alpha, beta] = published_coefficients(K);
    CHECK(std::ssize(alpha) == K);
    losses.push_back(loss(predict_with(chebyshev(alpha, beta), {.newest_pair = false})));
  }
  CHECK(std::abs(losses[0] - 0.230) < 0.01);  // the authors' 0.229 to 0.233
  CHECK(losses[0] < losses[1]);
  CHECK(losses[1] < loss(gradient_step_predictor(0.032)));
  for (const Index K : {0, 1, 3, 7, -2}) {
    const std::string name = text("K = ", K);
    CHECK(message_of([&] { published_coefficients(K); }).find(name) != std::string::npos);
  }
}

TEST_CASE("the loss of a gradient step is a parabola in the step size", "[in_context]") {
  const StepSizeSearch search = search_step_size(task, 2, stream::test_data, 50);
  const auto loss = [](double eta) {
    return loss_curve(task, 2, stream::test_data, 50, gradient_step_predictor(eta)).total();
  };
  for (const double eta : {0.0, 0.05, 0.4}) {
    CHECK(std::abs(search.loss(eta) - loss(eta)) < 1e-12 * loss(eta));
  }
  const double best = search.best_eta();
  CHECK(best > 0.01);
  CHECK(loss(best) < loss(0.99 * best));
  CHECK(loss(best) < loss(1.01 * best));
}

}  // namespace mesagrad
