// What programs read is written the same way in every locale.
#include "tests/catch.h"  // first, because it is precompiled

#include <unistd.h>

#include <clocale>
#include <filesystem>
#include <locale>
#include <sstream>

#include "core/files.h"
#include "nn/checkpoint.h"
#include "tests/helpers.h"
#include "tutorials/lesson/plot.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/page.h"
#include "nn/linear_transformer.h"
#include "tutorials/lesson/train.h"
#include "tutorials/lesson/svg.h"
#include "tutorials/lesson/writing.h"

using namespace mesagrad;
using namespace mesagrad::lesson;

namespace {

// Where 1234.5 is 1.2.3.4,5 and true is wahr.
struct Numerals : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\1"; }
  std::string do_truename() const override { return "wahr"; }
};

// As in Latin-1, where the second byte of à is a space.
struct Letters : std::ctype<char> {
  Letters() : std::ctype<char>(table()) {}
  static const mask* table() {
    static const std::vector<mask> masks = [] {
      std::vector<mask> all(classic_table(), classic_table() + table_size);
      all[0xA0] |= space;
      return all;
    }();
    return masks.data();
  }
};

// Makes such a locale the global one, in C++ and, if the system has one of the kind, in C.
struct Abroad {
  Abroad() {
    std::locale::global(std::locale(std::locale(std::locale::classic(), new Numerals), new Letters));
    for (const char* name : {"de_DE.UTF-8", "de_DE.ISO-8859-1", "fr_FR.UTF-8", "en_US.UTF-8"}) {
      if (std::setlocale(LC_ALL, name) != nullptr) break;
    }
  }
  Abroad(const Abroad&) = delete;
  Abroad& operator=(const Abroad&) = delete;
  ~Abroad() {
    std::locale::global(std::locale::classic());
    std::setlocale(LC_ALL, "C");
  }
};

// One of each kind of text that ends in a file.
std::vector<std::string> everything() {
  std::vector<std::string> all = {text(12345, " ", 0.5, " ", 1e6, " ", true, " ", Shape{2000, 3})};

  const std::string path = (std::filesystem::temp_directory_path() / text("locale-", getpid())).string();
  save_safetensors(path, {{{"w", random_tensor({50, 40}, 1)}, {"x", Tensor({1})}}, {{"step", "7"}}});
  all.push_back(read_file(path));
  CHECK(load_safetensors(path).tensors.at("w").shape() == Shape{50, 40});
  Tensor weights = random_tensor({2000}, 1);
  std::vector<double> losses = {1234.5, 1e-7, 1e300}, read;
  const std::string identity = in_words(LinearTransformer::Options{}) + in_words(Transformer::Options{}) +
                               in_words(LinearDynamics{}) + in_words(WarmupCosine{}, 4000);
  const auto checkpoint = [&](std::vector<double>& list) {
    Checkpoint result(path, identity, {.resume = &list == &read});
    result.keep("weights", {{"w", &weights}});
    result.keep("losses", list);
    const Index done = result.start(5000);
    if (&list == &losses) result.save(1234);
    return done;
  };
  checkpoint(losses);
  all.push_back(read_file(path));
  CHECK(checkpoint(read) == 1234);
  CHECK(read == losses);
  std::filesystem::remove(path);

  LinePlot plot{.name = "p", .title = "T", .x = "x", .y = "y"};
  plot.line("a", std::vector<double>{0, 1234.5, 10000}, std::vector<double>{.5, 2000.25, 1e7});
  HeatMap map{.name = "h", .title = "T"};
  map.panel("P", 40, 40, std::vector<double>(1600, 1234.5));
  all.insert(all.end(), {draw_svg(plot), draw_svg(map)});

  Lesson L({.number = 7, .title = "T"}, parse_options({"SEED=12345"}), 1024);
  L.setting("updates", 20000);
  L.setting("rate", 1234.5);
  L.curve("c", {1000, 2000.5}, {.25, 1e9});
  L.compare("loss", 1234.5, 1000);
  L.claim("c", 1234.5, {.expected = 1234.5, .tolerance = .5});
  all.push_back(to_json(L.results()));
  all.push_back(html_page(L, "// à la carte\nint à = 1'000;  // à\n"));
  all.push_back(L.checkpoints());
  for (const std::string& line : wrap("voilà la carte", 6)) all.push_back(line);
  return all;
}

}  // namespace

TEST_CASE("files are the same in every locale", "[locale]") {
  const std::vector<std::string> at_home = everything();
  const Abroad abroad;
  REQUIRE((std::ostringstream() << 1234.5 << std::boolalpha << true).str() == "1.2.3.4,5wahr");
  const std::vector<std::string> there = everything();
  REQUIRE(at_home.size() == there.size());
  for (std::size_t i = 0; i < there.size(); ++i) CHECK(there[i] == at_home[i]);
}

TEST_CASE("settings and numbers are read the same way in every locale", "[locale]") {
  const Abroad abroad;
  CHECK(parse_options({"SEED=12345"}).seed == 12345);
  CHECK_THROWS_AS(parse_options({"SEED=12.345"}), Error);
  CHECK(short_number(1234.5) == "1234.5");
  CHECK(exact_number(1e300) == "1e+300");
}
