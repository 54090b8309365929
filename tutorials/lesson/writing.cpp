#include "tutorials/lesson/writing.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <locale>
#include <numeric>
#include <sstream>

#include "core/error.h"
#include "core/utf8.h"

namespace mesagrad::lesson {
namespace {

template <class... Format>
std::string written(double value, Format... format) {
  std::array<char, 400> digits = {};  // enough for 1e308 in fixed notation with decimals
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

std::string duration(double seconds) {
  if (!(seconds < 1e9)) return "very long";
  if (seconds < 9.95) return fixed_number(seconds, 1) + " s";
  const long whole = std::lround(seconds);
  if (whole < 60) return text(whole, " s");
  if (whole < 3600) return text(whole / 60, " min ", whole % 60, " s");
  return text(whole / 3600, " h ", whole % 3600 / 60, " min");
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm local = {};
  localtime_r(&now, &local);
  char text[64] = {};
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &local);
  return text;
}

int columns(std::string_view text) {
  int count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      i = std::min(text.find('m', i), text.size());
    } else if (!continues_character(text[i])) {
      ++count;
    }
  }
  return count;
}

std::string repeat(std::string_view piece, int times) {
  std::string repeated;
  for (int i = 0; i < times; ++i) repeated += piece;
  return repeated;
}

std::string pad_right(std::string text, int width) { return text += repeat(" ", width - columns(text)); }
std::string pad_left(const std::string& text, int width) { return repeat(" ", width - columns(text)) + text; }

std::vector<std::string> wrap(const std::string& text, int width) {
  std::vector<std::string> lines;
  std::istringstream words(text);
  words.imbue(std::locale::classic());  // elsewhere a byte of a letter can be a space
  for (std::string word; words >> word;) {
    if (!lines.empty() && columns(lines.back()) + 1 + columns(word) <= width) {
      lines.back() += " " + word;
    } else {
      lines.push_back(word);
    }
  }
  return lines;
}

}  // namespace mesagrad::lesson
