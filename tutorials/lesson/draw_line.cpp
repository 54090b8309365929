// Curves in the terminal: eight braille dots in each character, or one letter for each curve.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/utf8.h"
#include "tutorials/lesson/axes.h"
#include "tutorials/lesson/plot.h"
#include "tutorials/lesson/terminal.h"

namespace mesagrad::lesson {
namespace {

// Every character of the canvas is 2 dots wide and 4 dots high, as braille is.
constexpr int dots_across = 2, dots_down = 4;

// Without colours more than this many curves in a panel are a soup of letters.
constexpr std::size_t most_letters = 4;

std::string letter(std::size_t curve) {
  return std::string(1, static_cast<char>('A' + static_cast<int>(curve % 26)));
}

class Canvas {
 public:
  Canvas(int width, int height)
      : width_(width), height_(height), cells_(static_cast<std::size_t>(width * height)) {}

  void curve(const Line& line, std::size_t number, const Axes& axes, bool colour) {
    double travelled = 0, before_x = 0, before_y = 0;
    bool joined = false;  // to the point before
    for (std::size_t i = 0; i < line.y.size(); ++i) {
      const double x = std::clamp(axes.x.position(line.x[i]), -20.0, 20.0) * (dots_across * width_ - 1);
      const double y = std::clamp(1 - axes.y.position(line.y[i]), -20.0, 20.0) * (dots_down * height_ - 1);
      if (!std::isfinite(x) || !std::isfinite(y)) {
        joined = false;
        continue;
      }
      const double from_x = joined ? before_x : x, from_y = joined ? before_y : y;
      const double length = std::max(std::abs(x - from_x), std::abs(y - from_y));
      const int steps = std::max(1, static_cast<int>(std::ceil(length)));
      for (int step = 0; step <= steps; ++step) {
        const double part = static_cast<double>(step) / steps;
        // Dashes leave out every second stretch; letters are too coarse for them.
        if (line.style.dashed && colour && std::fmod(travelled + part * length, 6) >= 3) continue;
        dot(std::lround(from_x + part * (x - from_x)), std::lround(from_y + part * (y - from_y)), number);
      }
      travelled += length;
      before_x = x;
      before_y = y;
      joined = !line.style.unjoined;
    }
  }

  // Where several curves share a character they take turns along the row, so both remain visible.
  std::string row(int y, const std::vector<LegendEntry>& legend, bool colour) {
    std::string text;
    for (int x = 0; x < width_; ++x) {
      Cell& cell = cells_[static_cast<std::size_t>(y * width_ + x)];
      if (cell.curves.empty()) {
        text += ' ';
        continue;
      }
      std::ranges::sort(cell.curves);
      const std::size_t curve = cell.curves[static_cast<std::size_t>(x / 2) % cell.curves.size()];
      text += tinted(colour ? utf8(0x2800 + cell.dots) : letter(curve),
                     palette[legend[curve].colour].terminal, colour);
    }
    return text;
  }

 private:
  struct Cell {
    char32_t dots = 0;
    std::vector<std::size_t> curves = {};  // indices into the legend
  };

  void dot(long x, long y, std::size_t curve) {
    if (x < 0 || y < 0 || x >= dots_across * width_ || y >= dots_down * height_) return;
    // How Unicode numbers the dots of U+2800, by row and column.
    static constexpr std::array<char32_t, 8> bit = {0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80};
    Cell& cell = cells_[static_cast<std::size_t>(y / dots_down * width_ + x / dots_across)];
    cell.dots |= bit[static_cast<std::size_t>(y % dots_down * dots_across + x % dots_across)];
    if (std::ranges::find(cell.curves, curve) == cell.curves.end()) cell.curves.push_back(curve);
  }

