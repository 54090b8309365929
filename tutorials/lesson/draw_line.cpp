// Curves in the terminal: eight braille dots in each character, or one letter for each curve.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "tutorials/lesson/draw.h"
#include "tutorials/lesson/layout.h"
#include "tutorials/lesson/numbers.h"
#include "tutorials/lesson/terminal.h"
#include "tutorials/lesson/utf8.h"

namespace mesagrad::lesson {
namespace {

// Every character of the canvas is 2 dots wide and 4 dots high, as braille is.
constexpr int dots_across = 2;
constexpr int dots_down = 4;

struct Cell {
  unsigned dots = 0;
  std::vector<std::size_t> curves = {};  // indices into the legend
};

class Canvas {
 public:
  Canvas(int width, int height)
      : width_(width), height_(height), cells_(static_cast<std::size_t>(width * height)) {}

  void dot(int x, int y, std::size_t curve) {
    if (x < 0 || y < 0 || x >= dots_across * width_ || y >= dots_down * height_) return;
    // How Unicode numbers the dots of U+2800, by row and column.
    static constexpr std::array<unsigned, 8> bit = {0x01, 0x08, 0x02, 0x10,
                                                    0x04, 0x20, 0x40, 0x80};
    Cell& cell = at(x / dots_across, y / dots_down);
    cell.dots |= bit[static_cast<std::size_t>(y % dots_down * dots_across + x % dots_across)];
    if (std::ranges::find(cell.curves, curve) == cell.curves.end()) cell.curves.push_back(curve);
  }

  // Where several curves share a character they take turns along the row, so both remain visible.
  std::string row(int y, const std::vector<LegendEntry>& legend, bool colour) {
    std::string text;
    for (int x = 0; x < width_; ++x) {
      Cell& cell = at(x, y);
      if (cell.curves.empty()) {
        text += ' ';
        continue;
      }
      std::ranges::sort(cell.curves);
      const std::size_t curve = cell.curves[static_cast<std::size_t>(x / 2) % cell.curves.size()];
      const std::string mark = colour ? braille(cell.dots) : letter(curve);
      text += tinted(mark, palette[legend[curve].colour].terminal, colour);
    }
    return text;
  }

  static std::string letter(std::size_t curve) {
    return std::string(1, static_cast<char>('A' + static_cast<int>(curve % 26)));
  }

 private:
  static std::string braille(unsigned dots) {
    const unsigned code = 0x2800U + dots;
    return {static_cast<char>(0xE0U | code >> 12U), static_cast<char>(0x80U | (code >> 6U & 0x3FU)),
            static_cast<char>(0x80U | (code & 0x3FU))};
  }

  Cell& at(int x, int y) { return cells_[static_cast<std::size_t>(y * width_ + x)]; }

  int width_;
  int height_;
  std::vector<Cell> cells_;
};

struct Point {
  double x = 0;
  double y = 0;
  bool visible() const { return std::isfinite(x) && std::isfinite(y); }
};

// Dots between two points; a dashed line leaves out every second stretch of `travelled` dots.
void connect(Canvas& canvas, Point from, Point to, std::size_t curve, bool dashed,
             double& travelled) {
  const double length = std::max(std::abs(to.x - from.x), std::abs(to.y - from.y));
  const int steps = std::max(1, static_cast<int>(std::ceil(length)));
  for (int i = 0; i <= steps; ++i) {
    const double part = static_cast<double>(i) / steps;
    const bool gap = dashed && std::fmod(travelled + part * length, 6) >= 3;
    if (gap) continue;
    canvas.dot(static_cast<int>(std::lround(from.x + part * (to.x - from.x))),
               static_cast<int>(std::lround(from.y + part * (to.y - from.y))), curve);
  }
  travelled += length;
}

void draw_curve(Canvas& canvas, const Line& line, std::size_t curve, const Axes& axes, int width,
                int height, bool colour) {
  const auto place = [&](std::size_t i) {
    const double x = std::clamp(axes.x.position(line.x[i]), -20.0, 20.0);
    const double y = std::clamp(1 - axes.y.position(line.y[i]), -20.0, 20.0);
    return Point{x * (dots_across * width - 1), y * (dots_down * height - 1)};
  };
  double travelled = 0;
  Point before = {std::nan(""), 0};
  for (std::size_t i = 0; i < line.y.size(); ++i) {
    const Point here = place(i);
    const bool joined = before.visible() && !line.style.unjoined;
    // Letters are too coarse for dashes.
    if (here.visible()) {
      connect(canvas, joined ? before : here, here, curve, line.style.dashed && colour, travelled);
    }
    before = here;
  }
}

int widest_label(const Axis& axis) {
  int width = 0;
  for (const Tick& tick : axis.ticks) width = std::max(width, columns(tick.label));
  return width;
}

std::vector<std::string> below_the_axis(const Axis& x, int width, int margin) {
  std::vector<std::string> rule(static_cast<std::size_t>(width), "─");
  std::string labels;
  for (const Tick& tick : x.ticks) {
    const auto column = static_cast<int>(std::lround(x.position(tick.value) * (width - 1)));
    if (column < 0 || column >= width) continue;
    rule[static_cast<std::size_t>(column)] = "┬";
    const int start = margin + 2 + column - columns(tick.label) / 2;
    if (!labels.empty() && start < columns(labels) + 2) continue;
    labels = pad_right(labels, start) + tick.label;
  }
  std::string line = repeat(" ", margin + 1) + "└";
  for (const std::string& piece : rule) line += piece;
  return {line, labels};
}

std::vector<std::string> draw_panel(const LinePanel& panel, const Axes& axes,
                                    const std::vector<LegendEntry>& legend, int total_width,
                                    int height, bool colour) {
  const int margin = widest_label(axes.y) + 1;
  const int width = total_width - margin - 2;
  Canvas canvas(width, height);
  for (const Line& line : panel.lines) {
    const auto curve = static_cast<std::size_t>(&entry_of(legend, line.label) - legend.data());
    draw_curve(canvas, line, curve, axes, width, height, colour);
  }
  std::vector<std::string> rows;
  if (!panel.title.empty()) rows.push_back(repeat(" ", margin + 2) + bold(panel.title, colour));
  for (int y = 0; y < height; ++y) {
    std::string label;
    for (const Tick& tick : axes.y.ticks) {
      const double place = (1 - axes.y.position(tick.value)) * (dots_down * height - 1);
      if (static_cast<int>(std::lround(place)) / dots_down == y) label = tick.label;
    }
    const std::string edge = label.empty() ? " │" : " ┤";
    rows.push_back(pad_left(label, margin) + edge + canvas.row(y, legend, colour));
  }
  for (const std::string& line : below_the_axis(axes.x, width, margin)) rows.push_back(line);
  return rows;
}

std::vector<std::string> legend_lines(const std::vector<LegendEntry>& legend, int width,
                                      bool colour) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < legend.size(); ++i) {
    const LegendEntry& entry = legend[i];
    const std::string sample = entry.style.unjoined ? "•••" : entry.style.dashed ? "╌╌╌" : "━━━";
    const std::string mark = colour ? sample : Canvas::letter(i);
    const std::string item =
        tinted(mark, palette[entry.colour].terminal, colour) + " " + entry.label;
    if (lines.empty() || columns(lines.back()) + 3 + columns(item) > width) {
      lines.push_back(item);
    } else {
      lines.back() += "   " + item;
    }
  }
  return lines;
}

