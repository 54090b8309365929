// The book: that it is all there, that its pages are sound, and that one finds one's way.
#include "tests/catch.h"  // first, because it is precompiled

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "tests/directory.h"
#include "tests/helpers.h"
#include "tests/html.h"
#include "tutorials/book/book.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/page.h"

using namespace mesagrad;
using namespace mesagrad::book;

namespace {

// Without lessons that have run.
const Book& the_book() {
  static const Directory nothing;
  static const Book book = make_book(".", nothing.path);
  return book;
}

// The chapters in all.html, all-2.html, ...: as links from the first page, or just their names.
Texts chapters_in_whole(const Book& book, const std::string& hash) {
  Texts chapters;
  std::string name = "all.html";
  for (int number = 2; book.pages.contains(name); name = text("all-", number++, ".html")) {
    const std::string before = number == 2 || hash.empty() ? hash : name + hash;
    for (const std::string& id : all(book.pages.at(name), "<h1 id=\"")) chapters.push_back(before + id);
  }
  return chapters;
}

// The source of a lesson.
std::string lesson_file(const std::string& digits) {
  for (const auto& entry : std::filesystem::directory_iterator("tutorials")) {
    if (entry.path().filename().string().starts_with(digits)) return (entry.path() / "lesson.cpp").string();
  }
  return "";
}

std::string page_of(std::string file) {
  std::ranges::replace(file, '/', '-');
  return file + ".html";
}

}  // namespace

TEST_CASE("every file of the library and every lesson is one chapter, and its listing is the file",
          "[book]") {
  const Texts chapters = all(the_book().pages.at("contents.html"), "<dt><a href=\"");
  CHECK(chapters_in_whole(the_book(), "") == chapters);
  static const std::regex left_out(R"( *(//.*|L\.step\(.*|))");
  for (const char* folder : {"core", "nn", "tasks", "tutorials"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      const std::string file = entry.path().generic_string(), ending = entry.path().extension();
      if (ending != ".h" && ending != ".cpp") continue;
      INFO(file);
      CHECK(std::ranges::count(chapters, page_of(file)) == 1);
      REQUIRE(the_book().pages.contains(page_of(file)));
      std::map<std::size_t, std::string> listed;
      const std::string& page = the_book().pages.at(page_of(file));
      for (std::size_t at = page.find("<span id=\""); at != std::string::npos;
           at = page.find("<span id=\"", at + 1)) {
        const std::size_t end = page.find("\n</span>", at), text = page.find('>', at) + 1;
        listed[std::stoul(page.substr(at + 10))] = without_markup(page.substr(text, end - text));
      }
      std::size_t number = 0;
      std::string wrong;
      for (const std::string& line : lines_of(read_file(file))) {
        const auto found = listed.find(++number);
        const bool hidden = found == listed.end() || found->second.empty();
        const bool right = hidden ? line.empty() || std::regex_match(line, left_out) : found->second == line;
        if (!right && wrong.empty()) wrong = text(number, ": ", line);
      }
      CHECK(wrong == "");
      CHECK((listed.empty() || listed.rbegin()->first <= number));
    }
  }
}

TEST_CASE("all pages of the book are sound, and every link leads somewhere", "[book]") {
  CHECK(fault_of("<p>a &amp; b<br></p>") == "");
  for (const char* wrong : {"<p>", "</p>", "<p><b></p></b>", "a & b", "a < b", "<p class=x></p>",
                            "<p id=\"a\"></p><b id=\"a\"></b>"}) {
    CHECK(fault_of(wrong) != "");
  }
  std::map<std::string, std::set<std::string>> ids;
  for (const auto& [name, page] : the_book().pages) {
    const Texts here = all(page, " id=\"");
    ids[name] = {here.begin(), here.end()};
  }
  for (const auto& [name, page] : the_book().pages) {
    INFO(name);
    CHECK(page.size() < 1'500'000);
    CHECK(fault_of(page) == "");
    for (const char* foreign : {"<script", " src=\"", "=\"http", "@import"}) {
      CHECK(page.find(foreign) == std::string::npos);
    }
    std::string lost;
    for (const std::string& link : all(page, "href=\"")) {
      const std::size_t hash = std::min(link.find('#'), link.size());
      const auto target = ids.find(hash == 0 ? name : link.substr(0, hash));
      if (target == ids.end() || (hash < link.size() && !target->second.contains(link.substr(hash + 1))))
        lost = link;
    }
    CHECK(lost == "");
  }
  CHECK(the_book().pages.at("names.html").find("#Transformer::Options::blocks\"") != std::string::npos);
}

TEST_CASE("from the contents to softmax attention's backward pass in two clicks, and to its use in one",
          "[book]") {
  const std::string file = "nn-softmax_attention.cpp.html", id = "SoftmaxHead::backward";
  CHECK(the_book().pages.at("contents.html").find("href=\"" + file + "\"") != std::string::npos);
  const std::string& page = the_book().pages.at(file);
  CHECK(page.find("href=\"#" + id + "\"") != std::string::npos);
  const std::size_t definition = page.find("<dfn id=\"" + id + "\"");
  REQUIRE(definition != std::string::npos);
  const std::string use =
      page.substr(page.find("<b>SoftmaxHead::backward</b>: nn/attention_tiles.h", definition), 200);
  const Texts lines = all(use, "href=\"nn-attention_tiles.h.html#");
  REQUIRE(lines.size() == 1);
  CHECK(lines_of(read_file("nn/attention_tiles.h"))[std::stoul(lines[0]) - 1].find(
            "head.backward(") != std::string::npos);
}

