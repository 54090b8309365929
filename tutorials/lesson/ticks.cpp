#include "tutorials/lesson/ticks.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tutorials/lesson/numbers.h"

namespace mesagrad::lesson {
namespace {

constexpr double largest = 1e150;
constexpr double smallest = 1e-150;

double round_step(double span, int wanted) {
  const double rough = span / std::max(wanted, 1);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double multiple : {1.0, 2.0, 5.0}) {
    // The small slack keeps 0.1 / 0.1 = 1.0000000000000002 from becoming 2.
    if (multiple * power >= rough * (1 - 1e-9)) return multiple * power;
  }
  return 10 * power;
}

std::string tick_label(double value, double step, double largest_shown) {
  const int exponent = static_cast<int>(std::floor(std::log10(step) + 1e-9));
  const std::string sign = value < 0 ? "−" : "";
  if (largest_shown < 1e6 && exponent >= -5) {
    return sign + fixed_number(std::abs(value), std::max(0, -exponent));
  }
  // All of one axis count the same power of ten, so that they can be compared at a glance.
  const int shared = static_cast<int>(std::floor(std::log10(largest_shown) + 1e-9));
  const double mantissa = std::abs(value) / std::pow(10.0, shared);
  const std::string digits = fixed_number(mantissa, std::clamp(shared - exponent, 0, 12));
  return value == 0 ? "0" : sign + digits + "×" + power_of_ten(1, shared);
}

std::string log_label(int mantissa, int exponent, bool plain) {
  if (!plain) return power_of_ten(mantissa, exponent);
  return fixed_number(mantissa * std::pow(10.0, exponent), std::max(0, -exponent));
}

void add_log_ticks(Axis& axis, const std::vector<int>& mantissas, int stride) {
  const int first = static_cast<int>(std::floor(std::log10(axis.low) + 1e-9));
  const int last = static_cast<int>(std::floor(std::log10(axis.high) + 1e-9));
  const bool plain = axis.low >= 0.9e-3 && axis.high <= 1.1e4;
  for (int exponent = first; exponent <= last; ++exponent) {
    if (exponent % stride != 0) continue;
    for (const int mantissa : mantissas) {
      const double value = mantissa * std::pow(10.0, exponent);
      const double slack = 1e-9 * value;
      if (value < axis.low - slack || value > axis.high + slack) continue;
      axis.ticks.push_back({value, log_label(mantissa, exponent, plain)});
    }
  }
}

}  // namespace

bool drawable(double value, bool logarithmic) {
  if (!std::isfinite(value) || std::abs(value) > largest) return false;
  return !logarithmic || value >= smallest;
}

double Axis::position(double value) const {
  if (!drawable(value, logarithmic)) return std::numeric_limits<double>::quiet_NaN();
  if (logarithmic) return std::log(value / low) / std::log(high / low);
  return (value - low) / (high - low);
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
  const double step = round_step(high - low, wanted);
  const double largest_shown = std::max(std::abs(low), std::abs(high));
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
  add_log_ticks(axis, {1}, stride);
  if (std::ssize(axis.ticks) < 3 && stride == 1) {
    axis.ticks.clear();
    add_log_ticks(axis, decades > 1.5 ? std::vector{1, 3} : std::vector{1, 2, 5}, 1);
  }
  if (axis.ticks.size() >= 2) return axis;
  // Less than a decade: round numbers as on a linear axis, at their logarithmic places.
  axis.ticks.clear();
  for (const Tick& tick : linear_axis(low, high, std::min(wanted, 4)).ticks) {
    if (tick.value > 0) axis.ticks.push_back(tick);
  }
  return axis;
}

}  // namespace mesagrad::lesson
