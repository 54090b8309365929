// The little JSON that the header of a safetensors file is made of: objects, strings and short
// lists of whole numbers. The format nests no deeper than its readers do by hand, so nothing here
// is recursive, and a file with a million brackets is an error like any other.
#pragma once
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/real.h"
#include "core/utf8.h"

namespace mesagrad {

// Takes JSON apart from front to back. Every function throws Error, with the place, if what comes
// next is not what it is asked for.
class JsonReader {
 public:
  // Throws if this is not valid UTF-8. `name` stands in error messages.
  explicit JsonReader(std::string_view json, std::string name = "header");

  // Calls read_value(key) at each value of an object; it must read the value. Returns how many
  // there were. No key may appear twice.
  template <class ReadValue>
  std::size_t object(ReadValue read_value);

  // The same for the values of a list, without keys.
  template <class ReadValue>
  void list(ReadValue read_value);

  std::string string();
  double number();  // NaN for null
  bool truth();
  std::vector<Index> whole_numbers();  // a list of at most 4 numbers, none of them negative
  bool null() { return accept("null"); }  // whether there is one; else nothing is read
  void skip_value();                   // of any kind, however deep
  void end();                          // nothing follows but white space

  template <class... Pieces>
  void require(bool holds, const Pieces&... pieces) const {
    if (!holds) fail(name_, ", byte ", place_, ": ", text(pieces...));
  }

 private:
  bool take(std::string_view word);  // whether it comes next; if so, it is passed
  void skip_space();
  bool accept(std::string_view word);  // skip_space and take
  void expect(std::string_view word) { require(accept(word), "expected ", word); }
  char next();
  Index whole_number();
  void skip_scalar();
  void skip_digits();
  std::string escaped();
  char32_t four_hex_digits();

  std::string_view json_;
  std::string name_;
  std::size_t place_ = 0;
};

template <class ReadValue>
std::size_t JsonReader::object(ReadValue read_value) {
  std::set<std::string> keys;
  expect("{");
  if (accept("}")) return 0;
  do {
    const auto [key, is_new] = keys.insert(string());
    require(is_new, "the name ", shown(*key), " appears twice");
    expect(":");
    read_value(*key);
  } while (accept(","));
  expect("}");
  return keys.size();
}

template <class ReadValue>
void JsonReader::list(ReadValue read_value) {
  expect("[");
  if (accept("]")) return;
  do read_value();
  while (accept(","));
  expect("]");
}

}  // namespace mesagrad