TEST_CASE("chapters have a title and a sentence, and say what their tests hold them to", "[book]") {
  const auto has = [](const char* page, const std::string& part) {
    return the_book().pages.at(page).find(part) != std::string::npos;
  };
  CHECK(has("contents.html", ">Lesson 4: Where the time goes</a></dt>\n<dd>What makes the same computation"));
  CHECK(has("contents.html", ">Assignment 3: Linear attention</a></dt>\n<dd>Every token asks, and every"));
  CHECK(has("contents.html",
            "Not run yet, so without figures: <a href=\"tutorials-01_the_task-lesson.cpp.html\">"));
  CHECK(has("core-ops.cpp.html", "<li>matmul agrees with the triple loop</li>"));
  CHECK_FALSE(has("core-ops.h.html", "What its tests hold it to"));
  CHECK(has("core-simd.h.html", "overloads that of core/exponential.h "));
}

// While this lives, nothing is seen of what a lesson prints.
struct Silence {
  Silence() {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDOUT_FILENO);
    close(nowhere);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  ~Silence() {
    dup2(before, STDOUT_FILENO);
    close(before);
  }
  int before = dup(STDOUT_FILENO);
};

TEST_CASE("for print there are the parts, their chapters, and what lessons showed", "[book]") {
  const Directory out;
  for (const int number : {1, 2}) {
    const Silence silence;
    const std::string file = lesson_file(text("0", number, "_"));
    lesson::Lesson L({.number = number, .title = "T", .question = "Q?", .source = file},
                     {.out = out.path.string()}, 1);
    lesson::LinePlot plot{.name = "same", .title = text("Figure of ", number), .x = "x", .y = "y"};
    plot.line("a line", {1, 2}, {1, 2});
    L.show(plot);
    std::filesystem::create_directories(out.path / text("tutorial-", number));
    write_file(out.path / text("tutorial-", number) / "index.html", lesson::html_page(L, read_file(file)));
  }
  const Book book = make_book(".", out.path);
  const std::string& page = book.pages.at("all.html");
  CHECK(fault_of(page) == "");  // the two figures have one name
  const std::size_t contents = page.find("<h2>1. "), part = page.find("<h1 class=\"part\">1. ");
  const std::size_t chapter = page.find("<h1 id=\"tutorials-01"), figure = page.find("Figure of 1</text>");
  CHECK(contents < part);
  CHECK(page.find("<dt><a href=\"#core-random.h.html\">core/<wbr>random.h</a></dt>\n<dd>") < part);
  CHECK(part < chapter);
  CHECK(chapter < figure);
  CHECK(figure < page.find("<h1 id=\"", chapter + 1));
  CHECK(page.find("url(#lesson-2-figure-same") != std::string::npos);
  CHECK(page.find("16px 100% no-repeat scroll") != std::string::npos);  // a shadow where a figure is cut
  CHECK(all(page, "<dt><a href=\"") == chapters_in_whole(book, "#"));
}

TEST_CASE("what a lesson showed stands where it was made; what is missing is said", "[book][errors]") {
  const Directory out;
  const std::string file = lesson_file("01_");
  const std::string source = read_file(file);
  const Texts lines = lines_of(source);
  const int step =
      static_cast<int>(
          std::ranges::find_if(lines, [](const std::string& line) { return line.find("L.step(") < 9; }) -
          lines.begin()) +
      1;
  const auto page_after = [&](const std::string& ran, int line) {
    lesson::Lesson L({.number = 1, .title = "T", .question = "Q?", .source = file},
                     {.out = out.path.string()}, 1);
    L.claim_below("shown", 17, 20, {}, {file.c_str(), line});
    std::filesystem::create_directories(out.path / "tutorial-1");
    write_file(out.path / "tutorial-1/index.html", lesson::html_page(L, ran));
    const Book book = make_book(".", out.path);
    CHECK(std::ranges::find(book.not_run, 1) == book.not_run.end());
    CHECK(fault_of(book.pages.at(page_of(file))) == "");
    return book.pages.at(page_of(file));
  };
  const std::string same = page_after(source, step), older = page_after("int x;\n" + source, step + 1);
  CHECK(same.find("has changed since") == std::string::npos);
  CHECK(older.find("has changed since") != std::string::npos);
  CHECK(the_book().pages.at(page_of(file)).find("make tutorial-1<") != std::string::npos);
  CHECK(the_book().not_run.front() == 1);
  for (const std::string& page : {same, older}) {  // the line that showed it is the same one in both
    const std::size_t shown = page.find("shown: <b>17</b>"), next = page.find("<span id=", shown);
    REQUIRE(shown != std::string::npos);
    CHECK(std::stoi(page.substr(next + 10)) > step);
  }
  const Directory tree;
  std::filesystem::create_directories(tree.path / "tutorials/book");
  write_file(tree.path / "tutorials/book/contents.txt", "# Part\ncore/gone\n");
  CHECK(message_of([&] { make_book(tree.path, out.path); }) ==
        "tutorials/book/contents.txt lists core/gone, which is not there");
  std::filesystem::create_directories(tree.path / "tests/course");
  write_file(tree.path / "tests/course/starter", "0 ada\n");
  CHECK(make_book(tree.path, out.path).pages.size() == 3);
  write_file(tree.path / "tutorials/book/contents.txt", "# Part\ntutorials/book\ntutorials/book\n");
  write_file(tree.path / "tutorials/book/a.cpp", "int x;\n");
  CHECK(message_of([&] { make_book(tree.path, out.path); }) ==
        "tutorials/book/contents.txt lists tutorials/book/a.cpp twice");
}
