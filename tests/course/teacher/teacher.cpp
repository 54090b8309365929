// The teacher's program.
#include <cstdlib>
#include <iostream>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "tests/course/exercises.h"
#include "tests/course/teacher/grade.h"
#include "tests/course/main.h"
#include "tests/course/teacher/proof.h"

namespace mesagrad::course {
namespace {

std::string setting(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int number(const char* name, int least, int most) {
  const std::string value = setting(name);
  const bool digits =
      !value.empty() && value.size() < 3 && value.find_first_not_of("0123456789") == std::string::npos;
  const int number = digits ? std::stoi(value) : -1;
  check(number >= least && number <= most, name, "=", value, ": expected ", least, " to ", most);
  return number;
}

// Whether there is more in a folder than folders.
bool holds_files(const Path& folder) {
  std::error_code none;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, none)) {
    if (!entry.is_directory()) return true;
  }
  return false;
}

// A starter for those who have solved assignments up to UPTO, in OUT; with the answers in FROM.
int student() {
  const Path out = setting("OUT"), from = setting("FROM");
  const int upto = number("UPTO", 0, 10);
  check(!out.empty(), "OUT=dir says where the starter goes");
  remove_abandoned((out / starter_file).parent_path());
  check(std::filesystem::exists(out / starter_file) || !holds_files(out), out.string(),
        " holds something that is no starter");
  Tree starter = starter_of(read_tree("."), upto, setting("ID"));
  std::size_t carried = 0;
  if (!from.empty()) {
    for (auto& [path, contents] : starter) {
      if (!may_have_marks(path)) continue;
      const Answers answers = answers_of(path, lines_of(read_file(from / path)));
      contents = joined(splice(path, lines_of(contents), answers, [](const std::string&) { return true; }));
      carried += answers.size();
    }
  }
  // First of all, so that the folder is known for a starter, however this ends.
  create_writable((out / starter_file).parent_path());
  write_file(out / starter_file, starter.at(starter_file));
  write_tree(out, starter);
  std::cout << text(out.string(), ": solved up to assignment ", upto,
                    from.empty() ? "" : text(", with ", carried, " answers of ", from.string()), ".",
                    upto < 10 ? text(" Next: make assignment-", upto + 1) : "", "\n");
  for (const Path& file : from.empty() ? std::vector<Path>() : edited_outside(from))
    std::cout << text("Not taken over, because it is outside of the marks: what is new in ", file.string(),
                      "\n");
  return 0;
}

// For the proof that the course holds what it promises (proof.sh).
int leaks() {
  const Tree tree = read_tree(".");
  const int upto = number("UPTO", 0, 10);
  const std::string leak = leak_of(tree, starter_of(tree, upto, ""), upto);
  check(leak.empty(), leak);
  return 0;
}

int list_mistakes() {
  for (const Mistake& one : mistakes_of(read_tree(".")))
    std::cout << text(one.assignment, '\t', one.exercise, '\t', one.right, " ==> ", one.wrong, '\n');
  return 0;
}

int plant_mistake() {
  const Tree tree = read_tree(".");
  const std::vector<Mistake> mistakes = mistakes_of(tree);
  const auto n = std::strtoull(setting("MISTAKE").c_str(), nullptr, 10);
  check(n > 0 && n <= mistakes.size(), "MISTAKE=", setting("MISTAKE"), " is none of 1 to ", mistakes.size());
  Tree planted = with_mistake(tree, mistakes[n - 1]);
  planted[starter_file] = "";  // so that it compiles as at a student's desk
  write_tree(setting("OUT"), planted);
  return 0;
}

int grade_submission() {
  GradeOptions options{.assignment = number("A", 1, 9),
                       .submission = setting("FROM"),
                       .student = setting("ID"),
                       .secret = setting("SECRET")};
  check(!options.submission.empty(), "FROM=dir says what is to be graded");
  options.out = setting("OUT").empty() ? "out/grade" : setting("OUT");
  std::istringstream words(setting("MAKE_COMMAND").empty() ? "make" : setting("MAKE_COMMAND"));
  options.make = {"/usr/bin/env"};
  for (std::string word; words >> word;) options.make.push_back(word);
  std::cout << table_of(grade(options));
  return 0;
}

}  // namespace

int run(const std::vector<std::string>& words) {
  const std::string what = words.size() == 2 ? words[1] : "";
  if (what == "student") return student();
  if (what == "grade") return grade_submission();
  if (what == "leaks") return leaks();
  if (what == "mistakes") return list_mistakes();
  if (what == "plant") return plant_mistake();
  fail("usage: teacher student|grade|leaks|mistakes|plant, with settings in the environment");
}

}  // namespace mesagrad::course
