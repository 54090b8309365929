#include "tests/course/exercises.h"

#include <algorithm>
#include <regex>
#include <sstream>

#include "core/checksum.h"
#include "core/error.h"
#include "core/files.h"

namespace mesagrad::course {
namespace {

std::string trimmed(const std::string& line) {
  const std::size_t first = line.find_first_not_of(" \t"), last = line.find_last_not_of(" \t\r");
  return first == std::string::npos ? "" : line.substr(first, last - first + 1);
}

std::string indentation_of(const std::string& line) { return line.substr(0, line.find_first_not_of(" \t")); }

// What there is to see of a mark. (std::regex goes deeper with each character that a star takes, and a line
// may have a million.)
std::string head_of(const std::string& line) { return trimmed(line).substr(0, 80); }

bool is_starting_code(const std::string& line) { return trimmed(line).starts_with("//|"); }

std::string stub(const std::string& id) { return text("todo(\"", id, "\");"); }

[[noreturn]] void refuse(const Path& path, std::size_t line, const std::string& why) {
  fail(path.string(), ":", line + 1, ": ", why);
}

// Lines without comments, texts and characters; what cannot be taken out line by line is named in `problem`.
class Code {
 public:
  std::string problem;

  std::string of(const std::string& line) {
    std::string code;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (in_comment_) {
        if (line.compare(i, 2, "*/") == 0) in_comment_ = false, ++i;
      } else if (line.compare(i, 2, "//") == 0) {
        break;
      } else if (line.compare(i, 2, "/*") == 0) {
        in_comment_ = true, ++i;
      } else if (line[i] == '"' ||
                 (line[i] == '\'' && (i == 0 || !std::isalnum(static_cast<unsigned char>(line[i - 1]))))) {
        if (line[i] == '"' && i > 0 && line[i - 1] == 'R') problem = "a raw string";
        const char quote = line[i];
        for (++i; i < line.size() && line[i] != quote; ++i) i += line[i] == '\\';
        if (i >= line.size()) problem = "a quotation that does not end in its line";
        code += "0";
      } else {
        code += line[i];
      }
    }
    if (!line.empty() && line.back() == '\\') problem = "a line that goes on in the next one";
    return code;
  }
  bool in_comment() const { return in_comment_; }

