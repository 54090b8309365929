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
#include "tutorials/book/book.h"
#include "tutorials/book/names.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/page.h"

using namespace mesagrad;
using namespace mesagrad::book;

namespace {

using Texts = std::vector<std::string>;

// All that stands between `before` and the next quotation mark.
Texts all(const std::string& text, const std::string& before) {
  Texts found;
  for (std::size_t at = text.find(before); at != std::string::npos; at = text.find(before, at)) {
    at += before.size();
    found.push_back(text.substr(at, text.find('"', at) - at));
  }
  return found;
}

std::string without_markup(const std::string& html) {
  static const std::map<std::string, char> letters = {
      {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&amp;", '&'}};
  std::string text;
  for (std::size_t i = 0; i < html.size(); ++i) {
    const std::size_t end = html.find(html[i] == '<' ? '>' : ';', i);
    if (html[i] == '&') text += letters.at(html.substr(i, end + 1 - i));
    if (html[i] == '&' || html[i] == '<') {
      i = end;
    } else {
      text += html[i];
    }
  }
  return text;
}

// The first thing that is wrong with a page: tags that do not nest, attributes without quotation marks, bare
// signs, or an id that is there twice. Empty: nothing is.
std::string fault_of(const std::string& html) {
  static const std::regex opening(R"re(([a-zA-Z0-9]+)((?: [a-zA-Z0-9:-]+(?:="[^"]*")?)*) ?/?)re"),
      entity("&([a-z]+|#[0-9]+);");
  Texts open;
  std::set<std::string> ids;
  for (std::size_t at = 0, end = 0; at < html.size(); at = end) {
    const std::size_t begin = std::min(html.find('<', at), html.size());
    for (std::size_t i = at; i < begin; ++i) {
      const bool bare =
          html[i] == '&' && !std::regex_match(html.substr(i, html.find(';', i) + 1 - i), entity);
      if (html[i] == '>' || bare) return html.substr(at, begin - at);
    }
    if (begin == html.size()) break;
    end = std::min(html.find('>', begin), html.size() - 1) + 1;
    const std::string tag = html.substr(begin + 1, end - begin - 2);
    if (tag.starts_with("!--")) end = html.find("-->", begin) + 3;
    if (tag == "style") end = html.find("</style>", begin);
    if (tag.starts_with('!')) continue;
    if (tag.starts_with('/')) {
      if (open.empty() || "/" + open.back() != tag)
        return tag + " closes " + (open.empty() ? "nothing" : open.back());
      open.pop_back();
      continue;
    }
    std::smatch parts;
    if (!std::regex_match(tag, parts, opening)) return tag;
    for (const std::string& id : all(tag, " id=\"")) {
      if (!ids.insert(id).second) return "two of " + id;
    }
    const std::string name = parts[1];
    const bool phrase = name == "p" || name == "pre" || name == "details" || name == "div";
    if (phrase && std::ranges::find(open, "p") != open.end()) return name + " inside of p";
    if (name != "meta" && name != "br" && !tag.ends_with('/')) open.push_back(name);
  }
  return open.empty() ? "" : open.back() + " is not closed";
}

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

// "Owner::name of file:line, line of its body"
std::string meaning(const Names& names, const char* file, int line, std::size_t column) {
  const Name* name = names.at(file, line, column);
  return name == nullptr
             ? ""
             : name->full() + text(" of ", name->home.file, ":", name->home.line, ", ", name->body.line);
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
}

TEST_CASE("from the contents to softmax attention's backward pass in two clicks, and to its use in one",
          "[book]") {
  const std::string file = "nn-softmax_attention.cpp.html", id = "SoftmaxHead::backward";
  CHECK(the_book().pages.at("contents.html").find("href=\"" + file + "\"") != std::string::npos);
  const std::string& page = the_book().pages.at(file);
  CHECK(page.find("href=\"#" + id + "\"") != std::string::npos);
  const std::size_t definition = page.find("<dfn id=\"" + id + "\"");
  REQUIRE(definition != std::string::npos);
  const std::string use = page.substr(page.find("<b>backward</b>: nn/attention_tiles.h", definition), 200);
  const Texts lines = all(use, "href=\"nn-attention_tiles.h.html#");
  REQUIRE(lines.size() == 1);
  CHECK(lines_of(read_file("nn/attention_tiles.h"))[std::stoul(lines[0]) - 1].find(
            "head.backward(") != std::string::npos);
}

TEST_CASE("an identifier means what its file includes, and nothing if that is not sure", "[book]") {
  const Names names({{"a.h",
                      "namespace m {\nstruct Box { int size() const; void fill(); };\nvoid pour(Box b);\n"
                      "template <class T>\nvoid twice(T& t) { t.fill(); }\n}\n"},
                     {"a.cpp", "#include \"a.h\"\nnamespace m {\nvoid pour(Box b) { b.fill(); }\n}\n"},
                     {"b.cpp",
                      "#include \"a.h\"\nvoid f(const Box& x) {\n  pour(x); x.size(); std::pour(x);\n  int "
                      "pour = 3; pour;\n}\n"},
                     {"c.cpp", "void g() { pour(1); }\n"}});
  CHECK(meaning(names, "b.cpp", 2, 13) == "Box of a.h:2, 0");
  CHECK(meaning(names, "b.cpp", 3, 13) == "Box::size of a.h:2, 0");
  CHECK(meaning(names, "a.cpp", 3, 5) == "pour of a.h:3, 3");
  CHECK(meaning(names, "b.cpp", 3, 2) == "");  // there is a variable of this name
  CHECK(meaning(names, "c.cpp", 1, 11) == "");
  CHECK(names.at("a.h", 2, 36)->uses == std::map<std::string, std::set<int>>{{"a.cpp", {3}}, {"a.h", {5}}});
}

TEST_CASE("a constructor means its type, and a member means that of the type before it", "[book]") {
  const Names names({{"a.h",
                      "struct Part { int size() const; };\n"
                      "struct Whole {\n  Whole(int n);\n  Part part;\n  int size() const;\n};\n"},
                     {"a.cpp",
                      "#include \"a.h\"\nWhole::Whole(int n) : part{.n = n} { size(); }\n"
                      "int go(Whole& w) { return w.part.size() + w.size(); }\n"
                      "void run() {\n  Whole(1); call(go);\n  struct Part { int x; };\n  Part p;\n}\n"
                      "namespace b {\nconst char* css = R\"(\n}\n)\";\nint go();\n}\nint x = b::go();\n"
                      "int y() try { return go(); } catch (int no) {}\n"}});
  CHECK(meaning(names, "a.cpp", 2, 7) == "Whole of a.h:2, 0");
  CHECK(meaning(names, "a.cpp", 2, 37) == "Whole::size of a.h:5, 0");
  CHECK(meaning(names, "a.cpp", 3, 33) == "Part::size of a.h:1, 0");
  CHECK(meaning(names, "a.cpp", 3, 44) == "Whole::size of a.h:5, 0");
  CHECK(meaning(names, "a.cpp", 5, 2) == "Whole of a.h:2, 0");
  CHECK(meaning(names, "a.cpp", 5, 17) == "go of a.cpp:3, 0");  // not called here
  CHECK(meaning(names, "a.cpp", 7, 2) == "");                   // this function has a Part of its own
  CHECK(meaning(names, "a.cpp", 16, 40) == "");
  CHECK(meaning(names, "a.cpp", 15, 11) == "go of a.cpp:13, 0");  // in b still: the text closes nothing
}

TEST_CASE("a data member means that of the type before it, and an enumerator that of its enumeration",
          "[book]") {
  const Names names(
      {{"a.h",
        "enum class Kind { plain, dotted = 3 };\n"
        "struct Pen {\n  struct Options { int width = 1, depth = 0; Kind kind = Kind::dotted; };\n"
        "  Options options; int std;\n  std::vector<Options> past = {{1}, {2},}, more;\n};\n"
        "struct Box {\n  struct Options { int width = 2; };\n  Options options_;\n  int lid = 0, first;\n"
        "  int open() { return options_.width + lid; }\n};\n"
        "struct Head { int decode() const; int lid() const; };\nstruct Tail { int decode() const; };\n"},
       {"b.cpp",
        "#include \"a.h\"\nint f(const Pen& pen) {\n  return pen.options.width + pen.past[0].width;\n}\n"
        "void g() {\n  Box::Options wide{.width = 4};\n  draw({.depth = 3, .width = 2}, "
        "Head{{1}}.decode());\n"
        "  h([=, lid = 3](auto x) { return x.lid + x.first + x.lid() + lid; });\n}\n"}});
  CHECK(meaning(names, "a.h", 1, 18) == "Kind::plain of a.h:1, 0");
  CHECK(meaning(names, "a.h", 3, 34) == "Pen::Options::depth of a.h:3, 0");
  CHECK(meaning(names, "a.h", 3, 63) == "Kind::dotted of a.h:1, 0");
  CHECK(meaning(names, "a.h", 5, 2) == "");  // the other std
  CHECK(meaning(names, "a.h", 5, 43) == "Pen::more of a.h:5, 0");
  CHECK(meaning(names, "a.h", 5, 40) == "");
  CHECK(meaning(names, "a.h", 11, 31) == "Box::Options::width of a.h:8, 0");
  CHECK(meaning(names, "a.h", 11, 39) == "Box::lid of a.h:10, 0");
  CHECK(meaning(names, "b.cpp", 3, 13) == "Pen::options of a.h:4, 0");
  CHECK(meaning(names, "b.cpp", 3, 21) == "Pen::Options::width of a.h:3, 0");
  CHECK(meaning(names, "b.cpp", 3, 41) == "");  // of two types
  CHECK(meaning(names, "b.cpp", 6, 21) == "Box::Options::width of a.h:8, 0");
  CHECK(meaning(names, "b.cpp", 7, 9) == "Pen::Options::depth of a.h:3, 0");  // no other type has one
  CHECK(meaning(names, "b.cpp", 7, 21) == "");
  CHECK(meaning(names, "b.cpp", 7, 43) == "Head::decode of a.h:13, 0");
  CHECK(meaning(names, "b.cpp", 8, 8) == "");
  CHECK(meaning(names, "b.cpp", 8, 36) == "Box::lid of a.h:10, 0");
  CHECK(meaning(names, "b.cpp", 8, 44) == "");  // a pair has that, too
  CHECK(meaning(names, "b.cpp", 8, 54) == "Head::lid of a.h:13, 0");
  CHECK(meaning(names, "b.cpp", 8, 62) == "");
  const Names more({{"c.h",
                     "struct Four {\n  int sum[4];\n  int all() { return sum[0]; }\n"
                     "  int own() { return [sum = 3] { return sum; }(); }\n};\nint free() { return sum; }\n"},
                    {"d.cpp",
                     "#include \"c.h\"\nstruct Four { int sum; };\n"
                     "struct Keep {\n  template <class O>\n    requires requires(O& o) { o.go(); }\n"
                     "  void keep(O& o);\n};\n"}});
  CHECK(meaning(more, "c.h", 3, 21) == "Four::sum of c.h:2, 0");
  CHECK(meaning(more, "c.h", 4, 40) == "");
  CHECK(meaning(more, "c.h", 6, 20) == "");
  CHECK(meaning(more, "d.cpp", 2, 18) == "Four::sum of d.cpp:2, 0");  // it is another one
  CHECK(meaning(more, "d.cpp", 5, 4) == "");
  CHECK(meaning(more, "d.cpp", 6, 7) == "Keep::keep of d.cpp:6, 0");
  CHECK(the_book().pages.at("names.html").find("#Transformer::Options::blocks\"") != std::string::npos);
}

TEST_CASE("of functions with one name, a file means its own, or else the only one that it includes",
          "[book]") {
  const Names names({{"a.h", "void clip(int x);\n"},
                     {"b.h", "void clip(Box b);\n"},
                     {"own.h", "#include \"a.h\"\nvoid clip() {}\nvoid f() { clip(); }\n"},
                     {"one.cpp", "#include \"b.h\"\nvoid f() { clip(b); }\n"},
                     {"both.cpp", "#include \"a.h\"\n#include \"b.h\"\nvoid f() { clip(b); }\n"}});
  CHECK(meaning(names, "own.h", 3, 11) == "clip of own.h:2, 0");
  CHECK(meaning(names, "one.cpp", 2, 11) == "clip of b.h:1, 0");
  CHECK(meaning(names, "both.cpp", 3, 11) == "");
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
  CHECK(page.find("<dt><a href=\"#core-random.h.html\">core/random.h</a></dt>\n<dd>") < part);
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
