// Ticks at round numbers, and figures that are well-formed whatever the data.
#include "tests/catch.h"  // first, because it is precompiled

#include <cmath>
#include <limits>
#include <sstream>

#include "core/error.h"
#include "tutorials/lesson/plot.h"
#include "tutorials/lesson/axes.h"
#include "tutorials/lesson/svg.h"
#include "tutorials/lesson/writing.h"

using namespace mesagrad;
using namespace mesagrad::lesson;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

std::string labels(const Axis& axis) {
  std::string all;
  for (const Tick& tick : axis.ticks) all += (all.empty() ? "" : " ") + tick.label;
  return all;
}

// The first tag that does not match; empty when all do. Good for markup without < in attributes.
std::string unbalanced(const std::string& markup) {
  std::vector<std::string> open;
  for (std::size_t i = markup.find('<'); i != std::string::npos; i = markup.find('<', i + 1)) {
    const std::size_t end = markup.find('>', i);
    if (end == std::string::npos) return "<";
    const std::string name = markup.substr(i + 1, markup.find_first_of(" >", i) - i - 1);
    if (!name.starts_with('/')) {
      if (markup[end - 1] != '/') open.push_back(name);
    } else if (open.empty() || "/" + open.back() != name) {
      return name;
    } else {
      open.pop_back();
    }
  }
  return open.empty() ? "" : open.back();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void check_drawing(const std::string& svg) {
  CHECK(unbalanced(svg).empty());
  CHECK_FALSE(contains(svg, "nan"));
  CHECK_FALSE(contains(svg, "inf"));
}

}  // namespace

TEST_CASE("ticks are multiples of 1, 2 or 5 times a power of ten", "[figure]") {
  CHECK(labels(linear_axis(0, 1, 5)) == "0.0 0.2 0.4 0.6 0.8 1.0");
  CHECK(labels(linear_axis(1, 50, 5)) == "10 20 30 40 50");
  CHECK(labels(linear_axis(-1.1, 1.1, 4)) == "−1 0 1");
  CHECK(labels(linear_axis(0, 0.0007, 4)) == "0.0000 0.0002 0.0004 0.0006");
  CHECK(labels(linear_axis(0, 3e7, 3)) == "0 10⁷ 2×10⁷ 3×10⁷");
  CHECK(labels(linear_axis(0, 4e-8, 2)) == "0 2×10⁻⁸ 4×10⁻⁸");
  CHECK(labels(linear_axis(99.9, 100.3, 4)) == "99.9 100.0 100.1 100.2 100.3");
}

TEST_CASE("every axis has ticks inside its range, in order", "[figure]") {
  for (const double low : {-3e120, -7.0, 0.0, 1e-9, 0.3, 123456.0}) {
    for (const double span : {0.0, 1e-12, 0.017, 1.0, 9.99, 4e5, 1e140}) {
      const Axis axis = linear_axis(low, low + span, 5);
      CHECK(axis.ticks.size() >= 2);
      CHECK(axis.ticks.size() <= 8);
      for (const Tick& tick : axis.ticks) {
        CHECK(axis.position(tick.value) > -0.01);
        CHECK(axis.position(tick.value) < 1.01);
      }
    }
  }
}

TEST_CASE("logarithmic ticks are decades, or 1 2 5 when there are few", "[figure]") {
  CHECK(labels(log_axis(1, 1000, 6)) == "1 10 100 1000");
  CHECK(labels(log_axis(0.03, 3, 6)) == "0.03 0.1 0.3 1 3");
  CHECK(labels(log_axis(0.4, 2.2, 6)) == "0.5 1 2");
  CHECK(labels(log_axis(1e-6, 1, 3)) == "10⁻⁶ 10⁻⁴ 10⁻² 10⁰");
  CHECK(labels(log_axis(2.1, 3.9, 4)) == "2.5 3.0 3.5");
  CHECK(std::isnan(log_axis(1, 10, 3).position(0)));
  CHECK(log_axis(1, 100, 3).position(10) == 0.5);
}

TEST_CASE("impossible ranges become possible ones", "[figure]") {
  CHECK(linear_axis(not_a_number, 1, 5).ticks.size() >= 2);
  CHECK(linear_axis(infinity, -infinity, 5).ticks.size() >= 2);
  CHECK(log_axis(-1, 5, 5).ticks.size() >= 2);
  CHECK(log_axis(3, 3, 5).ticks.size() >= 1);
}

