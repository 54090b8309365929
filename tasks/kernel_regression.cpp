#include "tasks/kernel_regression.h"

#include <algorithm>
#include <cmath>

#include "core/elementary.h"

namespace mesagrad {
namespace {

void check_betas(const std::vector<double>& betas) {
  for (const double beta : betas) check(std::isfinite(beta), "kernel regression: β is ", beta);
}

// s_i·s_t for all i < t.
std::vector<double> scores_of(const Matrix& s, Index t) {
  std::vector<double> scores;
  for (Index i = 0; i < t; ++i) {
    double score = 0;
    for (Index j = 0; j < s.columns(); ++j) score += s(i, j) * s(t, j);
    scores.push_back(score);
  }
  return scores;
}

// f_t (d) for t > 0 scores. All are measured from the one of the largest weight: that cancels in the p_i, and
// no exponential is above 1.
void predict(const Matrix& s, const std::vector<double>& scores, double beta, double* f) {
  const auto [low, high] = std::ranges::minmax(scores);
  const double top = beta > 0 ? high : low;
  std::fill_n(f, s.columns(), 0.0);
  double total = 0;
  for (Index i = 0; i < std::ssize(scores); ++i) {
    const double weight = exponential(beta * (scores[static_cast<std::size_t>(i)] - top));
    total += weight;
    const double* next = s.row(i + 1);
    for (Index j = 0; j < s.columns(); ++j) f[j] += weight * next[j];
  }
  for (Index j = 0; j < s.columns(); ++j) f[j] /= total;
}

}  // namespace

Predictor kernel_regression_predictor(double beta) {
  check_betas({beta});
  return [beta](const Matrix& s) {
    check(s.rows() > 0, "kernel regression: states (0, ", s.columns(), ") should be (T + 1, d)");
    Matrix prediction(s.rows() - 1, s.columns());
    for (Index t = 1; t < prediction.rows(); ++t) predict(s, scores_of(s, t), beta, prediction.row(t));
    return prediction;
  };
}

std::vector<double> kernel_regression_losses(const Matrix& s, const std::vector<double>& betas) {
  check_betas(betas);
  check(s.rows() > 1, "kernel regression: states ", shape_of(s), " have no position");
  const Index T = s.rows() - 1, d = s.columns();
  std::vector<double> losses(betas.size(), 0.0), f(static_cast<std::size_t>(d), 0.0);
  for (Index t = 0; t < T; ++t) {
    const std::vector<double> scores = scores_of(s, t);
    for (std::size_t b = 0; b < betas.size(); ++b) {
      if (t > 0) predict(s, scores, betas[b], f.data());
      double sum = 0;
      for (Index j = 0; j < d; ++j) {
        const double error = f[static_cast<std::size_t>(j)] - s(t + 1, j);
        sum += error * error;
      }
      losses[b] += sum / 2 / static_cast<double>(T);
    }
  }
  return losses;
}

LossCurve kernel_regression_curve(const LinearDynamics& task, std::uint64_t seed, std::uint32_t stream,
                                  Index sequences, const std::vector<double>& betas) {
  check(!betas.empty(), "kernel regression: there is no β");
  LossCurve curve = loss_curve(sequences, std::ssize(betas), [&](Index first, Index count, double* out) {
    for (Index i = first; i < first + count; ++i) {
      const Matrix states = task.sample(Random(seed, stream, static_cast<std::uint64_t>(i))).states;
      out = std::ranges::copy(kernel_regression_losses(states, betas), out).out;
    }
  });
  curve.t = betas;
  return curve;
}

}  // namespace mesagrad
