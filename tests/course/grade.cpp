#include "tests/course/grade.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "tests/course/exercises.h"
#include "tests/course/sandbox.h"
#include "tests/course/tree.h"

namespace mesagrad::course {
namespace {

// FNV-1a: the same for the same text, everywhere.
std::uint64_t hash(const std::string& text) {
  std::uint64_t h = 14695981039346656037u;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return h % 1'000'000;
}

std::string setting(const char* name) {
  const char* value = std::getenv(name);
  return text(name, "=", value == nullptr ? "" : value);
}

std::string first_error(const std::string& output) {
  for (const std::string& line : lines_of(output)) {
    if (line.find("error") != std::string::npos) return line;
  }
  return "the compiler was stopped";
}

// One grading: where it works, and what it has found so far.
class Grading {
 public:
  explicit Grading(const GradeOptions& options)
      : options_(options),
        work_(std::filesystem::absolute(options.out) / "grading"),
        reference_(read_tree(".")),
        start_(std::chrono::steady_clock::now()) {
    const auto all = assignments_of(reference_);
    const auto file = all.find(options.assignment);
    check(file != all.end(), "there is no assignment ", options.assignment);
    check(std::filesystem::is_directory(options.submission), "there is no submission ",
          options.submission.string());
    const std::string& handout = reference_.at(file->second);
    grade_ = {.assignment = options.assignment,
              .title = handout.substr(3, handout.find('\n') - 3),
              .student = options.student,
              .seed = hash(options.secret + '\n' + options.student)};
  }

  Grade run() {
    create_writable(options_.out);
    std::filesystem::create_directories(work_ / "empty");
    std::filesystem::create_directories(work_ / "tree");  // of solutions, which no answer may read
    std::filesystem::permissions(work_ / "tree", std::filesystem::perms::owner_all);
    keep();
    const Path solved = program("reference", reference_);
    check(!solved.empty(), "the solution does not compile: ", problem_);
    list(solved);
    keep();
    read_submission();
    for (std::size_t n = 0; n < grade_.checks.size(); ++n) {
      Graded& one = grade_.checks[n];
      const Path answer = program_of(one.exercise);
      one.status = "failed";
      one.message = problem_;
      if (!answer.empty()) run_check(answer, n, one);
      keep();
    }
    return grade_;
  }

 private:
  // The program of checks of this tree, compiled; empty, with a problem, if it can't be.
  Path program(const std::string& name, const Tree& tree) {
    write_tree(work_ / "tree", tree);
    std::vector<std::string> command = options_.make;
    command.insert(command.end(), {"-C", (work_ / "tree").string(), text("check-", grade_.assignment)});
    Limits limits{.seconds = 900,
                  .as_nobody = false,
                  .memory = 16'000'000'000,
                  .largest_file = 1'000'000'000,
                  .output = 10'000'000};
    if (name != "reference") limits.seconds = 300;
    const Outcome made =
        run_limited(command, work_, {setting("PATH"), setting("HOME"), setting("TMPDIR")}, limits);
    problem_ = made.problem.empty() ? "" : text("it does not compile: ", first_error(made.output));
    if (!problem_.empty()) return {};
    const Path copy = work_ / ("check-" + name);
    std::filesystem::copy_file(work_ / "tree/build" / text("check-", grade_.assignment), copy,
                               std::filesystem::copy_options::overwrite_existing);
    return copy;
  }

  Outcome run_one(const Path& program, const std::string& number, const std::string& token, double seconds) {
    return run_limited({program.string(), "one", number, token}, work_ / "empty",
                       {text("TEST_SEED=", grade_.seed), "OMP_NUM_THREADS=2", "OMP_WAIT_POLICY=passive"},
                       {.seconds = seconds});
  }

