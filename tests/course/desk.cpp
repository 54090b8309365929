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

std::string bar(int done, int all) {
  constexpr int width = 8;
  std::string result;
  for (int i = 0; i < width; ++i) result += (i + 1) * all <= done * width ? "█" : "░";
  return result;
}

std::map<std::string, int> points_of_exercises() {
  std::map<std::string, int> points;
  for (const Check& one : checks()) points[one.exercise] += one.points;
  return points;
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
  int held = 0, points = 0, all_points = 0;
  const Check* failed = nullptr;
  Verdict verdict;
  for (std::size_t n = 0; n < checks().size(); ++n) {
    all_points += checks()[n].points;
    if (failed != nullptr) continue;
    verdict = run_check(program, n, ".", limits);
    if (verdict.passed) {
      ++held;
      points += checks()[n].points;
    } else {
      failed = &checks()[n];
    }
  }
  const auto all = static_cast<int>(checks().size());
  const std::string how_far = text(title, "   ", bar(held, all), "  ", held, " of ", all, " checks   ",
                                   points, " of ", all_points, " points\n");
  std::string parts;  // what each exercise is worth
  for (const auto& [exercise, worth] : points_of_exercises()) parts += text("   ", exercise, " ", worth);
  write_file(progress, how_far + (failed == nullptr ? "" : failed->exercise + "\n"));
  std::cout << how_far << "Points:" << parts << "\n";
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
