// JSON, put together from values that are JSON already.
#pragma once
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/utf8.h"
#include "tutorials/lesson/writing.h"

namespace mesagrad::lesson {

// NaN and infinities, which JSON does not have, become null.
inline std::string json(double value) { return std::isfinite(value) ? exact_number(value) : "null"; }

inline std::string json(const std::vector<double>& values) {
  std::string list;
  for (const double value : values) list += (list.empty() ? "" : ", ") + json(value);
  return "[" + list + "]";
}

// One item in a line, indented.
inline std::string json_block(char open, const std::vector<std::string>& items, char close) {
  std::string inside;
  for (const std::string& item : items) {
    inside += inside.empty() ? "\n  " : ",\n  ";
    for (const char c : item) inside += c == '\n' ? "\n  " : std::string(1, c);
  }
  return open + inside + (inside.empty() ? "" : "\n") + close;
}

inline std::string json_array(const std::vector<std::string>& items) { return json_block('[', items, ']'); }

inline std::string json_object(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::vector<std::string> items;
  for (const auto& [name, value] : fields) items.push_back(json_quoted(name) + ": " + value);
  return json_block('{', items, '}');
}

}  // namespace mesagrad::lesson
