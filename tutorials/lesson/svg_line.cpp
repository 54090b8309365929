// Curves as SVG: a title, a legend above (where it cannot cover a curve), then panels in a grid.
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "tutorials/lesson/axes.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::lesson {
namespace {

constexpr double font = 13;

// A curve of 65536 steps has far more points than a figure has pixels: keep the lowest and the
// highest of every run of neighbours, so that no peak is lost.
std::vector<std::size_t> visible_points(const std::vector<double>& y) {
  constexpr std::size_t most = 1200;
  const std::size_t run = std::max<std::size_t>(1, 2 * y.size() / most);
  std::vector<std::size_t> kept;
  for (std::size_t start = 0; start < y.size(); start += run) {
    std::size_t low = start, high = start;
    for (std::size_t i = start; i < std::min(start + run, y.size()); ++i) {
      if (y[i] < y[low] || std::isnan(y[low])) low = i;
      if (y[i] > y[high] || std::isnan(y[high])) high = i;
    }
    kept.push_back(std::min(low, high));
    if (low != high) kept.push_back(std::max(low, high));
  }
  return kept;
}

std::string looks_of(const LineStyle& style, std::size_t colour) {
  return text(style.dashed ? " dashed" : "", style.thin ? " thin" : "", " line-", colour);
}

class Panel {
 public:
  Panel(Svg& svg, const Axes& axes, const Box& box) : svg_(svg), axes_(axes), box_(box) {}

  void grid_and_ticks(bool x_labels, bool y_labels) {
    const double bottom = box_.top + box_.height;
    for (const Tick& tick : axes_.y.ticks) {
      const double y = down(tick.value);
      svg_.line(box_.left, y, box_.left + box_.width, y, "class=\"grid\"");
      if (y_labels) svg_.text(box_.left - 7, y + 4.5, tick.label, "text-anchor=\"end\"");
    }
    for (const Tick& tick : axes_.x.ticks) {
      const double x = across(tick.value);
      svg_.line(x, bottom, x, bottom + 5, "class=\"axis\"");
      if (x_labels) svg_.text(x, bottom + 19, tick.label, "text-anchor=\"middle\"");
    }
    svg_.line(box_.left, bottom, box_.left + box_.width, bottom, "class=\"axis\"");
    svg_.line(box_.left, box_.top, box_.left, bottom, "class=\"axis\"");
  }

  void band(const Line& line, std::size_t colour) {
    if (!line.style.band || line.style.std.empty()) return;
    std::string upper, lower;
    for (const std::size_t i : visible_points(line.y)) {
      const double std = line.style.std[i];
      // On a logarithmic axis a band that reaches zero leaves through the bottom.
      const bool bottomless = axes_.y.logarithmic && line.y[i] - std <= 0;
      const std::string above = point(line.x[i], line.y[i] + std);
      const std::string below = point(line.x[i], bottomless ? axes_.y.low / 2 : line.y[i] - std);
      if (above.empty() || below.empty()) continue;
      upper += (upper.empty() ? "M" : "L") + above;
      lower = "L" + below + lower;
    }
    if (!upper.empty()) svg_.path(text("band fill-", colour), upper + lower + "Z");
  }

  void curve(const Line& line, std::size_t colour) {
    std::string path, dots;
    bool joined = false;
    for (const std::size_t i : visible_points(line.y)) {
      const std::string here = point(line.x[i], line.y[i]);
      if (!here.empty()) {
        path += (joined ? "L" : "M") + here;
        dots += "M" + here + "h0";  // a line of no length with round ends is a dot
      }
      joined = !here.empty();
    }
    const LineStyle& style = line.style;
    if (path.empty()) return;
    if (!style.unjoined) svg_.path("curve" + looks_of(style, colour), path);
    if (style.points || style.unjoined) svg_.path(text("dots line-", colour), dots);
  }

 private:
  // Far outside is outside; viewers dislike coordinates of 1e300.
  static double clamped(double position) { return std::clamp(position, -20.0, 20.0); }
  double across(double x) const { return box_.left + box_.width * clamped(axes_.x.position(x)); }
  double down(double y) const { return box_.top + box_.height * (1 - clamped(axes_.y.position(y))); }

  std::string point(double x, double y) const {
    const bool shown = std::isfinite(axes_.x.position(x)) && std::isfinite(axes_.y.position(y));
    return shown ? at(across(x)) + " " + at(down(y)) : "";
  }

