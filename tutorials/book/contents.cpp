#include "tutorials/book/contents.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::book {
namespace {

using Lines = std::vector<std::string>;

constexpr const char* contents_file = "tutorials/book/contents.txt";

// Those of a folder, or a header and what belongs to it.
Lines files_of(const std::filesystem::path& root, const std::string& entry) {
  Lines files = {entry + ".h", entry + ".cpp"};
  if (is_directory(root / entry)) {
    files.clear();
    for (const auto& file : std::filesystem::directory_iterator(root / entry)) {
      files.push_back(entry + "/" + file.path().filename().string());
    }
    std::ranges::sort(files, {}, [](const std::string& file) {  // the lesson before what it uses
      return std::pair(!file.ends_with("/lesson.cpp"), file);
    });
  }
  std::erase_if(files, [&](const std::string& file) {
    return !exists(root / file) || !(file.ends_with(".h") || file.ends_with(".cpp"));
  });
  return files;
}

// The comment that a file begins with.
Lines top_comment(const std::string& source) {
  Lines comment;
  for (const std::string& line : lines_of(source)) {
    if (!line.starts_with("//")) break;
    comment.push_back(line.size() > 3 ? line.substr(3) : "");
  }
  return comment;
}

// Empty if there is none.
std::string first_sentence(const Lines& comment) {
  std::string words;
  for (const std::string& line : comment) {
    if (line.empty() && !words.empty()) break;
    words += (words.empty() ? "" : " ") + line;
  }
  for (std::size_t i = 0; i + 2 < words.size(); ++i) {  // "t = 0 .. 49" goes on
    const bool ends = (words[i] == '.' || words[i] == '?') && words[i + 1] == ' ';
    if (ends && !lesson::is_digit(words[i + 2])) words.resize(i + 1);
  }
  if (words.ends_with(':')) words.back() = '.';
  return words;
}

// The comment of an assignment without hints, mistakes, and what is withheld.
Lines handout_of(const std::string& assignment) {
  Lines handout;
  bool skipping = false;
  for (const std::string& line : top_comment(assignment)) {
    const auto begins = [&](const std::vector<const char*>& starts) {
      return std::ranges::any_of(starts, [&](const char* start) { return line.starts_with(start); });
    };
    const bool label = begins({"Read: ", "Find out: ", "To write: ", "Hours: ", "Unlocks: "});
    const bool item = line.size() > 2 && lesson::is_digit(line[0]) && line[1] == '.';
    skipping = begins({"Hint ", "Mistake ", "Withheld: "}) || (skipping && !line.empty() && !label);
    if (label || item) handout.emplace_back();
    if (!skipping) handout.push_back(line);
  }
  return handout;
}

std::map<std::string, int> points_of(const std::string& assignment) {
  const std::string start = "EXERCISE(\"";  // EXERCISE("3.1", 2, ...
  std::map<std::string, int> points;
  for (const std::string& line : lines_of(assignment)) {
    const std::size_t end = line.find('"', start.size());
    if (!line.starts_with(start) || end == std::string::npos) continue;
    points[line.substr(start.size(), end - start.size())] += std::atoi(line.c_str() + end + 2);
  }
  return points;
}

std::vector<lesson::Piece> steps_of(const std::string& source) {
  std::vector<lesson::Piece> pieces;
  int number = 0;
  for (const std::string& line : lines_of(source)) {
    ++number;
    const std::size_t at = line.find("L.step(\""), begin = at + 8;
    if (at == std::string::npos) continue;
    const std::string heading = text(pieces.size() + 1, ". ", line.substr(begin, line.rfind('"') - begin));
    pieces.push_back({number, lesson::element("h2", lesson::formula_markup(heading))});
  }
  return pieces;
}

// What stands behind `start` and a quotation mark, and goes on in the next ones if only blanks are between.
std::string quoted_after(const std::string& source, const std::string& start) {
  std::string quoted;
  std::size_t at = std::min(source.find(start), source.size()) + start.size();
  while (at < source.size() && source[at] == '"') {
    const std::size_t end = std::min(source.find('"', at + 1), source.size() - 1);
    quoted += source.substr(at + 1, end - at - 1);
    at = source.find_first_not_of(" \n", end + 1);
  }
  return quoted;
}

// Those of the file or, if it has a header, of both, which are listed once.
Lines tests_of(const std::filesystem::path& root, const std::string& file) {
  const std::string stem = file.substr(0, file.rfind('.')), tutorials = "tutorials/", start = "TEST_CASE(";
  if (file.ends_with(".h") && exists(root / (stem + ".cpp"))) return {};
  Lines names;
  for (const char* kind : {"_test.cpp", "_errors_test.cpp", "_hostile_test.cpp"}) {
    const std::filesystem::path tests =
        root / "tests" / ((stem.starts_with(tutorials) ? stem.substr(tutorials.size()) : stem) + kind);
    if (!exists(tests)) continue;
    const std::string source = read_file(tests);
    for (std::size_t at = source.find(start); at != std::string::npos; at = source.find(start, at + 1)) {
      const std::string test = source.substr(at, source.find('{', at) - at);
      if (test.find("\"[.") == std::string::npos) names.push_back(quoted_after(test, start));
    }
  }
  return names;
}

Chapter chapter_of(const std::string& file, const std::string& source) {
  Chapter chapter{file, source, file, lesson::paragraph_markup(first_sentence(top_comment(source))),
                  file + ".html"};
  std::ranges::replace(chapter.page, '/', '-');
  const std::size_t digits = file.find_first_of("0123456789");
  if (file.starts_with("tests/")) {
    chapter.is_handout = true;
    chapter.handout = handout_of(source);
    check(!chapter.handout.empty(), file, " has no handout");
    chapter.title =
        text("Assignment ", std::stoi(file.substr(digits)), ": ", lesson::escape(chapter.handout[0]));
    chapter.handout.erase(chapter.handout.begin());
    chapter.sentence = lesson::paragraph_markup(first_sentence(chapter.handout));
    chapter.points = points_of(source);
  } else if (digits < file.size() && file.ends_with("/lesson.cpp")) {
    chapter.lesson = std::stoi(file.substr(digits));
    const std::string run = source.substr(std::min(source.find("lesson::run("), source.size()));
    chapter.short_title = quoted_after(run, ".title = ");
    chapter.title = text("Lesson ", chapter.lesson, ": ", lesson::escape(chapter.short_title));
    chapter.sentence = lesson::paragraph_markup(quoted_after(run, ".question = "));
    chapter.steps = steps_of(source);
  }
  return chapter;
}

}  // namespace

Contents read_contents(const std::filesystem::path& root) {
  Contents contents;
  const bool is_starter = exists(root / "tests/course/starter");
  for (const std::string& line : lines_of(read_file(root / contents_file))) {
    if (line.starts_with("# ")) contents.parts.push_back(lesson::escape(line.substr(2)));
    if (line.empty() || line.starts_with("#")) continue;
    const Lines files = files_of(root, line);
    check(!files.empty() || is_starter, contents_file, " lists ", line, ", which is not there");
    for (const std::string& file : files) {
      const bool again = std::ranges::count(contents.chapters, file, &Chapter::file) > 0;
      check(!again, contents_file, " lists ", file, " twice");
      contents.chapters.push_back(chapter_of(file, read_file(root / file)));
      contents.chapters.back().part = contents.parts.size();
      contents.chapters.back().tests = tests_of(root, file);
    }
  }
  return contents;
}

}  // namespace mesagrad::book
