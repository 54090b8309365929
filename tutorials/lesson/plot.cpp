#include "tutorials/lesson/plot.h"

#include "core/error.h"

namespace mesagrad::lesson {

void LinePlot::line(const std::string& label, const Numbers& xs, const Numbers& ys,
                    LineStyle style) {
  check(xs.size() == ys.size(), "plot ", name, ", line '", label, "': ", xs.size(),
        " values of x but ", ys.size(), " of y");
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

void HeatMap::panel(const std::string& panel_title, Index rows, Index cols,
                    const Numbers& values) {
  check(rows > 0 && cols > 0 && rows * cols == std::ssize(values), "heat map ", name, ", panel '",
        panel_title, "': ", values.size(), " values for ", rows, " x ", cols, " cells");
  panels.push_back({panel_title, rows, cols, values});
}

void Table::row(const std::vector<std::string>& cells) {
  check(cells.size() == columns.size(), "table '", title, "': a row of ", cells.size(),
        " cells under ", columns.size(), " columns");
  rows.push_back(cells);
}

}  // namespace mesagrad::lesson
