#include "nn/safetensors_json.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>

namespace mesagrad {

JsonReader::JsonReader(std::string_view json, std::string name) : json_(json), name_(std::move(name)) {
  check(is_valid_utf8(json), "the ", name_, " is not valid UTF-8");
}

bool JsonReader::take(std::string_view word) {
  const bool found = json_.substr(place_).starts_with(word);
  if (found) place_ += word.size();
  return found;
}

void JsonReader::skip_space() {
  place_ = std::min(json_.find_first_not_of(" \t\n\r", place_), json_.size());
}

bool JsonReader::accept(std::string_view word) {
  skip_space();
  return take(word);
}

char JsonReader::next() {
  require(place_ < json_.size(), "the ", name_, " ends inside a string");
  return json_[place_++];
}

void JsonReader::end() {
  skip_space();
  require(place_ == json_.size(), "text after the last }");
}

std::string JsonReader::string() {
  std::string result;
  expect("\"");
  for (char c = next(); c != '"'; c = next()) {
    require(static_cast<unsigned char>(c) >= 0x20, "a control character inside a string");
    if (c == '\\') {
      result += escaped();
    } else {
      result += c;
    }
  }
  return result;
}

// What stands after a backslash.
std::string JsonReader::escaped() {
  constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
  if (!take("u")) {
    const std::size_t which = letters.find(next());
    require(which < letters.size(), "unknown escape in a string");
    return {meanings[which]};
  }
  // Characters beyond U+FFFF are written as a pair of surrogates, 10 bits in each.
  const char32_t code = four_hex_digits();
  if (code < 0xD800 || code > 0xDFFF) return utf8(code);
  const char32_t second = code < 0xDC00 && take("\\u") ? four_hex_digits() : 0;
  require(second >= 0xDC00 && second <= 0xDFFF, "half of a surrogate pair in a string");
  return utf8(0x10000 + ((code - 0xD800) << 10U) + (second - 0xDC00));
}

char32_t JsonReader::four_hex_digits() {
  unsigned value = 0;
  const std::string_view digits = json_.substr(place_, 4);
  const char* first = digits.data();
  const auto [stop, error] = std::from_chars(first, first + digits.size(), value, 16);
  require(error == std::errc{} && stop - first == 4, "\\u needs four hexadecimal digits");
  place_ += 4;
  return value;
}

double JsonReader::number() {
  if (null()) return std::numeric_limits<double>::quiet_NaN();
  const std::size_t begin = place_;
  skip_scalar();
  double value = 0;
  const char* end = json_.data() + place_;
  const auto [stop, error] = std::from_chars(json_.data() + begin, end, value);
  require(error == std::errc{} && stop == end, "expected a number");
  return value;
}

bool JsonReader::truth() {
  const bool yes = accept("true");
  require(yes || accept("false"), "expected true or false");
  return yes;
}

void JsonReader::skip_value() {
  std::string closing;  // the brackets that are open, outermost first
  do {
    if (closing.ends_with('}')) {
      string();
      expect(":");
    }
    const bool object = accept("{");
    if (object || accept("[")) {
      closing += object ? '}' : ']';
      if (!accept({&closing.back(), 1})) continue;
      closing.pop_back();
    } else {
      skip_scalar();
    }
    while (!closing.empty() && !accept(",")) {
      expect({&closing.back(), 1});
      closing.pop_back();
    }
  } while (!closing.empty());
}

void JsonReader::skip_scalar() {
  if (json_.substr(place_).starts_with('"')) {
    string();
  } else if (!take("true") && !take("false") && !take("null")) {
    take("-");
    if (!take("0")) skip_digits();
    if (take(".")) skip_digits();
    if (take("e") || take("E")) {
      if (!take("+")) take("-");
      skip_digits();
    }
  }
}

void JsonReader::skip_digits() {
  const std::size_t end = std::min(json_.find_first_not_of("0123456789", place_), json_.size());
  require(end > place_, "expected a value");
  place_ = end;
}

std::vector<Index> JsonReader::whole_numbers() {
  std::vector<Index> numbers;
  expect("[");
  if (accept("]")) return numbers;
  do {
    require(numbers.size() < 4, "a list of more than 4 numbers; tensors have at most 4 dimensions");
    numbers.push_back(whole_number());
  } while (accept(","));
  expect("]");
  return numbers;
}

Index JsonReader::whole_number() {
  require(!accept("-"), "a negative number");
  Index value = 0;
  const char* first = json_.data() + place_;
  const auto [stop, error] = std::from_chars(first, json_.data() + json_.size(), value);
  require(error != std::errc::result_out_of_range, "a number that is too large");
  require(error == std::errc{} && (stop - first == 1 || *first != '0'), "expected a whole number");
  place_ += static_cast<std::size_t>(stop - first);
  return value;
}

}  // namespace mesagrad
