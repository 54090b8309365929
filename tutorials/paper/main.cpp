// `reproduction jobs` prints the commands that are left, `reproduction report` writes the page. The
// environment says of what: FOLDER (with seed-S/tutorial-N) and SCALE; for jobs SEEDS, LESSONS, and MAKE and
// SETTINGS, which stand in each command; for the report PAGE, a file.
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "tutorials/lesson/writing.h"
#include "tutorials/paper/report.h"

using namespace mesagrad;
using namespace mesagrad::reproduction;

namespace {

std::string setting(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

template <class Number>
std::vector<Number> numbers(const char* name) {
  std::vector<Number> all;
  std::istringstream words(setting(name));
  for (std::string word; words >> word;) {
    const char* end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, all.emplace_back());
    check(error == std::errc{} && stop == end, name, "=", word, ": expected whole numbers");
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

void print_jobs(const Found& found, const std::string& folder, const std::string& scale) {
  const std::vector<Job> jobs =
      jobs_left(found, scale, numbers<int>("LESSONS"), numbers<std::uint64_t>("SEEDS"));
  const std::string settings = setting("SETTINGS").empty() ? "" : " " + setting("SETTINGS");
  double sum = 0;
  for (const Job& job : jobs) {
    sum += job.left();
    const std::string out = word(text(folder, "/seed-", job.seed));
    std::cout << setting("MAKE") << " tutorial-" << job.lesson << " SCALE=" << scale << " SEED=" << job.seed
              << " OUT=" << out << " RESUME=1" << settings << " # " << hours_text(job.hours)
              << (job.spent > 0 ? ", " + lesson::fixed_number(job.spent, 2) + " spent" : "") << '\n';
  }
  std::cerr << jobs.size() << " jobs are left, " << hours_text(sum) << "; " << found.runs.size()
            << " runs are done.\n";
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string goal = argc == 2 ? argv[1] : "", folder = setting("FOLDER"), scale = setting("SCALE");
    check(goal == "jobs" || goal == "report", "expected jobs or report");
    const Found found = find_runs(folder, scale);
    for (const std::string& problem : found.problems) std::cerr << problem << '\n';
    if (goal == "jobs") {
      print_jobs(found, folder, scale);
    } else {
      write_file(setting("PAGE"), report(found, scale));
      std::cout << "Wrote " << setting("PAGE") << " from " << found.runs.size() << " runs.\n";
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "reproduction: " << error.what() << '\n';
    return 2;
  }
}
