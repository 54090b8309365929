// Everything that a tutorial needs to talk, measure, draw, and keep its promises.
//
//     int main(int argc, char** argv) {
//       return lesson::run({.number = 1, .title = "The task", .question = "Is it solvable?",
//                           .source = __FILE__}, argc, argv, [](lesson::Lesson& L) {
//         L.step("What the sequences look like");
//         const int n = L.scaled({.smoke = 64, .lesson = 4096, .paper = 65536});
//         lesson::LinePlot plot{.name = "curves", .title = "Loss", .x = "t", .y = "loss"};
//         plot.line("least squares", xs, mean, {.std = std});
//         L.show(plot);
//         L.claim("predicting zero costs d/6", cost, {.expected = 1.667, .tolerance = 0.017});
//       });
//     }
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "tutorials/lesson/json.h"
#include "tutorials/lesson/options.h"
#include "tutorials/lesson/page.h"
#include "tutorials/lesson/plot.h"
#include "tutorials/lesson/process.h"
#include "tutorials/lesson/results.h"
#include "tutorials/lesson/terminal.h"

namespace mesagrad::lesson {

struct Introduction {
  int number = 0;
  std::string title = {};
  std::string question = {};  // one sentence
  std::string source = {};    // __FILE__, shown on the page
};

template <class T>
struct ByScale {
  T smoke;
  T lesson;
  T paper;
};

struct Expected {
  double expected = 0;
  double tolerance = 0;
  Scale from = Scale::lesson;
};

// The smallest scale at which a claim is judged. Statistical claims need the default.
struct Judged {
  Scale from = Scale::lesson;
};

// A figure that was shown, as a file of its own.
struct Figure {
  std::string name = {};
  std::string svg = {};
};

// A line of a lesson's source. As a default argument, here() is the line that calls.
struct Place {
  const char* file;
  int line;
  static Place here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};

class Lesson {
 public:
  Lesson(const Introduction& introduction, const Options& options, int threads);

  // All that is shown appears in the terminal now, and later on the page, at the line that showed it.

  // Sentences made from this run's numbers, and the numbered headings between. Throws Error for a sentence
  // without a number: it would say the same whatever came out. (Prose that knows no numbers is a comment in
  // the source.)
  void say(const std::string& paragraph, const Place& place = Place::here());
  void step(const std::string& heading, const Place& place = Place::here());

  // Sentences for the terminal alone; an aside is less important.
  void remark(const std::string& paragraph, bool aside = false) const;

  // What this run found, in one sentence made from its numbers: the page begins with it.
  void found(const std::string& sentence);

  // The value for this run's scale: L.scaled({.smoke = 64, .lesson = 4096, .paper = 65536}), or
  // L.scaled<double>({...}).
  template <class T = int>
  T scaled(const std::type_identity_t<ByScale<T>>& choices) const {
    if (scale() == Scale::smoke) return choices.smoke;
    return scale() == Scale::lesson ? choices.lesson : choices.paper;
  }
  Scale scale() const { return options().scale; }
  std::uint64_t seed() const { return options().seed; }
  double rate(double recipe) const { return options().rate * recipe; }  // a learning rate of this run
  int threads() const { return results_.threads; }
  std::string out() const;          // the directory of this lesson's results
  std::string checkpoints() const;  // and of what a run of this scale, seed and precision saves on its way
  const Options& options() const { return results_.options; }

  // What this run has measured so far, and how long it took. save_so_far() is called whenever a training
  // saves itself: a resumed run knows what the killed one took, and a report of many runs what it had
  // measured.
  Results so_far() const;
  void save_so_far() const;

  // For waits: a progress bar, or a bare check in loops that have none. Both throw after Ctrl-C.
  Progress progress(const std::string& label, Index total, Index before = 0);
  void check_interrupted() const { throw_if_interrupted(); }

  // Plots also become name.svg, and their curves "name: panel, label" of results.json.
  void show(const LinePlot& plot, const Place& place = Place::here());
  void show(const HeatMap& map, const Place& place = Place::here());
  void show(const Table& table, const Place& place = Place::here());

  // Kept for results.json and the page.
  void setting(const std::string& name, const std::string& value) {
    keep_setting({name, value, json_quoted(value)});
  }
  template <class Number>
    requires std::is_arithmetic_v<Number>
  void setting(const std::string& name, Number value) {
    const auto number = static_cast<double>(value);
    keep_setting({name, short_number(number), json(number)});
  }
  void curve(const std::string& name, const Numbers& x, const Numbers& mean,
             const Numbers& std = {});  // that no plot shows

  // A row of the table: this run | paper | difference.
  void compare(const std::string& name, double this_run, double paper, const Reproduces& row = {});

  // The same for a curve, which is a row for its mean and, at paper scale, more for some of its points; these
  // scatter more, and their tolerance is three times the mean's. Where losses of few sequences make up most
  // of a mean, luck alone takes it further: so far as three standard errors of a mean over the authors'
  // sequences, by the spread of ours, a row may be off in any case.
  void compare_curve(const std::string& name, const LossCurve& this_run,
                     const std::vector<double>& paper, const Reproduces& row,
                     const std::vector<std::size_t>& points = {0, 1, 2, 4, 9, 14, 19, 24, 29, 34, 39, 44, 49},
                     const std::string& axis = "t");

  // Statements that decide the exit status. With {.from = Scale::smoke} even a smoke run judges.
  void claim(const std::string& name, double measured, const Expected& expected,
             const Place& place = Place::here()) {
    keep_claim({name, measured, Relation::within, expected.expected, expected.tolerance, expected.from},
               place);
  }
  void claim_between(const std::string& name, double measured, double low, double high,
                     const Judged& judged = {}, const Place& place = Place::here()) {
    keep_claim({name, measured, Relation::between, (low + high) / 2, (high - low) / 2, judged.from}, place);
  }
  void claim_below(const std::string& name, double measured, double limit, const Judged& judged = {},
                   const Place& place = Place::here()) {
    keep_claim({name, measured, Relation::below, limit, 0, judged.from}, place);
  }
  void claim_above(const std::string& name, double measured, double limit, const Judged& judged = {},
                   const Place& place = Place::here()) {
    keep_claim({name, measured, Relation::above, limit, 0, judged.from}, place);
  }

  const Introduction& introduction() const { return introduction_; }
  const Results& results() const { return results_; }
  const std::vector<Figure>& figures() const { return figures_; }
  const std::vector<Piece>& pieces() const { return pieces_; }
  const Terminal& terminal() const { return terminal_; }
  Screen screen() const { return {terminal_.width(), terminal_.colour}; }

 private:
  friend int run(const Introduction&, int, char**, const std::function<void(Lesson&)>&);

  template <class Plot>
  void show_figure(const Plot& plot, const Place& place);
  void keep_setting(const Setting& setting);
  void keep_claim(const Claim& claim, const Place& place);
  void keep_piece(const Place& place, const std::string& markup);

  Introduction introduction_;
  Terminal terminal_ = standard_output();
  Results results_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double seconds_before_ = 0, processor_seconds_before_ = 0;
  std::vector<Figure> figures_;
  std::vector<Piece> pieces_;
  int steps_ = 0;
};

// Runs a lesson from its command line to its exit status: 0 when every claim holds, 1 when one does
// not, 2 for an error, 130 after Ctrl-C. Whatever goes wrong is one sentence on standard error.
int run(const Introduction& introduction, int argc, char** argv, const std::function<void(Lesson&)>& body);

}  // namespace mesagrad::lesson
