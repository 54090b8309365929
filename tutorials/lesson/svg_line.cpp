// Curves as SVG: a title, a legend above (where it cannot cover a curve), then panels in a grid.
#include <algorithm>
#include <cmath>

#include "tutorials/lesson/layout.h"
#include "tutorials/lesson/svg.h"
#include "tutorials/lesson/utf8.h"

namespace mesagrad::lesson {
namespace {

constexpr double margin = 14;
constexpr double font = 13;

struct Frame {
  double left;
  double top;
  double width;
  double height;
};

// A curve of 65536 steps has far more points than a figure has pixels: keep the lowest and the
// highest of every run of neighbours, so that no peak is lost.
std::vector<std::size_t> visible_points(const std::vector<double>& y) {
  constexpr std::size_t most = 1200;
  const std::size_t run = std::max<std::size_t>(1, 2 * y.size() / most);
  std::vector<std::size_t> kept;
  for (std::size_t start = 0; start < y.size(); start += run) {
    const std::size_t end = std::min(start + run, y.size());
    std::size_t low = start;
    std::size_t high = start;
    for (std::size_t i = start; i < end; ++i) {
      if (y[i] < y[low]) low = i;
      if (y[i] > y[high]) high = i;
    }
    kept.push_back(std::min(low, high));
    if (low != high) kept.push_back(std::max(low, high));
  }
  return kept;
}

class Panel {
 public:
  Panel(Svg& svg, const Axes& axes, const Frame& frame) : svg_(svg), axes_(axes), frame_(frame) {}

  void grid_and_ticks(bool x_labels, bool y_labels) {
    const double bottom = frame_.top + frame_.height;
    for (const Tick& tick : axes_.y.ticks) {
      const double y = frame_.top + down(tick.value);
      svg_.line(frame_.left, y, frame_.left + frame_.width, y, "class=\"grid\"");
      if (y_labels) {
        svg_.text(frame_.left - 7, y + 4.5, tick.label, "text-anchor=\"end\"");
      }
    }
    for (const Tick& tick : axes_.x.ticks) {
      const double x = frame_.left + across(tick.value);
      svg_.line(x, bottom, x, bottom + 5, "class=\"axis\"");
      if (x_labels) svg_.text(x, bottom + 19, tick.label, "text-anchor=\"middle\"");
    }
    svg_.line(frame_.left, bottom, frame_.left + frame_.width, bottom, "class=\"axis\"");
    svg_.line(frame_.left, frame_.top, frame_.left, bottom, "class=\"axis\"");
  }

  void band(const Line& line, const std::string& colour) {
    if (!line.style.band || line.style.std.empty()) return;
    std::string upper;
    std::string lower;
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
    if (upper.empty()) return;
    svg_.add("<path class=\"band fill-" + colour + "\" d=\"" + upper + lower + "Z\"/>");
  }

  void curve(const Line& line, const std::string& colour) {
    std::string path;
    std::string dots;
    bool joined = false;
    for (const std::size_t i : visible_points(line.y)) {
      const std::string here = point(line.x[i], line.y[i]);
      if (!here.empty()) {
        path += (joined ? "L" : "M") + here;
        dots += "M" + here + "h0";  // a line of no length with round ends is a dot
      }
      joined = !here.empty();
    }
    const std::string style = std::string(line.style.dashed ? " dashed" : "") +
                              (line.style.thin ? " thin" : "") + " line-" + colour;
    const bool dotted = line.style.points || line.style.unjoined;
    if (!path.empty() && !line.style.unjoined) {
      svg_.add("<path class=\"curve" + style + "\" d=\"" + path + "\"/>");
    }
    if (!dots.empty() && dotted) {
      svg_.add("<path class=\"dots line-" + colour + "\" d=\"" + dots + "\"/>");
    }
  }

 private:
  double across(double x) const { return frame_.width * clamped(axes_.x.position(x)); }
  double down(double y) const { return frame_.height * (1 - clamped(axes_.y.position(y))); }

  // Far outside is outside; viewers dislike coordinates of 1e300.
  static double clamped(double position) { return std::clamp(position, -20.0, 20.0); }

  std::string point(double x, double y) const {
    if (!std::isfinite(axes_.x.position(x)) || !std::isfinite(axes_.y.position(y))) return "";
    return at(frame_.left + across(x)) + " " + at(frame_.top + down(y));
  }

