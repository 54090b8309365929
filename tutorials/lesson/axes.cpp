#include "tutorials/lesson/axes.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace mesagrad::lesson {
namespace {

// Values that an axis can show at all; also keeps every later sum far from overflow.
constexpr double largest = 1e150, smallest = 1e-150;
bool drawable(double value, bool logarithmic) {
  return std::isfinite(value) && std::abs(value) <= largest && (!logarithmic || value >= smallest);
}

double round_step(double span, int wanted) {
  const double rough = span / std::max(wanted, 1);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double multiple : {1.0, 2.0, 5.0}) {
    // The small slack keeps 0.1 / 0.1 = 1.0000000000000002 from becoming 2.
    if (multiple * power >= rough * (1 - 1e-9)) return multiple * power;
  }
  return 10 * power;
}

int exponent_of(double value) { return static_cast<int>(std::floor(std::log10(value) + 1e-9)); }

// 1 and -3 as 10⁻³, 2 and 5 as 2×10⁵.
std::string power_of_ten(const std::string& mantissa, int exponent) {
  static constexpr std::array<const char*, 10> raised = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string result = (mantissa == "1" ? "10" : mantissa + "×10");
  if (exponent < 0) result += "⁻";
  for (const char c : std::to_string(std::abs(exponent))) result += raised[static_cast<std::size_t>(c - '0')];
  return result;
}

std::string tick_label(double value, double step, double largest_shown) {
  const int exponent = exponent_of(step);
  const std::string sign = value < 0 ? "−" : "";
  const bool plain = largest_shown < 1e6 && exponent >= -5;
  if (plain) return sign + fixed_number(std::abs(value), std::max(0, -exponent));
  if (value == 0) return "0";
  // All of one axis count the same power of ten, so that they can be compared at a glance.
  const int shared = exponent_of(largest_shown);
  const double mantissa = std::abs(value) / std::pow(10.0, shared);
  return sign + power_of_ten(fixed_number(mantissa, std::clamp(shared - exponent, 0, 12)), shared);
}

std::vector<Tick> log_ticks(const Axis& axis, const std::vector<int>& mantissas, int stride) {
  std::vector<Tick> ticks;
  const bool plain = axis.low >= 0.9e-3 && axis.high <= 1.1e4;
  for (int exponent = exponent_of(axis.low); exponent <= exponent_of(axis.high); ++exponent) {
    for (const int mantissa : mantissas) {
      const double value = mantissa * std::pow(10.0, exponent), slack = 1e-9 * value;
      if (exponent % stride != 0 || value < axis.low - slack || value > axis.high + slack) continue;
      ticks.push_back({value, plain ? fixed_number(value, std::max(0, -exponent))
                                    : power_of_ten(std::to_string(mantissa), exponent)});
    }
  }
  return ticks;
}

// The smallest and the largest drawable value seen.
struct Range {
  bool logarithmic;
  double low = std::numeric_limits<double>::infinity();
  double high = -low;

