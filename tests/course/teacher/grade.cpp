#include "tests/course/teacher/grade.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sstream>

#include "core/checksum.h"
#include "core/error.h"
#include "core/files.h"
#include "tests/course/exercises.h"
#include "tests/course/sandbox.h"
#include "tests/course/teacher/tree.h"

namespace mesagrad::course {
namespace {

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
    reference_[starter_file] = "";  // so that it compiles as at a student's desk
    const auto all = assignments_of(reference_);
    const auto file = all.find(options.assignment);
    check(file != all.end(), "there is no assignment ", options.assignment);
    check(std::filesystem::is_directory(options.submission), "there is no submission ",
          options.submission.string());
    const std::string& handout = reference_.at(file->second);
    Checksum sum;
    sum.add(options.secret);
    sum.add(options.student);
    grade_ = {.assignment = options.assignment,
              .title = handout.substr(3, handout.find('\n') - 3),
              .student = options.student,
              .seed = std::stoull(sum.text(), nullptr, 16) % 1'000'000};
  }

  Grade run() {
    create_writable(options_.out);
    std::filesystem::create_directories(work_ / "empty");
    std::filesystem::create_directories(work_ / "tree");  // of solutions, which no answer may read
    std::filesystem::permissions(work_ / "tree", std::filesystem::perms::owner_all);
    keep();
    remark_edits();
    const Program solved = compiled("reference", reference_, 900);
    check(solved.problem.empty(), "the solution: ", solved.problem);
    list(solved.path);
    keep();
    std::map<std::string, Program> answers;  // to each exercise, compiled once
    for (std::size_t n = 0; n < grade_.checks.size(); ++n) {
      Graded& one = grade_.checks[n];
      if (!answers.contains(one.exercise)) answers[one.exercise] = answer_to(one.exercise);
      const Program& answer = answers[one.exercise];
      const Verdict verdict =
          answer.problem.empty() ? run_one(answer.path, n, allowed_[n]) : Verdict{.message = answer.problem};
      one.seconds = verdict.seconds;
      one.status = verdict.passed ? "passed" : "failed";
      one.message = verdict.message;
      if (!verdict.passed && answer.problem.empty())
        one.message +=
            text("\nTo see it again: make assignment-", grade_.assignment, " TEST_SEED=", grade_.seed);
      keep();
    }
    return grade_;
  }

 private:
  void remark_edits() {
    try {
      for (const Path& path : edited_outside(options_.submission))
        grade_.remark += text("Not graded: what is new in ", path.string(), " outside of the marks. ");
    } catch (const std::exception& problem) {
      grade_.remark += text(problem.what(), ". ");
    }
  }

  // A file of the submission, and not one of ours that a link in it leads to. Throws Error.
  std::string submitted(const Path& path) const {
    const Path file = options_.submission / path;
    check(std::filesystem::exists(file), path.string(), " is missing");
    check(std::filesystem::is_regular_file(file) &&
              std::filesystem::canonical(file) == std::filesystem::canonical(options_.submission) / path,
          path.string(), " is no file of the submission");
    return read_file(file);
  }

  Program compiled(const std::string& name, const Tree& tree, double seconds) {
    write_tree(work_ / "tree", tree);
    std::vector<std::string> command = options_.make;
    command.insert(command.end(), {"-C", (work_ / "tree").string(), text("check-", grade_.assignment)});
    const Limits limits{.seconds = seconds,
                        .as_nobody = false,
                        .memory = 16'000'000'000,
                        .largest_file = 1'000'000'000,
                        .output = 10'000'000,
                        .settings = {setting("PATH"), setting("HOME"), setting("TMPDIR")}};
    const Outcome made = run_limited(command, work_, limits);
    if (!made.problem.empty()) return {.problem = "it does not compile: " + first_error(made.output)};
    const Path copy = work_ / ("check-" + name);
    std::filesystem::copy_file(work_ / "tree/build" / text("check-", grade_.assignment), copy,
                               std::filesystem::copy_options::overwrite_existing);
    return {.path = copy};
  }

  Verdict run_one(const Path& program, std::size_t number, double seconds) const {
    return run_check(
        program, number, work_ / "empty",
        {.seconds = seconds,
         .settings = {text("TEST_SEED=", grade_.seed), "OMP_NUM_THREADS=2", "OMP_WAIT_POLICY=passive"}});
  }

  // Which checks there are, and how long the solution takes for each.
  void list(const Path& solved) {
    const Outcome listed = run_limited({solved.string(), "list"}, work_ / "empty", {});
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
      const Verdict verdict = run_one(solved, n, 60);
      check(verdict.passed, "the solution fails its own check ", grade_.checks[n].exercise, " ",
            grade_.checks[n].name, ": ", verdict.message);
      allowed_.push_back(10 + 20 * verdict.seconds);
    }
  }

  // The tree in which this exercise, which has all its regions in one file, is the student's. Throws Error if
  // the student has not written it, or not so that it can be graded.
  Tree tree_with(const std::string& id) const {
    Tree tree = reference_;
    for (auto& [path, contents] : tree) {
      if (!may_have_marks(path) || contents.find("// exercise " + id + ":") == std::string::npos) continue;
      const Lines lines = lines_of(contents);
      const Answers answers = answers_of(path, lines_of(submitted(path))),
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
      const Program made = compiled(id, tree_with(id), 300);
      if (made.problem.empty() && run_one(made.path, 1'000'000, 10).passed)
        grade_.remark += text("Exercise ", id, " passes a check that does not exist: look at it. ");
      return made;
    } catch (const std::exception& problem) {
      return {.problem = problem.what()};
    }
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
  std::vector<double> allowed_;  // seconds, of each check
};

}  // namespace

Grade grade(const GradeOptions& options) { return Grading(options).run(); }

}  // namespace mesagrad::course
