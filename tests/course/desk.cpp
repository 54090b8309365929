// A program of checks of one assignment. With a title, a number and a file it is the student's desk: it runs
// the checks in order, each in a process of its own, stops at the first that fails, and leaves in the file
// how far one is and which exercise is next. `list` tells what there is; `one N` runs check N alone, and
// hands the first line of its input on to file descriptor 3 if the check holds.
#include <unistd.h>

#include <iostream>

#include "core/files.h"
#include "tests/course/check.h"
#include "tests/course/exercises.h"
#include "tests/course/main.h"
#include "tests/course/sandbox.h"

extern char** environ;

namespace mesagrad::course {
namespace {

// What went wrong; empty if nothing did.
std::string outcome(const Check& one) {
  try {
    one.run();
    return "";
  } catch (const std::exception& problem) {
    return problem.what();
  } catch (...) {
    return "something was thrown that is no exception of the standard library";
  }
}

std::string bar(std::size_t done, std::size_t all) {
  constexpr std::size_t width = 8;
  std::string result;
  for (std::size_t i = 0; i < width; ++i) result += (i + 1) * all <= done * width ? "█" : "░";
  return result;
}

int desk(const std::string& program, const std::string& title, const std::string& number,
         const std::string& progress) {
  if (checks().empty()) {
    std::cout << text(title, "   has no checks: a person marks it, by the points in tests/course/", number,
                      "_*.cpp\n");
    return 0;
  }
  Limits limits{.seconds = 20, .as_nobody = false, .memory = unlimited, .largest_file = unlimited};
  for (char** setting = environ; *setting != nullptr; ++setting) limits.settings.push_back(*setting);
  std::map<std::string, int> worth;  // each exercise
  int all_points = 0, points = 0;
  for (const Check& one : checks()) {
    worth[one.exercise] += one.points;
    all_points += one.points;
  }
  std::size_t held = 0;
  Verdict verdict;
  while (held < checks().size() && (verdict = run_check(program, held, ".", limits)).passed)
    points += checks()[held++].points;
  const Check* failed = held < checks().size() ? &checks()[held] : nullptr;
  const std::string how_far = text(title, "   ", bar(held, checks().size()), "  ", held, " of ",
                                   checks().size(), " checks   ", points, " of ", all_points, " points\n");
  write_file(progress, how_far + (failed == nullptr ? "" : failed->exercise + "\n"));
  std::cout << how_far << "Points:";
  for (const auto& [exercise, points_of_it] : worth) std::cout << text("   ", exercise, " ", points_of_it);
  std::cout << "\n";
  for (const Path& file : edited_outside("."))
    std::cout << text("  ", file.string(), " has changes outside of the marks, which are not graded\n");
  if (failed == nullptr) {
    std::cout << "All checks hold. What is left: the questions of the handout, which nobody checks.\n";
    return 0;
  }
  const bool unwritten = verdict.message.find("is not written yet") != std::string::npos;
  std::cout << text("✗ ", failed->exercise, " ", failed->name, "   ", places(".")[failed->exercise],
                    "\n      ", verdict.message, "\n",
                    unwritten ? "" : "      Perhaps: " + failed->cause + "\n",
                    "  Write between the marks, save, run again.   Stuck? make hint-", number, "\n");
  return 1;
}

}  // namespace

int run(const std::vector<std::string>& words) {
  if (words.size() == 2 && words[1] == "list") {
    for (const Check& one : checks())
      std::cout << text(one.exercise, '\t', one.points, '\t', one.name, '\t', one.cause, '\n');
    return 0;
  }
  if (words.size() == 3 && words[1] == "one") {
    const auto number = std::strtoull(words[2].c_str(), nullptr, 10);
    check(number < checks().size(), "there is no check ", words[2]);
    std::string token;
    std::getline(std::cin, token);
    const std::string problem = outcome(checks()[number]);
    std::cout << problem << std::endl;
    if (problem.empty() && write(3, token.data(), token.size()) < 0) return 2;
    return problem.empty() ? 0 : 1;
  }
  check(words.size() == 4, "usage: ", words[0], " TITLE NUMBER FILE | list | one CHECK");
  return desk(words[0], words[1], words[2], words[3]);
}

}  // namespace mesagrad::course
