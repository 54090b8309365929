// What both ways of drawing a figure have to decide first: ranges, ticks, colours, and panels in rows.
#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tutorials/lesson/plot.h"

namespace mesagrad::lesson {

// -- Axes with ticks at round numbers --------------------------------------------------------------

struct Tick {
  double value = 0;
  std::string label = {};
};

struct Axis {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  std::vector<Tick> ticks = {};

  // Where a value lies, 0 at low and 1 at high. NaN for what the axis cannot show.
  double position(double value) const;
};

// From low to high, with about as many ticks as wanted: multiples of 1, 2 or 5 times a power of ten. An empty
// or impossible range is widened first.
Axis linear_axis(double low, double high, int wanted);

// The same in decades; with ticks between them when there are only a few.
Axis log_axis(double low, double high, int wanted);

// The axes that all panels share, a little wider than the data.
struct Axes {
  Axis x;
  Axis y;
};

Axes axes_of(const LinePlot& plot, int x_ticks, int y_ticks);

// -- Colours ---------------------------------------------------------------------------------------

struct Colour {
  std::string_view on_light;
  std::string_view on_dark;
  int terminal;  // of the 256 that terminals know
};

// Okabe and Ito's palette, which colour-blind readers can tell apart; brighter on dark paper.
inline constexpr std::array<Colour, 7> palette = {{
    {"#0072b2", "#4aa8e0", 32},
    {"#d55e00", "#ff8a3d", 166},
    {"#009e73", "#2fc79b", 35},
    {"#cc79a7", "#e39cc4", 175},
    {"#e69f00", "#f0b429", 214},
    {"#56b4e9", "#9bd4f5", 117},
    {"#6b6b6b", "#b0b0b0", 245},
}};

// The curves of a plot, each label once, in order of appearance.
struct LegendEntry {
  std::string label;
  std::size_t colour;
  LineStyle style;
};

std::vector<LegendEntry> legend_of(const LinePlot& plot);
const LegendEntry& entry_of(const std::vector<LegendEntry>& legend, const std::string& label);

// Heat maps are blue below zero, white at zero, orange above, on a scale from -limit to +limit; values
// outside take the last shade. Blue and orange stay apart for every kind of colour blindness. The number of
// shades is odd, so that one is exactly zero's.
inline constexpr std::size_t shade_count = 41;
double limit_of(const HeatMap& map);
double low_of(const HeatMap& map);  // where the scale is shown from: 0 if nothing is below
std::size_t shade_of(double value, double limit);
std::string shade_colour(std::size_t shade);  // #rrggbb
int shade_terminal_colour(std::size_t shade);

// -- Panels ----------------------------------------------------------------------------------------

// Panels side by side: the wish, or a number that leaves no lonely panel in the last row.
std::size_t panel_columns(int wished, std::size_t panels, std::size_t most);

// What must hold before a figure is drawn: a usable name and something to see. Throws Error.
void check_figure(const LinePlot& plot);
void check_figure(const HeatMap& map);

}  // namespace mesagrad::lesson
