// Heat maps in the terminal. With colours every character shows two cells, one above the other;
// without, dense textures of lines mean below zero, and dense textures of dots mean above.
#include <algorithm>
#include <array>
#include <cmath>

#include "tutorials/lesson/draw.h"
#include "tutorials/lesson/heat_scale.h"
#include "tutorials/lesson/layout.h"
#include "tutorials/lesson/terminal.h"
#include "tutorials/lesson/utf8.h"

namespace mesagrad::lesson {
namespace {

constexpr std::array<const char*, 5> below_zero = {"·", "-", "=", "≡", "#"};
constexpr std::array<const char*, 5> above_zero = {"·", "░", "▒", "▓", "█"};

std::string texture(double value, double limit) {
  if (std::isnan(value)) return "?";
  const double size = std::clamp(std::abs(value) / limit, 0.0, 1.0);
  const auto level = static_cast<std::size_t>(std::lround(4 * size));
  return value < 0 ? below_zero[level] : above_zero[level];
}

int colour_of(double value, double limit) {
  return std::isnan(value) ? 244 : shade_terminal_colour(shade_of(value, limit));
}

// A matrix in which `tall` x `wide` neighbours have become one cell, the one furthest from zero.
HeatPanel shrunk(const HeatPanel& panel, Index tall, Index wide) {
  HeatPanel small = {panel.title, (panel.rows + tall - 1) / tall,
                     (panel.columns + wide - 1) / wide, {}};
  small.values.assign(static_cast<std::size_t>(small.rows * small.columns), 0);
  for (Index row = 0; row < panel.rows; ++row) {
    for (Index column = 0; column < panel.columns; ++column) {
      const Index target = row / tall * small.columns + column / wide;
      double& shown = small.values[static_cast<std::size_t>(target)];
      const double value = panel.values[static_cast<std::size_t>(row * panel.columns + column)];
      if (!(std::abs(value) <= std::abs(shown))) shown = value;
    }
  }
  return small;
}

double value_at(const HeatPanel& panel, Index row, Index column) {
  return panel.values[static_cast<std::size_t>(row * panel.columns + column)];
}

std::string two_cells(double upper, double lower, double limit) {
  return "\x1b[38;5;" + std::to_string(colour_of(upper, limit)) + ";48;5;" +
         std::to_string(colour_of(lower, limit)) + "m▀\x1b[0m";
}

std::vector<std::string> draw_small(const HeatPanel& panel, double limit, bool wide, bool colour) {
  std::vector<std::string> rows;
  for (Index row = 0; row < panel.rows; row += colour && !wide ? 2 : 1) {
    std::string line;
    for (Index column = 0; column < panel.columns; ++column) {
      const double value = value_at(panel, row, column);
      if (!colour) {
        line += repeat(texture(value, limit), wide ? 2 : 1);
      } else if (wide) {
        line += "\x1b[48;5;" + std::to_string(colour_of(value, limit)) + "m  \x1b[0m";
      } else if (row + 1 < panel.rows) {
        line += two_cells(value, value_at(panel, row + 1, column), limit);
      } else {
        line += tinted("▀", colour_of(value, limit), true);
      }
    }
    rows.push_back(line);
  }
  return rows;
}

std::vector<std::string> draw_panel(const HeatPanel& panel, double limit, int room, bool colour) {
  // Small matrices take two characters for each cell, which makes it a square.
  const bool wide = panel.columns <= 18 && 2 * panel.columns <= room;
  const Index factor = wide ? 1 : (panel.columns + room - 1) / room;
  // Characters are twice as high as wide, so without half blocks two rows share a line.
  const Index tall = !colour && !wide ? 2 * factor : factor;
  return draw_small(shrunk(panel, tall, factor), limit, wide, colour);
}

std::string scale_line(double limit, bool colour) {
  std::string line = short_number(-limit, 2) + " ";
  for (int i = -4; i <= 4; ++i) {
    const double value = limit * i / 4;
    line += colour ? "\x1b[48;5;" + std::to_string(colour_of(value, limit)) + "m  \x1b[0m"
                   : repeat(texture(value, limit), 2);
  }
  return line + " " + short_number(limit, 2);
}

}  // namespace

std::string draw_text(const HeatMap& map, const Screen& screen) {
  check_figure(map);
  const int width = std::min(screen.width - 4, 120);
  const std::size_t across = panel_columns(map.columns, map.panels.size(), 4);
  int name_width = 0;
  for (const std::string& title : map.row_titles) name_width = std::max(name_width, columns(title));
  if (name_width > 0) name_width += 2;
  const int gap = 2;
  const int room = width - name_width - gap * static_cast<int>(across - 1);
  const int each = std::max(room / static_cast<int>(across), 1);
  const double limit = limit_of(map);

  std::vector<std::string> lines;
  for (const std::string& line : wrap(map.title, width)) lines.push_back(bold(line, screen.colour));
  lines.push_back(scale_line(limit, screen.colour));
  for (std::size_t i = 0; i < map.panels.size(); i += across) {
    std::vector<std::vector<std::string>> row;
    if (name_width > 0) {
      const std::size_t number = i / across;
      const std::string name = number < map.row_titles.size() ? map.row_titles[number] : "";
      row.push_back({"", pad_right(name, name_width - gap)});
    }
    for (std::size_t j = i; j < std::min(i + across, map.panels.size()); ++j) {
      const HeatPanel& panel = map.panels[j];
      std::vector<std::string> block = draw_panel(panel, limit, each, screen.colour);
      const bool first_row = i == 0 && j < map.column_titles.size();
      std::string title = first_row ? map.column_titles[j] : "";
      if (!panel.title.empty()) title += (title.empty() ? "" : ", ") + panel.title;
      block.insert(block.begin(), title);
      row.push_back(block);
    }
    for (const std::string& line : beside(row, gap)) lines.push_back(line);
  }
  std::string text;
  for (const std::string& line : lines) text += "  " + line + "\n";
  return text;
}

}  // namespace mesagrad::lesson
