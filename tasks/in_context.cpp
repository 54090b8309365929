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

Features stacked(Index k) {
  check(k > 0, "stacked: ", k, " states; there must be at least one");
  return [k](const Matrix& s) {
    const Index d = s.columns();
    Matrix z(s.rows(), Shape({k, d}).size());
    for (Index t = 0; t < s.rows(); ++t) {
      for (Index back = 0; back <= std::min(t, k - 1); ++back) {
        std::copy_n(s.row(t - back), d, z.row(t) + back * d);
      }
    }
    return z;
  };
}

Tensor features_of(const Tensor& states, const Features& features) {
  check(states.shape().rank() == 3 && states.dim(0) > 0, "features_of: states ", states.shape(),
        " should be (N, T + 1, d), N > 0");
  const Index N = states.dim(0), steps = states.dim(1), d = states.dim(2);
  std::vector<Matrix> all(static_cast<std::size_t>(N));
  parallel_for(N, [&](Index n) {
    Matrix s(steps, d);
    std::copy_n(states.data() + n * steps * d, steps * d, s.values().begin());
    all[static_cast<std::size_t>(n)] = features(s);
  });
  const Shape shape({N, steps, all[0].columns()});
  const Tensor result = Tensor::uninitialized(shape);
  real* to = result.data();
  for (const Matrix& x : all) {
    check(x.rows() == steps && x.columns() == shape[2], "features_of: features ", shape_of(x), " of states (",
          steps, ", ", d, ")");
    to = std::transform(x.values().begin(), x.values().end(), to,
                        [](double value) { return static_cast<real>(value); });
  }
  return result;
}

Predictor predict_with(ApplyInverse inverse, const InContext& options) {
  check(options.ridge > 0, "predict_with: the ridge is ", options.ridge, ", it must be positive");
  return [inverse = std::move(inverse), options](const Matrix& s) {
    check(s.rows() > 0, "predict_with: states (0, ", s.columns(), ") should be (T + 1, d)");
    const Matrix made = options.features ? options.features(s) : Matrix();
    const Matrix& x = options.features ? made : s;
    check(x.rows() == s.rows(), "predict_with: features ", shape_of(x), " of states ", shape_of(s));
    const Index T = s.rows() - 1, d = s.columns(), m = x.columns();
    Matrix A(m, m), C(d, m), prediction(T, d);
    // exercise 1.1: for t = 0 .. T - 1, learn from pair t (pair i is input x_{i-1} and target s_i; there is no
    //    pair 0), and write C_t·inverse(A_t, x_t) to row t of the prediction. A starts as ridge·I. If
    //    options.newest_pair is false, pair t is learned after the prediction; a pair for which options.teaches
    //    says false is never learned.
    for (Index i = 0; i < m; ++i) A(i, i) = options.ridge;
    const auto learn = [&](Index i) {  // pair i; pair 0 has the input 0 and teaches nothing
      if (i <= 0 || (options.teaches && !options.teaches(i))) return;
      add_outer(A, x.row(i - 1), x.row(i - 1));
      add_outer(C, s.row(i), x.row(i - 1));
    };
    for (Index t = 0; t < T; ++t) {
      learn(options.newest_pair ? t : t - 1);
      const std::span<const double> x_t(x.row(t), static_cast<std::size_t>(m));
      const Vector f = product(C, inverse(A, x_t));
      std::copy(f.begin(), f.end(), prediction.row(t));
    }
    // end 1.1
    return prediction;
  };
}

Predictor least_squares_predictor(const InContext& options) {
  const ApplyInverse exact = [](const Matrix& A, std::span<const double> s) -> Vector {
    // exercise 1.3: A⁻¹·s without an inverse
    Matrix b(A.rows(), 1);
    std::copy(s.begin(), s.end(), b.row(0));
    return copy_of(cholesky_solve(A, std::move(b)).values());
    // end 1.3
  };
  return predict_with(exact, options);
}

Predictor gradient_step_predictor(double eta) {
  const ApplyInverse step = [eta](const Matrix&, std::span<const double> s) -> Vector {
    // exercise 1.4: what one step of gradient descent has in the place of A⁻¹·s
    Vector x = copy_of(s);
    for (double& value : x) value *= eta;
    return x;
    // end 1.4
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
  return [alpha = std::move(alpha), beta = std::move(beta)](const Matrix& A, std::span<const double> s)
             -> Vector {
    check_system("chebyshev", A, s);
    // exercise 1.5: the iteration in in_context.h, from x_0 = p_0 = s, with Â = A/frobenius_norm(A)
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
    // end 1.5
  };
}

ChebyshevCoefficients published_coefficients(Index K, PublishedFor inputs) {
  const bool states = inputs == PublishedFor::states;
  check(K == 6 || (K == 2 && states), "published_coefficients: there are none for K = ", K,
        ", only for 6 and, of states, for 2");
  if (K == 2) return {{1.231576, 8.199612}, {0, 4.9499435}};
  if (inputs == PublishedFor::stacked) {
    return {{1.0931315, 3.109863, 3.1626225, 3.0759215, 1.9025781, 0.22242576},
            {0, 0.7379088, 0.18275392, 0.7571611, 1.2497796, 2.2919629}};
  }
  if (inputs == PublishedFor::features) {
    return {{1.0030721, 4.0157757, 3.866156, 3.3217084, 2.7570639, 2.1692858},
            {0, 0.56304085, 0.566149, 0.9348311, 1.5603266, 2.425832}};
  }
  return {{1.0292039, 3.8550997, 3.7469113, 3.3827868, 2.9881542, 2.0934358},
          {0, 0.6402129, 0.4798134, 0.8143542, 1.6680348, 2.4196014}};
}

StepSizeSearch search_step_size(const LinearDynamics& task, std::uint64_t seed, std::uint32_t stream,
                                Index sequences) {
  check(sequences > 0 && task.tokens > 0, "search_step_size: ", sequences, " sequences of ", task.tokens,
        " tokens; both must be positive");
  // exercise 1.6: the three coefficients of the mean loss of a token, as a function of η, from one pass over
  //    the sequences number 0 .. sequences - 1
  // With p_t = C_t s_t, the loss of η·p_t is (|y|² - 2η p·y + η²|p|²)/2. The three sums are collected
  // as a "loss curve" of three positions.
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
  // end 1.6
}

}  // namespace mesagrad
