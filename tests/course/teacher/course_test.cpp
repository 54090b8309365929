// The machinery of the course: marks, cut and splice, and starters.
#include "tests/catch.h"  // first, because it is precompiled

#include <sys/resource.h>

#include <algorithm>

#include "core/files.h"
#include "tests/course/exercises.h"
#include "tests/course/teacher/proof.h"
#include "tests/directory.h"
#include "tests/helpers.h"
#include "tutorials/book/book.h"

namespace mesagrad::course {
namespace {

const std::string solved =
    "int f(int x) {\n"
    "  // exercise 3.1: twice x,\n"
    "  //    and not less\n"
    "  // the secret\n"
    "  return 2 * x;\n"
    "  // end 3.1\n"
    "}\n"
    "int g(int x) {\n"
    "  // exercise 4.2: x, slowly\n"
    "  return x;\n"
    "  //| int y = 0;\n"
    "  //| for (; y < x; ++y) {}\n"
    "  //| return y;\n"
    "  // end 4.2\n"
    "}\n";

std::string cut_to(int upto) { return joined(cut("core/f.cpp", lines_of(solved), upto)); }

std::string refusal(const std::string& text) {
  return message_of([&] { cut("core/f.cpp", lines_of(text), 0); });
}

std::string with_answer(const std::string& answer) {
  std::string text = cut_to(0);
  return text.replace(text.find("todo(\"3.1\");"), 12, answer);
}

}  // namespace

TEST_CASE("a starter has what is asked, and no solution", "[course]") {
  CHECK(
      cut_to(4) ==
      "int f(int x) {\n  // exercise 3.1: twice x,\n  //    and not less\n  // the secret\n  return 2 * x;\n"
      "  // end 3.1\n}\nint g(int x) {\n  // exercise 4.2: x, slowly\n  return x;\n  // end 4.2\n}\n");
  CHECK(
      cut_to(0) ==
      "int f(int x) {\n  // exercise 3.1: twice x,\n  //    and not less\n  todo(\"3.1\");\n  // end 3.1\n}\n"
      "int g(int x) {\n  // exercise 4.2: x, slowly\n  int y = 0;\n  for (; y < x; ++y) {}\n  return y;\n"
      "  // end 4.2\n}\n");
}

TEST_CASE("mistakes in marks are refused with their line", "[course][errors]") {
  const std::string begin = "// exercise 1.1: a\n", end = "// end 1.1\n";
  CHECK(refusal(begin + begin + end) == "core/f.cpp:2: an exercise begins inside of 1.1");
  CHECK(refusal("int x;\n" + end) == "core/f.cpp:2: an end without an exercise");
  CHECK(refusal(begin + "// end 1.2\n") == "core/f.cpp:2: the end of 1.2 where 1.1 should end");
  CHECK(refusal("int x;\n" + begin) == "core/f.cpp:2: exercise 1.1 has no end");
  for (const char* mark :
       {"// exercise 1.1", "// Exercise 1.1: a", "// exercise 11.1: a", "//end 1.1", "// exercise 1.0: a"})
    CHECK(refusal(std::string(mark) + "\n").starts_with("core/f.cpp:1: a mark has the form"));
  CHECK(refusal("//| int x;\n") == "core/f.cpp:1: starting code outside of an exercise");
  CHECK(refusal(begin + "if (x) {\n" + end) ==
        "core/f.cpp:1: 1.1, line 2: `{` is not closed before the mark");
  CHECK(refusal(begin + "} int y() {\n" + end) == "core/f.cpp:1: 1.1, line 2: `}` without its partner");
  CHECK(refusal(begin + "f(\"}\", '}'); // }\n/* } */ x = 1'000;\n" + end) == "nothing was thrown");
  CHECK(refusal(begin + "/* \n" + end) ==
        "core/f.cpp:1: 1.1, line 2: a comment is not closed before the mark");
  CHECK(refusal(begin + "x = \"\n" + end).find("does not end in its line") != std::string::npos);
  CHECK(refusal(begin + "x = R\"(})\";\n" + end).find("a raw string") != std::string::npos);
  CHECK(refusal(begin + "x; \\\n" + end).find("goes on in the next one") != std::string::npos);
  for (const char* start :
       {"// end 1.1", "// exercise 1.2: b", "//| x;", "//    not asked", "x)", "{", "/*", "// Exercise 1.1"})
    CHECK(refusal(begin + "//| " + start + "\n" + end) ==
          "core/f.cpp:1: 1.1, starting code that is a mark, or escapes, or hides an escape");
  CHECK(refusal(begin + "/*\n//| */\n" + end).find("hides an escape") != std::string::npos);
  CHECK(refusal(begin + "// one, two\n//| // why not\n" + end) == "nothing was thrown");
}

TEST_CASE("a line of source may be as long as it likes", "[course]") {
  const std::string million(1'000'000, 'x'), spaces(1'000'000, ' ');
  const Lines lines = {"// exercise 1.1: " + million, spaces + "#define X", million, "// end 1.1"};
  CHECK(regions_of("f", lines).size() == 1);
  CHECK(answers_of("f", lines).at("1.1").problem.find("can't be graded") != std::string::npos);
  CHECK(message_of([&] { regions_of("f", {"// end 1" + million}); }) == "f:1: an end without an exercise");
}

TEST_CASE("answers are taken out of one tree and put into another", "[course]") {
  const auto all = [](const std::string&) { return true; };
  CHECK(answers_of("core/f.cpp", lines_of(cut_to(0))).count("3.1") == 0);  // as it was handed out
  const Answers answers = answers_of("core/f.cpp", lines_of(with_answer("return x + x;")));
  REQUIRE(answers.count("3.1") == 1);
  CHECK(answers.at("3.1").problem.empty());
  const std::string spliced = joined(
      splice("core/f.cpp", lines_of(solved), answers, [](const std::string& id) { return id == "3.1"; }));
  CHECK(spliced.find("  //    and not less\n  return x + x;\n  // end 3.1") != std::string::npos);
  CHECK(spliced.find("secret") == std::string::npos);
  CHECK(spliced.find("return x;\n  //| int y") != std::string::npos);  // 4.2 stays
  const std::string twice = solved + "// exercise 3.1: again\nx;\n// end 3.1\n";
  CHECK(message_of([&] { splice("core/f.cpp", lines_of(twice), answers, all); }) ==
        "core/f.cpp: exercise 3.1 has 2 regions, its answer 1");
}

TEST_CASE("an answer can't reach beyond its marks, nor bring what can't be graded", "[course][errors]") {
  const auto problem_of = [](const std::string& answer) {
    return answers_of("core/f.cpp", lines_of(with_answer(answer))).at("3.1").problem;
  };
  CHECK(problem_of("#pragma omp simd\n  return x;") == "");
  CHECK(problem_of("return x; } int h() {").find("without its partner") != std::string::npos);
  for (const char* answer :
       {"#define x 1", "# include <a>", "asm(\"\");", "_Pragma(\"once\")", "[[gnu::used]] int y;",
        "__attribute__((constructor)) int y;", "%:define x", "<% return x; %>"})
    CHECK(problem_of(answer).find("can't be graded") != std::string::npos);
}

TEST_CASE("a starter of this tree gives nothing away", "[course]") {
  const Tree tree = read_tree(".");
  for (int upto = 0; upto <= 10; ++upto) {
    const Tree starter = starter_of(tree, upto, "ada");
    CHECK(leak_of(tree, starter, upto) == "");
    CHECK(starter.at("tests/course/starter").starts_with(text(upto, " ada\ncore/")));
    for (const auto& [path, contents] : starter) {
      CHECK_FALSE(path.string().starts_with("tests/course/teacher"));
      CHECK(contents.find("\n// Mistake ") == std::string::npos);
    }
  }
  // And the search for leaks finds one.
  CHECK(leak_of(tree, tree, 0) != "");
  for (const Mistake& mistake : mistakes_of(tree)) with_mistake(tree, mistake);  // each has its place
}

TEST_CASE("a tree replaces what is there and what was abandoned, with few files open", "[course]") {
  const Directory place;
  write_tree(place.path, read_tree("."));
  write_file(place.path / ".mesagrad-1-0.tmp", "x");
  write_file(place.path / "core/.mesagrad-1-1.tmp", "x");
  write_file(place.path / "core/old.cpp", "x");
  write_file(place.path / "mine", "x");
  const Tree starter = starter_of(read_tree("."), 0, "ada");
  rlimit before = {};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit few = {200, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
  const std::string problem = message_of([&] { write_tree(place.path, starter); });
  setrlimit(RLIMIT_NOFILE, &before);
  CHECK(problem == "nothing was thrown");
  Tree written;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(place.path)) {
    if (entry.is_regular_file())
      written[entry.path().lexically_relative(place.path)] = read_file(entry.path());
  }
  CHECK(written.extract("mine").mapped() == "x");
  CHECK(written == starter);
}

// The grader relies on it.
TEST_CASE("an exercise has all its regions in one file", "[course]") {
  std::map<std::string, std::filesystem::path> file_of;
  for (const auto& [path, contents] : read_tree(".")) {
    if (!may_have_marks(path)) continue;
    for (const Region& region : regions_of(path, lines_of(contents)))
      CHECK(file_of.emplace(region.id, path).first->second == path);
  }
  CHECK(file_of.size() > 40);
  // And its handout says which.
  const Tree tree = read_tree(".");
  for (const auto& [exercise, file] : file_of) {
    const std::string handout = tree.at(assignments_of(tree).at(std::stoi(exercise)));
    const std::size_t begin = handout.find("// To write: "), end = handout.find("// Hours: ");
    REQUIRE(begin < end);
    CHECK(handout.substr(begin, end - begin).find(file.string()) != std::string::npos);
  }
}

TEST_CASE("a starter has a book, with its own stubs and without what is withheld", "[course][book]") {
  const Directory folder;
  write_tree(folder.path, starter_of(read_tree("."), 2, "ada"));
  const book::Book book = book::make_book(folder.path, folder.path / "out");
  const std::string& page = book.pages.at("nn-softmax_attention.cpp.html");
  CHECK(page.find("&quot;8.4&quot;") != std::string::npos);
  CHECK(page.find("score_gradients(end") == std::string::npos);
  CHECK(page.find("exercise 8.4") == std::string::npos);
  CHECK(book.pages.contains("tutorials-03_one_layer_is_one_step-paper.h.html"));
  CHECK_FALSE(book.pages.contains("tutorials-03_one_layer_is_one_step-lesson.cpp.html"));
  const std::string& handout = book.pages.at("tests-course-03_linear_attention.cpp.html");
  CHECK(handout.find("Every token asks") != std::string::npos);
  CHECK(handout.find("Hours: 7") != std::string::npos);
  for (const char* hidden : {"Two loops, t and", "Mistake", "Withheld", "TEST_CASE", "EXERCISE"}) {
    CHECK(handout.find(hidden) == std::string::npos);
  }
}

}  // namespace mesagrad::course
