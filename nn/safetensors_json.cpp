#include "nn/safetensors_json.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "core/utf8.h"

namespace mesagrad::safetensors {
namespace {

bool is_surrogate(char32_t code) { return code >= 0xD800 && code <= 0xDFFF; }

}  // namespace

JsonReader::JsonReader(std::string_view json) : json_(json) {
  check(is_valid_utf8(json), "the header is not valid UTF-8");
}

void JsonReader::skip_space() {
  place_ = std::min(json_.find_first_not_of(" \t\n\r", place_), json_.size());
}

bool JsonReader::accept(char c) {
  skip_space();
  const bool found = place_ < json_.size() && json_[place_] == c;
  if (found) ++place_;
  return found;
}

void JsonReader::expect(char c) {
  require(accept(c), "expected ", c);
}

char JsonReader::next() {
  require(place_ < json_.size(), "the header ends inside a string");
  return json_[place_++];
}

void JsonReader::end() {
  skip_space();
  require(place_ == json_.size(), "text after the last }");
}

std::string JsonReader::string() {
  std::string result;
  expect('"');
  for (char c = next(); c != '"'; c = next()) {
    require(static_cast<unsigned char>(c) >= 0x20, "a control character inside a string");
    if (c == '\\') {
      result += utf8(escaped());
    } else {
      result += c;
    }
  }
  return result;
}

// What stands after a backslash.
char32_t JsonReader::escaped() {
  const char c = next();
  switch (c) {
    case '"':
    case '\\':
    case '/': return static_cast<char32_t>(c);
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'u': break;
    default: require(false, "unknown escape in a string");
  }
  // Characters beyond U+FFFF are written as a pair of surrogates, 10 bits in each.
  const char32_t code = four_hex_digits();
  if (!is_surrogate(code)) return code;
  const bool pair = code < 0xDC00 && next() == '\\' && next() == 'u';
  const char32_t second = pair ? four_hex_digits() : 0;
  require(second >= 0xDC00 && second <= 0xDFFF, "half of a surrogate pair in a string");
  return 0x10000 + ((code - 0xD800) << 10U) + (second - 0xDC00);
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

bool JsonReader::null() {
  skip_space();
  const bool found = json_.substr(place_).starts_with("null");
  if (found) place_ += 4;
  return found;
}

void JsonReader::skip_value() {
  std::string closing;  // the brackets that are open, outermost first
  const auto begin = [&] {  // the next thing inside them, which for objects has a name
    if (closing.ends_with('}')) {
      string();
      expect(':');
    }
  };
  do {
    const bool object = accept('{'), array = !object && accept('[');
    if (object || array) {
      closing += object ? '}' : ']';
      if (!accept(closing.back())) {
        begin();
        continue;
      }
      closing.pop_back();
    } else {
      skip_scalar();
    }
    while (!closing.empty() && !accept(',')) {
      expect(closing.back());
      closing.pop_back();
    }
    begin();
  } while (!closing.empty());
}

void JsonReader::skip_scalar() {
  skip_space();
  const std::string_view rest = json_.substr(place_);
  if (rest.starts_with('"')) {
    string();
    return;
  }
  for (const std::string_view word : {"true", "false", "null"}) {
    if (!rest.starts_with(word)) continue;
    place_ += word.size();
    return;
  }
  const auto one_of = [&](std::string_view characters) {
    const bool found = place_ < json_.size() && characters.find(json_[place_]) != std::string_view::npos;
    if (found) ++place_;
    return found;
  };
  one_of("-");
  if (!one_of("0")) skip_digits();
  if (one_of(".")) skip_digits();
  if (one_of("eE")) {
    one_of("+-");
    skip_digits();
  }
}

void JsonReader::skip_digits() {
  const std::size_t end = std::min(json_.find_first_not_of("0123456789", place_), json_.size());
  require(end > place_, "expected a value");
  place_ = end;
}

std::vector<Index> JsonReader::whole_numbers() {
  std::vector<Index> numbers;
  expect('[');
  if (accept(']')) return numbers;
  do {
    require(numbers.size() < 4, "a list of more than 4 numbers; tensors have at most 4 dimensions");
    numbers.push_back(whole_number());
  } while (accept(','));
  expect(']');
  return numbers;
}

Index JsonReader::whole_number() {
  skip_space();
  Index value = 0;
  const char* first = json_.data() + place_;
  const auto [stop, error] = std::from_chars(first, json_.data() + json_.size(), value);
  const std::string_view digits(first, static_cast<std::size_t>(stop - first));
  require(!json_.substr(place_).starts_with('-'), "a negative number");
  require(error != std::errc::result_out_of_range, "a number that is too large");
  require(error == std::errc{} && (digits == "0" || !digits.starts_with('0')),
          "expected a whole number");
  place_ += digits.size();
  return value;
}

}  // namespace mesagrad::safetensors
