// Lesson 11's prompts in numbers, and their losses pair by pair.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tasks/few_shot.h"
#include "tutorials/lesson/lesson.h"

namespace mesagrad {

struct PromptSizes {
  Index dimension, tokens, prefix;
  Index before_plain, before;  // pairs of the first of two tasks, without separators and with them
  Index shown;                 // of these, in figures: the last of the first task is not far from 0
};

// The task with a prompt that ends with x of the last of so many pairs.
inline FewShot with_pairs(FewShot task, Index pairs) {
  task.tokens = task.place(pairs - 1) + 1;
  return task;
}

inline double cost_of_zero(const FewShot& task) {
  const auto d = static_cast<double>(task.dimension);
  return d * task.range * task.range / 6 + d * task.noise * task.noise / 2;
}

// The curve over the numbers 0, 1, ... of its pairs, in the place of their positions.
inline LossCurve by_pair(LossCurve curve) {
  for (std::size_t i = 0; i < curve.t.size(); ++i) curve.t[i] = static_cast<double>(i);
  return curve;
}

// Of two tasks in one prompt: the first `shown` pairs of the first, and then those of the second.
inline LossCurve around_switch(LossCurve curve, Index switch_after, Index shown) {
  for (std::vector<double>* numbers : {&curve.mean, &curve.deviation}) {
    numbers->erase(numbers->begin() + shown, numbers->begin() + switch_after);
  }
  curve.t.resize(curve.mean.size());
  return by_pair(std::move(curve));
}

// The pair that costs most, of those behind the first.
inline Index peak_of(const LossCurve& curve) {
  return std::max_element(curve.mean.begin() + 1, curve.mean.end()) - curve.mean.begin();
}

inline double largest_entry(const Tensor& x) {
  double largest = 0;
  for (Index i = 0; i < x.size(); ++i) largest = std::max(largest, std::abs(static_cast<double>(x[i])));
  return largest;
}

// The mean of the first `count`.
inline double mean_of_first(const std::vector<double>& values, std::size_t count) {
  check(count <= values.size(), "mean of the first ", count, " of ", values.size(), " values");
  return lesson::mean({values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count)});
}

// The first tokens of one prompt in each layout: a token is a column.
inline lesson::HeatMap prompts_figure(const std::vector<std::string>& titles,
                                      const std::vector<FewShot>& layouts, std::uint64_t seed) {
  constexpr Index shown = 18;
  lesson::HeatMap figure{.name = "prompts",
                         .title = "The same pairs in three layouts",
                         .caption = "Each column is a token, each row one of its numbers. Look for the "
                                    "columns of zeros, and for the first pair in each layout.",
                         .columns = 1,
                         .limit = 1};
  for (std::size_t n = 0; n < layouts.size(); ++n) {
    const Matrix states = layouts[n].sample(Random(seed, stream::analysis_data)).states;
    std::vector<double> cells;
    for (Index j = 0; j < states.columns(); ++j) {
      for (Index t = 0; t < shown; ++t) cells.push_back(states(t, j));
    }
    figure.panel(titles[n], states.columns(), shown, cells);
  }
  return figure;
}

}  // namespace mesagrad
