// A writer of JSON that is always valid: it knows where commas go, escapes every string, and turns
// numbers that JSON does not have (NaN, infinities) into null.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mesagrad::lesson {

class Json {
 public:
  Json& begin_object() { return open('{'); }
  Json& end_object() { return close('}'); }
  Json& begin_array() { return open('['); }
  Json& end_array() { return close(']'); }
  Json& key(std::string_view name);

  Json& string(std::string_view value);
  Json& number(double value);
  Json& whole(std::uint64_t value);
  Json& boolean(bool value);
  Json& null();
  Json& numbers(const std::vector<double>& values);  // an array on one line

  const std::string& text() const { return text_; }

 private:
  Json& open(char bracket);
  Json& close(char bracket);
  Json& literal(std::string_view value);
  void new_item();
  void new_line();

  std::string text_;
  std::vector<int> items_;  // how many items each open bracket holds so far
  bool after_key_ = false;
};

}  // namespace mesagrad::lesson
