#include "tutorials/lesson/numbers.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <numeric>

namespace mesagrad::lesson {
namespace {

template <class... Format>
std::string written(double value, Format... format) {
  // Enough for 1e308 in fixed notation with decimals.
  std::array<char, 400> digits = {};
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value, format...);
  return std::string(digits.data(), result.ptr);
}

}  // namespace

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::string fixed_number(double value, int decimals) {
  return written(value, std::chars_format::fixed, decimals);
}

std::string exact_number(double value) { return written(value); }

std::string short_number(double value, int digits) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "infinity" : "-infinity";
  const double size = std::abs(value);
  if (size < 1e9 && value == std::floor(value)) return fixed_number(value, 0);
  if (size >= 1000 && size < 1e6) return fixed_number(value, 1);
  return written(value, std::chars_format::general, digits);
}

std::string power_of_ten(int mantissa, int exponent) {
  static const std::array<const char*, 10> raised = {"⁰", "¹", "²", "³", "⁴",
                                                     "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string result = mantissa == 1 ? "" : std::to_string(mantissa) + "×";
  result += exponent < 0 ? "10⁻" : "10";
  for (const char digit : std::to_string(std::abs(exponent))) {
    result += raised[static_cast<std::size_t>(digit - '0')];
  }
  return result;
}

std::string duration(double seconds) {
  if (!(seconds < 1e9)) return "very long";
  if (seconds < 9.95) return fixed_number(seconds, 1) + " s";
  const auto whole = static_cast<long>(std::lround(seconds));
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) {
    return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  }
  return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

}  // namespace mesagrad::lesson
