#include "tutorials/lesson/plot.h"

#include <algorithm>

#include "core/error.h"
#include "tutorials/lesson/terminal.h"

namespace mesagrad::lesson {
namespace {

constexpr int gap = 3;  // between columns of a table

std::string row_text(const std::vector<std::string>& cells, const std::vector<int>& widths) {
  std::vector<std::string> name = wrap(cells[0], widths[0]);
  if (name.empty()) name.emplace_back();
  std::string text = "  " + pad_right(name[0], widths[0]);
  for (std::size_t i = 1; i < cells.size(); ++i) text += repeat(" ", gap) + pad_left(cells[i], widths[i]);
  text += "\n";
  for (std::size_t i = 1; i < name.size(); ++i) text += "    " + name[i] + "\n";
  return text;
}

}  // namespace

void LinePlot::line(const std::string& label, const Numbers& xs, const Numbers& ys, LineStyle style) {
  check(xs.size() == ys.size(), "plot ", name, ", line '", label, "': ", xs.size(), " values of x but ",
        ys.size(), " of y");
  check(style.std.empty() || style.std.size() == ys.size(), "plot ", name, ", line '", label,
        "': ", ys.size(), " values of y but ", style.std.size(), " of std");
  if (panels.empty()) panels.emplace_back();
  style.dashed = style.dashed || style.given;
  panels.back().lines.push_back({label, xs, ys, style});
}

void LinePlot::curve(const std::string& label, const LossCurve& losses, LineStyle style) {
  style.std = losses.deviation;
  line(label, losses.t, losses.mean, style);
}

LinePlot by_position(LinePlot plot) {
  plot.x = "position t";
  plot.y = "loss";
  plot.log_y = true;
  return plot;
}

LinePlot by_updates(LinePlot plot) {
  plot.x = "updates";
  plot.y = "test loss";
  return plot;
}

void HeatMap::panel(const std::string& panel_title, Index rows, Index cols, const Numbers& values) {
  check(rows > 0 && cols > 0 && rows * cols == std::ssize(values), "heat map ", name, ", panel '",
        panel_title, "': ", values.size(), " values for ", rows, " x ", cols, " cells");
  panels.push_back({panel_title, rows, cols, values});
}

void Table::row(const std::vector<std::string>& cells) {
  check(cells.size() == columns.size(), "table '", title, "': a row of ", cells.size(), " cells under ",
        columns.size(), " columns");
  rows.push_back(cells);
}

std::string draw_text(const Table& table, const Screen& screen) {
  if (table.columns.empty()) return "";
  std::vector<int> widths;
  int others = 0;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    widths.push_back(columns(table.columns[i]));
    for (const auto& row : table.rows) widths[i] = std::max(widths[i], columns(row[i]));
    if (i > 0) others += widths[i] + gap;
  }
  // Names may be whole sentences; numbers are never broken.
  widths[0] = std::min(widths[0], std::max(std::min(screen.width, 100) - 4 - others, 20));
  std::string text = table.title.empty() ? "" : "  " + bold(table.title, screen.colour) + "\n";
  text += row_text(table.columns, widths) + "  " + repeat("─", widths[0] + others) + "\n";
  for (const auto& row : table.rows) text += row_text(row, widths);
  return text;
}

}  // namespace mesagrad::lesson
