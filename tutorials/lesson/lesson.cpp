#include "tutorials/lesson/lesson.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "core/real.h"
#include "tutorials/lesson/page.h"
#include "tutorials/lesson/svg.h"
#include "tutorials/lesson/utf8.h"

namespace mesagrad::lesson {
namespace {

// Two things of one name would overwrite each other in results.json.
template <class Thing>
void check_new(const std::vector<Thing>& things, const std::string& kind, const std::string& name) {
  const bool found = std::ranges::find(things, name, &Thing::name) != things.end();
  check(!found, "there are two ", kind, "s with the name '", name, "'");
}

}  // namespace

Lesson::Lesson(const Introduction& introduction, const Options& options, int threads)
    : introduction_(introduction), options_(options) {
  results_.lesson = introduction.number;
  results_.title = introduction.title;
  results_.scale = options.scale;
  results_.seed = options.seed;
  results_.threads = threads;
}

std::string Lesson::out() const {
  return options_.out + "/tutorial-" + std::to_string(introduction_.number);
}

std::string Lesson::checkpoints() const {
  const char* precision = sizeof(real) == sizeof(float) ? "float" : "double";
  return text(out(), "/checkpoints/", name_of(scale()), "-seed-", seed(), "-", precision);
}

void Lesson::say(const std::string& paragraph) {
  throw_if_interrupted();
  std::string text;
  for (const std::string& line : wrap(paragraph, std::min(terminal_.width(), 90) - 4)) {
    text += "  " + line + "\n";
  }
  print(text);
}

void Lesson::step(const std::string& heading) {
  throw_if_interrupted();
  const std::string numbered = std::to_string(++steps_) + ". " + heading;
  print("\n" + bold(numbered, terminal_.colour) + "\n");
}

Progress Lesson::progress(const std::string& label, Index total, Index before) {
  throw_if_interrupted();
  return Progress(terminal_, label, total, before);
}

template <class Figure>
void Lesson::show_figure(const Figure& figure) {
  throw_if_interrupted();
  check_new(exhibits_, "figure", figure.name);
  exhibits_.push_back({figure.name, draw_svg(figure), figure.caption});
  print("\n" + draw_text(figure, screen()) + "\n");
}

void Lesson::show(const LinePlot& plot) { show_figure(plot); }
void Lesson::show(const HeatMap& map) { show_figure(map); }

void Lesson::show(const Table& table) {
  throw_if_interrupted();
  exhibits_.push_back({"", html_table(table), table.caption});
  print("\n" + draw_text(table, screen()) + "\n");
}

void Lesson::setting(const std::string& name, const std::string& value) {
  keep_setting({name, value});
}

void Lesson::keep_setting(const Setting& setting) {
  check_new(results_.settings, "setting", setting.name);
  results_.settings.push_back(setting);
}

void Lesson::curve(const std::string& name, const Numbers& x, const Numbers& mean,
                   const Numbers& std) {
  check_new(results_.curves, "curve", name);
  check(x.size() == mean.size() && (std.empty() || std.size() == x.size()), "curve '", name,
        "': ", x.size(), " values of x, ", mean.size(), " of mean and ", std.size(), " of std");
  results_.curves.push_back({name, x, mean, std});
}

void Lesson::timing(const std::string& name, const Numbers& x, const Numbers& seconds) {
  curve(name, x, seconds);
  results_.curves.back().timing = true;
}

void Lesson::compare(const std::string& name, double this_run, double paper) {
  check_new(results_.comparisons, "comparison", name);
  results_.comparisons.push_back({name, this_run, paper});
}

void Lesson::claim(const std::string& name, double measured, const Expected& expected) {
  keep_claim({name, measured, Relation::within, expected.expected, expected.tolerance,
              expected.from});
}

void Lesson::claim_between(const std::string& name, double measured, double low, double high,
                           const Judged& judged) {
  keep_claim({name, measured, Relation::between, (low + high) / 2, (high - low) / 2, judged.from});
}

void Lesson::claim_below(const std::string& name, double measured, double limit,
                         const Judged& judged) {
  keep_claim({name, measured, Relation::below, limit, 0, judged.from});
}

void Lesson::claim_above(const std::string& name, double measured, double limit,
                         const Judged& judged) {
  keep_claim({name, measured, Relation::above, limit, 0, judged.from});
}

void Lesson::keep_claim(const Claim& claim) {
  check_new(results_.claims, "claim", claim.name);
  check_claim(claim);
  results_.claims.push_back(claim);
}

}  // namespace mesagrad::lesson