TEST_CASE("a line plot is well-formed, escaped and complete", "[figure]") {
  LinePlot plot{.name = "curves", .title = "a < b & c", .x = "t", .y = "\"loss\""};
  plot.line("LSQ <1>", {1, 2, 3}, {3, 2, 1}, {.std = {1, 1, 1}, .band = true, .points = true});
  plot.line("theory", {1, 2, 3}, {3, 2, 1}, {.dashed = true, .thin = true, .like = "LSQ <1>"});
  const std::string svg = draw_svg(plot);
  check_drawing(svg);
  CHECK(contains(svg, "a &lt; b &amp; c"));
  CHECK(contains(svg, "LSQ &lt;1&gt;"));
  CHECK(contains(svg, "id=\"figure-curves\""));
  CHECK(contains(svg, "prefers-color-scheme: dark"));
  CHECK(legend_of(plot)[1].colour == legend_of(plot)[0].colour);
}

TEST_CASE("a figure survives every kind of data", "[figure]") {
  for (const bool logarithmic : {false, true}) {
    LinePlot plot{.name = "p", .log_x = logarithmic, .log_y = logarithmic};
    plot.panel("one");
    plot.line("gaps", {0, 1, 2, not_a_number, 4}, {not_a_number, infinity, -1, 0, 1e-300});
    plot.line("huge", {1, 2}, {1e200, -1e200}, {.std = {1e300, not_a_number}, .band = true});
    plot.panel("two");
    plot.line("empty", {}, {});
    plot.line("alone", {3}, {7}, {.unjoined = true});
    plot.y_high = 5;
    check_drawing(draw_svg(plot));
    for (const bool colour : {false, true}) {
      CHECK(contains(draw_text(plot, {.width = 80, .colour = colour}), "two"));
      CHECK(contains(draw_text(plot, {.width = 30, .colour = colour}), "two"));
    }
  }
}

TEST_CASE("a long curve keeps its peaks and becomes small", "[figure]") {
  Numbers x;
  Numbers y;
  for (int i = 0; i < 100000; ++i) {
    x.push_back(i);
    y.push_back(i == 77777 ? 9.0 : std::sin(i));
  }
  LinePlot plot{.name = "long", .y_high = 10};
  plot.line("loss", x, y, {.thin = true});
  const std::string svg = draw_svg(plot);
  CHECK(svg.size() < 40000);
  std::vector<double>& losses = plot.panels[0].lines[0].y;
  losses[77770] = not_a_number;  // what is beside a gap is as visible
  CHECK(draw_svg(plot) == svg);
  losses[77777] = 0;
  CHECK(draw_svg(plot) != svg);
}

TEST_CASE("a panel may have no curves", "[figure]") {
  LinePlot plot{.name = "p"};
  plot.panel("empty");
  plot.panel("full");
  for (int i = 0; i < 6; ++i) plot.line(text("curve ", i), {0, 1}, {1, 2});
  check_drawing(draw_svg(plot));
  for (const bool colour : {false, true}) CHECK(contains(draw_text(plot, {.colour = colour}), "empty"));
}

TEST_CASE("plots refuse data that do not fit", "[figure]") {
  LinePlot plot{.name = "p"};
  CHECK_THROWS_AS(plot.line("l", {1, 2}, {1}), Error);
  CHECK_THROWS_AS(plot.line("l", {1, 2}, {1, 2}, {.std = {1}}), Error);
  CHECK_THROWS_AS(draw_svg(plot), Error);
  LinePlot badly_named{.name = "../x"};
  badly_named.line("l", {1}, {1});
  CHECK_THROWS_AS(draw_svg(badly_named), Error);
  HeatMap map{.name = "m"};
  CHECK_THROWS_AS(map.panel("", 2, 2, {1, 2, 3}), Error);
  CHECK_THROWS_AS(draw_svg(map), Error);
}

TEST_CASE("heat maps share one symmetric scale", "[figure]") {
  HeatMap map{.name = "m", .row_titles = {"step 0"}, .column_titles = {"K & Q"}, .block = 1};
  map.panel("head 1", 2, 2, {1, not_a_number, 0, -3});
  map.panel("head 2", 1, 3, {0.5, infinity, 0});
  CHECK(limit_of(map) == 3);
  const std::string svg = draw_svg(map);
  check_drawing(svg);
  CHECK(contains(svg, "K &amp; Q"));
  CHECK(shade_of(0, 3) == shade_count / 2);
  CHECK(shade_of(-9, 3) == 0);
  CHECK(shade_of(3, 3) == shade_count - 1);
  CHECK(shade_colour(shade_count / 2) == "#f8f8f8");
  const std::string plain = draw_text(map, {.width = 80, .colour = false});
  CHECK(contains(plain, "head 2"));
  CHECK_FALSE(contains(plain, "\x1b"));
}

