// What a grade looks like to others.
#include "tests/catch.h"  // first, because it is precompiled

#include <functional>
#include <map>
#include <set>

#include "nn/safetensors_json.h"
#include "tests/course/teacher/grade.h"

namespace mesagrad::course {
namespace {

// Reads one value of each field of an object, by what the field is called; another field is none of the
// format.
using Fields = std::map<std::string, std::function<void()>>;

void read_fields(JsonReader& json, const Fields& fields, const std::set<std::string>& needed) {
  std::set<std::string> found;
  json.object([&](const std::string& key) {
    INFO(key);
    REQUIRE(fields.contains(key));
    fields.at(key)();
    found.insert(key);
  });
  for (const std::string& key : needed) CHECK(found.contains(key));
}

std::function<void()> one_of(JsonReader& json, std::set<std::string> values) {
  return [&json, values] { CHECK(values.contains(json.string())); };
}

// Gradescope's autograder, "Output Format" in its documentation: every field that it knows.
void expect_gradescope(const std::string& text, double points, double most) {
  JsonReader json(text);
  const auto string = [&] { json.string(); };
  const auto anything = [&] { json.skip_value(); };
  const auto format = one_of(json, {"text", "html", "simple_format", "md", "ansi"});
  const auto visibility = one_of(json, {"hidden", "after_due_date", "after_published", "visible"});
  double sum = 0, sum_of_most = 0;
  const auto test = [&] {
    double score = 0, max_score = 0;
    std::string status;
    read_fields(json,
                {{"score", [&] { score = json.number(); }},
                 {"max_score", [&] { max_score = json.number(); }},
                 {"status", [&] { status = json.string(); }},
                 {"name", string},
                 {"name_format", format},
                 {"number", string},
                 {"output", string},
                 {"output_format", format},
                 {"tags", [&] { json.list(string); }},
                 {"visibility", visibility},
                 {"extra_data", anything}},
                {"score", "max_score", "status", "name"});
    CHECK(((status == "passed" && score == max_score) || (status == "failed" && score == 0)));
    sum += score;
    sum_of_most += max_score;
  };
  read_fields(json,
              {{"execution_time", [&] { CHECK(json.number() >= 0); }},
               {"output", string},
               {"output_format", format},
               {"test_output_format", format},
               {"test_name_format", format},
               {"visibility", visibility},
               {"stdout_visibility", visibility},
               {"extra_data", anything},
               {"tests", [&] { json.list(test); }},
               {"leaderboard", anything}},  // and no "score": it would be taken instead of the sum
              {"tests", "visibility", "stdout_visibility"});
  json.end();
  CHECK(sum == points);
  CHECK(sum_of_most == most);
}

// What GitHub Classroom's autograding reporter reads.
void expect_classroom(const std::string& text, double points, double most) {
  JsonReader json(text);
  const auto string = [&] { json.string(); };
  const auto status = one_of(json, {"pass", "fail", "error"});
  double sum = 0;
  const auto test = [&] {
    read_fields(json,
                {{"name", string},
                 {"status", status},
                 {"score", [&] { sum += json.number(); }},
                 {"message", string},
                 {"test_code", string},
                 {"filename", string},
                 {"line_no", [&] { CHECK(json.number() >= 0); }},
                 {"duration", [&] { CHECK(json.number() >= 0); }}},
                {"name", "status", "score", "message", "test_code", "filename", "line_no", "duration"});
  };
  read_fields(json,
              {{"version", [&] { CHECK(json.number() == 1); }},
               {"status", status},
               {"max_score", [&] { CHECK(json.number() == most); }},
               {"tests", [&] { json.list(test); }}},
              {"version", "status", "max_score", "tests"});
  json.end();
  CHECK(sum == points);
}

}  // namespace

TEST_CASE("grades have the form that others expect, field by field", "[course]") {
  Grade grade{.assignment = 3, .title = "A \"title\"", .student = "ada", .seed = 7};
  expect_gradescope(gradescope_json(grade), 0, 0);  // as it is in the first second
  grade.checks = {
      {.exercise = "3.1", .name = "a", .points = 6, .status = "passed", .message = "", .seconds = 0.5},
      {.exercise = "3.2", .name = "b", .points = 4, .status = "failed", .message = "off\n\tby \x1b[1m1 \xff"},
      {.exercise = "3.3", .name = "c", .points = 2}};
  CHECK(grade.points() == 6);
  CHECK(grade.most() == 12);
  expect_gradescope(gradescope_json(grade), 6, 12);
  expect_classroom(classroom_json(grade), 6, 12);
  CHECK(gradescope_json(grade).find("\"It was not run.\"") != std::string::npos);
}

}  // namespace mesagrad::course
