#include "tutorials/paper/runs.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <tuple>

#include "core/error.h"
#include "core/files.h"
#include "nn/safetensors.h"
#include "nn/safetensors_json.h"
#include "tutorials/lesson/results.h"
#include "tutorials/lesson/writing.h"
#include "tutorials/paper/experiments.h"

namespace mesagrad::reproduction {

namespace fs = std::filesystem;

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
  for (const auto& entry : fs::directory_iterator(folder, ignored)) all.push_back(entry.path());
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

Started read_started(const fs::path& folder, int number, std::uint64_t seed) {
  Started started;
  const fs::path so_far = folder / lesson::so_far_name;
  if (fs::exists(so_far)) started = {parse_run(read_file(so_far)), ""};
  started.lesson = number;
  started.seed = seed;
  for (const fs::path& file : entries_of(folder)) {
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
    else if (key == "processor_seconds") run.processor_seconds = json.number();
    else if (key == "rate") run.rate = json.number();
    else if (key == "scale") run.scale = json.string();
    else if (key == "precision") run.precision = json.string();
    else if (key == "machine") run.machine = json.string();
    else if (key == "commit") run.commit = json.string();
    else if (key == "date") run.date = json.string();
    else if (key == "comparisons") json.list([&] { run.rows.push_back(parse_row(json)); });
    else if (key == "claims") json.list([&] { parse_claim(json, run); });
    else json.skip_value();
  });
  json.end();
  check(run.lesson > 0 && run.threads > 0 && run.processor_seconds > 0 && !run.date.empty(),
        "results: not all that a lesson writes");
  return run;
}

Found find_runs(const fs::path& folder, const std::string& scale, double rate) {
  Found found;
  const auto check_rate = [rate](const Run& run) {
    check(run.rate == rate && run.precision == real_name, "it is of RATE=", run.rate, " REAL=", run.precision,
          "; one of RATE=", rate, " REAL=", real_name, " needs another OUT=");
  };
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
          check_rate(run);
          found.runs.push_back(std::move(run));
        });
        continue;
      }
      const fs::path saved = of_lesson / "checkpoints" / text(scale, "-seed-", seed, "-", real_name);
      if (!fs::exists(saved)) continue;
      attempt(saved, [&] {
        Started run = read_started(saved, static_cast<int>(lesson), static_cast<std::uint64_t>(seed));
        if (!run.scale.empty()) check_rate(run);  // else it has only checkpoints
        found.started.push_back(std::move(run));
      });
    }
  }
  return found;
}

void keep_runs(const std::vector<Run>& runs, const fs::path& folder, const fs::path& kept) {
  for (const Run& run : runs) {
    const fs::path place = text("seed-", run.seed, "/tutorial-", run.lesson, "/results.json");
    if (exists(kept / place) && parse_run(read_file(kept / place)).date > run.date) continue;
    create_directories((kept / place).parent_path());
    write_file(kept / place, read_file(folder / place));
  }
}

double hours_of(int lesson, const Found& found, const std::string& scale) {
  std::vector<double> hours;
  for (const std::vector<Run>* runs : {&found.runs, &found.kept}) {
    for (const Run& run : *runs) {
      if (run.lesson == lesson) hours.push_back(run.processor_seconds / 2 / 3600);
    }
    if (!hours.empty()) return lesson::mean(hours);
  }
  const auto known = std::ranges::find(estimated_hours, lesson, &Hours::lesson);
  const bool none = scale != "paper" || known == estimated_hours.end();
  return none ? std::numeric_limits<double>::quiet_NaN() : known->hours;
}

std::vector<Job> jobs_left(const Found& found, const std::string& scale, const std::vector<int>& lessons,
                           const std::vector<std::uint64_t>& seeds) {
  std::vector<Job> jobs;
  for (const std::uint64_t seed : seeds) {
    for (const int lesson : lessons) {
      const auto same = [&](const auto& run) { return run.lesson == lesson && run.seed == seed; };
      if (std::ranges::any_of(found.runs, same)) continue;
      const auto started = std::ranges::find_if(found.started, same);
      const double spent = started == found.started.end() ? 0 : started->processor_seconds / 2 / 3600;
      jobs.push_back({lesson, seed, hours_of(lesson, found, scale), spent});
    }
  }
  std::ranges::sort(jobs, {}, [](const Job& job) {
    const bool unknown = std::isnan(job.hours);
    return std::tuple(unknown, unknown ? 0 : job.left(), job.seed, job.lesson);
  });
  return jobs;
}

}  // namespace mesagrad::reproduction
