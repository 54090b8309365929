#include "tests/course/teacher/tree.h"

#include <algorithm>
#include <span>

#include "core/error.h"
#include "core/files.h"
#include "tests/course/exercises.h"

namespace mesagrad::course {
namespace {

constexpr const char* folders[] = {"core", "nn", "tasks", "tests", "tutorials"};
constexpr const char* teachers_folder = "tests/course/teacher/";
constexpr const char* single_files[] = {"Makefile", "README.md", "LICENSE"};

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
    if (begins(teachers_folder) || std::any_of(withheld.begin(), withheld.end(), begins)) continue;
    Lines lines = lines_of(contents);
    if (may_have_marks(path)) lines = cut(path, lines, upto);
    if (path.parent_path() == "tests/course")
      std::erase_if(lines, [](const std::string& line) {
        return line.starts_with("// Mistake") || line.starts_with("// Withheld");
      });
    starter[path] = joined(lines);
  }
  std::string handed_out = text(upto, " ", student, "\n");
  for (const auto& [path, contents] : starter) {
    if (may_have_marks(path))
      handed_out += text(path.string(), " ", sum_outside(path, lines_of(contents)), "\n");
  }
  starter[starter_file] = handed_out;
  return starter;
}

void write_tree(const Path& root, const Tree& tree) {
  std::vector<NewFile> changed;
  for (const auto& [path, contents] : tree) {
    std::filesystem::create_directories((root / path).parent_path());
    if (!std::filesystem::exists(root / path) || read_file(root / path) != contents)
      changed.push_back({root / path, {contents}});
  }
  constexpr std::size_t at_once = 100;  // macOS allows no more than 256 open files
  for (std::span<const NewFile> left = changed; !left.empty();) {
    const std::size_t count = std::min(left.size(), at_once);
    write_files(left.first(count));
    left = left.subspan(count);
  }
  remove_abandoned(root);  // what killed programs left; in the folders they are superfluous
  std::vector<Path> superfluous;
  for (const char* folder : folders) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      if (entry.is_regular_file() && !tree.contains(entry.path().lexically_relative(root)))
        superfluous.push_back(entry.path());
    }
  }
  for (const Path& path : superfluous) std::filesystem::remove(path);
}

}  // namespace mesagrad::course
