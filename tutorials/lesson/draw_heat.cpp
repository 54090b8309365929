// Heat maps in the terminal. With colours every character shows two cells, one above the other;
// without, dense textures of lines mean below zero, and dense textures of dots mean above.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "tutorials/lesson/axes.h"
#include "tutorials/lesson/plot.h"
#include "tutorials/lesson/terminal.h"

namespace mesagrad::lesson {
namespace {

std::string texture(double value, double limit) {
  static constexpr std::array<const char*, 5> below_zero = {"·", "-", "=", "≡", "#"};
  static constexpr std::array<const char*, 5> above_zero = {"·", "░", "▒", "▓", "█"};
  if (std::isnan(value)) return "?";
  const auto level = static_cast<std::size_t>(std::lround(4 * std::min(std::abs(value) / limit, 1.0)));
  return (value < 0 ? below_zero : above_zero)[level];
}

int colour_of(double value, double limit) {
  return std::isnan(value) ? 244 : shade_terminal_colour(shade_of(value, limit));
}

// `mark` upon a cell's colour.
std::string on_colour(const std::string& mark, double value, double limit) {
  return text("\x1b[48;5;", colour_of(value, limit), "m", mark, "\x1b[0m");
}

// A matrix in which `tall` x `wide` neighbours have become one cell, the one furthest from zero.
HeatPanel shrunk(const HeatPanel& panel, Index tall, Index wide) {
  HeatPanel small = {panel.title, (panel.rows + tall - 1) / tall, (panel.columns + wide - 1) / wide, {}};
  small.values.assign(static_cast<std::size_t>(small.rows * small.columns), 0);
  for (Index i = 0; i < panel.rows * panel.columns; ++i) {
    const Index target = i / panel.columns / tall * small.columns + i % panel.columns / wide;
    double& shown = small.values[static_cast<std::size_t>(target)];
    const double value = panel.values[static_cast<std::size_t>(i)];
    if (!(std::abs(value) <= std::abs(shown))) shown = value;
  }
  return small;
}

std::vector<std::string> draw_panel(const HeatPanel& whole, double limit, int room, bool colour) {
  // Characters are twice as high as wide. Small matrices take two for each cell; otherwise two rows share
  // one.
  const bool small = whole.columns <= 18 && 2 * whole.columns <= room;
  const Index factor = small ? 1 : (whole.columns + room - 1) / room;
  const HeatPanel panel = shrunk(whole, !colour && !small ? 2 * factor : factor, factor);
  const bool halves = colour && !small;
  const auto value = [&](Index row, Index column) {
    return panel.values[static_cast<std::size_t>(row * panel.columns + column)];
  };
  std::vector<std::string> rows;
  for (Index row = 0; row < panel.rows; row += halves ? 2 : 1) {
    std::string& line = rows.emplace_back();
    for (Index column = 0; column < panel.columns; ++column) {
      if (halves) {
        // An odd number of rows ends in a line whose lower half is the terminal's own.
        const std::string upper = tinted("▀", colour_of(value(row, column), limit), true);
        line += row + 1 < panel.rows ? on_colour(upper, value(row + 1, column), limit) : upper;
      } else if (colour) {
        line += on_colour("  ", value(row, column), limit);
      } else {
        line += repeat(texture(value(row, column), limit), small ? 2 : 1);
      }
    }
  }
  return rows;
}

std::string scale_line(double low, double limit, bool colour) {
  std::string line = short_number(low, 2) + " ";
  for (int i = low < 0 ? -4 : 0; i <= 4; ++i) {
    const double value = limit * i / 4;
    line += colour ? on_colour("  ", value, limit) : repeat(texture(value, limit), 2);
  }
  return line + " " + short_number(limit, 2);
}

}  // namespace

std::string draw_text(const HeatMap& map, const Screen& screen) {
  check_figure(map);
  const int width = std::min(screen.width - 4, 120), gap = 2;
  const std::size_t across = panel_columns(map.columns, map.panels.size(), 4);
  int name_width = 0;
  for (const std::string& title : map.row_titles) name_width = std::max(name_width, columns(title) + gap);
  const int room = width - name_width - gap * static_cast<int>(across - 1);
  const int each = std::max(room / static_cast<int>(across), 1);
  const double limit = limit_of(map);

  std::vector<std::string> lines;
  for (const std::string& line : wrap(map.title, width)) lines.push_back(bold(line, screen.colour));
  lines.push_back(scale_line(low_of(map), limit, screen.colour));
  for (std::size_t i = 0; i < map.panels.size(); i += across) {
    std::vector<std::vector<std::string>> row;
    if (name_width > 0) {
      const std::string name = i / across < map.row_titles.size() ? map.row_titles[i / across] : "";
      row.push_back({"", pad_right(name, name_width - gap)});
    }
    for (std::size_t j = i; j < std::min(i + across, map.panels.size()); ++j) {
      const HeatPanel& panel = map.panels[j];
      std::string title = i == 0 && j < map.column_titles.size() ? map.column_titles[j] : "";
      if (!panel.title.empty()) title += (title.empty() ? "" : ", ") + panel.title;
      row.push_back(draw_panel(panel, limit, each, screen.colour));
      row.back().insert(row.back().begin(), title);
    }
    for (const std::string& line : beside(row, gap)) lines.push_back(line);
  }
  return indented(lines);
}

}  // namespace mesagrad::lesson
