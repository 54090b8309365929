// `reproduction jobs` prints the commands that are left, `reproduction left` fails if there are any, and
// `reproduction report` writes the page of the runs of this machine; `reproduction publish` copies them to
// those that are kept, and writes the page of all these, and their numbers into the README. Settings of
// lessons follow (SCALE=paper OUT=out), and are checked. The environment has the rest: KEPT, the folder of
// the kept runs; SEEDS and LESSONS; for jobs MAKE and SETTINGS, which stand in each command; PAGE and
// README, files.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "tutorials/lesson/options.h"
#include "tutorials/lesson/terminal.h"
#include "tutorials/lesson/writing.h"
#include "tutorials/paper/report.h"

using namespace mesagrad;
using namespace mesagrad::reproduction;

namespace {

std::string setting(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Whole numbers, each of them once. JSON's readers know all of them up to 2^53.
template <class Number>
std::vector<Number> numbers(const char* name) {
  std::vector<Number> all;
  std::istringstream words(setting(name));
  for (std::string word; words >> word;) {
    Number number = 0;
    const char* end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, number);
    check(error == std::errc{} && stop == end && number >= 0, name, "=", word, ": expected whole numbers");
    if (std::ranges::find(all, number) == all.end()) all.push_back(number);
  }
  check(!all.empty(), name, " is empty");
  return all;
}

// As one word for the shell.
std::string word(const std::string& text) {
  const bool plain = text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                            "/._-+=,:") == std::string::npos;
  if (plain && !text.empty()) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

std::string hours_text(double hours) {
  return std::isnan(hours) ? "unknown hours" : lesson::fixed_number(hours, 2) + " hours of two cores";
}

// "3 jobs are left, 1.50 hours of two cores, and 1 of unknown length"
std::string summary(const std::vector<Job>& jobs) {
  double sum = 0;
  std::size_t unknown = 0;
  for (const Job& job : jobs) {
    const bool known = !std::isnan(job.hours);
    sum += known ? job.left() : 0;
    unknown += known ? 0 : 1;
  }
  return text(jobs.size(), jobs.size() == 1 ? " job is" : " jobs are", " left, ", hours_text(sum),
              unknown > 0 ? text(", and ", unknown, " of unknown length") : "");
}

std::string commands(const std::vector<Job>& jobs, const std::string& scale, const std::string& folder) {
  const std::string settings = setting("SETTINGS").empty() ? "" : " " + setting("SETTINGS");
  std::string all;
  for (const Job& job : jobs) {
    const std::string out = text(folder, "/seed-", job.seed);
    all += text("test -e ", word(text(out, "/tutorial-", job.lesson, "/results.json")), " || ",
                setting("MAKE"), " tutorial-", job.lesson, " SCALE=", scale, " SEED=", job.seed, " OUT=",
                word(out), " RESUME=1", settings, " # ", hours_text(job.hours),
                job.spent > 0 ? ", " + lesson::fixed_number(job.spent, 2) + " spent" : "", "\n");
  }
  return all;
}

void tell_problems(const Found& found) {
  for (const std::string& problem : found.problems) lesson::print_error(problem + "\n");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const std::string goal = arguments.empty() ? "" : arguments[0];
    check(goal == "jobs" || goal == "left" || goal == "report" || goal == "publish",
          "expected jobs, left, report or publish");
    const lesson::Options options = lesson::parse_options({arguments.begin() + 1, arguments.end()});
    const std::string scale = name_of(options.scale), folder = options.out + "/" + scale;
    const std::string kept = setting("KEPT");
    Found found = find_runs(folder, scale, options.rate);
    tell_problems(found);
    if (goal == "publish") {
      keep_runs(found.runs, folder, kept);
      found = find_runs(kept, scale);  // without what is not over, which is this machine's own business
      tell_problems(found);
    }
    found.kept = find_runs(kept, scale).runs;
    if (goal == "report" || goal == "publish") {
      check(!found.runs.empty() || !found.started.empty(), "there are no runs in ", folder);
      const std::string page = report(found, scale);
      write_file(setting("PAGE"), page);
      lesson::print(text("Wrote ", setting("PAGE"), " from ", found.runs.size(), " runs.\n"));
      if (goal == "publish") write_file(setting("README"), with_numbers_of(page, read_file(setting("README"))));
      return 0;
    }
    const std::vector<Job> jobs =
        jobs_left(found, scale, numbers<int>("LESSONS"), numbers<std::uint64_t>("SEEDS"));
    check(goal == "jobs" || jobs.empty(), summary(jobs), ": what they said stands above");
    lesson::print(commands(jobs, scale, folder));
    lesson::print_error(text(summary(jobs), "; ", found.runs.size(), " runs are done.\n"));
    return 0;
  } catch (const std::exception& error) {
    lesson::print_error(text("reproduction: ", error.what(), "\n"));
    return 2;
  }
}
