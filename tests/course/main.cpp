// A program of checks of one assignment. With a title, a number and a file it is the student's desk: it runs
// the checks in order, each in a process of its own, stops at the first that fails, and leaves in the file
// how far one is and which exercise is next. `list` tells what there is; `one N TOKEN` runs check N alone,
// and writes the token to file descriptor 3 if it holds.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iostream>

#include "core/files.h"
#include "tests/course/check.h"
#include "tests/course/exercises.h"

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

constexpr unsigned seconds_allowed = 60;

// The same in a process of its own, whatever it does.
std::string isolated_outcome(const Check& one) {
  int ends[2];
  check(pipe(ends) == 0, "a pipe can't be opened");
  std::fflush(nullptr);
  const pid_t child = fork();
  check(child >= 0, "a process can't be started");
  if (child == 0) {
    close(ends[0]);
    alarm(seconds_allowed);
    const std::string problem = outcome(one);
    const std::string verdict = problem.empty() ? "+" : "-" + problem;
    const bool sent = write(ends[1], verdict.data(), verdict.size()) == static_cast<ssize_t>(verdict.size());
    _exit(sent ? 0 : 1);
  }
  close(ends[1]);
  std::string verdict;
  char buffer[512];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;)
    verdict.append(buffer, static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!verdict.empty()) return verdict.substr(1);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
    return text("it did not end within ", seconds_allowed, " seconds: is there a loop without an end?");
  if (WIFSIGNALED(status)) return text("the program broke down: ", strsignal(WTERMSIG(status)));
  return "the program ended in the middle of the check";
}

std::string bar(int done, int all) {
  constexpr int width = 8;
  std::string result;
  for (int i = 0; i < width; ++i) result += i * all < done * width ? "█" : "░";
  return result;
}

int desk(const std::string& title, const std::string& number, const std::string& progress) {
  int held = 0, points = 0, all_points = 0;
  const Check* failed = nullptr;
  std::string problem;
  if (checks().empty()) {
    std::cout << text(title, "   has no checks: a person marks it, by the points in tests/course/", number,
                      "_*.cpp\n");
    return 0;
  }
  for (const Check& one : checks()) {
    all_points += one.points;
    if (failed != nullptr) continue;
    problem = isolated_outcome(one);
    if (problem.empty()) {
      ++held;
      points += one.points;
    } else {
      failed = &one;
    }
  }
  const auto all = static_cast<int>(checks().size());
  const std::string how_far = text(title, "   ", bar(held, all), "  ", held, " of ", all, " checks   ",
                                   points, " of ", all_points, " points\n");
  write_file(progress, how_far + (failed == nullptr ? "" : failed->exercise + "\n"));
  std::cout << how_far;
  if (failed == nullptr) {
    std::cout << "All checks hold.\n";
    return 0;
  }
  const std::map<std::string, std::string> where = places(".");
  const auto place = where.find(failed->exercise);
  const bool unwritten = problem.find("is not written yet") != std::string::npos;
  std::cout << text("✗ ", failed->exercise, " ", failed->name, "   ",
                    place == where.end() ? "" : place->second, "\n      ", problem, "\n",
                    unwritten ? "" : "      " + failed->cause + "\n",
                    "  Write between the marks, save, run again.   Stuck? make hint-", number, "\n");
  return 1;
}

int run(int argc, char** argv) {
  const std::string program = argv[0];
  if (argc == 2 && argv[1] == std::string("list")) {
    for (const Check& one : checks())
      std::cout << text(one.exercise, '\t', one.points, '\t', one.name, '\t', one.cause, '\n');
    return 0;
  }
  if (argc == 4 && argv[1] == std::string("one")) {
    const auto number = std::strtoull(argv[2], nullptr, 10);
    check(number < checks().size(), "there is no check ", argv[2]);
    const std::string token = argv[3];
    std::memset(argv[3], '-', token.size());
    const std::string problem = outcome(checks()[number]);
    std::cout << problem << std::endl;
    if (problem.empty() && write(3, token.data(), token.size()) < 0) return 2;
    return problem.empty() ? 0 : 1;
  }
  check(argc == 4, "usage: ", program, " TITLE NUMBER FILE | list | one CHECK TOKEN");
  return desk(argv[1], argv[2], argv[3]);
}

}  // namespace
}  // namespace mesagrad::course

int main(int argc, char** argv) {
  try {
    return mesagrad::course::run(argc, argv);
  } catch (const std::exception& problem) {
    std::cerr << problem.what() << '\n';
    return 2;
  }
}
