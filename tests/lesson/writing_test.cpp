// JSON that is always valid, and numbers and texts for people.
#include "tests/catch.h"  // first, because it is precompiled

#include <cstdlib>
#include <limits>

#include "core/utf8.h"
#include "tutorials/lesson/json.h"
#include "tutorials/lesson/writing.h"

using namespace mesagrad;
using namespace mesagrad::lesson;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("JSON strings are escaped and valid UTF-8", "[writing]") {
  CHECK(json_quoted("plain ✓") == "\"plain ✓\"");
  CHECK(json_quoted("a\"b\\c\nd\te") == "\"a\\\"b\\\\c\\nd\\u0009e\"");
  CHECK(json_quoted(std::string("\0\x1f\x7f", 3)) == "\"\\u0000\\u001f\\u007f\"");
  CHECK(json_quoted("\xff") == "\"\xEF\xBF\xBD\"");
  CHECK(json_quoted("\xC3") == "\"\xEF\xBF\xBD\"");                        // cut off
  CHECK(valid_utf8("\xC0\xAF") == "\xEF\xBF\xBD\xEF\xBF\xBD");             // overlong
  CHECK(valid_utf8("\xED\xA0\x80").substr(0, 3) == "\xEF\xBF\xBD");        // a surrogate
  CHECK(valid_utf8("\xF0\x9F\x8E\xB2 ü") == "\xF0\x9F\x8E\xB2 ü");
}

TEST_CASE("JSON numbers read back as they were, and NaN and infinity are null", "[writing]") {
  for (const double value : {0.1, 1.0 / 3, 1e-308, -1.7976931348623157e308, 65536.0, 5e-324}) {
    CHECK(std::strtod(exact_number(value).c_str(), nullptr) == value);
    CHECK(json(value) == exact_number(value));
  }
  CHECK(json({1, not_a_number, infinity}) == "[1, null, null]");
  CHECK(json(not_a_number) == "null");
}

TEST_CASE("JSON has its commas and brackets in the right places, and an item in a line", "[writing]") {
  const std::string list = json_array({"1", json_object({}), "null"});
  CHECK(json_object({{"empty", json_array({})}, {"list", list}, {"a\nb", "true"}}) ==
        "{\n  \"empty\": [],\n  \"list\": [\n    1,\n    {},\n    null\n  ],\n  \"a\\nb\": true\n}");
}

TEST_CASE("numbers for people are short", "[writing]") {
  CHECK(short_number(65536) == "65536");
  CHECK(short_number(1.0 / 3) == "0.3333");
  CHECK(short_number(1.2e-7) == "1.2e-07");
  CHECK(short_number(12345.678) == "12345.7");
  CHECK(short_number(not_a_number) == "nan");
  CHECK(short_number(-infinity) == "-infinity");
  CHECK(duration(8.24) == "8.2 s");
  CHECK(duration(200) == "3 min 20 s");
  CHECK(duration(7500) == "2 h 5 min");
}

TEST_CASE("text is measured and wrapped in columns, not in bytes", "[writing]") {
  CHECK(columns("Δw ✓") == 4);
  CHECK(columns("\x1b[38;5;35m✓\x1b[0m") == 1);
  CHECK(pad_left("ü", 3) == "  ü");
  CHECK(wrap("one two three", 7) == std::vector<std::string>{"one two", "three"});
  CHECK(wrap("", 7).empty());
}
