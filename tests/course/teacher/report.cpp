#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "tests/course/teacher/grade.h"
#include "tutorials/lesson/json.h"

namespace mesagrad::course {

using lesson::json, lesson::json_array, lesson::json_object;

int Grade::points() const {
  return std::accumulate(checks.begin(), checks.end(), 0, [](int sum, const Graded& one) {
    return sum + (one.status == "passed" ? one.points : 0);
  });
}

int Grade::most() const {
  return std::accumulate(checks.begin(), checks.end(), 0,
                         [](int sum, const Graded& one) { return sum + one.points; });
}

std::string gradescope_json(const Grade& grade) {
  std::vector<std::string> tests;
  for (const Graded& one : grade.checks) {
    const bool passed = one.status == "passed";
    tests.push_back(
        json_object({{"number", json_quoted(one.exercise)},
                     {"name", json_quoted(one.name)},
                     {"score", passed ? text(one.points) : "0"},
                     {"max_score", text(one.points)},
                     {"status", json_quoted(passed ? "passed" : "failed")},
                     {"output", json_quoted(one.status == "not run" ? "It was not run." : one.message)},
                     {"output_format", json_quoted("text")},
                     {"tags", "[" + json_quoted(text(grade.assignment)) + "]"},
                     {"visibility", json_quoted("visible")},
                     {"extra_data", json_object({{"seconds", json(one.seconds)}})}}));
  }
  return json_object({{"execution_time", json(grade.seconds)},
                      {"output", json_quoted(text(grade.title, ". ", grade.remark))},
                      {"output_format", json_quoted("text")},
                      {"test_output_format", json_quoted("text")},
                      {"visibility", json_quoted("visible")},
                      {"stdout_visibility", json_quoted("hidden")},
                      {"extra_data", json_object({{"assignment", text(grade.assignment)},
                                                  {"seed", json_quoted(text(grade.seed))}})},
                      {"tests", json_array(tests)}}) +
         "\n";
}

std::string classroom_json(const Grade& grade) {
  std::vector<std::string> tests;
  for (const Graded& one : grade.checks) {
    const bool passed = one.status == "passed";
    tests.push_back(json_object({{"name", json_quoted(text(one.exercise, " ", one.name))},
                                 {"status", json_quoted(passed                    ? "pass"
                                                        : one.status == "not run" ? "error"
                                                                                  : "fail")},
                                 {"score", passed ? text(one.points) : "0"},
                                 {"message", json_quoted(one.message)},
                                 {"test_code", json_quoted("")},
                                 {"filename", json_quoted("")},
                                 {"line_no", "0"},
                                 {"duration", json(1e3 * one.seconds)}}));
  }
  return json_object({{"version", "1"},
                      {"status", json_quoted(grade.points() == grade.most() ? "pass" : "fail")},
                      {"max_score", text(grade.most())},
                      {"tests", json_array(tests)}}) +
         "\n";
}

std::string table_of(const Grade& grade) {
  std::string table = text("\n", grade.title, grade.student.empty() ? "" : " of ", grade.student, ", seed ",
                           grade.seed, "\n\n");
  for (const Graded& one : grade.checks) {
    const bool passed = one.status == "passed";
    table += text("  ", passed ? "✓" : "✗", " ", one.exercise, "  ", passed ? one.points : 0, "/", one.points,
                  "  ", one.name, "\n");
    if (!passed) table += text("       ", one.message.substr(0, one.message.find('\n')), "\n");
  }
  return table + text("\n  ", grade.points(), " of ", grade.most(), " points\n",
                      grade.remark.empty() ? "" : "  ", grade.remark, grade.remark.empty() ? "" : "\n");
}

}  // namespace mesagrad::course
