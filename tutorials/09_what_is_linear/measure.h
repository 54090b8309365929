// What lesson 9 measures of classical methods in many dimensions, and of students.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "tasks/in_context.h"
#include "tasks/kernel_regression.h"
#include "tutorials/09_what_is_linear/paper.h"
#include "tutorials/lesson/lesson.h"

namespace mesagrad {

inline std::string percent(double part) { return lesson::fixed_number(100 * part, 0) + " %"; }

// Of a block, or of all.
struct Answer {
  Tensor output, target;  // (B, T, D)
};

// Mean loss (7, T) of each block's answer at each position over `sequences` test sequences;
// answers_of(inputs) gives the seven.
template <class AnswersOf>
Matrix losses_by_block(const LinearDynamics& task, std::uint64_t seed, Index sequences,
                       const AnswersOf& answers_of) {
  const Index T = task.tokens;
  Matrix result(7, T);
  const LossCurve all = loss_curve(sequences, 7 * T, [&](Index first, Index count, double* out) {
    for (Index i = first; i < first + count; ++i) {
      for (const Answer& answer : answers_of(task.batch(seed, stream::test_data, i, 1).inputs)) {
        squared_errors(answer.output, answer.target, out);
        out += T;
      }
    }
  });
  std::ranges::copy(all.mean, result.values().begin());
  return result;
}

// For each block, the sum over positions divided by that of another matrix.
inline std::vector<double> ratios(const Matrix& a, const Matrix& b) {
  std::vector<double> result;
  for (Index block = 0; block < a.rows(); ++block) {
    double above = 0, below = 0;
    for (Index t = 0; t < a.columns(); ++t) {
      above += a(block, t);
      below += b(block, t);
    }
    result.push_back(above / below);
  }
  return result;
}

// Over all blocks and the positions from `first` to before `end`.
inline double sum_of(const Matrix& by_block, Index first, Index end) {
  double sum = 0;
  for (Index block = 0; block < by_block.rows(); ++block) {
    for (Index t = first; t < end; ++t) sum += by_block(block, t);
  }
  return sum;
}

// How near the past comes to a state, mean over the last quarter of `sequences` sequences: the cosine of the
// smallest angle that it has with an earlier state.
inline double nearest_cosine(const LinearDynamics& task, std::uint64_t seed, Index sequences) {
  double nearest = 0;
  const Index T = task.tokens, first = 3 * T / 4;
  for (Index n = 0; n < sequences; ++n) {
    const Matrix s = task.sample(Random(seed, stream::test_data, static_cast<std::uint64_t>(n))).states;
    const Matrix product = multiply(s, transpose(s));
    for (Index t = first; t < T; ++t) {
      double most = -1;
      for (Index i = 0; i < t; ++i) {
        most = std::max(most, product(t, i) / std::sqrt(product(t, t) * product(i, i)));
      }
      nearest += most / static_cast<double>(sequences * (T - first));
    }
  }
  return nearest;
}

// Losses per dimension.
struct Classical {
  Index dimension;
  double kernel, beta;       // with the best β
  double behind, all_pairs;  // least squares as the authors', without the newest pair, and with it
  double nearest;            // cosine
};

// The authors' forty: 0.0001 to 4, as far from each other.
inline std::vector<double> authors_betas() {
  std::vector<double> betas;
  for (int i = 0; i < 40; ++i) betas.push_back(1e-4 + i * (4 - 1e-4) / 39);
  return betas;
}

// The authors choose the best of forty ridges from 10⁻⁴ on, .256 apart. From d = 20 on their losses are those
// of the second, .256, though the first would be 2 to 4 % better: perhaps single precision could not invert
// with it.
inline double authors_ridge(Index d) { return d < 20 ? 1e-4 : 1e-4 + (10 - 1e-4) / 39; }

// Of the authors' dimension number n.
inline Classical compare_classics(const lesson::Lesson& L, std::size_t n, Index sequences) {
  const Index d = paper::kernel_dimensions[n];
  const LinearDynamics task = {.dimension = d, .tokens = 4 * d, .clip = 1000};
  const LossCurve kernel =
      kernel_regression_curve(task, L.seed(), stream::test_data, sequences, authors_betas());
  const auto best = static_cast<std::size_t>(std::ranges::min_element(kernel.mean) - kernel.mean.begin());
  const auto least_squares = [&](const InContext& options) {
    return loss_curve(task, L.seed(), stream::test_data, sequences, least_squares_predictor(options));
  };
  const LossCurve behind = least_squares({.ridge = authors_ridge(d), .newest_pair = false});
  const auto per_dimension = [d](double x) { return x / static_cast<double>(d); };
  return {.dimension = d,
          .kernel = per_dimension(kernel.mean[best]),
          .beta = kernel.t[best],
          .behind = per_dimension(behind.total()),
          .all_pairs = per_dimension(least_squares({}).total()),
          .nearest = nearest_cosine(task, L.seed(), std::min<Index>(sequences, 64))};
}

// The largest difference from the authors' numbers, as a part of them.
inline double farthest(const std::vector<Classical>& all, double Classical::*loss,
                       const std::vector<double>& authors) {
  double most = 0;
  for (std::size_t n = 0; n < all.size(); ++n) {
    most = std::max(most, std::abs(all[n].*loss / authors[n] - 1));
  }
  return most;
}

inline lesson::LinePlot classical_figure(const std::vector<Classical>& all) {
  lesson::LinePlot plot{.name = "kernel",
                        .title = "Loss per dimension of two ways to learn from pairs",
                        .x = "dimension d, of sequences of 4d states",
                        .y = "loss / d",
                        .caption = "Which line depends on the dimension? Saying 0 costs 1/6 in all. Least "
                                   "squares without the newest pair, as the authors' code has it.",
                        .log_x = true,
                        .y_low = 0};
  std::vector<double> d, kernel, behind;
  for (const Classical& one : all) {
    d.push_back(static_cast<double>(one.dimension));
    kernel.push_back(one.kernel);
    behind.push_back(one.behind);
  }
  plot.line("kernel regression", d, kernel, {.points = true});
  plot.line("kernel regression, authors", d, paper::kernel_regression,
            {.given = true, .like = "kernel regression"});
  plot.line("least squares", d, behind, {.points = true});
  plot.line("least squares, authors", d, paper::least_squares, {.given = true, .like = "least squares"});
  return plot;
}

// What each student misses of its target's energy, on its way.
inline lesson::LinePlot imitation_figure(Index d, const std::vector<double>& updates,
                                         const std::vector<std::vector<double>>& missed) {
  lesson::LinePlot plot{.name = text("imitation-", d),
                        .title = text("Linear students of seven softmax layers, d = ", d),
                        .x = "updates",
                        .y = "error, answering 0 = 1",
                        .caption = "Squared error of each student's answers as a part of its target's "
                                   "energy. Do the lines still fall at the end?",
                        .log_y = true};
  for (std::size_t block = 0; block < 7; ++block) {
    std::vector<double> line;
    for (const std::vector<double>& moment : missed) line.push_back(moment[block]);
    plot.line(text("block ", block + 1), updates, line);
  }
  return plot;
}

// Test losses, teacher's = 1, with each block's student in its place, and with nothing there.
struct Swapped {
  Index dimension;
  std::vector<double> student, removed;

