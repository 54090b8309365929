// Heat maps as SVG: matrices in a grid, one colour bar for all of them.
#include <algorithm>
#include <array>
#include <cmath>

#include "tutorials/lesson/heat_scale.h"
#include "tutorials/lesson/layout.h"
#include "tutorials/lesson/svg.h"
#include "tutorials/lesson/utf8.h"

namespace mesagrad::lesson {
namespace {

constexpr double margin = 14;
constexpr double small_font = 11;

// One path for each shade that occurs: 1600 cells cost 20 kB and not 100.
void draw_cells(Svg& svg, const HeatPanel& panel, double limit) {
  std::array<std::string, shade_count + 1> paths;
  const auto columns = static_cast<std::size_t>(panel.columns);
  for (std::size_t start = 0; start < panel.values.size();) {
    const auto shade_at = [&](std::size_t i) {
      const double value = panel.values[i];
      return std::isnan(value) ? shade_count : shade_of(value, limit);
    };
    const std::size_t shade = shade_at(start);
    const std::size_t row_end = (start / columns + 1) * columns;
    std::size_t end = start + 1;
    while (end < row_end && shade_at(end) == shade) ++end;
    const std::string length = std::to_string(end - start);
    paths[shade] += "M" + std::to_string(start % columns) + " " + std::to_string(start / columns) +
                    "h" + length + "v1h-" + length + "z";
    start = end;
  }
  for (std::size_t shade = 0; shade <= shade_count; ++shade) {
    if (paths[shade].empty()) continue;
    const std::string fill = shade == shade_count ? "#999999" : shade_colour(shade);
    svg.add("<path fill=\"" + fill + "\" d=\"" + paths[shade] + "\"/>");
  }
}

struct Matrix {
  double left;
  double top;
  double cell;
  double width;
  double height;
};

void draw_separators(Svg& svg, const Matrix& matrix, const HeatPanel& panel, Index block) {
  if (block <= 0) return;
  for (Index i = block; i < panel.columns; i += block) {
    const double x = matrix.left + matrix.cell * static_cast<double>(i);
    svg.line(x, matrix.top, x, matrix.top + matrix.height, "class=\"block\"");
  }
  for (Index i = block; i < panel.rows; i += block) {
    const double y = matrix.top + matrix.cell * static_cast<double>(i);
    svg.line(matrix.left, y, matrix.left + matrix.width, y, "class=\"block\"");
  }
}

void draw_panel(Svg& svg, const HeatMap& map, const HeatPanel& panel, const Matrix& matrix,
                bool row_labels, bool column_labels) {
  svg.add("<g shape-rendering=\"crispEdges\" transform=\"translate(" + at(matrix.left) + " " +
          at(matrix.top) + ") scale(" + fixed_number(matrix.cell, 5) + ")\">");
  draw_cells(svg, panel, limit_of(map));
  svg.add("</g>");
  draw_separators(svg, matrix, panel, map.block);
  svg.add("<rect class=\"frame\"" + attribute("x", matrix.left) + attribute("y", matrix.top) +
          attribute("width", matrix.width) + attribute("height", matrix.height) + "/>");
  const double step = matrix.cell * static_cast<double>(std::max<Index>(map.block, 1));
  for (std::size_t i = 0; row_labels && i < map.row_labels.size(); ++i) {
    svg.text(matrix.left - 6, matrix.top + step * (static_cast<double>(i) + 0.5) + 4,
             map.row_labels[i], "class=\"small\" text-anchor=\"end\"");
  }
  for (std::size_t i = 0; column_labels && i < map.column_labels.size(); ++i) {
    svg.text(matrix.left + step * (static_cast<double>(i) + 0.5), matrix.top + matrix.height + 14,
             map.column_labels[i], "class=\"small\" text-anchor=\"middle\"");
  }
}

void draw_colour_bar(Svg& svg, double limit, double left, double top, double height) {
  const Axis axis = linear_axis(-limit, limit, 5);
  for (std::size_t shade = 0; shade < shade_count; ++shade) {
    const double each = height / shade_count;
    const double y = top + height - each * static_cast<double>(shade + 1);
    svg.add("<rect shape-rendering=\"crispEdges\" fill=\"" + shade_colour(shade) + "\"" +
            attribute("x", left) + attribute("y", y) + attribute("width", 14) +
            attribute("height", each + 0.3) + "/>");
  }
  svg.add("<rect class=\"frame\"" + attribute("x", left) + attribute("y", top) +
          attribute("width", 14) + attribute("height", height) + "/>");
  for (const Tick& tick : axis.ticks) {
    const double y = top + height * (1 - axis.position(tick.value));
    svg.line(left + 14, y, left + 18, y, "class=\"axis\"");
    svg.text(left + 22, y + 4, tick.label, "class=\"small\"");
  }
}

double widest(const std::vector<std::string>& labels, double font_size) {
  double width = 0;
  for (const std::string& label : labels) width = std::max(width, text_width(label, font_size));
  return width;
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
  Index most_rows = 1;
  Index most_columns = 1;
  bool titled = false;
  for (const HeatPanel& panel : map.panels) {
    most_rows = std::max(most_rows, panel.rows);
    most_columns = std::max(most_columns, panel.columns);
    titled = titled || !panel.title.empty();
  }

  double top = margin;
  for (const std::string& line : wrap(map.title, 78)) {
    svg.text(margin, top += 17, line, "class=\"title\"");
  }
  top += map.column_titles.empty() ? 10 : 28;

  const double labels = map.row_labels.empty() ? 0 : widest(map.row_labels, small_font) + 8;
  const double left = margin + (map.row_titles.empty() ? 0 : 24) + labels;
  const double bar_room = 74;
  const double gap = 16;
  const double gaps = gap * static_cast<double>(columns - 1);
  const double room =
      (svg_width - margin - bar_room - left - gaps) / static_cast<double>(columns);
  // Square cells; one or two big matrices should not fill a whole screen.
  const double cell = std::min({room / static_cast<double>(most_columns),
                                380.0 / static_cast<double>(most_rows), 34.0});
  const double width = cell * static_cast<double>(most_columns);
  const double height = cell * static_cast<double>(most_rows);
  const double above = titled ? 22 : 0;
  const double pitch = height + above + 14;

  for (std::size_t i = 0; i < map.panels.size(); ++i) {
    const HeatPanel& panel = map.panels[i];
    const Matrix matrix = {left + static_cast<double>(i % columns) * (width + gap),
                           top + static_cast<double>(i / columns) * pitch + above, cell,
                           cell * static_cast<double>(panel.columns),
                           cell * static_cast<double>(panel.rows)};
    draw_panel(svg, map, panel, matrix, i % columns == 0, i + columns >= map.panels.size());
    svg.text(matrix.left + width / 2, matrix.top - 7, panel.title,
             "class=\"small\" text-anchor=\"middle\"");
  }
  const std::string name = "class=\"name\" text-anchor=\"middle\"";
  for (std::size_t i = 0; i < std::min(map.column_titles.size(), columns); ++i) {
    const double x = left + static_cast<double>(i) * (width + gap) + width / 2;
    svg.text(x, top - 8, map.column_titles[i], name);
  }
  for (std::size_t i = 0; i < std::min(map.row_titles.size(), rows); ++i) {
    const double y = top + static_cast<double>(i) * pitch + above + height / 2;
    svg.text(margin + 10, y, map.row_titles[i],
             name + " transform=\"rotate(-90 " + at(margin + 10) + " " + at(y) + ")\"");
  }
  const double total = pitch * static_cast<double>(rows) - 14;
  const double bar = std::min(total - above, 240.0);
  const double right = left + static_cast<double>(columns) * (width + gap) + 6;
  draw_colour_bar(svg, limit_of(map), right, top + above + (total - above - bar) / 2, bar);
  const double below = map.column_labels.empty() ? 0 : 18;
  return svg.finish(svg_width, top + total + below + margin);
}

}  // namespace mesagrad::lesson