TEST_CASE("two rows of a large heat map share a line, and the last may be alone", "[figure]") {
  HeatMap map{.name = "m"};
  map.panel("", 3, 30, Numbers(std::vector<double>(90, 1)));
  std::istringstream lines(draw_text(map, {.width = 80, .colour = true}));
  std::vector<std::string> cells;
  for (std::string line; std::getline(lines, line);) {
    if (contains(line, "▀")) cells.push_back(line);
  }
  REQUIRE(cells.size() == 2);
  CHECK(columns(cells[0]) == 32);
  CHECK(contains(cells[0], "\x1b[48;5;130m\x1b[38;5;130m▀"));
  CHECK_FALSE(contains(cells[1], "48;5"));
}

TEST_CASE("the scale of a heat map without negative numbers begins at 0", "[figure]") {
  HeatMap map{.name = "m"};
  map.panel("", 1, 2, {0, 3});
  CHECK(low_of(map) == 0);
  CHECK_FALSE(contains(draw_svg(map), ">−"));
  CHECK(contains(draw_text(map, {.width = 80}), "0 ··░░▒▒▓▓██ 3"));
  map.panel("", 1, 1, {-1});
  CHECK(low_of(map) == -3);
  CHECK(contains(draw_svg(map), ">−"));
}

TEST_CASE("indices in a figure are set, and what follows is on the line again", "[figure]") {
  LinePlot plot{.name = "p", .title = "s_49 and x^2"};
  plot.line("a", {1}, {1});
  const std::string svg = draw_svg(plot);
  check_drawing(svg);
  CHECK(contains(svg, ">s<tspan dy=\"4\" font-size=\"75%\">49</tspan><tspan dy=\"-4\">\u200b</tspan> and x<tspan dy=\"-5\""));
}

TEST_CASE("without colours many curves become numbers", "[figure]") {
  LinePlot plot{.name = "p", .title = "Losses", .x = "t", .y = "loss"};
  for (int i = 0; i < 4; ++i) plot.line(text("curve ", i), {0, 5, 50}, {1, 2.0 + i, 3});
  CHECK(contains(draw_text(plot, {.width = 80}), "D curve 3"));
  plot.line("curve 4", {0, 50}, {7.25, not_a_number});
  CHECK(contains(draw_text(plot, {.width = 80, .colour = true}), "━━━"));
  std::istringstream lines(draw_text(plot, {.width = 80}));
  std::vector<std::string> words;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream parts(line);
    std::string all;
    for (std::string word; parts >> word;) all += (all.empty() ? "" : " ") + word;
    words.push_back(all);
  }
  REQUIRE(words.size() == 8);
  CHECK(words[0] == "Losses: loss");
  CHECK(words[1] == "t 0 5 50");
  CHECK(words[3] == "curve 0 1 2 3");
  CHECK(words[6] == "curve 3 1 5 3");
  CHECK(words[7] == "curve 4 7.25");
}

TEST_CASE("no line of a terminal figure is wider than the terminal", "[figure]") {
  LinePlot plot{.name = "p", .title = "A title of several words", .x = "x", .y = "y"};
  plot.line("a curve with a rather long name", {0, 1, 2}, {1e-7, 2e-7, 3e-7});
  LinePlot many{.name = "n", .title = "A title of several words", .x = "x", .y = "y"};
  for (int i = 0; i < 6; ++i) {
    many.line(text("curve ", i, " with a rather long name"), {0, 1, 2, 3, 4, 5}, {1e-7, 2e-7, 3e-7, 1, 2, 3});
  }
  HeatMap map{.name = "m", .row_titles = {"step 1000"}};
  for (int i = 0; i < 4; ++i) map.panel("p", 40, 40, Numbers(std::vector<double>(1600, 0.5)));
  for (const int width : {40, 80, 200}) {
    for (const bool colour : {false, true}) {
      const Screen screen = {.width = width, .colour = colour};
      std::istringstream lines(draw_text(plot, screen) + draw_text(many, screen) + draw_text(map, screen));
      for (std::string line; std::getline(lines, line);) CHECK(columns(line) <= width);
    }
  }
}
