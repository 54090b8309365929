#include "tests/course/tree.h"

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "tests/course/exercises.h"

namespace mesagrad::course {
namespace {

constexpr const char* folders[] = {"core", "nn", "tasks", "tests", "tutorials"};
constexpr const char* single_files[] = {"Makefile", "README.md", "LICENSE"};
const Path starter_file = "tests/course/starter";

bool is_teachers(const Path& file) {
  static const std::set<std::string> names = {"grade", "sandbox", "tree", "course", "report"};
  return file.parent_path() == "tests/course" && file.extension() != ".mk" && names.contains(file.stem().string());
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
    if (path.parent_path() != "tests/course" || path.extension() != ".cpp" || !std::isdigit(static_cast<unsigned char>(name[0]))) continue;
    result[std::stoi(name)] = path;
  }
  return result;
}

std::vector<std::string> entries_of(const std::string& assignment, const std::string& title) {
  std::vector<std::string> result;
  for (const std::string& line : lines_of(assignment)) {
    const std::string start = "// " + title + ": ";
    if (line.starts_with(start)) result.push_back(line.substr(start.size()));
  }
  return result;
}

Tree starter_of(const Tree& tree, int upto, const std::string& student) {
  Tree starter;
  std::set<std::string> withheld;
  for (const auto& [number, file] : assignments_of(tree)) {
    if (number <= upto) continue;
    for (const std::string& path : entries_of(tree.at(file), "Withheld")) {
      const auto is_in = [&, prefix = path](const auto& one) { return one.first.string().starts_with(prefix); };
      check(std::any_of(tree.begin(), tree.end(), is_in), file.string(), ": there is no ", path,
            " to withhold");
      withheld.insert(path);
    }
  }
  for (const auto& [path, contents] : tree) {
    const auto begins = [&, name = path.string()](const std::string& prefix) { return name.starts_with(prefix); };
    if (is_teachers(path) || std::any_of(withheld.begin(), withheld.end(), begins)) continue;
    const std::string folder = path.begin()->string();
    Lines lines = lines_of(contents);
    if (folder == "core" || folder == "nn" || folder == "tasks") lines = cut(path, lines, upto);
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

}  // namespace mesagrad::course
