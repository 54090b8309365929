#include "tutorials/paper/report.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>

#include "core/error.h"
#include "core/files.h"
#include "nn/safetensors.h"
#include "nn/safetensors_json.h"
#include "tutorials/lesson/results.h"
#include "tutorials/lesson/writing.h"
#include "tutorials/paper/experiments.h"

namespace mesagrad::reproduction {

namespace fs = std::filesystem;
using lesson::fixed_number, lesson::short_number;

namespace {

Row parse_row(JsonReader& json) {
  Row row;
  json.object([&](const std::string& key) {
    if (key == "name") row.name = json.string();
    else if (key == "figure") row.figure = json.string();
    else if (key == "this_run") row.ours = json.number();
    else if (key == "paper") row.theirs = json.number();
    else if (key == "updates") row.updates = json.number();
    else if (key == "tolerance") row.tolerance = json.number();
    else json.skip_value();
  });
  return row;
}

void parse_claim(JsonReader& json, Run& run) {
  FailedClaim claim;
  bool judged = false, holds = false;
  json.object([&](const std::string& key) {
    if (key == "name") claim.name = json.string();
    else if (key == "measured") claim.measured = json.number();
    else if (key != "pass") json.skip_value();
    else if (!json.null()) judged = true, holds = json.truth();
  });
  run.claims += judged ? 1 : 0;
  if (judged && !holds) run.failed.push_back(claim);
}

// The number at the end of a folder's name, "seed-3"; -1 if it has another name.
long number_after(const std::string& start, const fs::path& folder) {
  const std::string name = folder.filename().string();
  const bool digits = name.size() > start.size() &&
                      name.find_first_not_of("0123456789", start.size()) == std::string::npos;
  return name.starts_with(start) && digits ? std::strtol(name.c_str() + start.size(), nullptr, 10) : -1;
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> all;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) all.push_back(entry.path());
  std::ranges::sort(all);
  return all;
}

// A checkpoint's "updates done", of those in its identity: "..., updates 12000, ...".
std::string progress_of(const fs::path& checkpoint) {
  const auto metadata = load_safetensors(checkpoint).metadata;
  const auto done = metadata.find("updates done"), identity = metadata.find("identity");
  check(done != metadata.end() && identity != metadata.end(), checkpoint.string(), " is no checkpoint");
  const std::string word = ", updates ";
  const std::size_t at = identity->second.find(word);
  const std::string all = at == std::string::npos ? "" : identity->second.substr(at + word.size());
  return text(done->second, all.empty() ? "" : " of " + all.substr(0, all.find(',')), " updates of '",
              checkpoint.stem().string(), "'");
}

Started read_started(const fs::path& folder, int lesson, std::uint64_t seed) {
  Started started{lesson, seed, 0, ""};
  for (const fs::path& file : entries_of(folder)) {
    if (file.filename() == "seconds") started.seconds = std::strtod(read_file(file).c_str(), nullptr);
    if (file.extension() != ".safetensors") continue;
    started.progress += (started.progress.empty() ? "" : ", ") + progress_of(file);
  }
  return started;
}

}  // namespace

Run parse_run(const std::string& source) {
  Run run;
  JsonReader json(source, "results");
  json.object([&](const std::string& key) {
    if (key == "lesson") run.lesson = static_cast<int>(json.number());
    else if (key == "threads") run.threads = static_cast<int>(json.number());
    else if (key == "seed") run.seed = static_cast<std::uint64_t>(json.number());
    else if (key == "seconds") run.seconds = json.number();
    else if (key == "scale") run.scale = json.string();
    else if (key == "machine") run.machine = json.string();
    else if (key == "date") run.date = json.string();
    else if (key == "comparisons") json.list([&] { run.rows.push_back(parse_row(json)); });
    else if (key == "claims") json.list([&] { parse_claim(json, run); });
    else json.skip_value();
  });
  json.end();
  json.require(run.lesson > 0 && run.threads > 0 && !run.date.empty(), "this is not all that a lesson writes");
  return run;
}

Found find_runs(const fs::path& folder, const std::string& scale) {
  Found found;
  const auto attempt = [&](const fs::path& path, const auto& read) {
    try {
      read();
    } catch (const Error& error) {
      found.problems.push_back(text(path.string(), " is left out: ", error.what()));
    }
  };
  for (const fs::path& of_seed : entries_of(folder)) {
    const long seed = number_after("seed-", of_seed);
    for (const fs::path& of_lesson : entries_of(of_seed)) {
      const long lesson = number_after("tutorial-", of_lesson);
      if (seed < 0 || lesson < 0) continue;
      const fs::path results = of_lesson / "results.json";
      if (fs::exists(results)) {
        attempt(results, [&] {
          Run run = parse_run(read_file(results));
          check(run.seed == static_cast<std::uint64_t>(seed) && run.lesson == lesson && run.scale == scale,
                "it is of lesson ", run.lesson, ", scale ", run.scale, ", seed ", run.seed);
          found.runs.push_back(std::move(run));
        });
      }
      const fs::path saved = of_lesson / "checkpoints" / text(scale, "-seed-", seed, "-", real_name);
      if (!fs::exists(saved)) continue;
      attempt(saved, [&] {
        found.started.push_back(
            read_started(saved, static_cast<int>(lesson), static_cast<std::uint64_t>(seed)));
      });
    }
  }
  return found;
}