// Without colours more than this many curves in a panel are a soup of letters.
constexpr std::size_t most_letters = 4;

// A panel's curves as a table: a row for each, its values at a few places along the axis.
std::string numbers_text(const LinePlot& plot, const LinePanel& panel, const Screen& screen) {
  double low = HUGE_VAL, high = -HUGE_VAL;
  for (const Line& line : panel.lines) {
    for (const double x : line.x) low = std::min(low, x), high = std::max(high, x);
  }
  std::vector<double> places;
  const std::vector<double> parts = screen.width < 70 ? std::vector{0.0, 1.0} : std::vector{0.0, 0.1, 0.25, 0.5, 1.0};
  for (const double part : parts) {
    const double x = plot.log_x ? low * std::pow(high / low, part) : low + part * (high - low);
    // the nearest place where the longest curve has a value
    const Line& longest = *std::ranges::max_element(panel.lines, {}, [](const Line& l) { return l.x.size(); });
    const auto distance = [&](double place) { return std::abs(place - x); };
    if (longest.x.empty()) break;
    const double place = *std::ranges::min_element(longest.x, {}, distance);
    if (places.empty() || place != places.back()) places.push_back(place);
  }
  Table table{.title = panel.title, .columns = {plot.x}};
  for (const double place : places) table.columns.push_back(short_number(place, 3));
  for (const Line& line : panel.lines) {
    std::vector<std::string> cells = {line.label};
    for (const double place : places) {
      const auto found = std::ranges::find(line.x, place);
      const double y = found == line.x.end() ? std::nan("")
                                             : line.y[static_cast<std::size_t>(found - line.x.begin())];
      cells.push_back(std::isfinite(y) ? short_number(y, 3) : "");
    }
    table.row(cells);
  }
  return draw_text(table, screen);
}

bool is_soup(const LinePlot& plot) {
  return std::ranges::any_of(plot.panels,
                             [](const LinePanel& panel) { return panel.lines.size() > most_letters; });
}

}  // namespace

std::string draw_text(const LinePlot& plot, const Screen& screen) {
  check_figure(plot);
  if (!screen.colour && is_soup(plot)) {
    std::string text;
    for (const std::string& line : wrap(plot.title + (plot.y.empty() ? "" : ": " + plot.y), screen.width - 4)) {
      text += "  " + line + "\n";
    }
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
  for (const std::string& line : wrap(plot.title, width)) {
    lines.push_back(bold(line, screen.colour));
  }
  for (const std::string& line : legend_lines(legend, width, screen.colour)) lines.push_back(line);
  if (!plot.y.empty()) lines.push_back(faint(plot.y, screen.colour));
  for (std::size_t i = 0; i < plot.panels.size(); i += across) {
    std::vector<std::vector<std::string>> row;
    for (std::size_t j = i; j < std::min(i + across, plot.panels.size()); ++j) {
      row.push_back(draw_panel(plot.panels[j], axes, legend, each, height, screen.colour));
    }
    for (const std::string& line : beside(row, 2)) lines.push_back(line);
  }
  if (!plot.x.empty()) {
    const int middle = (width + widest_label(axes.y) - columns(plot.x)) / 2;
    lines.push_back(repeat(" ", middle) + faint(plot.x, screen.colour));
  }
  std::string text;
  for (const std::string& line : lines) text += "  " + line + "\n";
  return text;
}

}  // namespace mesagrad::lesson
