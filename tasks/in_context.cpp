#include "tasks/in_context.h"

#include <cmath>
#include <utility>

namespace mesagrad {
namespace {

using Vector = std::vector<double>;

Vector copy_of(std::span<const double> s) { return {s.begin(), s.end()}; }

// A (d, d) and s (d) belong together.
void check_system(const char* op, const Matrix& A, std::span<const double> s) {
  check(A.rows() == A.columns() && A.rows() == std::ssize(s), op, ": A ", shape_of(A),
        " does not fit a vector of ", s.size());
}

Vector product(const Matrix& A, std::span<const double> x) {
  check(A.columns() == std::ssize(x), "predict_with: a matrix ", shape_of(A),
        " does not fit a vector of ", x.size());
  Vector result(static_cast<std::size_t>(A.rows()));
  for (Index i = 0; i < A.rows(); ++i) {
    double sum = 0;
    for (Index j = 0; j < A.columns(); ++j) sum += A(i, j) * x[static_cast<std::size_t>(j)];
    result[static_cast<std::size_t>(i)] = sum;
  }
  return result;
}

// A += x·yᵀ
void add_outer(Matrix& A, const double* x, const double* y) {
  for (Index i = 0; i < A.rows(); ++i) {
    for (Index j = 0; j < A.columns(); ++j) A(i, j) += x[i] * y[j];
  }
}

}  // namespace

Predictor predict_with(ApplyInverse inverse, const InContext& options) {
  check(options.ridge > 0, "predict_with: the ridge is ", options.ridge, ", it must be positive");
  return [inverse = std::move(inverse), options](const Matrix& s) {
    check(s.rows() > 0, "predict_with: states (0, ", s.columns(), ") should be (T + 1, d)");
    const Index T = s.rows() - 1, d = s.columns();
    Matrix A(d, d), C(d, d), prediction(T, d);
    for (Index i = 0; i < d; ++i) A(i, i) = options.ridge;
    const auto learn = [&](Index i) {  // pair i; pair 0 has the input 0 and teaches nothing
      if (i <= 0) return;
      add_outer(A, s.row(i - 1), s.row(i - 1));
      add_outer(C, s.row(i), s.row(i - 1));
    };
    for (Index t = 0; t < T; ++t) {
      learn(options.newest_pair ? t : t - 1);
      const std::span<const double> s_t(s.row(t), static_cast<std::size_t>(d));
      const Vector f = product(C, inverse(A, s_t));
      std::copy(f.begin(), f.end(), prediction.row(t));
    }
    return prediction;
  };
}

Predictor least_squares_predictor(const InContext& options) {
  const ApplyInverse exact = [](const Matrix& A, std::span<const double> s) {
    Matrix b(A.rows(), 1);
    std::copy(s.begin(), s.end(), b.row(0));
    return copy_of(cholesky_solve(A, std::move(b)).values());
  };
  return predict_with(exact, options);
}

Predictor gradient_step_predictor(double eta) {
  const ApplyInverse step = [eta](const Matrix&, std::span<const double> s) {
    Vector x = copy_of(s);
    for (double& value : x) value *= eta;
    return x;
  };
  return predict_with(step);
}

ApplyInverse neumann(Index K) {
  check(K >= 0, "neumann: ", K, " terms; there can't be fewer than 0");
  return richardson(Vector(static_cast<std::size_t>(Shape({K}).size()), 1.0));
}

ApplyInverse newton(Index K) {
  check(K >= 0, "newton: ", K, " iterations; there can't be fewer than 0");
  return [K](const Matrix& A, std::span<const double> s) {
    check_system("newton", A, s);
    const Index n = A.rows();
    double trace = 0;
    for (Index i = 0; i < n; ++i) trace += A(i, i);
    Matrix X(n, n);
    for (Index i = 0; i < n; ++i) X(i, i) = 1 / trace;
    for (Index k = 0; k < K; ++k) {
      Matrix correction = multiply(A, X);
      for (double& value : correction.values()) value = -value;
      for (Index i = 0; i < n; ++i) correction(i, i) += 2;
      X = multiply(X, correction);
    }
    return product(X, s);
  };
}

ApplyInverse richardson(std::vector<double> omega) {
  Vector no_momentum(omega.size(), 0.0);
  return chebyshev(std::move(omega), std::move(no_momentum));
}

ApplyInverse chebyshev(std::vector<double> alpha, std::vector<double> beta) {
  check(alpha.size() == beta.size(), "chebyshev: ", alpha.size(), " values of alpha and ",
        beta.size(), " of beta; there must be as many");
  return [alpha = std::move(alpha), beta = std::move(beta)](const Matrix& A, std::span<const double> s) {
    check_system("chebyshev", A, s);
    const double norm = frobenius_norm(A);
    Vector p = copy_of(s), x = p, before = p;
    for (std::size_t k = 0; k < alpha.size(); ++k) {
      const Vector Ap = product(A, p);
      for (std::size_t i = 0; i < x.size(); ++i) {
        p[i] -= alpha[k] / norm * Ap[i];
        const double next = x[i] + p[i] + beta[k] * (x[i] - before[i]);
        before[i] = std::exchange(x[i], next);
      }
    }
    for (double& value : x) value /= norm;
    return x;
  };
}

ChebyshevCoefficients published_coefficients(Index K) {
  check(K == 6 || K == 2, "published_coefficients: there are none for K = ", K, ", only for 6 and 2");
  if (K == 2) return {{1.231576, 8.199612}, {0, 4.9499435}};
  return {{1.0292039, 3.8550997, 3.7469113, 3.3827868, 2.9881542, 2.0934358},
          {0, 0.6402129, 0.4798134, 0.8143542, 1.6680348, 2.4196014}};
}

StepSizeSearch search_step_size(const LinearDynamics& task, std::uint64_t seed, std::uint32_t stream,
                                Index sequences) {
  // With p_t = C_t s_t, the loss of η·p_t is (|y|² - 2η p·y + η²|p|²)/2. The three sums are collected
  // as a "loss curve" of three positions.
  check(sequences > 0 && task.tokens > 0, "search_step_size: ", sequences, " sequences of ", task.tokens,
        " tokens; both must be positive");
  const Predictor direction = gradient_step_predictor(1);
  const LossCurve sums = loss_curve(sequences, 3, [&](Index first, Index count, double* out) {
    for (Index i = first; i < first + count; ++i, out += 3) {
      const auto s = task.sample(Random(seed, stream, static_cast<std::uint64_t>(i))).states;
      const Matrix p = direction(s);
      out[0] = out[1] = out[2] = 0;
      for (Index t = 0; t < task.tokens; ++t) {
        for (Index j = 0; j < task.dimension; ++j) {
          out[0] += s(t + 1, j) * s(t + 1, j) / 2;
          out[1] -= p(t, j) * s(t + 1, j);
          out[2] += p(t, j) * p(t, j) / 2;
        }
      }
    }
  });
  const auto T = static_cast<double>(task.tokens);
  return {sums.mean[0] / T, sums.mean[1] / T, sums.mean[2] / T};
}

}  // namespace mesagrad