double hours_of(int lesson, const Found& found, const std::string& scale) {
  std::vector<double> hours;
  for (const Run& run : found.runs) {
    if (run.lesson == lesson) hours.push_back(run.seconds * run.threads / 2 / 3600);
  }
  const auto known = std::ranges::find(measured_hours, lesson, &Hours::lesson);
  if (hours.empty() && scale == "paper" && known != measured_hours.end()) hours.push_back(known->hours);
  return lesson::mean(hours);
}

std::vector<Job> jobs_left(const Found& found, const std::string& scale, const std::vector<int>& lessons,
                           const std::vector<std::uint64_t>& seeds) {
  std::vector<Job> jobs;
  for (const std::uint64_t seed : seeds) {
    for (const int lesson : lessons) {
      const auto same = [&](const auto& run) { return run.lesson == lesson && run.seed == seed; };
      if (std::ranges::any_of(found.runs, same)) continue;
      const auto started = std::ranges::find_if(found.started, same);
      const double spent = started == found.started.end() ? 0 : started->seconds / 3600;
      jobs.push_back({lesson, seed, hours_of(lesson, found, scale) - spent});
      if (jobs.back().hours < 0) jobs.back().hours = 0;
    }
  }
  std::ranges::stable_sort(jobs, [](const Job& a, const Job& b) {
    return std::isnan(b.hours) ? !std::isnan(a.hours) : a.hours < b.hours;
  });
  return jobs;
}

// -- The page ---------------------------------------------------------------------------------------

namespace {

// A row of all runs that have it.
struct Merged {
  Row row;  // the first one's
  std::vector<double> ours = {};

  double mean() const { return lesson::mean(ours); }
  double deviation() const {
    double squares = 0;
    for (const double x : ours) squares += (x - mean()) * (x - mean());
    return std::sqrt(squares / static_cast<double>(ours.size() - 1));
  }
  double missed_by() const {  // in units of the tolerance
    const double by = std::abs(mean() - row.theirs) / std::abs(row.theirs) / row.tolerance;
    return std::isnan(by) ? std::numeric_limits<double>::infinity() : by;
  }
  bool misses() const { return missed_by() > 1; }
  std::string difference() const { return lesson::difference({row.name, mean(), row.theirs}); }
  std::string cells() const {
    const std::string spread = ours.size() > 1 ? " ± " + short_number(deviation(), 2) : "";
    return text(row.name, " | ", short_number(mean()), spread, " | ", short_number(row.theirs), " | ",
                difference(), " | ", short_number(100 * row.tolerance, 3), " % | ",
                row.updates > 0 ? text(row.updates) : "–", " | ", ours.size(), " |\n");
  }
};

constexpr const char* columns_of_rows =
    " | ours | theirs | difference | tolerance | updates | seeds |\n| --- | --- | --- | --- | --- | --- | --- | "
    "--- |\n";

std::vector<Merged> merged_rows(const Found& found) {
  std::vector<Merged> all;
  for (const Run& run : found.runs) {
    for (const Row& row : run.rows) {
      const auto same = std::ranges::find_if(all, [&](const Merged& other) {
        return other.row.name == row.name && other.row.figure == row.figure;
      });
      (same == all.end() ? all.emplace_back(Merged{row}) : *same).ours.push_back(row.ours);
    }
  }
  return all;
}

std::vector<Merged> rows_of(const Experiment& experiment, const std::vector<Merged>& all) {
  std::vector<Merged> some;
  std::ranges::copy_if(all, std::back_inserter(some),
                       [&](const Merged& one) { return one.row.figure == experiment.figure; });
  return some;
}

std::string figure_of(const std::string& name) {
  return name.empty() ? "–" : name[0] >= '0' && name[0] <= '9' ? "Figure " + name : name;
}

// Why there is nothing to see.
std::string not_run(const Experiment& experiment, const Found& found, const std::string& scale) {
  if (experiment.lesson == 0) return experiment.note;
  if (std::ranges::find(found.runs, experiment.lesson, &Run::lesson) != found.runs.end()) {
    return text("`make tutorial-", experiment.lesson, "` has run, but compares no number of it");
  }
  const double hours = hours_of(experiment.lesson, found, scale);
  std::string why = text("`make tutorial-", experiment.lesson, "` needs ",
                         std::isnan(hours) ? "nobody knows how long" : "about " + fixed_number(hours, 1) + " hours",
                         " of two cores for a seed");
  for (const Started& one : found.started) {
    if (one.lesson != experiment.lesson || one.progress.empty()) continue;
    why += text("; seed ", one.seed, " has done ", one.progress);
  }
  return why;
}

std::string state_of(const std::vector<Merged>& rows) {
  const auto missed = std::ranges::count_if(rows, &Merged::misses);
  if (missed == 0) return text("reproduced: ", rows.size(), rows.size() == 1 ? " row" : " rows", " within tolerance");
  const auto worst = std::ranges::max_element(rows, {}, &Merged::missed_by);
  return text("differs in ", missed, " of ", rows.size(), " rows, most in '", worst->row.name, "': ",
              worst->difference());
}

// The seeds, hours, machine and date of a lesson's runs: "1, 2 | 1.1, 1.2 | ...".
std::string circumstances(int lesson, const Found& found) {
  std::string seeds, hours, machines, date;
  for (const Run& run : found.runs) {
    if (run.lesson != lesson) continue;
    const auto add = [](std::string& list, const std::string& item) {
      list += (list.empty() ? "" : ", ") + item;
    };
    add(seeds, text(run.seed));
    add(hours, fixed_number(run.seconds / 3600, 2));
    const std::string machine = text(run.machine, ", ", run.threads, run.threads == 1 ? " thread" : " threads");
    if (machines.find(machine) == std::string::npos) add(machines, machine);
    date = std::max(date, run.date);
  }
  return text(seeds, " | ", hours, " | ", machines, " | ", date.substr(0, date.find(' ')));
}

}  // namespace

