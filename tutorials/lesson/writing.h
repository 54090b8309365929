// Numbers as a lesson hands them over; numbers and texts as people read them.
#pragma once
#include <initializer_list>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace mesagrad::lesson {

// Doubles made from any range of numbers, so that a lesson can pass its vector<float> or vector<Index>.
class Numbers : public std::vector<double> {
 public:
  Numbers() = default;
  Numbers(std::initializer_list<double> values) : std::vector<double>(values) {}

  template <std::ranges::input_range Range>
    requires std::is_arithmetic_v<std::ranges::range_value_t<Range>> && (!std::is_base_of_v<Numbers, Range>)
  Numbers(const Range& values) {
    for (const auto value : values) push_back(static_cast<double>(value));
  }
};

// NaN for no values.
double mean(const std::vector<double>& values);

// Short, for people (4096, 0.3333, 1.2e-07, nan); with so many decimals; the shortest that reads back the
// same.
std::string short_number(double value, int digits = 4);
std::string fixed_number(double value, int decimals);
std::string exact_number(double value);

// 8.2 s, 3 min 20 s, 2 h 5 min.
std::string duration(double seconds);

// 2026-11-26 15:30, local time.
std::string today();

// How many terminal columns a text takes: characters, without ANSI colour sequences.
int columns(std::string_view text);

// The text followed (or preceded) by spaces up to a width in columns.
std::string pad_right(std::string text, int width);
std::string pad_left(const std::string& text, int width);

// Lines of at most `width` columns, broken at spaces; a longer word keeps a line of its own.
std::vector<std::string> wrap(const std::string& text, int width);

// The same piece of text again and again.
std::string repeat(std::string_view piece, int times);

}  // namespace mesagrad::lesson
