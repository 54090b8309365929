// Runs of lessons in a folder: those that are over, those that were begun, and those that are left to do.
#pragma once
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mesagrad::reproduction {

// A number of ours beside the paper's.
struct Row {
  std::string name, figure;
  double ours = 0, theirs = 0, updates = 0, tolerance = 0;
};

struct FailedClaim {
  std::string name;
  double measured = 0;
};

// What results.json says of one run.
struct Run {
  int lesson = 0, threads = 0, claims = 0;
  std::uint64_t seed = 0;
  double processor_seconds = 0, rate = 0;
  std::string scale, precision, machine, commit, date;
  std::vector<Row> rows;
  std::vector<FailedClaim> failed;
};

// Throws Error if this is not the whole of a results file.
Run parse_run(const std::string& json);

// A run that is not over, with what it had measured when it last saved itself.
struct Started : Run {
  std::string progress;  // "711 of 12000 updates of 'hiding, hybrid'"
};

// All runs of this scale in a folder that holds seed-S/tutorial-N. What can't be read, or has another rate or
// precision, is left out, with a sentence in `problems`.
struct Found {
  std::vector<Run> runs;
  std::vector<Started> started;
  std::vector<std::string> problems;
  std::vector<Run> kept = {};  // of any machine: hours of what has not run here; not found by find_runs
};
Found find_runs(const std::filesystem::path& folder, const std::string& scale, double rate = 1);

// Copies the results of these runs of `folder` to the same places in `kept`, but for those of which it holds
// newer ones.
void keep_runs(const std::vector<Run>& runs, const std::filesystem::path& folder,
               const std::filesystem::path& kept);

// Hours of two cores that a lesson takes: the mean of its runs, else of the kept ones, else an estimate for
// the paper scale, else NaN.
double hours_of(int lesson, const Found& found, const std::string& scale);

// A lesson with a seed, which has no results yet.
struct Job {
  int lesson = 0;
  std::uint64_t seed = 0;
  double hours = 0;  // from first to last; NaN if nobody knows
  double spent = 0;  // of these, by now

  double left() const { return std::max(hours - spent, 0.0); }  // NaN stays NaN
};

// Those with the least left first.
std::vector<Job> jobs_left(const Found& found, const std::string& scale, const std::vector<int>& lessons,
                           const std::vector<std::uint64_t>& seeds);

}  // namespace mesagrad::reproduction
