// Heat maps as SVG: matrices in a grid, one colour bar for all of them.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "tutorials/lesson/axes.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::lesson {
namespace {

constexpr double small_font = 11, bar_width = 14;

// One path for each shade that occurs: 1600 cells cost 20 kB and not 100.
void draw_cells(Svg& svg, const HeatPanel& panel, double limit) {
  std::array<std::string, shade_count + 1> paths;  // the last one is NaN's
  const auto columns = static_cast<std::size_t>(panel.columns);
  const auto shade_at = [&](std::size_t i) {
    return std::isnan(panel.values[i]) ? shade_count : shade_of(panel.values[i], limit);
  };
  for (std::size_t start = 0; start < panel.values.size();) {
    const std::size_t shade = shade_at(start), row_end = (start / columns + 1) * columns;
    std::size_t end = start + 1;
    while (end < row_end && shade_at(end) == shade) ++end;
    const std::size_t length = end - start;
    paths[shade] += text("M", start % columns, " ", start / columns, "h", length, "v1h-", length, "z");
    start = end;
  }
  for (std::size_t shade = 0; shade <= shade_count; ++shade) {
    if (paths[shade].empty()) continue;
    const std::string fill = shade == shade_count ? "#999999" : shade_colour(shade);
    svg.add("<path fill=\"" + fill + "\" d=\"" + paths[shade] + "\"/>");
  }
}

void draw_matrix(Svg& svg, const HeatMap& map, const HeatPanel& panel, const Box& box, bool row_labels,
                 bool column_labels) {
  const double cell = box.width / static_cast<double>(panel.columns);
  svg.add("<g shape-rendering=\"crispEdges\" transform=\"translate(" + at(box.left) + " " + at(box.top) +
          ") scale(" + fixed_number(cell, 5) + ")\">");
  draw_cells(svg, panel, limit_of(map));
  svg.add("</g>");
  for (Index i = map.block; map.block > 0 && i < panel.columns; i += map.block) {
    const double x = box.left + cell * static_cast<double>(i);
    svg.line(x, box.top, x, box.top + box.height, "class=\"block\"");
  }
  for (Index i = map.block; map.block > 0 && i < panel.rows; i += map.block) {
    const double y = box.top + cell * static_cast<double>(i);
    svg.line(box.left, y, box.left + box.width, y, "class=\"block\"");
  }
  svg.box(box, "class=\"frame\"");
  const double step = cell * static_cast<double>(std::max<Index>(map.block, 1));
  for (std::size_t i = 0; row_labels && i < map.row_labels.size(); ++i) {
    svg.text(box.left - 6, box.top + step * (static_cast<double>(i) + 0.5) + 4, map.row_labels[i],
             "class=\"small\" text-anchor=\"end\"");
  }
  for (std::size_t i = 0; column_labels && i < map.column_labels.size(); ++i) {
    svg.text(box.left + step * (static_cast<double>(i) + 0.5), box.top + box.height + 14,
             map.column_labels[i], "class=\"small\" text-anchor=\"middle\"");
  }
}

void draw_colour_bar(Svg& svg, double low, double limit, const Box& box) {
  const std::size_t first = shade_of(low, limit);
  const double each = box.height / static_cast<double>(shade_count - first);
  for (std::size_t shade = first; shade < shade_count; ++shade) {
    const double y = box.top + each * static_cast<double>(shade_count - 1 - shade);
    svg.box({box.left, y, box.width, each + 0.3},
            "shape-rendering=\"crispEdges\" fill=\"" + shade_colour(shade) + "\"");
  }
  svg.box(box, "class=\"frame\"");
  const Axis axis = linear_axis(low, limit, 5);
  for (const Tick& tick : axis.ticks) {
    const double x = box.left + box.width, y = box.top + box.height * (1 - axis.position(tick.value));
    svg.line(x, y, x + 4, y, "class=\"axis\"");
    svg.text(x + 8, y + 4, tick.label, "class=\"small\"");
  }
}

}  // namespace

std::string draw_svg(const HeatMap& map) {
  check_figure(map);
  Svg svg(map.name, map.title);
  svg.style(".frame { fill: none; stroke: #777; stroke-width: 1 }");
  svg.style(".block { stroke: #555; stroke-opacity: .55; stroke-width: 1 }");
  svg.style(".small { font-size: 11px }");

  const std::size_t columns = panel_columns(map.columns, map.panels.size(), 4);
  const std::size_t rows = (map.panels.size() + columns - 1) / columns;
  const auto most = [&](auto size) {
    return static_cast<double>(std::ranges::max(map.panels, {}, size).*size);
  };
  const double most_rows = most(&HeatPanel::rows), most_columns = most(&HeatPanel::columns);
  const bool titled =
      std::ranges::any_of(map.panels, [](const HeatPanel& panel) { return !panel.title.empty(); });
  double labels = 0;
  for (const std::string& label : map.row_labels)
    labels = std::max(labels, text_width(label, small_font) + 8);

  const double left = svg_margin + (map.row_titles.empty() ? 0 : 24) + labels, bar_room = 74, gap = 16;
  const double room = (svg_width - svg_margin - bar_room - left - gap * static_cast<double>(columns - 1)) /
                      static_cast<double>(columns);
  // Square cells; one or two big matrices should not fill a whole screen.
  const double cell = std::min({room / most_columns, 380.0 / most_rows, 34.0});
  const double width = cell * most_columns, height = cell * most_rows;
  const double below_title = svg.top() + (map.column_titles.empty() ? 10 : 28), above = titled ? 22 : 0;
  const double top = below_title + above, pitch = height + above + 14;

  for (std::size_t i = 0; i < map.panels.size(); ++i) {
    const HeatPanel& panel = map.panels[i];
    const Box box = {left + static_cast<double>(i % columns) * (width + gap),
                     top + static_cast<double>(i / columns) * pitch,
                     cell * static_cast<double>(panel.columns), cell * static_cast<double>(panel.rows)};
    draw_matrix(svg, map, panel, box, i % columns == 0, i + columns >= map.panels.size());
    svg.text(box.left + width / 2, box.top - 7, panel.title, "class=\"small\" text-anchor=\"middle\"");
  }
  for (std::size_t i = 0; i < std::min(map.column_titles.size(), columns); ++i) {
    svg.text(left + static_cast<double>(i) * (width + gap) + width / 2, below_title - 8, map.column_titles[i],
             "class=\"name\" text-anchor=\"middle\"");
  }
  for (std::size_t i = 0; i < std::min(map.row_titles.size(), rows); ++i) {
    svg.upwards(svg_margin + 10, top + static_cast<double>(i) * pitch + height / 2, map.row_titles[i]);
  }
  const double total = pitch * static_cast<double>(rows) - 14 - above, bar = std::min(total, 240.0);
  const double right = left + static_cast<double>(columns) * (width + gap) + 6;
  draw_colour_bar(svg, low_of(map), limit_of(map), {right, top + (total - bar) / 2, bar_width, bar});
  return svg.finish(top + total + (map.column_labels.empty() ? 0 : 18) + svg_margin);
}

}  // namespace mesagrad::lesson