  // Which checks there are, and how long the solution takes for each.
  void list(const Path& solved) {
    const Outcome listed = run_limited({solved.string(), "list"}, work_ / "empty", {}, {});
    check(listed.problem.empty(), "programs in ", work_.string(), " can't be run as nobody: ", listed.problem,
          "; can everybody enter that folder?");
    for (const std::string& line : lines_of(listed.output)) {
      std::istringstream fields(line);
      Graded one;
      std::string points;
      std::getline(fields, one.exercise, '\t');
      std::getline(fields, points, '\t');
      std::getline(fields, one.name, '\t');
      one.points = std::stoi(points);
      grade_.checks.push_back(one);
    }
    for (std::size_t n = 0; n < grade_.checks.size(); ++n) {
      const Outcome outcome = run_one(solved, text(n), token_, 60);
      check(outcome.token == token_ && outcome.problem.empty(), "the solution fails its own check ",
            grade_.checks[n].exercise, " ", grade_.checks[n].name, ": ", outcome.output, outcome.problem);
      allowed_.push_back(10 + 20 * outcome.seconds);
    }
  }

  void read_submission() {
    for (const auto& [path, contents] : reference_) {
      const Lines lines = lines_of(contents);
      for (const Region& region : may_have_marks(path) ? regions_of(path, lines) : std::vector<Region>{}) {
        if (region.assignment() == grade_.assignment) files_[region.id].insert(path);
      }
    }
    for (const auto& [id, paths] : files_) {
      for (const Path& path : paths) {
        try {
          for (const auto& [answered, answer] :
               answers_of(path, lines_of(read_file(options_.submission / path)))) {
            if (answered == id) answers_[path][id] = answer;
            if (answered == id && !answer.problem.empty())
              problems_[id] = path.string() + ", " + answer.problem;
          }
        } catch (const Error& problem) {
          problems_[id] = problem.what();
        }
      }
    }
  }

  // The program in which this exercise is the student's; compiled once.
  Path program_of(const std::string& id) {
    const auto known = programs_.find(id);
    if (known != programs_.end()) {
      problem_ = problems_[id];
      return known->second;
    }
    Path made;
    if (problems_[id].empty()) {
      try {
        Tree tree = reference_;
        bool written = false;
        for (const Path& path : files_[id]) {
          const Answers& answers = answers_[path];
          written |= answers.contains(id);
          const auto wanted = [&](const std::string& one) { return one == id; };
          tree[path] = joined(splice(path, lines_of(tree[path]), answers, wanted));
        }
        check(written, "exercise ", id, " is not written yet");
        made = program(id, tree);
        problems_[id] = problem_;
        if (!made.empty() && run_one(made, "1000000", token_, 10).token == token_)
          grade_.remark += text("Exercise ", id, " passes a check that does not exist: look at it. ");
      } catch (const Error& problem) {
        problems_[id] = problem.what();
      }
    }
    problem_ = problems_[id];
    return programs_[id] = made;
  }

  void run_check(const Path& answer, std::size_t n, Graded& one) {
    token_ = new_token();
    const Outcome outcome = run_one(answer, text(n), token_, allowed_[n]);
    one.seconds = outcome.seconds;
    if (outcome.problem.empty() && outcome.token == token_) {
      one.status = "passed";
      return;
    }
    const bool ended_itself = outcome.problem == "it ended with exit code 1" && !outcome.output.empty();
    one.message = ended_itself              ? outcome.output
                  : outcome.problem.empty() ? "the program ended before the check was over\n" + outcome.output
                                            : outcome.problem + "\n" + outcome.output;
    while (one.message.ends_with('\n')) one.message.pop_back();
    one.message += text("\nTo see it again: make assignment-", grade_.assignment, " TEST_SEED=", grade_.seed);
  }

  static std::string new_token() {
    std::random_device source;
    return text(source(), "-", source(), "-", source());
  }

  void keep() {
    grade_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    const std::string scope = gradescope_json(grade_), classroom = classroom_json(grade_);
    write_files(std::vector<NewFile>{{options_.out / "results.json", {scope}},
                                     {options_.out / "classroom.json", {classroom}}});
  }

  GradeOptions options_;
  Path work_;
  Tree reference_;
  std::chrono::steady_clock::time_point start_;
  Grade grade_;
  std::string problem_, token_ = new_token();
  std::vector<double> allowed_;                  // seconds, of each check
  std::map<std::string, std::set<Path>> files_;  // of each exercise
  std::map<Path, Answers> answers_;
  std::map<std::string, std::string> problems_;  // why an exercise can't be run
  std::map<std::string, Path> programs_;
};

}  // namespace

Grade grade(const GradeOptions& options) { return Grading(options).run(); }

}  // namespace mesagrad::course
