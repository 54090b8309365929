#include "tutorials/lesson/json.h"

#include <cmath>

#include "tutorials/lesson/numbers.h"
#include "tutorials/lesson/utf8.h"

namespace mesagrad::lesson {
namespace {

std::string quoted(std::string_view raw) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string result = "\"";
  for (const char c : valid_utf8(raw)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      result += "\\u00";
      result += hex[byte >> 4U];
      result += hex[byte & 0xFU];
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string finite_or_null(double value) {
  return std::isfinite(value) ? exact_number(value) : "null";
}

}  // namespace

Json& Json::key(std::string_view name) {
  new_item();
  text_ += quoted(name) + ": ";
  after_key_ = true;
  return *this;
}

Json& Json::string(std::string_view value) { return literal(quoted(value)); }
Json& Json::number(double value) { return literal(finite_or_null(value)); }
Json& Json::whole(std::uint64_t value) { return literal(std::to_string(value)); }
Json& Json::boolean(bool value) { return literal(value ? "true" : "false"); }
Json& Json::null() { return literal("null"); }

Json& Json::numbers(const std::vector<double>& values) {
  std::string list;
  for (const double value : values) {
    if (!list.empty()) list += ", ";
    list += finite_or_null(value);
  }
  return literal("[" + list + "]");
}

Json& Json::literal(std::string_view value) {
  new_item();
  text_ += value;
  return *this;
}

Json& Json::open(char bracket) {
  new_item();
  text_ += bracket;
  items_.push_back(0);
  return *this;
}

Json& Json::close(char bracket) {
  const bool empty = items_.back() == 0;
  items_.pop_back();
  if (!empty) new_line();
  text_ += bracket;
  return *this;
}

void Json::new_item() {
  if (after_key_ || items_.empty()) {
    after_key_ = false;
    return;
  }
  if (items_.back()++ > 0) text_ += ',';
  new_line();
}

void Json::new_line() {
  text_ += '\n';
  text_.append(2 * items_.size(), ' ');
}

}  // namespace mesagrad::lesson
