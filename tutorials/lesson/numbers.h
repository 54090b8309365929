// Numbers as a lesson hands them over, and numbers as a person or a program reads them.
#pragma once
#include <initializer_list>
#include <ranges>
#include <string>
#include <type_traits>
#include <vector>

namespace mesagrad::lesson {

// Doubles made from any range of numbers, so that a lesson can pass its vector<float> or
// vector<Index> as it is.
class Numbers : public std::vector<double> {
 public:
  Numbers() = default;
  Numbers(std::initializer_list<double> values) : std::vector<double>(values) {}

  template <std::ranges::input_range Range>
    requires std::is_arithmetic_v<std::ranges::range_value_t<Range>> &&
             (!std::is_base_of_v<Numbers, Range>)
  Numbers(const Range& values) {
    for (const auto value : values) push_back(static_cast<double>(value));
  }
};

// NaN for no values.
double mean(const std::vector<double>& values);

// Short, for people: 4096, 0.3333, 1.2e-07, nan.
std::string short_number(double value, int digits = 4);

// With exactly so many decimals.
std::string fixed_number(double value, int decimals);

// Shortest text that reads back as the same double.
std::string exact_number(double value);

// 1e-3 as 10⁻³, 2e5 as 2×10⁵.
std::string power_of_ten(int mantissa, int exponent);

// 8.2 s, 3 min 20 s, 2 h 5 min.
std::string duration(double seconds);

}  // namespace mesagrad::lesson