  // Of what the model loses without the block, the part that it does not lose with the student.
  double saved(std::size_t block) const { return (removed[block] - student[block]) / (removed[block] - 1); }
};

inline lesson::Table swap_table(const Swapped& swapped, const std::vector<double>& missed,
                                const paper::Linearization& authors) {
  lesson::Table table{.title = text("Loss with one block replaced, teacher's = 1, d = ", swapped.dimension),
                      .caption = "Missed: of the energy of what the block's attention adds. Saved: of what "
                                 "is lost with nothing in its place. The authors': five training seeds.",
                      .columns = {"block", "missed", "nothing", "student", "saved", "authors' student"}};
  for (std::size_t block = 0; block < 7; ++block) {
    table.row({text(block + 1), percent(missed[block]), lesson::fixed_number(swapped.removed[block], 2),
               lesson::fixed_number(swapped.student[block], 2),
               swapped.removed[block] > 1.02 ? percent(swapped.saved(block)) : "",
               text(lesson::fixed_number(authors.mean[block], 2), " ± ",
                    lesson::fixed_number(authors.deviation[block], 2))});
  }
  return table;
}

inline lesson::LinePlot swap_figure(const std::vector<Swapped>& all) {
  lesson::LinePlot plot{.name = "linearized",
                        .title = "The loss with one block made linear, or taken out",
                        .x = "block",
                        .y = "loss, teacher's = 1",
                        .caption = "Which blocks can be linear? Solid: the student in the block's place; "
                                   "thin: nothing in its place; dashed: the authors' students, mean and "
                                   "standard deviation of five training seeds.",
                        .log_y = true};
  const std::vector<double> blocks = {1, 2, 3, 4, 5, 6, 7};
  for (const Swapped& one : all) {
    if (all.size() > 1) plot.panel(text("d = ", one.dimension));
    const auto& authors =
        *std::ranges::find(paper::linearization, one.dimension, &paper::Linearization::dimension);
    plot.line("student", blocks, one.student, {.points = true});
    plot.line("authors' student", blocks, authors.mean,
              {.std = authors.deviation, .band = true, .given = true, .like = "student"});
    plot.line("nothing", blocks, one.removed, {.thin = true, .points = true});
  }
  return plot;
}

}  // namespace mesagrad
