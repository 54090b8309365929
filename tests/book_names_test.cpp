// What the words of a listing mean, in the book.
#include "tests/catch.h"  // first, because it is precompiled

#include <map>
#include <set>

#include "core/error.h"
#include "tutorials/book/names.h"

using namespace mesagrad;
using namespace mesagrad::book;

namespace {

// "Owner::name of file:line, line of its body"
std::string meaning(const Names& names, const char* file, int line, std::size_t column) {
  const Name* name = names.at(file, line, column);
  if (name == nullptr) return "";
  const Declared* one = names.seen_from(file, *name);
  return one == nullptr
             ? "one of several"
             : name->full() + text(" of ", one->home.file, ":", one->home.line, ", ", one->body.line);
}

}  // namespace

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
}

TEST_CASE("functions that overload each other are one name, and each file means the one that it knows",
          "[book]") {
  const Names names({{"a.h", "void clip(int x);\n"},
                     {"b.h", "void clip(Box b);\n"},
                     {"own.h", "#include \"a.h\"\nvoid clip() {}\nvoid f() { clip(); }\n"},
                     {"one.cpp", "#include \"b.h\"\nvoid f() { clip(b); }\n"},
                     {"both.cpp", "#include \"a.h\"\n#include \"b.h\"\nvoid f() { clip(b); }\n"}});
  CHECK(meaning(names, "own.h", 3, 11) == "clip of own.h:2, 0");
  CHECK(meaning(names, "one.cpp", 2, 11) == "clip of b.h:1, 0");
  CHECK(meaning(names, "both.cpp", 3, 11) == "one of several");
  const std::map<std::string, std::set<int>> uses = {{"both.cpp", {3}}, {"one.cpp", {2}}, {"own.h", {3}}};
  for (const char* header : {"a.h", "b.h"}) CHECK(names.at(header, 1, 5)->uses == uses);
  const Names apart({{"a.h", "void clip(int x);\n"},  // no file knows both
                     {"b.h", "void clip(Box b);\n"},
                     {"a.cpp", "#include \"a.h\"\nvoid clip(int x) {}\nvoid f() { clip(b); }\n"}});
  CHECK(apart.at("a.h", 1, 5) != apart.at("b.h", 1, 5));
  CHECK(apart.at("b.h", 1, 5)->uses.empty());
  const Names bodies({{"a.h", "void clip(int x);\n"},
                      {"b.h", "void clip(Box b);\n"},
                      {"b.cpp", "#include \"a.h\"\n#include \"b.h\"\nvoid clip(Box b) {}\n"}});
  CHECK(meaning(bodies, "b.h", 1, 5) == "clip of b.h:1, 3");  // it belongs to its own header
  CHECK(meaning(bodies, "b.cpp", 3, 5) == "clip of b.h:1, 3");
  CHECK(meaning(bodies, "a.h", 1, 5) == "clip of a.h:1, 0");
}

TEST_CASE("operators are names, and a type without a variable is no variable", "[book]") {
  const Names names(
      {{"a.h",
        "struct Box {\n  int operator()(int i, int) const;\n  Box& operator=(Box b);\n  operator int();\n};\n"
        "Box operator+(Box a, Box b);\nvoid put(int n, Box, Box);\nauto make() -> Box;\n"
        "struct Bag {\n  bool operator==(const Bag& b) const { return n == b.n; }\n};\nint after;\n"},
       {"a.cpp", "#include \"a.h\"\nint Box::operator()(int i, int) const { return i; }\n"}});
  CHECK(meaning(names, "a.h", 2, 6) == "Box::operator() of a.h:2, 2");
  CHECK(meaning(names, "a.h", 3, 7) == "");
  CHECK(meaning(names, "a.h", 4, 2) == "");
  CHECK(meaning(names, "a.h", 6, 4) == "operator+ of a.h:6, 0");
  for (const std::size_t column : {16U, 21U}) CHECK(meaning(names, "a.h", 7, column) == "Box of a.h:1, 0");
  CHECK(meaning(names, "a.h", 8, 15) == "Box of a.h:1, 0");
  CHECK(meaning(names, "a.h", 10, 7) == "Bag::operator== of a.h:10, 0");
  CHECK(meaning(names, "a.h", 12, 4) == "after of a.h:12, 0");
}

TEST_CASE("prose means what the file knows, and methods of its own types", "[book]") {
  const Names names({{"a.h", "struct Box { int size(); int lid; };\nvoid pour(int fast);\n"},
                     {"b.cpp", "#include \"a.h\"\nvoid f(X& x) { x.push_back(1); }\n"},
                     {"c.cpp", "void pour() {}\n"}});
  const auto of = [&](const char* file, const char* word) {
    const Name* name = names.in_prose(file, word);
    return name == nullptr ? "" : name->full() + " of " + name->declared[0].home.file;
  };
  CHECK(of("a.h", "size") == "Box::size of a.h");
  CHECK(of("a.h", "lid") == "");
  CHECK(of("b.cpp", "size") == "");
  CHECK(of("b.cpp", "pour") == "pour of a.h");
  CHECK(of("handout", "size") == "Box::size of a.h");
  CHECK(of("handout", "pour") == "");  // one of two
  CHECK(of("handout", "push_back") == "");
}