  Svg& svg_;
  const Axes& axes_;
  Box box_;
};

void add_styles(Svg& svg, const std::vector<LegendEntry>& legend) {
  svg.style(".curve { fill: none; stroke-width: 2.2; stroke-linejoin: round }");
  svg.style(".dashed { stroke-dasharray: 6 4 }");
  svg.style(".thin { stroke-width: 1.2 }");
  svg.style(".dots { fill: none; stroke-width: 6; stroke-linecap: round }");
  svg.style(".band { fill-opacity: .18 }");
  for (const LegendEntry& entry : legend) {
    const Colour& colour = palette[entry.colour];
    svg.colour(text(".line-", entry.colour), "stroke", colour.on_light, colour.on_dark);
    svg.colour(text(".fill-", entry.colour), "fill", colour.on_light, colour.on_dark);
  }
}

// Returns where the legend ends.
double draw_legend(Svg& svg, const std::vector<LegendEntry>& legend, double top) {
  double x = svg_margin, y = top + 14;
  for (const LegendEntry& entry : legend) {
    const double width = 34 + text_width(entry.label, font);
    if (x > svg_margin && x + width > svg_width - svg_margin) {
      x = svg_margin;
      y += 20;
    }
    const LineStyle& style = entry.style;
    if (!style.unjoined) {
      svg.line(x, y - 4.5, x + 28, y - 4.5, "class=\"curve" + looks_of(style, entry.colour) + "\"");
    }
    if (style.points || style.unjoined) {
      svg.path(text("dots line-", entry.colour), text("M", at(x + 14), " ", at(y - 4.5), "h0"));
    }
    svg.text(x + 34, y, entry.label, "class=\"name\"");
    x += width + 22;
  }
  return y + 8;
}

double widest_label(const Axis& axis) {
  double width = 0;
  for (const Tick& tick : axis.ticks) width = std::max(width, text_width(tick.label, font));
  return width;
}

}  // namespace

std::string draw_svg(const LinePlot& plot) {
  check_figure(plot);
  const std::vector<LegendEntry> legend = legend_of(plot);
  const std::size_t count = plot.panels.size();
  const std::size_t columns = panel_columns(plot.columns, count, count == 4 ? 2 : 3);
  const std::size_t rows = (count + columns - 1) / columns;
  const Axes axes = axes_of(plot, columns == 1 ? 8 : columns == 2 ? 5 : 4, count == 1 ? 6 : 4);

  Svg svg(plot.name, plot.title);
  add_styles(svg, legend);
  const double legend_end = draw_legend(svg, legend, svg.top() + 9);
  const bool titled =
      std::ranges::any_of(plot.panels, [](const LinePanel& panel) { return !panel.title.empty(); });
  const double left = svg_margin + (plot.y.empty() ? 0 : 22) + widest_label(axes.y) + 7;
  const double gap = 22, all_width = svg_width - svg_margin - 6 - left;
  const double width = (all_width - gap * static_cast<double>(columns - 1)) / static_cast<double>(columns);
  const double height = count == 1 ? 330 : std::clamp(0.8 * width, 140.0, 230.0);
  const double top = legend_end + (titled ? 26 : 10), pitch = height + (titled ? 38 : 22);

  for (std::size_t i = 0; i < count; ++i) {
    const Box box = {left + static_cast<double>(i % columns) * (width + gap),
                     top + static_cast<double>(i / columns) * pitch, width, height};
    const std::string clip = text(svg.id(), "-clip-", i);
    svg.add("<clipPath id=\"" + clip + "\">");
    svg.box({box.left, box.top - 2, width + 4, height + 3}, "");
    svg.add("</clipPath>");
    Panel panel(svg, axes, box);
    panel.grid_and_ticks(i + columns >= count, i % columns == 0);
    if (titled) {
      svg.text(box.left + width / 2, box.top - 8, plot.panels[i].title,
               "class=\"name\" text-anchor=\"middle\"");
    }
    svg.add("<g clip-path=\"url(#" + clip + ")\">");
    for (const Line& line : plot.panels[i].lines) panel.band(line, entry_of(legend, line.label).colour);
    for (const Line& line : plot.panels[i].lines) panel.curve(line, entry_of(legend, line.label).colour);
    svg.add("</g>");
  }

  const double all_height = pitch * static_cast<double>(rows - 1) + height;
  double bottom = top + all_height + 26;
  if (!plot.x.empty()) {
    svg.text(left + all_width / 2, bottom += 17, plot.x, "text-anchor=\"middle\" class=\"name\"");
  }
  if (!plot.y.empty()) svg.upwards(svg_margin + 9, top + all_height / 2, plot.y);
  return svg.finish(bottom + svg_margin);
}

}  // namespace mesagrad::lesson
