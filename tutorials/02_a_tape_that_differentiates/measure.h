// What lesson 2 needs besides the library and its own subject: the task as tensors, the bookkeeping of a
// training run, and a table.
#pragma once
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/linalg.h"
#include "nn/parameters.h"
#include "tasks/in_context.h"
#include "tutorials/lesson/train.h"
#include "tutorials/lesson/lesson.h"

namespace mesagrad {

// States moved back by `steps` positions, zeros in front: (B, T, d) from states (B, T + 1, d).
inline Tensor delayed(const Tensor& states, Index steps) {
  const Index B = states.dim(0), T = states.dim(1) - 1, d = states.dim(2);
  Tensor result({B, T, d});
  for (Index b = 0; b < B; ++b) {
    for (Index t = steps; t < T; ++t) {
      std::copy_n(&states[(b * (T + 1) + t - steps) * d], d, &result[(b * T + t) * d]);
    }
  }
  return result;
}

// 1/||A_t|| for every position, d times each: (B, T, d), with A_t = Σ k_i k_iᵀ + ridge·I over i <= t, for
// keys k (B, T, d). Data, not differentiated.
inline Tensor inverse_norms(const Tensor& keys, real ridge) {
  const Index B = keys.dim(0), T = keys.dim(1), d = keys.dim(2);
  Tensor result(keys.shape());
  for (Index b = 0; b < B; ++b) {
    Matrix A(d, d);
    for (Index i = 0; i < d; ++i) A(i, i) = static_cast<double>(ridge);
    for (Index t = 0; t < T; ++t) {
      const real* key = &keys[(b * T + t) * d];
      for (Index i = 0; i < d; ++i) {
        for (Index j = 0; j < d; ++j) A(i, j) += static_cast<double>(key[i]) * key[j];
      }
      std::fill_n(&result[(b * T + t) * d], d, static_cast<real>(1 / frobenius_norm(A)));
    }
  }
  return result;
}

// A (rows, columns) matrix of normal numbers, another one for every `number`.
inline Tensor random_matrix(Index rows, Index columns, std::uint64_t seed, std::uint64_t number) {
  Tensor result({rows, columns});
  Random random(seed, stream::analysis_data, number);
  for (Index i = 0; i < result.size(); ++i) result[i] = static_cast<real>(random.normal());
  return result;
}

// The coefficients of an iterative solver, as numbers that training may change. They start as those of the
// plain geometric series.
struct AdjustableCoefficients {
  std::vector<Tensor> alpha, beta;  // one for each iteration

  explicit AdjustableCoefficients(Index iterations) {
    for (Index k = 0; k < iterations; ++k) {
      alpha.push_back(Tensor({}, 1).requires_grad());
      beta.push_back(Tensor({}, 0).requires_grad());
    }
  }

  Parameters parameters() {
    Parameters result;
    for (std::size_t k = 0; k < alpha.size(); ++k) {
      result.push_back({text("alpha ", k + 1), &alpha[k]});
      result.push_back({text("beta ", k + 1), &beta[k]});
    }
    return result;
  }

