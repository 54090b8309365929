// The report of many runs, from files like those that lessons write.
#include "tests/catch.h"  // first, because it is precompiled

#include <cmath>
#include <cstdlib>

#include "core/files.h"
#include "core/real.h"
#include "nn/safetensors.h"
#include "tests/directory.h"
#include "tests/helpers.h"
#include "tutorials/lesson/results.h"
#include "tutorials/paper/report.h"

using namespace mesagrad;
using namespace mesagrad::reproduction;

namespace {

struct Fake {
  int lesson;
  std::uint64_t seed;
  double loss, small;  // theirs are 2 and 0.1
};

std::string results_of(const Fake& fake) {
  lesson::Results results;
  results.lesson = fake.lesson;
  results.options = {.seed = fake.seed, .scale = lesson::Scale::paper};
  results.threads = 2;
  results.processor_seconds = 3600;
  results.claims = {{.name = "a claim", .measured = fake.loss, .expected = 2, .tolerance = 0.5},
                    {.name = "never judged", .measured = std::nan("")}};
  results.comparisons = {{"loss", fake.loss, 2, {.figure = "7A", .updates = 12000}},
                         {"small", fake.small, 0.1, {.figure = "7A", .tolerance = 0.15}},
                         {"of no figure", 1, 7}};
  results.curves = {{.name = "c", .x = {0, 1}, .mean = {1, std::nan("")}}};
  return lesson::to_json(results);
}

// A folder with such runs.
struct Runs : Directory {
  explicit Runs(const std::vector<Fake>& all) {
    for (const Fake& one : all) write(one, results_of(one));
  }
  std::filesystem::path folder_of(const Fake& fake) const {
    return path / text("seed-", fake.seed) / text("tutorial-", fake.lesson);
  }
  void write(const Fake& fake, const std::string& bytes) const {
    std::filesystem::create_directories(folder_of(fake));
    write_file(folder_of(fake) / "results.json", bytes);
  }
  void start(const Fake& fake) const {  // half an hour, 711 of 12000 updates, two numbers compared so far
    const auto folder = folder_of(fake) / "checkpoints" / text("paper-seed-", fake.seed, "-", real_name);
    std::filesystem::create_directories(folder);
    write_file(folder / lesson::so_far_name, results_of(fake));
    Safetensors file{.tensors = {{"w", Tensor({1})}}, .metadata = {{"updates done", "711"}}};
    file.metadata["identity"] = "seed 1, updates 12000, batch 256";
    save_safetensors(folder / "hiding, hybrid.safetensors", file);
  }
  Found found() const { return find_runs(path, "paper"); }
};

bool has(const std::string& page, const std::string& part) { return page.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a run is read back from its results", "[reproduction]") {
  const Run run = parse_run(results_of({8, 3, 2.75, 0.1}));
  CHECK(run.lesson == 8);
  CHECK(run.seed == 3);
  CHECK(run.processor_seconds == 3600);
  CHECK(run.claims == 2);
  REQUIRE(run.failed.size() == 2);
  CHECK(run.failed[0].measured == 2.75);
  REQUIRE(run.rows.size() == 3);
  CHECK(run.rows[0].updates == 12000);
  CHECK(run.rows[1].tolerance == 0.15);
  CHECK_FALSE(run.machine.empty());
  setenv("MESAGRAD_COMMIT", "0123abc-dirty", 1);
  const std::string told = results_of({8, 3, 2.75, 0.1});
  unsetenv("MESAGRAD_COMMIT");
  CHECK(parse_run(told).commit == "0123abc-dirty");
  const Runs runs({{8, 1, 2, 0.1}});
  runs.write({8, 3, 0, 0}, told);
  CHECK(has(report(runs.found(), "paper"), " | –, 0123abc-dirty | "));
}

TEST_CASE("seeds are merged, and misses come first, the worst one before others", "[reproduction]") {
  const Runs runs({{8, 1, 2.0, 0.2}, {8, 2, 2.5, 0.2}});  // 2.25 ± 0.354: 2.5 tolerances; 0.2: 6.7 of them
  const std::string page = report(runs.found(), "paper");
  const std::size_t misses = page.find("## Misses"), others = page.find("## Not run to the end");
  const std::size_t loss = page.find("loss | 2.25 ± 0.35 | 2 | +12.5 % | 5 % | 12000 | 2 |");
  const std::size_t small = page.find("small | 0.2 ± 0 | 0.1 | +100.0 % | 15 % | – | 2 |");
  CHECK(misses < small);
  CHECK(small < loss);
  CHECK(loss < others);
  CHECK(has(page, "**Of the paper's 25 experiments, 1 has run to the end; 0 of 2 rows are within"));
  CHECK(has(page, "differs in 2 of 2 rows, most in 'small': +100.0 % | 1, 2 | 2.00 | "));
  CHECK_FALSE(has(page, "of no figure"));
}

TEST_CASE("a row within its tolerance is reproduced, whichever side it is on", "[reproduction]") {
  const std::string page = report(Runs({{8, 1, 1.92, 0.11}}).found(), "paper");
  CHECK(has(page, "| Figure 7A | Transformers and the hybrid on bare states | 8 | reproduced: 2 of 2 rows"));
  CHECK(has(page, "None of what has run."));
  CHECK(has(page, "✓ loss | 1.92 | 2 | -4.0 % |"));
  CHECK(has(report(Runs({{8, 1, 1.88, 0.11}}).found(), "paper"), "✗ loss"));
}

TEST_CASE("what has not run says why, and how far it is", "[reproduction]") {
  const Runs runs({});
  const std::string hidden = "| Figure 7B | systems that hide | `make tutorial-10` needs about ";
  CHECK(has(report(runs.found(), "paper"), hidden));
  runs.start({10, 1, 0, 0});
  const std::string page = report(runs.found(), "paper");
  CHECK(has(page, "seed 1 has done 711 of 12000 updates of 'hiding, hybrid' |"));
  CHECK(has(page, "| Figure 26 | language models | an update of"));
}

TEST_CASE("what a run has measured before it is over is a row too, until it is over", "[reproduction]") {
  const Runs runs({});
  runs.start({8, 1, 2.5, 0.1});
  const std::string page = report(runs.found(), "paper");
  CHECK(has(page, "from 0 runs at SCALE=paper, and from what 1 more had measured so far."));
  CHECK(has(page, "| 8 | in part, differs in 1 of 2 rows, most in 'loss': +25.0 % | 1 | 1.00 | "));
  CHECK(has(page, "✗ loss | 2.5 | 2 | +25.0 % |"));
  runs.write({8, 1, 0, 0}, results_of({8, 1, 2, 0.1}));  // its checkpoints are left, and count no more
  CHECK(runs.found().started.empty());
  CHECK(has(report(runs.found(), "paper"), "✓ loss | 2 | 2 | 0.0 % | 5 % | 12000 | 1 |"));
}

TEST_CASE("files that are cut, or of another run, are left out with a sentence", "[reproduction][errors]") {
  const Runs runs({{8, 1, 2, 0.1}});
  const std::string whole = results_of({8, 2, 2, 0.1});
  for (std::size_t size = 0; size + 1 < whole.size(); size += 7) {
    CHECK_THROWS_AS(parse_run(whole.substr(0, size)), Error);
  }
  CHECK_THROWS_AS(parse_run(whole + "}"), Error);
  runs.write({8, 2, 0, 0}, whole.substr(0, 700));
  runs.write({8, 3, 0, 0}, whole);
  runs.write({8, 4, 0, 0}, "{}\n");
  const Found found = runs.found();
  CHECK(found.runs.size() == 1);
  REQUIRE(found.problems.size() == 3);
  CHECK(has(found.problems[0], "seed-2/tutorial-8/results.json is left out: "));
  CHECK(has(found.problems[1], "it is of lesson 8, scale paper, seed 2"));
  for (const std::string& problem : found.problems) CHECK_FALSE(has(problem, "\n"));
}

TEST_CASE("runs with another rate are left out, those that are over and others", "[reproduction][errors]") {
  const Runs runs({{8, 1, 2, 0.1}});
  runs.start({8, 2, 2, 0.1});
  CHECK(runs.found().problems.empty());
  const Found of_control = find_runs(runs.path, "paper", 0);
  CHECK(of_control.runs.empty());
  CHECK(of_control.started.empty());
  REQUIRE(of_control.problems.size() == 2);
  CHECK(has(of_control.problems[0], text("it is of RATE=1 REAL=", real_name)));
}

TEST_CASE("kept runs are those of all machines, and of two that are the same the newer", "[reproduction]") {
  const Runs kept({{8, 1, 2, 0.1}, {8, 2, 2, 0.1}}), here({{8, 2, 3, 0.1}, {8, 3, 4, 0.1}});
  const auto dated = [](const Fake& fake, const std::string& date) {
    std::string bytes = results_of(fake);
    const std::size_t at = bytes.find("\"date\": \"") + 9;
    return bytes.replace(at, bytes.find('"', at) - at, date);
  };
  const auto losses = [&](const std::string& date) {
    here.write({8, 2, 0, 0}, dated({8, 2, 3, 0.1}, date));
    keep_runs(here.found().runs, here.path, kept.path);
    std::vector<double> all;
    for (const Run& run : kept.found().runs) all.push_back(run.rows[0].ours);
    return all;
  };
  CHECK(losses("1999-12-31") == std::vector<double>{2, 2, 4});
  CHECK(losses("9999-12-31") == std::vector<double>{2, 3, 4});
  CHECK(losses("1999-12-31") == std::vector<double>{2, 3, 4});
  const auto bytes = [](const Runs& runs) { return read_file(runs.folder_of({8, 3, 0, 0}) / "results.json"); };
  CHECK(bytes(kept) == bytes(here));
}

TEST_CASE("an experiment of several lessons has run when they all have", "[reproduction]") {
  const Runs runs({{1, 1, 2, 0.1}});
  const std::string of_two = "| Figure 6C | learned solvers: Proposition 2 | ";
  CHECK(has(report(runs.found(), "paper"), of_two + "`make tutorial-2` needs "));
  runs.write({2, 1, 0, 0}, results_of({2, 1, 2, 0.1}));
  CHECK(has(report(runs.found(), "paper"), of_two + "`make tutorial-1` has run, but compares no number of it"));
}

TEST_CASE("jobs that are left: none that is done, the shortest first", "[reproduction]") {
  const Runs runs({{8, 1, 2, 0.1}, {7, 1, 2, 0.1}, {7, 2, 2, 0.1}});  // half an hour each
  runs.start({8, 3, 0, 0});
  const std::vector<Job> jobs = jobs_left(runs.found(), "paper", {7, 8, 99}, {1, 2, 3});
  std::string order;
  for (const Job& job : jobs) order += text(job.lesson, "-", job.seed, " ");
  CHECK(order == "8-3 8-2 7-3 99-1 99-2 99-3 ");
  CHECK(jobs[0].left() == 0);
  CHECK(jobs[0].hours == jobs[0].spent);
  CHECK(jobs[1].left() == 0.5);
  CHECK(std::isnan(jobs[3].left()));
  CHECK(std::isnan(jobs[3].hours));
  Found elsewhere = runs.found();
  elsewhere.kept = Runs({{99, 1, 2, 0.1}}).found().runs;
  CHECK(jobs_left(elsewhere, "paper", {99}, {1})[0].hours == 0.5);
}

TEST_CASE("the page is the report of the runs that are kept", "[reproduction]") {
  const std::string page = read_file("tutorials/REPRODUCTION.md");
  if (std::string(real_name) != "float") return;
  const Found kept = find_runs("tutorials/paper/results", "paper");
  CHECK(kept.problems.empty());
  CHECK((page == report(kept, "paper")));  // or `make paper-report` writes it anew
}

TEST_CASE("the README has the report's numbers", "[reproduction]") {
  const std::string page = read_file("tutorials/REPRODUCTION.md"), readme = read_file("README.md");
  CHECK(with_numbers_of(page, readme) == readme);
  std::string forgotten = readme;  // every row has to be found again
  int rows = 0;
  for (std::size_t at = 0; (at = forgotten.find("\n| Figure ", at)) != std::string::npos; ++rows) {
    at = forgotten.find('|', at + 3);
    forgotten.erase(at, forgotten.find('\n', at) - at);
  }
  CHECK(rows >= 5);
  CHECK(with_numbers_of(page, forgotten) == readme);
  CHECK(with_numbers_of("", forgotten) == forgotten);
}
