// What a lesson leaves on disk: JSON that is always valid, files that are complete or not there.
#include "tests/catch.h"  // first, because it is precompiled

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include "core/error.h"
#include "core/files.h"
#include "tutorials/lesson/files.h"
#include "tutorials/lesson/json.h"
#include "tutorials/lesson/numbers.h"
#include "tutorials/lesson/utf8.h"

using namespace mesagrad;
using namespace mesagrad::lesson;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

std::string json_of(const std::string& text) { return Json().string(text).text(); }

// A fresh directory that is removed at the end.
struct Directory {
  Directory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "lesson-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path); }

  void put(const std::string& name, const std::string& content) const {
    std::ofstream(path + "/" + name) << content;
  }
  std::string get(const std::string& name) const { return read_file(path + "/" + name); }
  std::size_t files() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      count += entry.path().empty() ? 0 : 1;
    }
    return count;
  }
  std::string path;
};

}  // namespace

TEST_CASE("JSON strings are escaped and valid UTF-8") {
  CHECK(json_of("plain ✓") == "\"plain ✓\"");
  CHECK(json_of("a\"b\\c\nd\te") == "\"a\\\"b\\\\c\\nd\\u0009e\"");
  CHECK(json_of(std::string("\0\x1f\x7f", 3)) == "\"\\u0000\\u001f\\u007f\"");
  CHECK(json_of("\xff") == "\"\xEF\xBF\xBD\"");
  CHECK(json_of("\xC3") == "\"\xEF\xBF\xBD\"");                            // cut off
  CHECK(valid_utf8("\xC0\xAF") == "\xEF\xBF\xBD\xEF\xBF\xBD");             // overlong
  CHECK(valid_utf8("\xED\xA0\x80").substr(0, 3) == "\xEF\xBF\xBD");        // a surrogate
  CHECK(valid_utf8("\xF0\x9F\x8E\xB2 ü") == "\xF0\x9F\x8E\xB2 ü");
}

TEST_CASE("JSON numbers read back as they were, and NaN and infinity are null") {
  for (const double value : {0.1, 1.0 / 3, 1e-308, -1.7976931348623157e308, 65536.0, 5e-324}) {
    CHECK(std::strtod(exact_number(value).c_str(), nullptr) == value);
    CHECK(Json().number(value).text() == exact_number(value));
  }
  CHECK(Json().numbers({1, not_a_number, infinity}).text() == "[1, null, null]");
  CHECK(Json().number(not_a_number).text() == "null");
}

TEST_CASE("JSON has its commas and brackets in the right places") {
  Json json;
  json.begin_object().key("empty").begin_array().end_array();
  json.key("list").begin_array().whole(1).begin_object().end_object().null().end_array();
  json.key("last").boolean(true).end_object();
  std::string dense;
  for (const char c : json.text()) {
    if (c != ' ' && c != '\n') dense += c;
  }
  CHECK(dense == "{\"empty\":[],\"list\":[1,{},null],\"last\":true}");
}

TEST_CASE("numbers for people are short") {
  CHECK(short_number(65536) == "65536");
  CHECK(short_number(1.0 / 3) == "0.3333");
  CHECK(short_number(1.2e-7) == "1.2e-07");
  CHECK(short_number(12345.678) == "12345.7");
  CHECK(short_number(not_a_number) == "nan");
  CHECK(short_number(-infinity) == "-infinity");
  CHECK(duration(8.24) == "8.2 s");
  CHECK(duration(200) == "3 min 20 s");
  CHECK(duration(7500) == "2 h 5 min");
  CHECK(power_of_ten(1, -3) == "10⁻³");
}

TEST_CASE("text is measured and wrapped in columns, not in bytes") {
  CHECK(columns("Δw ✓") == 4);
  CHECK(columns("\x1b[38;5;35m✓\x1b[0m") == 1);
  CHECK(pad_left("ü", 3) == "  ü");
  CHECK(wrap("one two three", 7) == std::vector<std::string>{"one two", "three"});
  CHECK(wrap("", 7).empty());
}

TEST_CASE("files appear together, without temporary ones") {
  const Directory directory;
  directory.put("a", "old");
  write_together(directory.path, {{"a", "new"}, {"b", std::string("bytes\0", 6)}});
  CHECK(directory.get("a") == "new");
  CHECK(directory.get("b") == std::string("bytes\0", 6));
  CHECK(directory.files() == 2);
}

TEST_CASE("when one file cannot be written, all old files stay as they were") {
  const Directory directory;
  directory.put("a", "old");
  directory.put("b", "old");
  SECTION("the disk is full") {
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    const rlimit tight = {4096, before.rlim_max};
    std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &tight) == 0);
    CHECK_THROWS_AS(write_together(directory.path, {{"a", "new"}, {"b", std::string(9999, 'x')}}),
                    Error);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(directory.files() == 2);
  }
  SECTION("a directory is in the way") {
    std::filesystem::create_directory(directory.path + "/c");
    CHECK_THROWS_AS(write_together(directory.path, {{"a", "new"}, {"c", "new"}}), Error);
    CHECK(directory.files() == 3);
  }
  CHECK(directory.get("a") == "old");
  CHECK(directory.get("b") == "old");
}

TEST_CASE("a place for results is created, or refused at once") {
  const Directory directory;
  require_writable(directory.path + "/out/tutorial-1");
  CHECK(std::filesystem::is_empty(directory.path + "/out/tutorial-1"));
  directory.put("file", "");
  CHECK_THROWS_AS(require_writable(directory.path + "/file/tutorial-1"), Error);
  CHECK_THROWS_AS(require_writable("/proc/nobody/writes/here"), Error);
  CHECK_THROWS_AS(read_file(directory.path + "/missing"), Error);
}