 private:
  bool in_comment_ = false;
};

// May these lines stand in the place of a region's, and be found there again?
bool fit(const Lines& lines) {
  Lines alone = {"// exercise 1.1: alone"};
  alone.insert(alone.end(), lines.begin(), lines.end());
  alone.emplace_back("// end 1.1");
  try {
    const std::vector<Region> found = regions_of("", alone);
    return found.size() == 1 && found[0].begin == 1 && escapes(lines, 0, lines.size(), false).empty() &&
           std::none_of(lines.begin(), lines.end(), is_starting_code);
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::string joined(const Lines& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::string escapes(const Lines& lines, std::size_t first, std::size_t last, bool to_grade) {
  static const std::regex forbidden(
      R"(^#(?!pragma (omp|GCC unroll)\b)|\b(asm|__asm__|__asm|_Pragma|__attribute__)\b|\[\[|<%|%>|<:|:>|%:)");
  Code reader;
  std::string open;
  for (std::size_t i = first; i < last; ++i) {
    const auto because = [&](const std::string& what) { return text("line ", i + 1, ": ", what); };
    const std::string code = reader.of(lines[i]);
    if (!reader.problem.empty()) return because(reader.problem);
    const std::size_t begin = std::min(code.find_first_not_of(" \t\v\f\r"), code.size());
    if (to_grade && std::regex_search(code.substr(begin), forbidden))
      return because("directives, assembly, attributes and digraphs can't be graded");
    for (const char c : code) {
      if (c == '{' || c == '(') open += c;
      if (c != '}' && c != ')') continue;
      if (open.empty() || open.back() != (c == '}' ? '{' : '('))
        return because(text("`", c, "` without its partner"));
      open.pop_back();
    }
  }
  if (!open.empty()) return text("line ", last, ": `", open.back(), "` is not closed before the mark");
  return reader.in_comment() ? text("line ", last, ": a comment is not closed before the mark") : "";
}

std::vector<Region> regions_of(const Path& path, const Lines& lines) {
  static const std::regex begins(R"(// exercise ([1-9]|10)\.([1-9][0-9]?): \S.*)"), ends(R"(// end (\S+))"),
      looks_like_one(R"(//\s*(exercise|end)\s+[0-9].*)", std::regex::icase);
  std::vector<Region> regions;
  bool open = false;
  std::smatch match;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string line = head_of(lines[i]);
    if (!line.starts_with("//")) continue;
    if (std::regex_match(line, match, begins)) {
      if (open) refuse(path, i, "an exercise begins inside of " + regions.back().id);
      regions.push_back({match[1].str() + "." + match[2].str(), i, i + 1, i});
      open = true;
    } else if (open && regions.back().begin == i && line.starts_with("//   ")) {
      ++regions.back().begin;
    } else if (std::regex_match(line, match, ends)) {
      if (!open) refuse(path, i, "an end without an exercise");
      if (match[1] != regions.back().id)
        refuse(path, i, text("the end of ", match[1].str(), " where ", regions.back().id, " should end"));
      regions.back().end = i;
      open = false;
    } else if (std::regex_match(line, looks_like_one)) {
      refuse(path, i, "a mark has the form `// exercise 3.1: what is asked` or `// end 3.1`");
    } else if (is_starting_code(line) && !open) {
      refuse(path, i, "starting code outside of an exercise");
    }
  }
  if (open) refuse(path, regions.back().mark, text("exercise ", regions.back().id, " has no end"));
  return regions;
}

Lines cut(const Path& path, const Lines& lines, int upto) {
  Lines result;
  std::size_t next = 0;
  for (const Region& region : regions_of(path, lines)) {
    const std::string escape = escapes(lines, region.begin, region.end, false);
    if (!escape.empty()) refuse(path, region.mark, text(region.id, ", ", escape));
    Lines solution, start;
    for (std::size_t i = region.begin; i < region.end; ++i) {
      const std::string& line = lines[i];
      if (is_starting_code(line)) {
        const std::string code = trimmed(line).substr(3);
        start.push_back(indentation_of(line) + (code.starts_with(' ') ? code.substr(1) : code));
      } else {
        solution.push_back(line);
      }
    }
    if (!fit(solution) || !fit(start))
      refuse(path, region.mark, region.id + ", starting code that is a mark, or escapes, or hides an escape");
    if (start.empty()) start.push_back(indentation_of(lines[region.mark]) + stub(region.id));
    result.insert(result.end(), lines.begin() + static_cast<std::ptrdiff_t>(next),
                  lines.begin() + static_cast<std::ptrdiff_t>(region.begin));
    const Lines& inside = region.assignment() > upto ? start : solution;
    result.insert(result.end(), inside.begin(), inside.end());
    next = region.end;
  }
  result.insert(result.end(), lines.begin() + static_cast<std::ptrdiff_t>(next), lines.end());
  return result;
}

Answers answers_of(const Path& path, const Lines& lines) {
  Answers answers;
  std::set<std::string> written;
  for (const Region& region : regions_of(path, lines)) {
    Lines inside(lines.begin() + static_cast<std::ptrdiff_t>(region.begin),
                 lines.begin() + static_cast<std::ptrdiff_t>(region.end));
    if (inside.size() != 1 || trimmed(inside[0]) != stub(region.id)) written.insert(region.id);
    Answer& answer = answers[region.id];
    if (answer.problem.empty()) answer.problem = escapes(lines, region.begin, region.end, true);
    answer.regions.push_back(std::move(inside));
  }
  std::erase_if(answers, [&](const auto& answer) { return !written.contains(answer.first); });
  return answers;
}

Lines splice(const Path& path, const Lines& lines, const Answers& answers,
             const std::function<bool(const std::string& id)>& wanted) {
  Lines result = lines;
  std::vector<Region> regions = regions_of(path, lines);
  std::map<std::string, std::size_t> there;
  for (const Region& region : regions) ++there[region.id];
  for (const auto& [id, answer] : answers) {
    if (wanted(id) && there[id] != answer.regions.size())
      fail(path.string(), ": exercise ", id, " has ", there[id], " regions, its answer ",
           answer.regions.size());
  }
  std::reverse(regions.begin(), regions.end());  // so that the lines before stay where they are
  for (const Region& region : regions) {
    const auto answer = answers.find(region.id);
    if (answer == answers.end() || !wanted(region.id)) continue;
    const Lines& inside = answer->second.regions[--there[region.id]];
    const auto first = result.begin() + static_cast<std::ptrdiff_t>(region.begin);
    result.insert(result.erase(first, first + static_cast<std::ptrdiff_t>(region.end - region.begin)),
                  inside.begin(), inside.end());
  }
  return result;
}

bool may_have_marks(const Path& file) {
  const std::string folder = file.begin()->string();
  return folder == "core" || folder == "nn" || folder == "tasks";
}

std::map<std::string, std::string> places(const Path& tree) {
  std::map<std::string, std::string> result;
  for (const char* folder : {"core", "nn", "tasks"}) {
    for (const auto& entry : std::filesystem::directory_iterator(tree / folder)) {
      const Path file = Path(folder) / entry.path().filename();
      for (const Region& region : regions_of(file, lines_of(read_file(entry.path())))) {
        std::string& place = result[region.id];
        place += text(place.empty() ? file.string() + ":" : ", ", region.mark + 1);
      }
    }
  }
  return result;
}

std::string sum_outside(const Path& path, const Lines& lines) {
  Lines outside;
  std::size_t next = 0;
  for (const Region& region : regions_of(path, lines)) {
    for (; next < region.begin; ++next) outside.push_back(lines[next]);
    next = region.end;
  }
  for (; next < lines.size(); ++next) outside.push_back(lines[next]);
  Checksum sum;
  sum.add(joined(outside));
  return sum.text();
}

std::vector<Path> edited_outside(const Path& tree) {
  std::vector<Path> edited;
  if (!std::filesystem::exists(tree / starter_file)) return edited;
  std::istringstream handed_out(read_file(tree / starter_file));
  std::string path, sum;
  std::getline(handed_out, path);
  while (handed_out >> path >> sum) {
    if (!std::filesystem::is_regular_file(tree / path) ||
        sum_outside(path, lines_of(read_file(tree / path))) != sum)
      edited.emplace_back(path);
  }
  return edited;
}

}  // namespace mesagrad::course
