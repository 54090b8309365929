// What lesson 3 measures and draws with, besides the library: none of it is the lesson's subject.
#pragma once
#include <algorithm>
#include <cmath>

#include "core/elementary.h"
#include "nn/linear_transformer.h"
#include "tasks/compression.h"
#include "tasks/in_context.h"
#include "tutorials/lesson/train.h"
#include "tutorials/lesson/lesson.h"

namespace mesagrad {

// What one training run leaves behind, test by test.
struct Run {
  std::vector<LinearTransformer> snapshots;
  std::vector<double> loss;  // on the test sequences
};

// All that a killed training needs in order to go on.
inline void keep(Checkpoint& checkpoint, Run& run, LinearTransformer& model, AdamW& optimizer) {
  checkpoint.keep("model", model.parameters());
  checkpoint.keep("optimizer", optimizer);
  checkpoint.keep("snapshots", run.snapshots, model);
  checkpoint.keep("test loss", run.loss);
}

// Have two models the same bits in all their weights?
inline bool same_weights(LinearTransformer a, LinearTransformer b) {
  const Parameters first = a.parameters(), second = b.parameters();
  bool same = first.size() == second.size();
  for (std::size_t p = 0; same && p < first.size(); ++p) {
    const Tensor &x = *first[p].tensor, &y = *second[p].tensor;
    same = std::equal(x.data(), x.data() + x.size(), y.data(), y.data() + y.size());
  }
  return same;
}

// The rows from first_row on and the columns from first_column on of a product, row by row, times a factor.
inline std::vector<double> part_of(const Matrix& product, Index first_row, Index rows, Index first_column,
                                   Index columns, double factor = 1) {
  std::vector<double> values;
  for (Index i = first_row; i < first_row + rows; ++i) {
    for (Index j = first_column; j < first_column + columns; ++j) values.push_back(factor * product(i, j));
  }
  return values;
}

// 1 or -1. A head with both its products times -1 computes the same, so pictures and tables show the one of
// the two whose values copy s_i with a plus.
inline double sign_of(const SelfAttention& layer, Index head, Index d) {
  return block_scalars(value_output_product(layer, head), d)(2, 0) < 0 ? -1 : 1;
}

// Draws W_q·W_kᵀ and W_v·W_o of both heads of a layer, in each of some snapshots: of all channels those that
// carry states, and the prediction.
inline void show_products(lesson::Lesson& L, const std::vector<LinearTransformer>& snapshots,
                          const std::vector<std::string>& titles, Index d,
                          const lesson::Place& place = lesson::Place::here()) {
  lesson::HeatMap qk{.name = "query-key",
                     .title = "W_q·W_kᵀ of both heads while training",
                     .caption = "Rows: what the query reads; columns: what the key reads. Look for multiples "
                                "of the identity. (A head with both its products times -1 is the same head; "
                                "shown is the one whose values copy s_i with a plus.)",
                     .columns = static_cast<int>(titles.size()),
                     .row_titles = {"head 1", "head 2"},
                     .block = d,
                     .row_labels = {"sₜ", "sₜ₋₁"},
                     .column_labels = {"sᵢ", "sᵢ₋₁"}};
  lesson::HeatMap vo = qk;
  vo.name = "value-output";
  vo.title = "W_v·W_o of both heads while training";
  vo.caption = "Rows: what the value reads; columns: the prediction it is written to.";
  vo.row_labels = {"sᵢ", "sᵢ₋₁"};
  vo.column_labels = {"prediction"};
  for (Index head = 0; head < 2; ++head) {
    const double sign = sign_of(snapshots.back().blocks[0].attention, head, d);
    for (std::size_t n = 0; n < titles.size(); ++n) {
      const SelfAttention& layer = snapshots[n].blocks[0].attention;
      const Matrix q_k = query_key_product(layer, head), v_o = value_output_product(layer, head);
      qk.panel(titles[n], 2 * d, 2 * d, part_of(q_k, 2 * d, 2 * d, 2 * d, 2 * d, sign));
      vo.panel(titles[n], 2 * d, d, part_of(v_o, 2 * d, 2 * d, 0, d, sign));
    }
  }
  L.show(qk, place);
  L.show(vo, place);
}

// How much of a layer's four pictures above is multiples of the identity: replace each d x d block by the
// mean of its diagonal times the identity; what part of the sum of squares is left? The mean over the four,
// from 0 to 1. A block of independent random numbers would have 1/d² on average.
inline double identity_share(const LinearTransformer& model, Index d) {
  const SelfAttention& layer = model.blocks[0].attention;
  double shares = 0;
  for (Index head = 0; head < 2; ++head) {
    for (const bool query_key : {true, false}) {
      const Matrix product = query_key ? query_key_product(layer, head) : value_output_product(layer, head);
      const Matrix scalars = block_scalars(product, d);
      double all = 0, left = 0;
      for (Index row = 2; row < 4; ++row) {
        for (Index column = query_key ? 2 : 0; column < (query_key ? 4 : 1); ++column) {
          left += static_cast<double>(d) * power(scalars(row, column), 2);
          for (const double x : part_of(product, row * d, d, column * d, d)) all += x * x;
        }
      }
      if (all > 0) shares += left / all / 4;
    }
  }
  return shares;
}

// A table of the six numbers that compression leaves of each head.
inline void show_scalars(lesson::Lesson& L, const LinearTransformer& layer, Index d, double step_size,
                         const lesson::Place& place = lesson::Place::here()) {
  lesson::Table table{.title = "What is left of each head",
                      .caption = text("Step size: the products of the second and the last column but one, ",
                                      "added up, ", lesson::short_number(step_size, 3), "."),
                      .columns = {"head", "sₜ·sᵢ", "sₜ·sᵢ₋₁", "sₜ₋₁·sᵢ", "sₜ₋₁·sᵢ₋₁", "copies sᵢ",
                                  "copies sᵢ₋₁"}};
  for (Index head = 0; head < 2; ++head) {
    const double sign = sign_of(layer.blocks[0].attention, head, d);
    const auto number = [&](double x) { return lesson::fixed_number(sign * x, 4); };
    const Matrix qk = block_scalars(query_key_product(layer.blocks[0].attention, head), d);
    const Matrix vo = block_scalars(value_output_product(layer.blocks[0].attention, head), d);
    table.row({text(head + 1), number(qk(2, 2)), number(qk(2, 3)), number(qk(3, 2)), number(qk(3, 3)),
               number(vo(2, 0)), number(vo(3, 0))});
  }
  L.show(table, place);
}

// Mean and standard deviation of each column of equally long rows; of a single row the deviation is 0.
struct Columns {
  std::vector<double> mean, deviation;
};
inline Columns columns_of(const std::vector<std::vector<double>>& rows) {
  const auto count = static_cast<double>(rows.size());
  Columns result{std::vector<double>(rows[0].size()), std::vector<double>(rows[0].size())};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) result.mean[i] += row[i] / count;
  }
  if (rows.size() < 2) return result;
  for (std::size_t i = 0; i < result.mean.size(); ++i) {
    double squares = 0;
    for (const auto& row : rows) squares += power(row[i] - result.mean[i], 2);
    result.deviation[i] = std::sqrt(squares / (count - 1));
  }
  return result;
}