  Svg& svg_;
  const Axes& axes_;
  Frame frame_;
};

void add_styles(Svg& svg, const std::vector<LegendEntry>& legend) {
  svg.style(".curve { fill: none; stroke-width: 2.2; stroke-linejoin: round }");
  svg.style(".dashed { stroke-dasharray: 6 4 }");
  svg.style(".thin { stroke-width: 1.2 }");
  svg.style(".dots { fill: none; stroke-width: 6; stroke-linecap: round }");
  svg.style(".band { fill-opacity: .18 }");
  for (const LegendEntry& entry : legend) {
    const std::string number = std::to_string(entry.colour);
    const std::string light(palette[entry.colour].on_light);
    const std::string dark(palette[entry.colour].on_dark);
    svg.style(".line-" + number + " { stroke: " + light + " }");
    svg.dark_style(".line-" + number + " { stroke: " + dark + " }");
    svg.style(".fill-" + number + " { fill: " + light + " }");
    svg.dark_style(".fill-" + number + " { fill: " + dark + " }");
  }
}

void draw_sample(Svg& svg, const LegendEntry& entry, double x, double y) {
  const std::string colour = " line-" + std::to_string(entry.colour);
  const LineStyle& style = entry.style;
  if (!style.unjoined) {
    svg.line(x, y, x + 28, y, "class=\"curve" + colour + (style.dashed ? " dashed" : "") +
                                  (style.thin ? " thin" : "") + "\"");
  }
  if (style.points || style.unjoined) {
    svg.add("<path class=\"dots" + colour + "\" d=\"M" + at(x + 14) + " " + at(y) + "h0\"/>");
  }
}

// Returns where the legend ends.
double draw_legend(Svg& svg, const std::vector<LegendEntry>& legend, double top) {
  double x = margin;
  double y = top + 14;
  for (const LegendEntry& entry : legend) {
    const double width = 34 + text_width(entry.label, font);
    if (x > margin && x + width > svg_width - margin) {
      x = margin;
      y += 20;
    }
    draw_sample(svg, entry, x, y - 4.5);
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
  double top = margin;
  for (const std::string& line : wrap(plot.title, 78)) {
    svg.text(margin, top += 17, line, "class=\"title\"");
  }
  top = draw_legend(svg, legend, top + 9);

  const bool titled = std::ranges::any_of(plot.panels, [](const LinePanel& panel) {
    return !panel.title.empty();
  });
  const double left = margin + (plot.y.empty() ? 0 : 22) + widest_label(axes.y) + 7;
  const double gap = 22;
  const double width =
      (svg_width - margin - 6 - left - gap * static_cast<double>(columns - 1)) /
      static_cast<double>(columns);
  const double height = count == 1 ? 330 : std::clamp(0.8 * width, 140.0, 230.0);
  const double above = titled ? 26 : 10;
  const double pitch = height + above + 12;
  const Frame all = {left, top + above, svg_width - margin - 6 - left,
                     pitch * static_cast<double>(rows) - above - 12};

  for (std::size_t i = 0; i < count; ++i) {
    const auto column = static_cast<double>(i % columns);
    const auto row = static_cast<double>(i / columns);
    const Frame frame = {left + column * (width + gap), all.top + row * pitch, width, height};
    const std::string clip = svg.id() + "-clip-" + std::to_string(i);
    svg.add("<clipPath id=\"" + clip + "\"><rect" + attribute("x", frame.left) +
            attribute("y", frame.top - 2) + attribute("width", width + 4) +
            attribute("height", height + 3) + "/></clipPath>");
    Panel panel(svg, axes, frame);
    panel.grid_and_ticks(i + columns >= count, i % columns == 0);
    if (titled) {
      svg.text(frame.left + width / 2, frame.top - 8, plot.panels[i].title,
               "class=\"name\" text-anchor=\"middle\"");
    }
    svg.add("<g clip-path=\"url(#" + clip + ")\">");
    for (const Line& line : plot.panels[i].lines) {
      panel.band(line, std::to_string(entry_of(legend, line.label).colour));
    }
    for (const Line& line : plot.panels[i].lines) {
      panel.curve(line, std::to_string(entry_of(legend, line.label).colour));
    }
    svg.add("</g>");
  }

  double bottom = all.top + all.height + 26;
  const std::string middle = "text-anchor=\"middle\" class=\"name\"";
  if (!plot.x.empty()) svg.text(all.left + all.width / 2, bottom += 17, plot.x, middle);
  const double turn_y = all.top + all.height / 2;
  if (!plot.y.empty()) {
    svg.text(margin + 9, turn_y, plot.y,
             middle + " transform=\"rotate(-90 " + at(margin + 9) + " " + at(turn_y) + ")\"");
  }
  return svg.finish(svg_width, bottom + margin);
}

}  // namespace mesagrad::lesson
