#include "tutorials/paper/report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "tutorials/lesson/results.h"
#include "tutorials/lesson/writing.h"
#include "tutorials/paper/experiments.h"

namespace mesagrad::reproduction {

using lesson::fixed_number, lesson::short_number;

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

// The head of a table, and the line below it.
std::string head(const std::vector<std::string>& columns) {
  std::string names = "|", line = "|";
  for (const std::string& name : columns) {
    names += " " + name + " |";
    line += " --- |";
  }
  return names + "\n" + line + "\n";
}

// Those that are over, and what the others have so far.
std::vector<const Run*> all_runs(const Found& found) {
  std::vector<const Run*> all;
  for (const Run& run : found.runs) all.push_back(&run);
  for (const Started& run : found.started) all.push_back(&run);
  return all;
}

std::vector<Merged> merged_rows(const Found& found) {
  std::vector<Merged> all;
  for (const Run* run : all_runs(found)) {
    for (const Row& row : run->rows) {
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

bool has_run(int lesson, const Found& found) {
  return std::ranges::find(found.runs, lesson, &Run::lesson) != found.runs.end();
}

// The first of its lessons that has not run; 0 if they all have, or if it has none.
int not_run(const Experiment& experiment, const Found& found) {
  for (const int lesson : {experiment.lesson, experiment.also[0], experiment.also[1]}) {
    if (lesson != 0 && !has_run(lesson, found)) return lesson;
  }
  return 0;
}

// Why there is nothing to see, or not everything.
std::string why_not(const Experiment& experiment, const Found& found, const std::string& scale) {
  if (experiment.lesson == 0) return experiment.note;
  const int lesson = not_run(experiment, found);
  if (lesson == 0) {
    return text("`make tutorial-", experiment.lesson, "` has run, but compares no number of it");
  }
  const double hours = hours_of(lesson, found, scale);
  std::string why = text("`make tutorial-", lesson, "` needs ",
                         std::isnan(hours) ? "an unknown time" : "about " + lesson::duration(3600 * hours),
                         " of two cores for a seed");
  for (const Started& one : found.started) {
    if (one.lesson != lesson || one.progress.empty()) continue;
    why += text("; seed ", one.seed, " has done ", one.progress);
  }
  return why;
}

std::string state_of(const std::vector<Merged>& rows) {
  const auto missed = std::ranges::count_if(rows, &Merged::misses);
  if (missed == 0) return text("reproduced: ", rows.size(), " of ", rows.size(), " rows");
  const auto worst = std::ranges::max_element(rows, {}, &Merged::missed_by);
  return text("differs in ", missed, " of ", rows.size(), " rows, most in '", worst->row.name, "': ",
              worst->difference());
}

// Of the runs that have a row of this figure: lessons | state | seeds | hours | machine | commit | date.
std::string circumstances(const Experiment& experiment, const Found& found, const std::string& state) {
  std::vector<std::string> lessons, seeds, machines, commits;
  double hours = 0;
  std::string date;
  const auto add = [](std::vector<std::string>& list, const std::string& item) {
    if (std::ranges::find(list, item) == list.end()) list.push_back(item);
  };
  const auto joined = [](const std::vector<std::string>& list) {
    std::string all;
    for (const std::string& item : list) all += (all.empty() ? "" : ", ") + item;
    return all;
  };
  for (const Run* run : all_runs(found)) {
    if (std::ranges::find(run->rows, experiment.figure, &Row::figure) == run->rows.end()) continue;
    add(lessons, text(run->lesson));
    add(seeds, text(run->seed));
    add(machines, text(run->machine, " (", run->threads, run->threads == 1 ? " thread)" : " threads)"));
    add(commits, run->commit.empty() ? "–" : run->commit);
    hours += run->processor_seconds / 3600;
    date = std::max(date, run->date.substr(0, run->date.find(' ')));
  }
  return text(joined(lessons), " | ", state, " | ", joined(seeds), " | ", fixed_number(hours, 2), " | ",
              joined(machines), " | ", joined(commits), " | ", date, " |\n");
}

constexpr const char* introduction =
    "Theirs are the numbers that the authors of *Uncovering mesa-optimization algorithms in Transformers*\n"
    "(arXiv 2309.05858) stored with their code, in most cases means over five seeds; ours are means over\n"
    "as many seeds as the row says, ± their standard deviation. A loss below theirs has a negative\n"
    "difference, and is a miss too if it is large. The tolerance is 5 % for means and 15 % for single points\n"
    "of a curve, or three standard errors of a mean over the authors' sequences if that is more, unless the\n"
    "lesson knows a better one. Hours are those that one core worked for all runs of the lessons of a row.\n";

}  // namespace

std::string report(const Found& found, const std::string& scale) {
  const std::vector<Merged> all = merged_rows(found);
  const std::string columns = head({"", "ours", "theirs", "difference", "tolerance", "updates", "seeds"});
  std::string missing, table, details, misses, claims;
  std::vector<Merged> worst_first;
  std::size_t compared = 0, compared_whole = 0;
  for (const Experiment& experiment : experiments) {
    const std::vector<Merged> rows = rows_of(experiment, all);
    const std::string name = figure_of(experiment.figure);
    const std::string start = text("| ", name, " | ", experiment.title, " | ");
    const bool whole = !rows.empty() && not_run(experiment, found) == 0;
    compared_whole += whole ? 1 : 0;
    if (!whole) missing += text(start, why_not(experiment, found, scale), " |\n");
    if (rows.empty()) {
      table += text(start, experiment.lesson == 0 ? "–" : text(experiment.lesson),
                    has_run(experiment.lesson, found) ? " | not compared" : " | not run", " | | | | | |\n");
      continue;
    }
    const std::string note = *experiment.note == 0 ? "" : text("; ", experiment.note);
    table += start + circumstances(experiment, found, (whole ? "" : "in part, ") + state_of(rows) + note);
    details += text("\n### ", name, ": ", experiment.title, "\n\n", columns);
    for (const Merged& row : rows) {
      details += text("| ", row.misses() ? "✗ " : "✓ ", row.cells());
      if (row.misses()) worst_first.push_back(row);
    }
    compared += rows.size();
  }
  std::ranges::sort(worst_first, std::greater{}, [](const Merged& row) {
    return std::pair(row.missed_by(), row.row.name);
  });
  for (const Merged& row : worst_first) misses += text("| ", figure_of(row.row.figure), ": ", row.cells());
  int judged = 0, failed = 0;
  for (const Run& run : found.runs) {
    judged += run.claims;
    failed += static_cast<int>(run.failed.size());
    for (const FailedClaim& claim : run.failed) {
      claims += text("* Lesson ", run.lesson, ", seed ", run.seed, ": ", claim.name, " is ",
                     short_number(claim.measured), ".\n");
    }
  }
  const auto halfway =
      std::ranges::count_if(found.started, [](const Started& run) { return !run.rows.empty(); });
  return text(
      "# The paper's numbers, and ours\n\n`make paper-report` wrote this page from ", found.runs.size(),
      found.runs.size() == 1 ? " run" : " runs", " at SCALE=", scale,
      halfway > 0 ? text(", and from what ", halfway, " more had measured so far") : "", ".\n", introduction,
      "\n**Of the paper's ", experiments.size(), " experiments, ", compared_whole,
      compared_whole == 1 ? " has" : " have", " run to the end; ", compared - worst_first.size(), " of ",
      compared, " rows are within their tolerance.**\n\n## Misses\n\n",
      misses.empty() ? "None of what has run.\n" : columns + misses, "\nOf ", judged,
      " claims of the lessons' own, ", judged - failed, " hold",
      claims.empty() ? ".\n" : "; these do not:\n\n" + claims, "\n## Not run to the end, or not compared\n\n",
      head({"", "experiment", "why"}), missing, "\n## All experiments\n\n",
      head({"", "experiment", "lesson", "state", "seeds", "hours of a core", "machine", "commit", "date"}),
      table, "\n## All rows\n", details);
}

std::string with_numbers_of(const std::string& page, const std::string& text) {
  const std::string sum = "**Of the paper's ";
  std::map<std::string, std::string> lines;  // by how they begin
  std::string figure, all;
  for (const std::string& line : lines_of(page)) {
    if (line.starts_with(sum)) lines[sum] = line;
    if (line.starts_with("### ")) figure = line.substr(4, line.find(':') - 4);
    const std::string ticked = "| ✓ ", crossed = "| ✗ ";
    if (!line.starts_with(ticked) && !line.starts_with(crossed)) continue;
    const std::size_t mark = ticked.size();
    std::size_t end = mark;  // of the fourth cell
    for (int cell = 0; cell < 4; ++cell) end = line.find('|', end) + 1;
    const std::string row = figure + ": " + line.substr(mark, end - mark);
    lines["| " + row.substr(0, row.find('|'))] = "| " + row;
  }
  for (const std::string& line : lines_of(text)) {
    const std::string start = line.starts_with("| Figure ") ? line.substr(0, line.find('|', 1)) : sum;
    const auto newer = line.starts_with(start) ? lines.find(start) : lines.end();
    all += (newer == lines.end() ? line : newer->second) + "\n";
  }
  return all;
}

}  // namespace mesagrad::reproduction