  void add(double value) {
    if (!drawable(value, logarithmic)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

Axis y_axis(const LinePlot& plot, int wanted) {
  Range range{plot.log_y};
  for (const LinePanel& panel : plot.panels) {
    for (const Line& line : panel.lines) {
      for (std::size_t i = 0; i < line.y.size(); ++i) {
        range.add(line.y[i]);
        if (!line.style.band || line.style.std.empty()) continue;
        range.add(line.y[i] + line.style.std[i]);
        // On a logarithmic axis the lower edge of a band may be arbitrarily close to zero.
        if (!plot.log_y) range.add(line.y[i] - line.style.std[i]);
      }
    }
  }
  range.low = plot.y_low.value_or(range.low);
  range.high = plot.y_high.value_or(range.high);
  if (!(range.low <= range.high)) range.low = plot.log_y ? 0.1 : 0, range.high = 1;
  if (plot.log_y) {
    const double margin = std::pow(range.high / range.low, 0.04);
    return log_axis(plot.y_low ? range.low : range.low / margin,
                    plot.y_high ? range.high : range.high * margin, wanted);
  }
  // A loss is easier to judge when zero can be seen.
  if (range.low > 0 && range.low < 0.35 * range.high && !plot.y_low) range.low = 0;
  const double margin = 0.04 * (range.high - range.low);
  return linear_axis(range.low == 0 || plot.y_low ? range.low : range.low - margin,
                     plot.y_high ? range.high : range.high + margin, wanted);
}

Axis x_axis(const LinePlot& plot, int wanted) {
  Range range{plot.log_x};
  for (const LinePanel& panel : plot.panels) {
    for (const Line& line : panel.lines) {
      for (const double x : line.x) range.add(x);
    }
  }
  return (plot.log_x ? log_axis : linear_axis)(range.low, range.high, wanted);
}

// A usable name of a file; and a title that says what is plotted, whatever came out.
void check_words(const std::string& name, const std::string& title) {
  const bool plain = name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == std::string::npos;
  check(!name.empty() && plain, "figure '", name,
        "': a name consists of a-z, 0-9, - and _ because it becomes a file's name");
  std::string words = " ";
  for (const char c : title + ".") {
    words += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c >= 'a' && c <= 'z' ? c : ' ';
  }
  for (const std::string outcome :
       {"beats", "equals", "exceeds", "fails", "falls", "finds", "grows", "improves", "learns", "loses",
        "matches", "outperforms", "reaches", "rises", "solves", "wins"}) {
    check(words.find(" " + outcome + " ") == std::string::npos, "figure ", name, ": its title says '",
          outcome, "', which is for the run to show: a title names what is plotted");
  }
}

}  // namespace

double Axis::position(double value) const {
  if (!drawable(value, logarithmic)) return std::numeric_limits<double>::quiet_NaN();
  return logarithmic ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
}

Axis linear_axis(double low, double high, int wanted) {
  if (!drawable(low, false) || !drawable(high, false) || low > high) low = 0, high = 1;
  const double size = std::max(std::abs(low), std::abs(high));
  if (high - low <= 1e-9 * size || high - low < smallest) {
    const double room = size < smallest ? 1 : 0.1 * size;
    low -= room;
    high += room;
  }
  Axis axis{.low = low, .high = high};
  const double step = round_step(high - low, wanted), largest_shown = std::max(std::abs(low), std::abs(high));
  for (double i = std::ceil(low / step - 1e-6); i * step <= high + 1e-6 * step; ++i) {
    const double value = i == 0 ? 0 : i * step;  // no -0
    axis.ticks.push_back({value, tick_label(value, step, largest_shown)});
  }
  return axis;
}

Axis log_axis(double low, double high, int wanted) {
  if (!drawable(low, true) || !drawable(high, true) || low > high) low = 0.1, high = 1;
  if (std::log10(high / low) < 0.05) low /= 1.2, high *= 1.2;
  Axis axis{.low = low, .high = high, .logarithmic = true};
  const double decades = std::log10(high / low);
  const int stride = std::max(1, static_cast<int>(std::ceil(decades / std::max(wanted, 1))));
  axis.ticks = log_ticks(axis, {1}, stride);
  if (axis.ticks.size() < 3 && stride == 1) {
    axis.ticks = log_ticks(axis, decades > 1.5 ? std::vector{1, 3} : std::vector{1, 2, 5}, 1);
  }
  if (axis.ticks.size() >= 2) return axis;
  // Less than a decade: round numbers as on a linear axis, at their logarithmic places.
  axis.ticks = linear_axis(low, high, std::min(wanted, 4)).ticks;
  std::erase_if(axis.ticks, [](const Tick& tick) { return tick.value <= 0; });
  return axis;
}

Axes axes_of(const LinePlot& plot, int x_ticks, int y_ticks) {
  return {x_axis(plot, x_ticks), y_axis(plot, y_ticks)};
}

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

double low_of(const HeatMap& map) {
  const bool negative = std::ranges::any_of(map.panels, [](const HeatPanel& panel) {
    return std::ranges::any_of(panel.values, [](double value) { return value < 0; });
  });
  return negative ? -limit_of(map) : 0;
}

std::size_t shade_of(double value, double limit) {
  const double place = (std::clamp(value / limit, -1.0, 1.0) + 1) / 2;
  return static_cast<std::size_t>(std::lround(place * (shade_count - 1)));
}

std::string shade_colour(std::size_t shade) {
  // From -1 to +1 at equal distances, mixed between.
  constexpr double stops[7][3] = {{8, 60, 125},    {40, 120, 185}, {142, 191, 224}, {248, 248, 248},
                                  {253, 190, 125}, {226, 107, 20}, {142, 52, 4}};
  constexpr std::string_view hex = "0123456789abcdef";
  const double place = 6.0 * static_cast<double>(shade) / (shade_count - 1);
  const auto first = std::min<std::size_t>(static_cast<std::size_t>(place), 5);
  const double part = place - static_cast<double>(first);
  std::string colour = "#";
  for (std::size_t i = 0; i < 3; ++i) {
    const long byte = std::lround((1 - part) * stops[first][i] + part * stops[first + 1][i]);
    colour += {hex[static_cast<std::size_t>(byte / 16)], hex[static_cast<std::size_t>(byte % 16)]};
  }
  return colour;
}

int shade_terminal_colour(std::size_t shade) {
  // Chosen by eye among the 256: the nearest ones by distance drift to green and grey.
  constexpr std::array<int, 13> colours = {24, 25, 32, 75, 117, 153, 231, 230, 223, 215, 208, 166, 130};
  return colours[(shade * (colours.size() - 1) + (shade_count - 1) / 2) / (shade_count - 1)];
}

std::size_t panel_columns(int wished, std::size_t panels, std::size_t most) {
  if (wished > 0) return std::min(static_cast<std::size_t>(wished), panels);
  const std::size_t rows = (panels + most - 1) / most;
  return rows <= 1 ? panels : (panels + rows - 1) / rows;
}

void check_figure(const LinePlot& plot) {
  check_words(plot.name, plot.title);
  check(!plot.panels.empty(), "plot ", plot.name, " has no line");
}

void check_figure(const HeatMap& map) {
  check_words(map.name, map.title);
  check(!map.panels.empty(), "heat map ", map.name, " has no panel");
  check(!map.limit || (*map.limit > 0 && drawable(*map.limit, false)), "heat map ", map.name,
        ": the limit of the colour scale must be positive, and is ", *map.limit);
}

}  // namespace mesagrad::lesson
