// Any words as a lesson's settings: refused in one line, or taken, and then what they say can be said again.
#include "tutorials/lesson/options.h"

#include <algorithm>
#include <charconv>

#include "tests/fuzz/fuzz.h"

namespace mesagrad::fuzz {
namespace {

using lesson::Options;
using lesson::parse_options;

// The settings as one would type them.
std::vector<std::string> typed(const Options& options) {
  const auto shortest = [](double number) {
    char digits[32];
    return std::string(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
  };
  std::vector<std::string> all = {text("SEED=", options.seed), "SCALE=" + name_of(options.scale),
                                  "OUT=" + options.out, "RATE=" + shortest(options.rate),
                                  options.resume ? "RESUME=1" : "RESUME=0", "TEXT=" + options.text};
  if (options.threads > 0) all.push_back(text("THREADS=", options.threads));
  if (options.save_every < 1e15) {  // beyond, a double is no longer every whole number
    all.push_back(text("SAVE_EVERY=", static_cast<std::uint64_t>(options.save_every)));
  }
  return all;
}

void parse(const std::vector<std::string>& arguments) {
  Options options;
  const bool taken = refusal([&] { options = parse_options(arguments); }).empty();
  bool each = true;
  for (const std::string& one : arguments) each &= refusal([&] { parse_options({one}); }).empty();
  must(taken == each, "settings are taken if each of them is");
  if (!taken) return;
  must(options.threads >= 0 && options.threads <= lesson::most_threads, "a number of threads");
  must(options.rate >= 0 && options.rate <= 1e6, "a rate");
  must(options.save_every >= 0, "a time between two saves");
  must(typed(parse_options(typed(options))) == typed(options), "settings that are said again are the same");
}

}  // namespace

std::vector<std::string> seeds() {
  using namespace std::string_literals;
  return {"SEED=7\0SCALE=paper\0THREADS=2\0OUT=a=b"s, "RATE=.25\0RESUME=1\0SAVE_EVERY=0\0TEXT=a folder"s,
          "SEED=9007199254740992\0RATE=1e-3\0SCALE=\0RESUME=0"s};
}

std::vector<std::string> words() {
  return {"SEED=", "SCALE=", "THREADS=", "OUT=", "RATE=", "RESUME=", "SAVE_EVERY=", "TEXT=", "smoke",
          "lesson", "paper", "1024", "18446744073709551616", "1000000", "e-400", "nan", "inf", "0x1p3", "-0",
          "\n", std::string(1, '\0')};
}

}  // namespace mesagrad::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> arguments = mesagrad::fuzz::divided({data, data + size}, '\0');
  arguments.resize(std::min<std::size_t>(arguments.size(), 12));
  mesagrad::fuzz::parse(arguments);
  return 0;
}
