// Any text as a source file with exercises: refused in one line, or cut for students, answered, and put
// together again.
#include <algorithm>

#include "core/files.h"
#include "tests/course/exercises.h"
#include "tests/fuzz/fuzz.h"

namespace mesagrad::fuzz {
namespace {

using namespace course;

const Path path = "core/f.cpp";

std::vector<std::string> ids_of(const Lines& lines) {
  std::vector<std::string> ids;
  for (const Region& region : regions_of(path, lines)) ids.push_back(region.id);
  return ids;
}

bool always(const std::string&) { return true; }

// What is closed stays so between other lines that are, and an open bracket before it is noticed.
void check_escapes(const Lines& lines) {
  for (const bool to_grade : {false, true}) {
    const auto closed = [&](const Lines& some) { return escapes(some, 0, some.size(), to_grade).empty(); };
    if (!closed(lines)) continue;
    Lines around = {"{ ("};
    for (int twice = 0; twice < 2; ++twice) around.insert(around.end(), lines.begin(), lines.end());
    must(!closed(around), "an open bracket is noticed");
    around.push_back(") }");
    must(closed(around), "closed lines may stand in brackets");
    must(escapes(lines, 0, lines.size(), false).empty(), "grading forbids more, not less");
  }
}

void check_starter(const Lines& lines, const Lines& starter, const Answers& answers, int upto) {
  must(ids_of(starter) == ids_of(lines), "a starter has the same marks");
  must(sum_outside(path, starter) == sum_outside(path, lines), "and the same outside of them");
  must(cut(path, starter, 10) == starter, "and no starting code that waits to be taken out");
  const Answers carried = answers_of(path, splice(path, starter, answers, always));
  for (const auto& [id, answer] : answers) {
    must(carried.contains(id) && carried.at(id).regions == answer.regions, "answers are carried over whole");
  }
  if (upto < 10) return;
  for (const auto& [id, answer] : answers_of(path, starter)) {
    must(answers.contains(id), "nothing becomes an answer when all is solved");
  }
}

void check_marks(const std::string& source) {
  const Lines lines = lines_of(source);
  must(joined(lines) == source + (source.empty() || source.back() == '\n' ? "" : "\n"), "lines make a text");
  check_escapes(lines);

  std::vector<Region> regions;
  const std::string why = refusal([&] { regions = regions_of(path, lines); });
  must(refusal([&] { answers_of(path, lines); }) == why, "answers are refused as the marks are");
  must(refusal([&] { sum_outside(path, lines); }) == why, "the sum is refused as the marks are");
  must(refusal([&] { splice(path, lines, {}, always); }) == why, "splicing is refused as the marks are");
  if (!why.empty()) {
    must(refusal([&] { cut(path, lines, 0); }) == why, "cutting is refused as the marks are");
    must(why.starts_with("core/f.cpp:"), "a refusal begins with the file and the line: " + why);
    return;
  }
  std::size_t behind = 0;
  bool escape = false;
  for (const Region& region : regions) {
    must(region.mark >= behind && region.mark < region.begin && region.begin <= region.end &&
             region.end < lines.size() && region.assignment() >= 1 && region.assignment() <= 10,
         "regions lie one behind another");
    behind = region.end + 1;
    escape |= !escapes(lines, region.begin, region.end, false).empty();
  }

  const Answers answers = answers_of(path, lines);
  must(splice(path, lines, answers, always) == lines, "a file's own answers change nothing");
  const bool refused = !refusal([&] { cut(path, lines, 0); }).empty();
  must(refused || !escape, "what escapes is not cut");
  for (const int upto : {0, 3, 10}) {
    Lines starter;
    const bool cut_it = refusal([&] { starter = cut(path, lines, upto); }).empty();
    must(cut_it == !refused, "a mistake shows in any starter");
    if (!refused) check_starter(lines, starter, answers, upto);
  }
}

}  // namespace

std::vector<std::string> seeds() {
  const std::string solved =
      "int f(int x) {\n"
      "  // exercise 3.1: twice x,\n"
      "  //    and not less\n"
      "  // the secret\n"
      "  return 2 * x;\n"
      "  // end 3.1\n"
      "}\n";
  return {solved,
          solved +
              "int g(int x) {\n"
              "  // exercise 4.2: x, slowly\n"
              "  return x;\n"
              "  //| int y = 0;\n"
              "  //| for (; y < x; ++y) {}\n"
              "  //| return y;\n"
              "  // end 4.2\n"
              "}\n"
              "// exercise 3.1: again\n"
              "todo(\"3.1\");\n"
              "// end 3.1\n",
          "// exercise 10.1: a\nf(\"}\", '}'); // }\n/* } */ x = 1'000;\n#pragma omp simd\n// end 10.1\n"};
}

std::vector<std::string> words() {
  return {"// exercise 3.1: ", "// end 3.1", "// exercise 10.12: ", "// end 10.12", "//| ", "//    ", "\n",
          "todo(\"3.1\");", "{", "}", "(", ")", "/*", "*/", "\"", "'", "R\"(", ")\"", "\\", "#define x",
          "#pragma omp", "#pragma GCC unroll", "asm", "_Pragma", "__attribute__", "[[", "<%", "%:", "\r",
          "\t"};
}

}  // namespace mesagrad::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mesagrad::fuzz::check_marks({data, data + size});
  return 0;
}