// As many values from the first on.
inline std::vector<double> first_of(const std::vector<double>& values, std::size_t count) {
  return {values.begin(), values.begin() + static_cast<std::ptrdiff_t>(std::min(count, values.size()))};
}

// Rows of the page's last table: losses after 100·moment updates, ours divided by the luck of our test
// sequences, and the authors'. Moments that this run has not reached are left out.
inline void compare_losses(lesson::Lesson& L, const std::string& name, const std::vector<double>& ours,
                           double luck, const std::vector<double>& theirs,
                           const std::vector<std::size_t>& moments) {
  for (const std::size_t i : moments) {
    if (i >= ours.size()) break;
    L.compare(text(name, " after ", i * 100, " updates"), ours[i] / luck, theirs[i],
              {.figure = "4A", .updates = static_cast<Index>(i) * 100});
  }
}

// The largest distance of a curve to the authors', in units of what chance allows: 2 % for their test
// sequences, and three standard errors of the difference of two means over so many seeds.
inline double distance(const Columns& ours, double luck, const std::vector<double>& theirs,
                       std::uint64_t seeds) {
  double largest = 0;
  for (std::size_t i = 0; i < std::min(ours.mean.size(), theirs.size()); ++i) {
    const double chance =
        0.02 * theirs[i] + 3 * ours.deviation[i] * std::sqrt(2.0 / static_cast<double>(seeds));
    largest = std::max(largest, std::abs(ours.mean[i] / luck - theirs[i]) / chance);
  }
  return largest;
}

}  // namespace mesagrad
