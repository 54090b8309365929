// Attention maps of lesson 7, drawn and summed up.
#pragma once
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/linalg.h"
#include "tutorials/lesson/lesson.h"

namespace mesagrad {

// The mean share of attention that tokens from the sixth on give to the token `steps` before them, of a map
// (T, T).
inline double share(const Matrix& map, Index steps) {
  double sum = 0;
  for (Index t = 5; t < map.rows(); ++t) sum += map(t, t - steps) / static_cast<double>(map.rows() - 5);
  return sum;
}

// The first twelve tokens of maps[moment][head], a row for each head and a column for each moment, which is a
// number of updates.
inline lesson::HeatMap attention_figure(const std::vector<std::vector<Matrix>>& maps,
                                        const std::vector<double>& updates) {
  constexpr Index shown = 12;
  const std::vector<std::string> labels = {"0", "", "", "3", "", "", "6", "", "", "9", "", ""};
  lesson::HeatMap figure{.name = "attention",
                         .title = "Where the first layer looks, in training",
                         .caption = "From above, the tokens 0 to 11 that look; from left to right, the "
                                    "tokens looked at. A cell is a share of attention, and so between 0 and "
                                    "1: only the upper half of the colour scale is in use.",
                         .columns = static_cast<int>(maps.size()),
                         .row_labels = labels,
                         .column_labels = labels,
                         .limit = 1};
  for (const double n : updates) figure.column_titles.push_back(text(n, " updates"));
  for (std::size_t h = 0; h < maps[0].size(); ++h) {
    figure.row_titles.push_back(text("head ", h + 1));
    for (const std::vector<Matrix>& moment : maps) {
      std::vector<double> cells;
      for (Index t = 0; t < shown; ++t) {
        for (Index s = 0; s < shown; ++s) cells.push_back(moment[h](t, s));
      }
      figure.panel("", shown, shown, cells);
    }
  }
  return figure;
}

// A row for each head of a model's maps, and below for the authors' heads: what a token gives to itself, to
// the one before it, to the one before that, and to all others. Returns what each head gives to those three.
inline std::vector<double> add_shares(lesson::Table& table, const std::string& model,
                                      const std::vector<Matrix>& maps,
                                      const std::array<std::array<double, 3>, 4>& authors) {
  std::vector<double> nearest;
  for (std::size_t h = 0; h < maps.size(); ++h) {
    std::vector<std::string> cells = {text(model, ", ", h + 1)};
    double near = 0;
    for (const Index steps : {0, 1, 2}) {
      near += share(maps[h], steps);
      cells.push_back(lesson::fixed_number(share(maps[h], steps), 3));
    }
    cells.push_back(lesson::fixed_number(1 - near, 3));
    table.row(cells);
    nearest.push_back(near);
  }
  for (std::size_t h = 0; h < authors.size(); ++h) {
    std::vector<std::string> cells = {text("authors' ", model, ", ", h + 1)};
    for (const double part : authors[h]) cells.push_back(lesson::fixed_number(part, 2));
    cells.push_back("");
    table.row(cells);
  }
  return nearest;
}

}  // namespace mesagrad
