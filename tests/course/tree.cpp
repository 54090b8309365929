#include "tests/course/tree.h"

#include <algorithm>
#include <regex>

#include "core/error.h"
#include "core/files.h"
#include "tests/course/exercises.h"

namespace mesagrad::course {
namespace {

constexpr const char* folders[] = {"core", "nn", "tasks", "tests", "tutorials"};
constexpr const char* single_files[] = {"Makefile", "README.md", "LICENSE"};
const Path starter_file = "tests/course/starter";

bool is_teachers(const Path& file) {
  static const std::set<std::string> names = {"grade", "sandbox", "tree", "course", "report", "proof",
                                              "gradescope"};
  return file == "tests/course_test.cpp" || file.parent_path() == "tests/course/hostile" ||
         (file.parent_path() == "tests/course" && file.extension() != ".mk" &&
          names.contains(file.stem().string()));
}

// The beginnings of the paths that an assignment withholds until it is solved.
std::vector<std::string> withheld_by(const std::string& assignment) {
  constexpr std::string_view start = "// Withheld: ";
  std::vector<std::string> result;
  for (const std::string& line : lines_of(assignment)) {
    if (line.starts_with(start)) result.push_back(line.substr(start.size()));
  }
  return result;
}

}  // namespace

bool may_have_marks(const Path& file) {
  const std::string folder = file.begin()->string();
  return folder == "core" || folder == "nn" || folder == "tasks";
}

Tree read_tree(const Path& root) {
  Tree tree;
  for (const char* folder : folders) {
    check(std::filesystem::is_directory(root / folder), root.string(),
          " is no tree of mesagrad: there is no folder ", folder, " in it");
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const Path path = entry.path().lexically_relative(root);
      if (entry.is_regular_file() && !path.filename().string().starts_with('.'))
        tree[path] = read_file(entry.path());
    }
  }
  for (const char* file : single_files) tree[file] = read_file(root / file);
  return tree;
}

std::map<int, Path> assignments_of(const Tree& tree) {
  std::map<int, Path> result;
  for (const auto& [path, contents] : tree) {
    const std::string name = path.filename().string();
    if (path.parent_path() != "tests/course" || path.extension() != ".cpp" ||
        !std::isdigit(static_cast<unsigned char>(name[0])))
      continue;
    result[std::stoi(name)] = path;
  }
  return result;
}

Tree starter_of(const Tree& tree, int upto, const std::string& student) {
  Tree starter;
  std::set<std::string> withheld;
  for (const auto& [number, file] : assignments_of(tree)) {
    if (number <= upto) continue;
    for (const std::string& path : withheld_by(tree.at(file))) {
      const auto is_in = [&, prefix = path](const auto& one) {
        return one.first.string().starts_with(prefix);
      };
      check(std::any_of(tree.begin(), tree.end(), is_in), file.string(), ": there is no ", path,
            " to withhold");
      withheld.insert(path);
    }
  }
  for (const auto& [path, contents] : tree) {
    const auto begins = [&, name = path.string()](const std::string& prefix) {
      return name.starts_with(prefix);
    };
    if (is_teachers(path) || std::any_of(withheld.begin(), withheld.end(), begins)) continue;
    Lines lines = lines_of(contents);
    if (may_have_marks(path)) lines = cut(path, lines, upto);
    if (path.parent_path() == "tests/course")
      std::erase_if(lines, [](const std::string& line) { return line.starts_with("// Mistake"); });
    starter[path] = joined(lines);
  }
  starter[starter_file] = text(upto, " ", student, "\n");
  return starter;
}

void write_tree(const Path& root, const Tree& tree) {
  std::vector<NewFile> changed;
  for (const auto& [path, contents] : tree) {
    std::filesystem::create_directories((root / path).parent_path());
    if (!std::filesystem::exists(root / path) || read_file(root / path) != contents)
      changed.push_back({root / path, {contents}});
  }
  write_files(changed);
  std::vector<Path> superfluous;
  for (const char* folder : folders) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      if (entry.is_regular_file() && !tree.contains(entry.path().lexically_relative(root)))
        superfluous.push_back(entry.path());
    }
  }
  for (const Path& path : superfluous) std::filesystem::remove(path);
}

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
