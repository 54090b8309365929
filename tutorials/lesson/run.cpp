// From the command line to the exit status. Everything that can fail early is tried first, and
// everything that is written is written at the very end.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/parallel.h"
#include "tutorials/lesson/files.h"
#include "tutorials/lesson/fingerprint.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/numbers.h"
#include "tutorials/lesson/page.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::lesson {
namespace {

constexpr int exit_claims_failed = 1;
constexpr int exit_error = 2;
constexpr int exit_signal = 128;

constexpr const char* page_name = "index.html";
constexpr const char* results_name = "results.json";
constexpr const char* entry_name = "entry.html";  // of the index

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void complain(int number, std::string sentence) {
  for (char& c : sentence) c = c == '\n' || c == '\r' ? ' ' : c;
  print_error(text("tutorial ", number, ": ", sentence, "\n"));
}

std::string sentence_about(const std::exception_ptr& problem) {
  try {
    std::rethrow_exception(problem);
  } catch (const std::bad_alloc&) {
    return "there is not enough memory";
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "stopped by an exception of an unknown kind";
  }
}

// An exception that leaves an OpenMP loop cannot be caught; it can still say what it is.
int terminated_lesson = 0;
[[noreturn]] void terminate_with_a_sentence() {
  const std::exception_ptr problem = std::current_exception();
  complain(terminated_lesson, problem ? sentence_about(problem) : "stopped in the middle");
  std::_Exit(exit_error);
}

// OpenMP's own way to give up is exit(1), which from a lesson would mean that a claim does not hold.
struct Running {
  Running() {
    now = true;
    std::atexit([] {
      if (now) std::_Exit(exit_error);
    });
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { now = false; }
  static inline bool now = false;
};

// OpenMP ends the program where it can't have its threads; so we see first whether the system gives them.
void try_threads(int count) {
  std::mutex all_there;
  std::vector<std::thread> others;
  std::string problem;
  {
    const std::scoped_lock hold(all_there);
    try {
      while (std::ssize(others) < count - 1) {
        others.emplace_back([&] { const std::scoped_lock wait(all_there); });
      }
    } catch (...) {
      problem = sentence_about(std::current_exception());
    }
  }
  for (std::thread& thread : others) thread.join();
  check(problem.empty(), "cannot start ", count, " threads: ", problem, "; THREADS= can be fewer");
}

int use_threads(int wanted) {
  if (wanted > 0) omp_set_num_threads(wanted);
  const int threads = omp_get_max_threads();
  check(threads <= most_threads, "OMP_NUM_THREADS asks for ", threads, " threads; at most ", most_threads,
        " are possible");
  try_threads(threads);
  return threads;
}

std::string heading(const Lesson& lesson) {
  const Introduction& intro = lesson.introduction();
  const Results& results = lesson.results();
  const bool colour = lesson.terminal().colour;
  const std::string title = "Tutorial " + std::to_string(intro.number) + ": " + intro.title;
  const std::string facts = "scale " + name_of(results.scale) + ", seed " +
                            std::to_string(results.seed) + ", " +
                            std::to_string(results.threads) +
                            (results.threads == 1 ? " thread" : " threads");
  return bold(title, colour) + "\n" + faint(facts, colour) + "\n\n";
}

std::vector<File> files_of(const Lesson& lesson, const std::string& source) {
  std::vector<File> files;
  for (const Figure& figure : lesson.figures()) files.push_back({figure.name + ".svg", figure.svg});
  files.push_back({page_name, html_page(lesson, source)});
  files.push_back({results_name, to_json(lesson.results())});
  files.push_back({entry_name, index_entry(lesson.results())});
  return files;
}

// Lists the lessons, which are folders beside this one's source, NN_a_title, and what those found that have
// written results to `out`.
void write_index(const std::string& out, const std::string& source) {
  std::map<int, std::string> entries;
  std::error_code ignored;
  for (const auto& folder :
       std::filesystem::directory_iterator(std::filesystem::path(source).parent_path().parent_path(), ignored)) {
    std::string title = folder.path().filename().string();
    const std::size_t end = title.find('_');
    const int number = std::atoi(title.c_str());
    if (number <= 0 || end == std::string::npos) continue;
    std::ranges::replace(title, '_', ' ');
    const std::string entry = out + "/tutorial-" + std::to_string(number) + "/" + entry_name;
    title = title.substr(end + 1);
    if (title[0] >= 'a' && title[0] <= 'z') title[0] = static_cast<char>(title[0] - 'a' + 'A');
    entries[number] = std::filesystem::exists(entry)
                          ? read_file(entry)
                          : escape(title) + text(" <code>make tutorial-", number, "</code>");
  }
  std::vector<std::string> in_order;
  for (const auto& [number, entry] : entries) in_order.push_back(entry);
  write_together(out, {{page_name, html_index(in_order)}});
}

std::string summary(const Lesson& lesson) {
  const Terminal& terminal = lesson.terminal();
  const Screen screen = {terminal.width(), terminal.colour};
  std::string text;
  if (!lesson.results().comparisons.empty()) {
    text += "\n" + bold("This run and the paper", terminal.colour) + "\n";
    text += draw_text(comparison_table(lesson), screen);
  }
  text += "\n" + bold("Claims", terminal.colour) + "\n";
  return text + draw_text(claims_table(lesson, terminal.colour), screen);
}

// They have served. Those of runs with another scale or seed stay.
void remove_checkpoints(const Lesson& lesson) {
  std::error_code ignored;
  std::filesystem::remove_all(lesson.checkpoints(), ignored);
  rmdir((lesson.out() + "/checkpoints").c_str());  // if it is empty now
}

void run_or_throw(Lesson& lesson, Results& results, const std::function<void(Lesson&)>& body) {
  const auto start = std::chrono::steady_clock::now();
  const std::string& path = lesson.introduction().source;
  check(std::filesystem::exists(path), "cannot read ", path,
        ": a lesson shows its own source and has to run in the project's root, as make runs it");
  const std::string source = read_file(path);
  require_writable(lesson.out());
  const OnlyRun only_run(lesson.out());
  for (const char* name : {page_name, results_name}) check_replaceable(lesson.out() + "/" + name);
  results.published_fingerprint = published_fingerprint(results, path);
  print(heading(lesson));
  lesson.remark(lesson.introduction().question);
  body(lesson);
  throw_if_interrupted();
  check(!results.claims.empty(), "the lesson makes no claim, so it cannot fail");
  results.seconds = seconds_since(start);
  results.fingerprint = fingerprint(results);
  print(summary(lesson) + "\n");
  lesson.remark(about_fingerprint(results));
  write_together(lesson.out(), files_of(lesson, source));
  write_index(lesson.options().out, path);
  remove_checkpoints(lesson);
  const std::string page = std::filesystem::absolute(lesson.out()).string() + "/" + page_name;
  print("\nIts page: file://" + page + "    (" + duration(results.seconds) + ")\n");
}

}  // namespace

int run(const Introduction& introduction, int argc, char** argv,
        const std::function<void(Lesson&)>& body) {
  terminated_lesson = introduction.number;
  std::set_terminate(terminate_with_a_sentence);
  const Running running;
  try {
    watch_signals();
    check_standard_streams();
    const Options options = parse_options({argv + (argc > 0 ? 1 : 0), argv + argc});
    Lesson lesson(introduction, options, use_threads(options.threads));
    run_or_throw(lesson, lesson.results_, body);
    const int failed = lesson.results().claims_that(Verdict::fails);
    if (failed == 0) return 0;
    // Not an error, whatever make says of the status.
    for (const Claim& claim : lesson.results().claims) {
      if (judge(claim, lesson.results().scale) != Verdict::fails) continue;
      complain(introduction.number,
               text(failed, failed == 1 ? " claim does" : " claims do", " not hold in this run, the first being: ",
                    claim.name, " is ", short_number(claim.measured, 5), ", where ", expectation(claim),
                    " was expected; everything was computed and written"));
      break;
    }
    return exit_claims_failed;
  } catch (const Interrupted& stop) {
    complain(introduction.number, "interrupted; no result was written");
    return exit_signal + stop.signal;
  } catch (...) {
    complain(introduction.number, sentence_about(std::current_exception()));
    return exit_error;
  }
}

}  // namespace mesagrad::lesson
