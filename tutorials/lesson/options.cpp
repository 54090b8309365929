#include "tutorials/lesson/options.h"

#include <charconv>
#include <cstdio>
#include <locale>
#include <sstream>

#include "core/error.h"
#include "core/utf8.h"

namespace mesagrad::lesson {
namespace {

std::uint64_t whole_number(const std::string& key, const std::string& value, std::uint64_t least = 0,
                           std::uint64_t most = UINT64_MAX) {
  std::uint64_t number = 0;
  const char* end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, number);
  check(error == std::errc{} && stop == end && number >= least && number <= most, shown(key + "=" + value),
        ": expected a whole number from ", least, " to ", most);
  return number;
}

Scale scale_named(const std::string& value) {
  for (const Scale scale : {Scale::smoke, Scale::lesson, Scale::paper}) {
    if (value == name_of(scale)) return scale;
  }
  fail(shown("SCALE=" + value), ": expected smoke, lesson or paper");
}

double factor(const std::string& key, const std::string& value) {
  std::istringstream stream(value);
  stream.imbue(std::locale::classic());
  double number = -1;
  stream >> std::noskipws >> number;
  check(stream && stream.peek() == EOF && number >= 0 && number <= 1e6, shown(key + "=" + value),
        ": expected a number from 0 to 1000000");
  return number;
}

}  // namespace

std::string name_of(Scale scale) {
  return scale == Scale::smoke ? "smoke" : scale == Scale::lesson ? "lesson" : "paper";
}

Options parse_options(const std::vector<std::string>& arguments) {
  Options options;
  for (const std::string& argument : arguments) {
    const std::size_t equals = argument.find('=');
    const std::string key = argument.substr(0, equals);
    const bool known = key == "SEED" || key == "SCALE" || key == "THREADS" || key == "OUT" || key == "RATE" ||
                       key == "RESUME" || key == "SAVE_EVERY" || key == "TEXT";
    check(known && equals != std::string::npos, shown(argument),
          " is not a setting: a lesson takes SEED=, SCALE=, THREADS=, OUT=, RATE=, RESUME=, SAVE_EVERY= and "
          "TEXT=");
    const std::string value = argument.substr(equals + 1);
    if (value.empty()) continue;
    // No larger, because many readers of JSON take numbers for doubles.
    if (key == "SEED") options.seed = whole_number(key, value, 0, std::uint64_t{1} << 53);
    if (key == "SCALE") options.scale = scale_named(value);
    if (key == "OUT") options.out = value;
    if (key == "TEXT") options.text = value;
    if (key == "RATE") options.rate = factor(key, value);
    if (key == "SAVE_EVERY") options.save_every = static_cast<double>(whole_number(key, value));
    if (key == "RESUME") options.resume = whole_number(key, value, 0, 1) == 1;
    if (key == "THREADS") options.threads = static_cast<int>(whole_number(key, value, 1, most_threads));
  }
  return options;
}

}  // namespace mesagrad::lesson