  ChebyshevCoefficients coefficients() const {
    ChebyshevCoefficients result;
    for (const Tensor& x : alpha) result.alpha.push_back(x.item());
    for (const Tensor& x : beta) result.beta.push_back(x.item());
    return result;
  }
};

// A function of coefficients: the mean loss of the solver that has them on `sequences` test sequences of the
// task, divided by what these happen to be too long or too short (lesson 1).
inline auto solver_loss_on(const LinearDynamics& task, std::uint64_t seed, Index sequences) {
  const auto mean_loss = [=](const Predictor& predictor) {
    return loss_curve(task, seed, stream::test_data, sequences, predictor).total();
  };
  const double exact_zero = 10.0 / 6 + 10 * 1e-4 * 51 / 4;
  const double zero = mean_loss([](const Matrix& s) { return Matrix(s.rows() - 1, s.columns()); });
  const double luck = zero / exact_zero;
  return [=](const ChebyshevCoefficients& c) {
    return mean_loss(predict_with(chebyshev(c.alpha, c.beta), {.newest_pair = false})) / luck;
  };
}

// Draws η as it was before each update, its mean from update `arrived` on, and the best η by line search.
inline void show_learning(lesson::Lesson& L, const std::vector<double>& etas, Index arrived, double mean_eta,
                          double best_eta, const lesson::Place& place = lesson::Place::here()) {
  std::vector<double> updates;
  for (std::size_t n = 0; n < etas.size(); ++n) updates.push_back(static_cast<double>(n));
  lesson::LinePlot plot{.name = "learning-eta",
                        .title = "The step size η while it is learned",
                        .x = "update",
                        .y = "η",
                        .caption = text("Dashed: the minimum of the parabola of lesson 1. Thin: the mean of ",
                                        "η from update ", arrived, " on. Does it come to the dashed line, ",
                                        "and stay there?")};
  plot.line("η while it learns", updates, etas, {.points = true});
  plot.line("line search", {updates.front(), updates.back()}, {best_eta, best_eta}, {.dashed = true});
  const double first = static_cast<double>(arrived);
  plot.line("mean of η", {first, updates.back()}, {mean_eta, mean_eta}, {.thin = true});
  L.show(plot, place);
}

// The loss of training, a mean of about a hundredth of the updates at a time.
struct History {
  std::vector<double> updates, loss;
};

// What is around training: calls update(n), which makes update n = 0 .. updates - 1 and returns its loss,
// draws a bar, and saves the model and the optimizer from time to time, so that RESUME=1 goes on with a run
// that was killed, if it is the same training (`recipe`, in words).
template <class Optimizer, class Update>
History follow(lesson::Lesson& L, const std::string& recipe, const Parameters& parameters,
               Optimizer& optimizer, Index updates, const Update& update) {
  History history;
  double average = 0;
  const Index every = std::max<Index>(1, updates / 100);
  Checkpoint checkpoint = lesson::checkpoint(L, "solver", text("updates ", updates, ", ", recipe));
  checkpoint.keep("solver", parameters);
  checkpoint.keep("optimizer", optimizer);
  checkpoint.keep("history n", history.updates);
  checkpoint.keep("history", history.loss);
  checkpoint.keep("average", average);
  const Index start = checkpoint.start(updates);
  lesson::Progress bar = L.progress("learning twelve coefficients", updates, start);
  for (Index n = start; n < updates; ++n) {
    checkpoint.save_when_due(n);
    const double loss = update(n);
    average += loss / static_cast<double>(every);
    if ((n + 1) % every == 0) {
      history.updates.push_back(static_cast<double>(n + 1));
      history.loss.push_back(std::exchange(average, 0));
    }
    bar.update(n + 1, loss);
  }
  return history;
}

// Shows a table of learned coefficients beside the authors', and returns the largest relative difference of
// a step size α.
inline double show_coefficients(lesson::Lesson& L, const ChebyshevCoefficients& ours,
                                const ChebyshevCoefficients& theirs,
                                const lesson::Place& place = lesson::Place::here()) {
  lesson::Table table{.title = "The coefficients",
                      .caption = "Compare the losses before the numbers: different coefficients can make "
                                 "nearly the same polynomial.",
                      .columns = {"k", "α learned", "α published", "β learned", "β published"}};
  const auto number = [](double x) { return lesson::short_number(x, 4); };
  double largest = 0;
  for (std::size_t k = 0; k < ours.alpha.size(); ++k) {
    largest = std::max(largest, std::abs(ours.alpha[k] / theirs.alpha[k] - 1));
    table.row({text(k + 1), number(ours.alpha[k]), number(theirs.alpha[k]), number(ours.beta[k]),
               number(theirs.beta[k])});
  }
  L.show(table, place);
  return largest;
}

}  // namespace mesagrad
