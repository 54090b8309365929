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

// A program of checks, or why there is none.
struct Program {
  Path path = {};
  std::string problem = {};
};

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
    const Program solved = compiled("reference", reference_);
    check(solved.problem.empty(), "the solution: ", solved.problem);
    list(solved.path);
    keep();
    std::map<std::string, Program> answers;  // to each exercise, compiled once
    for (std::size_t n = 0; n < grade_.checks.size(); ++n) {
      Graded& one = grade_.checks[n];
      if (!answers.contains(one.exercise)) answers[one.exercise] = answer_to(one.exercise);
      const Program& answer = answers[one.exercise];
      one.status = "failed";
      one.message = answer.problem;
      if (answer.problem.empty()) run_check(answer.path, n, one);
      keep();
    }
    return grade_;
  }

 private:
  Program compiled(const std::string& name, const Tree& tree) {
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
    if (!made.problem.empty()) return {.problem = "it does not compile: " + first_error(made.output)};
    const Path copy = work_ / ("check-" + name);
    std::filesystem::copy_file(work_ / "tree/build" / text("check-", grade_.assignment), copy,
                               std::filesystem::copy_options::overwrite_existing);
    return {.path = copy};
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

  // The tree in which this exercise, which has all its regions in one file, is the student's. Throws Error if
  // the student has not written it, or not so that it can be graded.
  Tree tree_with(const std::string& id) const {
    Tree tree = reference_;
    for (auto& [path, contents] : tree) {
      if (!may_have_marks(path) || contents.find("// exercise " + id + ":") == std::string::npos) continue;
      const Lines lines = lines_of(contents);
      const Answers answers = answers_of(path, lines_of(read_file(options_.submission / path))),
                    handed_out = answers_of(path, cut(path, lines, 0));  // exercises that start with code
      const auto answer = answers.find(id), start = handed_out.find(id);
      check(answer != answers.end() &&
                (start == handed_out.end() || start->second.regions != answer->second.regions),
            "exercise ", id, " is not written yet");
      check(answer->second.problem.empty(), path.string(), ", ", answer->second.problem);
      contents = joined(splice(path, lines, answers, [&](const std::string& one) { return one == id; }));
      return tree;
    }
    fail("there is no exercise ", id);
  }

  Program answer_to(const std::string& id) {
    try {
      const Program made = compiled(id, tree_with(id));
      if (made.problem.empty() && run_one(made.path, "1000000", token_, 10).token == token_)
        grade_.remark += text("Exercise ", id, " passes a check that does not exist: look at it. ");
      return made;
    } catch (const Error& problem) {
      return {.problem = problem.what()};
    }
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
  std::string token_ = new_token();
  std::vector<double> allowed_;  // seconds, of each check
};

}  // namespace

Grade grade(const GradeOptions& options) { return Grading(options).run(); }

}  // namespace mesagrad::course
