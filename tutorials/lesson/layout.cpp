#include "tutorials/lesson/layout.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace mesagrad::lesson {
namespace {

// The smallest and the largest drawable value seen.
class Range {
 public:
  explicit Range(bool log_scale) : log_scale_(log_scale) {}

  void add(double value) {
    if (!drawable(value, log_scale_)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }

  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

 private:
  bool log_scale_;
};

Range y_range(const LinePlot& plot) {
  Range range(plot.log_y);
  for (const LinePanel& panel : plot.panels) {
    for (const Line& line : panel.lines) {
      const std::vector<double> std = line.style.band ? line.style.std : Numbers();
      for (std::size_t i = 0; i < line.y.size(); ++i) {
        range.add(line.y[i]);
        if (!std.empty()) range.add(line.y[i] + std[i]);
        // On a logarithmic axis the lower edge of a band may be arbitrarily close to zero.
        if (!std.empty() && !plot.log_y) range.add(line.y[i] - std[i]);
      }
    }
  }
  return range;
}

Axis y_axis(const LinePlot& plot, int wanted) {
  Range range = y_range(plot);
  if (plot.y_low) range.low = *plot.y_low;
  if (plot.y_high) range.high = *plot.y_high;
  if (!(range.low <= range.high)) range.low = plot.log_y ? 0.1 : 0, range.high = 1;
  if (plot.log_y) {
    const double margin = std::pow(range.high / range.low, 0.04);
    return log_axis(plot.y_low ? range.low : range.low / margin,
                    plot.y_high ? range.high : range.high * margin, wanted);
  }
  // A loss is easier to judge when zero can be seen.
  const bool near_zero = range.low > 0 && range.low < 0.35 * range.high;
  if (near_zero && !plot.y_low) range.low = 0;
  const double margin = 0.04 * (range.high - range.low);
  const bool from_zero = range.low == 0 || plot.y_low.has_value();
  return linear_axis(from_zero ? range.low : range.low - margin,
                     plot.y_high ? range.high : range.high + margin, wanted);
}

Axis x_axis(const LinePlot& plot, int wanted) {
  Range range(plot.log_x);
  for (const LinePanel& panel : plot.panels) {
    for (const Line& line : panel.lines) {
      for (const double x : line.x) range.add(x);
    }
  }
  return plot.log_x ? log_axis(range.low, range.high, wanted)
                    : linear_axis(range.low, range.high, wanted);
}

void check_name(const std::string& name) {
  const bool plain = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  check(!name.empty() && plain, "figure '", name,
        "': a name consists of a-z, 0-9, - and _ because it becomes a file's name");
}

}  // namespace

std::vector<LegendEntry> legend_of(const LinePlot& plot) {
  std::vector<LegendEntry> legend;
  std::size_t colours_used = 0;
  const auto find = [&](const std::string& label) {
    return std::ranges::find(legend, label, &LegendEntry::label);
  };
  for (const LinePanel& panel : plot.panels) {
    for (const Line& line : panel.lines) {
      if (find(line.label) != legend.end()) continue;
      const auto twin = find(line.style.like);
      const bool alike = !line.style.like.empty() && twin != legend.end();
      const std::size_t colour = alike ? twin->colour : colours_used++ % palette.size();
      legend.push_back({line.label, colour, line.style});
    }
  }
  return legend;
}

const LegendEntry& entry_of(const std::vector<LegendEntry>& legend, const std::string& label) {
  return *std::ranges::find(legend, label, &LegendEntry::label);
}

Axes axes_of(const LinePlot& plot, int x_ticks, int y_ticks) {
  return {x_axis(plot, x_ticks), y_axis(plot, y_ticks)};
}

std::size_t panel_columns(int wished, std::size_t panels, std::size_t most) {
  if (wished > 0) return std::min(static_cast<std::size_t>(wished), panels);
  if (panels <= most) return panels;
  const std::size_t rows = (panels + most - 1) / most;
  return (panels + rows - 1) / rows;
}

double limit_of(const HeatMap& map) {
  if (map.limit) return *map.limit;
  double limit = 0;
  for (const HeatPanel& panel : map.panels) {
    for (const double value : panel.values) {
      if (drawable(value, false)) limit = std::max(limit, std::abs(value));
    }
  }
  return limit > 0 ? limit : 1;
}

void check_figure(const LinePlot& plot) {
  check_name(plot.name);
  check(!plot.panels.empty(), "plot ", plot.name, " has no line");
}

void check_figure(const HeatMap& map) {
  check_name(map.name);
  check(!map.panels.empty(), "heat map ", map.name, " has no panel");
  check(!map.limit || (*map.limit > 0 && drawable(*map.limit, false)), "heat map ", map.name,
        ": the limit of the colour scale must be positive, and is ", *map.limit);
}

}  // namespace mesagrad::lesson
