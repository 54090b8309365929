// From the command line to the exit status. Everything that can fail early is tried first, and
// everything that is written is written at the very end.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <map>

#include "core/error.h"
#include "core/files.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/page.h"
#include "tutorials/lesson/process.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::lesson {
namespace {

constexpr int exit_claims_failed = 1, exit_error = 2, exit_signal = 128;

constexpr const char* page_name = "index.html";
constexpr const char* results_name = "results.json";

void complain(int number, std::string sentence) {
  for (char& c : sentence) c = c == '\n' || c == '\r' ? ' ' : c;
  print_error(text("tutorial ", number, ": ", sentence, "\n"));
}

int running = 0;  // the number of the lesson that does

// An exception that leaves an OpenMP loop cannot be caught; it can still say what it is.
[[noreturn]] void terminate_with_a_sentence() {
  const std::exception_ptr problem = std::current_exception();
  complain(running, problem ? sentence_about(problem) : "stopped in the middle");
  std::_Exit(exit_error);
}

// OpenMP's own way to give up is exit(1), which from a lesson would mean that a claim does not hold.
void refuse_to_exit() {
  if (running > 0) std::_Exit(exit_error);
}

void write_results(const Lesson& lesson, const std::string& source) {
  const std::string out = lesson.out() + "/", page = html_page(lesson, source);
  const std::string results = to_json(lesson.results()), entry = index_entry(lesson.results());
  std::vector<NewFile> files = {
      {out + page_name, {page}}, {out + results_name, {results}}, {out + index_entry_name, {entry}}};
  for (const auto& [name, svg] : lesson.figures()) files.push_back({out + name + ".svg", {svg}});
  write_files(files);
}

std::string summary(const Lesson& lesson) {
  const Screen screen = lesson.screen();
  const bool colour = screen.colour;
  const Results& results = lesson.results();
  std::string text;
  if (!results.comparisons.empty()) {
    text += "\n" + bold("This run and the paper", colour) + "\n";
    text += draw_text(comparison_table(results), screen);
  }
  Table table{.columns = {"claim", "measured", "expected"}};
  for (const Claim& claim : results.claims) {
    const Verdict verdict = judge(claim, lesson.scale());
    const bool judged = verdict != Verdict::not_judged;
    // Green and orange of the palette, which colour-blind readers can tell apart.
    const std::string sign = tinted(sign_of(verdict), verdict == Verdict::holds ? 35 : 166, colour && judged);
    table.row({sign + " " + claim.name + (judged ? "" : " (not judged at this scale)"),
               short_number(claim.measured, 5), expectation(claim)});
  }
  return text + "\n" + bold("Claims", colour) + "\n" + draw_text(table, screen) + "\n";
}

// They have served. Those of runs with another scale or seed stay.
void remove_checkpoints(const Lesson& lesson) {
  std::error_code ignored;
  std::filesystem::remove_all(lesson.checkpoints(), ignored);
  rmdir((lesson.out() + "/checkpoints").c_str());  // if it is empty now
}

void run_or_throw(Lesson& lesson, Results& results, const std::function<void(Lesson&)>& body) {
  const Introduction& intro = lesson.introduction();
  check(std::filesystem::exists(intro.source), "cannot read ", intro.source,
        ": a lesson shows its own source and has to run in the project's root, as make runs it");
  const std::string source = read_file(intro.source);
  create_writable(lesson.out());  // a lesson fails at its first second, and not at its last
  remove_abandoned(lesson.out());
  const OnlyRun only_run(lesson.out());
  for (const char* name : {page_name, results_name}) check_replaceable(lesson.out() + "/" + name);
  results.published_fingerprint = published_fingerprint(results, intro.source);
  const bool colour = lesson.terminal().colour;
  print(bold(text("Tutorial ", intro.number, ": ", intro.title), colour) + "\n" +
        faint(circumstances(results), colour) + "\n\n");
  lesson.remark(intro.question);
  body(lesson);
  throw_if_interrupted();
  check(!results.claims.empty(), "the lesson makes no claim, so it cannot fail");
  results = lesson.so_far();
  results.fingerprint = fingerprint(results);
  print(summary(lesson));
  lesson.remark(about_fingerprint(results));
  write_results(lesson, source);
  write_index(lesson.options().out, std::filesystem::path(intro.source).parent_path().parent_path());
  remove_checkpoints(lesson);
  const std::string page = std::filesystem::absolute(lesson.out()).string() + "/" + page_name;
  print("\nIts page: file://" + page + "    (" + duration(results.seconds) + ")\n");
}

// Claims that do not hold are not an error, whatever make says of the status.
int status_of(const Results& results) {
  const int failed = results.claims_that(Verdict::fails);
  if (failed == 0) return 0;
  const Claim& first = *std::ranges::find_if(results.claims, [&](const Claim& claim) {
    return judge(claim, results.options.scale) == Verdict::fails;
  });
  complain(results.lesson, text(failed, failed == 1 ? " claim does" : " claims do",
                                " not hold in this run, the first being: ", first.name, " is ",
                                short_number(first.measured, 5), ", where ", expectation(first),
                                " was expected; everything was computed and written"));
  return exit_claims_failed;
}

}  // namespace

int run(const Introduction& introduction, int argc, char** argv, const std::function<void(Lesson&)>& body) {
  running = introduction.number;
  std::set_terminate(terminate_with_a_sentence);
  std::atexit(refuse_to_exit);
  int status = exit_error;
  try {
    watch_signals();
    check_standard_streams();
    const Options options = parse_options({argv + (argc > 0 ? 1 : 0), argv + argc});
    Lesson lesson(introduction, options, use_threads(options.threads));
    run_or_throw(lesson, lesson.results_, body);
    status = status_of(lesson.results());
  } catch (const Interrupted& stop) {
    complain(introduction.number, "interrupted; no result was written");
    status = exit_signal + stop.signal;
  } catch (...) {
    complain(introduction.number, sentence_about(std::current_exception()));
  }
  running = 0;
  return status;
}

}  // namespace mesagrad::lesson
