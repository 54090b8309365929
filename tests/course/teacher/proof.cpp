#include "tests/course/teacher/proof.h"

#include <algorithm>
#include <regex>

#include "core/error.h"
#include "core/files.h"
#include "tests/course/exercises.h"

namespace mesagrad::course {

std::vector<Mistake> mistakes_of(const Tree& tree) {
  static const std::regex form(R"(// Mistake ([0-9.]+): (.+) ==> (.*))");
  std::vector<Mistake> mistakes;
  for (const auto& [number, file] : assignments_of(tree)) {
    for (const std::string& line : lines_of(tree.at(file))) {
      std::smatch match;
      if (std::regex_match(line, match, form)) mistakes.push_back({number, match[1], match[2], match[3]});
    }
  }
  return mistakes;
}

Tree with_mistake(Tree tree, const Mistake& mistake) {
  for (auto& [path, contents] : tree) {
    if (!may_have_marks(path)) continue;
    Lines lines = lines_of(contents);
    for (const Region& region : regions_of(path, lines)) {
      for (std::size_t i = region.begin; i < region.end && region.id == mistake.exercise; ++i) {
        const std::size_t at = lines[i].find(mistake.right);
        if (at == std::string::npos) continue;
        lines[i].replace(at, mistake.right.size(), mistake.wrong);
        contents = joined(lines);
        return tree;
      }
    }
  }
  fail("mistake in exercise ", mistake.exercise, ": its solution has no `", mistake.right, "`");
}

std::string leak_of(const Tree& tree, const Tree& starter, int upto) {
  const auto code_of = [](const Lines& lines, std::size_t first, std::size_t last) {
    Lines code;  // without what every file has: braces and the like
    for (std::size_t i = first; i < last; ++i) {
      std::string line;
      for (const char c : lines[i]) line += c == ' ' ? "" : std::string(1, c);
      if (line.size() > 8) code.push_back(line);
    }
    return code;
  };
  std::map<Path, std::string> shown;
  for (const auto& [path, contents] : starter) {
    const Lines lines = lines_of(contents);
    shown[path] = joined(code_of(lines, 0, lines.size()));
  }
  for (const auto& [path, contents] : tree) {
    if (!may_have_marks(path)) continue;
    const Lines lines = lines_of(contents);
    for (const Region& region : regions_of(path, lines)) {
      Lines code = code_of(lines, region.begin, region.end);
      std::string given;  // starting code is no secret
      std::erase_if(code, [&](const std::string& line) {
        const bool starting = line.starts_with("//|");
        if (starting) given += line.substr(3) + "\n";
        return starting;
      });
      for (std::size_t i = 0; region.assignment() > upto && i + 3 <= code.size(); ++i) {
        const std::string three = joined({code[i], code[i + 1], code[i + 2]});
        for (const auto& [where, text_there] : shown) {
          if (given.find(three) == std::string::npos && text_there.find(three) != std::string::npos)
            return text(where.string(), " shows of exercise ", region.id, ":\n", three);
        }
      }
    }
  }
  return "";
}

}  // namespace mesagrad::course
