#include "tutorials/book/excerpts.h"

#include <algorithm>
#include <cstdlib>

#include "core/error.h"
#include "core/files.h"

namespace mesagrad::book {
namespace {

using Lines = std::vector<std::string>;

// The comment that a file begins with.
Lines top_comment(const std::string& source) {
  Lines comment;
  for (const std::string& line : lines_of(source)) {
    if (!line.starts_with("//")) break;
    comment.push_back(line.size() > 3 ? line.substr(3) : "");
  }
  return comment;
}

}  // namespace

std::string first_sentence(const std::string& source) {
  std::string words;
  for (const std::string& line : top_comment(source)) {
    if (line.empty()) break;
    words += (words.empty() ? "" : " ") + line;
  }
  for (std::size_t i = 0; i + 2 < words.size(); ++i) {  // "t = 0 .. 49" goes on
    const bool ends = (words[i] == '.' || words[i] == '?') && words[i + 1] == ' ';
    if (ends && !lesson::is_digit(words[i + 2])) words.resize(i + 1);
  }
  if (words.ends_with(':')) words.back() = '.';
  return words;
}

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

std::vector<lesson::Piece> headings(const std::string& source) {
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

}  // namespace mesagrad::book
