// Grades a submission: each exercise alone, put into a tree in which all others are solved.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace mesagrad::course {

struct Graded {
  std::string exercise, name;
  int points = 0;
  std::string status = "not run";  // then "passed" or "failed"
  std::string message = {};
  double seconds = 0;
};

struct Grade {
  int assignment = 0;
  std::string title, student;
  std::uint64_t seed = 1;        // of the checks' random numbers
  std::vector<Graded> checks = {};
  std::string remark = {};
  double seconds = 0;

  int points() const;
  int most() const;
};

struct GradeOptions {
  int assignment = 0;
  std::filesystem::path submission, out = "out";
  std::string student = "", secret = "";  // the seed is made of both
  std::vector<std::string> make = {"/usr/bin/env", "make"};  // how to call it
};

// Grades, and keeps `out`/results.json (for Gradescope) and classroom.json (for GitHub Classroom) up to date
// from the first second on. Works in the solved tree of the current directory. Throws Error if that does not
// solve its own checks, or if there is no such assignment.
Grade grade(const GradeOptions& options);

// The formats of Gradescope's autograder (results.json) and of GitHub Classroom's grading reporter.
std::string gradescope_json(const Grade& grade);
std::string classroom_json(const Grade& grade);
std::string table_of(const Grade& grade);  // for a terminal

}  // namespace mesagrad::course