  int width_, height_;
  std::vector<Cell> cells_;
};

int widest_label(const Axis& axis) {
  int width = 0;
  for (const Tick& tick : axis.ticks) width = std::max(width, columns(tick.label));
  return width;
}

std::vector<std::string> below_the_axis(const Axis& x, int width, int margin) {
  std::vector<std::string> rule(static_cast<std::size_t>(width), "─");
  std::string labels, line = repeat(" ", margin + 1) + "└";
  for (const Tick& tick : x.ticks) {
    const auto column = static_cast<int>(std::lround(x.position(tick.value) * (width - 1)));
    if (column < 0 || column >= width) continue;
    rule[static_cast<std::size_t>(column)] = "┬";
    const int start = margin + 2 + column - columns(tick.label) / 2;
    if (labels.empty() || start >= columns(labels) + 2) labels = pad_right(labels, start) + tick.label;
  }
  for (const std::string& piece : rule) line += piece;
  return {line, labels};
}

std::vector<std::string> draw_panel(const LinePanel& panel, const Axes& axes,
                                    const std::vector<LegendEntry>& legend, int total_width, int height,
                                    bool colour) {
  const int margin = widest_label(axes.y) + 1, width = total_width - margin - 2;
  Canvas canvas(width, height);
  for (const Line& line : panel.lines) {
    canvas.curve(line, static_cast<std::size_t>(&entry_of(legend, line.label) - legend.data()), axes, colour);
  }
  std::vector<std::string> rows;
  if (!panel.title.empty()) rows.push_back(repeat(" ", margin + 2) + bold(panel.title, colour));
  for (int y = 0; y < height; ++y) {
    std::string label;
    for (const Tick& tick : axes.y.ticks) {
      const double place = (1 - axes.y.position(tick.value)) * (dots_down * height - 1);
      if (static_cast<int>(std::lround(place)) / dots_down == y) label = tick.label;
    }
    rows.push_back(pad_left(label, margin) + (label.empty() ? " │" : " ┤") + canvas.row(y, legend, colour));
  }
  for (const std::string& line : below_the_axis(axes.x, width, margin)) rows.push_back(line);
  return rows;
}

std::vector<std::string> legend_lines(const std::vector<LegendEntry>& legend, int width, bool colour) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < legend.size(); ++i) {
    const auto& [label, hue, style] = legend[i];
    const std::string sample = style.unjoined ? "•••" : style.dashed ? "╌╌╌" : "━━━";
    const std::string item = tinted(colour ? sample : letter(i), palette[hue].terminal, colour) + " " + label;
    if (lines.empty() || columns(lines.back()) + 3 + columns(item) > width) {
      lines.push_back(item);
    } else {
      lines.back() += "   " + item;
    }
  }
  return lines;
}

// A panel's curves as a table: a row for each, with its values at a few places of the longest one.
std::string numbers_text(const LinePlot& plot, const LinePanel& panel, const Screen& screen) {
  Table table{.title = panel.title, .columns = {plot.x}};
  std::vector<double> all, places;
  for (const Line& line : panel.lines) all = line.x.size() > all.size() ? line.x : all;
  const std::vector<double> few = {0, 1}, more = {0, 0.1, 0.25, 0.5, 1};
  for (const double part : screen.width < 70 ? few : more) {
    if (all.empty()) break;
    const double low = all.front(), high = all.back();
    const double wanted = plot.log_x ? low * std::pow(high / low, part) : low + part * (high - low);
    const double place = *std::ranges::min_element(all, {}, [&](double x) { return std::abs(x - wanted); });
    if (places.empty() || place != places.back()) places.push_back(place);
  }
  for (const double place : places) table.columns.push_back(short_number(place, 3));
  for (const Line& line : panel.lines) {
    std::vector<std::string> cells = {line.label};
    for (const double place : places) {
      const auto i = static_cast<std::size_t>(std::ranges::find(line.x, place) - line.x.begin());
      cells.push_back(i < line.y.size() && std::isfinite(line.y[i]) ? short_number(line.y[i], 3) : "");
    }
    table.row(cells);
  }
  return draw_text(table, screen);
}

}  // namespace

std::string draw_text(const LinePlot& plot, const Screen& screen) {
  check_figure(plot);
  const bool soup =
      std::ranges::any_of(plot.panels, [](const auto& panel) { return panel.lines.size() > most_letters; });
  if (!screen.colour && soup) {
    const std::string title = plot.title + (plot.y.empty() ? "" : ": " + plot.y);
    std::string text = indented(wrap(title, screen.width - 4));
    for (const LinePanel& panel : plot.panels) text += numbers_text(plot, panel, screen);
    return text;
  }
  const int width = std::min(screen.width - 4, 76);
  const std::vector<LegendEntry> legend = legend_of(plot);
  const std::size_t across = panel_columns(plot.columns, plot.panels.size(), width >= 60 ? 2 : 1);
  const int each = (width - 2 * static_cast<int>(across - 1)) / static_cast<int>(across);
  const int height = plot.panels.size() == 1 ? 16 : 9;
  const Axes axes = axes_of(plot, each / 11, height / 3);

  std::vector<std::string> lines;
  for (const std::string& line : wrap(plot.title, width)) lines.push_back(bold(line, screen.colour));
  for (const std::string& line : legend_lines(legend, width, screen.colour)) lines.push_back(line);
  if (!plot.y.empty()) lines.push_back(faint(plot.y, screen.colour));
  for (std::size_t i = 0; i < plot.panels.size(); i += across) {
    std::vector<std::vector<std::string>> row;
    for (std::size_t j = i; j < std::min(i + across, plot.panels.size()); ++j) {
      row.push_back(draw_panel(plot.panels[j], axes, legend, each, height, screen.colour));
    }
    for (const std::string& line : beside(row, 2)) lines.push_back(line);
  }
  const int middle = (width + widest_label(axes.y) - columns(plot.x)) / 2;
  if (!plot.x.empty()) lines.push_back(repeat(" ", middle) + faint(plot.x, screen.colour));
  return indented(lines);
}

}  // namespace mesagrad::lesson