std::string report(const Found& found, const std::string& scale) {
  const std::vector<Merged> all = merged_rows(found);
  std::string misses, not_there, table, details;
  std::vector<Merged> worst_first;
  std::size_t compared = 0, reproduced = 0;
  for (const Experiment& experiment : experiments) {
    const std::vector<Merged> rows = rows_of(experiment, all);
    const std::string name = figure_of(experiment.figure);
    const std::string start = text("| ", name, " | ", experiment.title, " | ");
    if (rows.empty()) {
      not_there += text(start, not_run(experiment, found, scale), " |\n");
      table += text(start, experiment.lesson == 0 ? "–" : text(experiment.lesson), " | not run | – | – | – | – |\n");
      continue;
    }
    const std::string note = *experiment.note == 0 ? "" : text("; ", experiment.note);
    table += text(start, experiment.lesson, " | ", state_of(rows), note, " | ",
                  circumstances(experiment.lesson, found), " |\n");
    details += text("\n### ", name, ": ", experiment.title, "\n\n|  | ", columns_of_rows + 3);
    for (const Merged& row : rows) {
      ++compared;
      reproduced += row.misses() ? 0 : 1;
      details += text("| ", row.misses() ? "✗ " : "✓ ", row.cells());
      if (row.misses()) worst_first.push_back(row);
    }
  }
  std::ranges::stable_sort(worst_first, std::greater{}, &Merged::missed_by);
  for (const Merged& row : worst_first) misses += text("| ", figure_of(row.row.figure), " | ", row.cells());

  std::string claims;
  int judged = 0;
  for (const Run& run : found.runs) {
    judged += run.claims;
    for (const FailedClaim& claim : run.failed) {
      claims += text("* Lesson ", run.lesson, ", seed ", run.seed, ": ", claim.name, " is ",
                     short_number(claim.measured), ".\n");
    }
  }
  return text(
      "# The paper's numbers, and ours\n\n",
      "`make paper-report` wrote this page from what the lessons found at SCALE=", scale,
      " (", found.runs.size(), found.runs.size() == 1 ? " run" : " runs",
      "). Theirs are the numbers that the authors of *Uncovering mesa-optimization algorithms in Transformers* "
      "(arXiv 2309.05858) stored with their code, in most cases means over five seeds; ours are means over so "
      "many seeds as the row says, ± their standard deviation. Losses below theirs have a negative difference, "
      "and are a miss too if it is large. The tolerance is 5 % for means and 15 % for single points of a curve, "
      "unless the lesson knows a better one.\n\n",
      "**", reproduced, " of ", compared, " rows are within their tolerance.**\n\n",
      "## Misses\n\n",
      misses.empty() ? "None of what has run.\n" : text("| figure |", columns_of_rows, misses), "\n",
      "Of ", judged, " claims that the lessons make of their own, these do not hold:\n\n",
      claims.empty() ? "* none.\n" : claims, "\n## Not run\n\n",
      not_there.empty() ? "Nothing is left.\n" : text("| figure | experiment | why |\n| --- | --- | --- |\n", not_there),
      "\n## All experiments\n\n",
      "| figure | experiment | lesson | state | seeds | hours | machine | date |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- |\n",
      table, "\n## All rows\n", details);
}

}  // namespace mesagrad::reproduction
