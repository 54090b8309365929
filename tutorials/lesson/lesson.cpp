#include "tutorials/lesson/lesson.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>

#include "core/error.h"
#include "core/files.h"
#include "core/real.h"
#include "nn/safetensors_json.h"
#include "tutorials/lesson/page.h"
#include "tutorials/lesson/writing.h"

namespace mesagrad::lesson {
namespace {

// Two things of one name would overwrite each other in results.json.
template <class Thing>
void check_new(const std::vector<Thing>& things, const std::string& kind, const std::string& name) {
  const bool found = std::ranges::find(things, name, &Thing::name) != things.end();
  check(!found, "there are two ", kind, "s with the name '", name, "'");
}

// A run may also measure "nan" and "infinity".
void check_measured(const std::string& sentence) {
  const auto has = [&](const char* word) { return sentence.find(word) != std::string::npos; };
  const bool digits = sentence.find_first_of("0123456789") != std::string::npos;
  check(digits || has("nan") || has("infinity"), "'", sentence, "' has no number of this run");
}

}  // namespace

Lesson::Lesson(const Introduction& introduction, const Options& options, int threads)
    : introduction_(introduction), results_{.lesson = introduction.number,
                                            .title = introduction.title,
                                            .options = options,
                                            .threads = threads} {
  const std::string saved = checkpoints() + "/" + so_far_name;
  if (!options.resume || !std::filesystem::is_regular_file(saved)) return;
  const std::string so_far = read_file(saved);
  JsonReader json(so_far, saved);
  json.object([&](const std::string& key) {
    if (key == "seconds") seconds_before_ = json.number();
    else if (key == "processor_seconds") processor_seconds_before_ = json.number();
    else json.skip_value();
  });
}

std::string Lesson::out() const { return text(options().out, "/tutorial-", introduction_.number); }

std::string Lesson::checkpoints() const {
  return text(out(), "/checkpoints/", name_of(scale()), "-seed-", seed(), "-", real_name);
}

Results Lesson::so_far() const {
  const std::chrono::duration<double> since = std::chrono::steady_clock::now() - start_;
  Results results = results_;
  results.seconds = seconds_before_ + since.count();
  results.processor_seconds =
      processor_seconds_before_ + static_cast<double>(std::clock()) / CLOCKS_PER_SEC;  // of all threads
  return results;
}

void Lesson::save_so_far() const { write_file(checkpoints() + "/" + so_far_name, to_json(so_far())); }

void Lesson::remark(const std::string& paragraph, bool aside) const {
  std::vector<std::string> lines = wrap(paragraph, std::min(terminal_.width(), 90) - 4);
  for (std::string& line : lines) line = aside ? faint(line, terminal_.colour) : line;
  // In the place of a line that shows progress, which is drawn again below.
  print((terminal_.interactive ? "\r\x1b[K" : "") + indented(lines));
}

void Lesson::keep_piece(const Place& place, const std::string& markup) {
  pieces_.push_back({place.file == introduction_.source ? place.line : 0, markup});
}

void Lesson::say(const std::string& paragraph, const Place& place) {
  throw_if_interrupted();
  check_measured(paragraph);
  remark(paragraph);
  keep_piece(place, element("p", formula_markup(paragraph), "said"));
}

void Lesson::step(const std::string& heading, const Place& place) {
  throw_if_interrupted();
  const std::string numbered = text(++steps_, ". ", heading);
  print("\n" + bold(numbered, terminal_.colour) + "\n");
  keep_piece(place, element("h2", formula_markup(numbered)));
}

void Lesson::found(const std::string& sentence) {
  check_measured(sentence);
  results_.found = sentence;
}

Progress Lesson::progress(const std::string& label, Index total, Index before) {
  throw_if_interrupted();
  return Progress(terminal_, label, total, before);
}

template <class Plot>
void Lesson::show_figure(const Plot& plot, const Place& place) {
  throw_if_interrupted();
  check_new(figures_, "figure", plot.name);
  figures_.push_back({plot.name, draw_svg(plot)});
  print("\n" + draw_text(plot, screen()) + "\n");
  remark(plot.caption, true);
  const std::string label = text("<b>Figure ", figures_.size(), ".</b> ");
  keep_piece(place, exhibit_markup(figures_.back().svg, label, plot.caption));
}

void Lesson::show(const LinePlot& plot, const Place& place) {
  show_figure(plot, place);
  for (const LinePanel& panel : plot.panels) {
    for (const Line& line : panel.lines) {
      if (line.style.given) continue;
      curve(text(plot.name, ": ", panel.title, panel.title.empty() ? "" : ", ", line.label), line.x, line.y,
            line.style.std);
      results_.curves.back().timing = plot.timing;
    }
  }
}

void Lesson::show(const HeatMap& map, const Place& place) { show_figure(map, place); }

void Lesson::show(const Table& table, const Place& place) {
  throw_if_interrupted();
  print("\n" + draw_text(table, screen()) + "\n");
  remark(table.caption, true);
  keep_piece(place, exhibit_markup(html_table(table), "", table.caption));
}

void Lesson::keep_setting(const Setting& setting) {
  check_new(results_.settings, "setting", setting.name);
  results_.settings.push_back(setting);
}

void Lesson::curve(const std::string& name, const Numbers& x, const Numbers& mean, const Numbers& std) {
  check_new(results_.curves, "curve", name);
  check(x.size() == mean.size() && (std.empty() || std.size() == x.size()), "curve '", name, "': ", x.size(),
        " values of x, ", mean.size(), " of mean and ", std.size(), " of std");
  results_.curves.push_back({name, x, mean, std});
}

void Lesson::compare(const std::string& name, double this_run, double paper, const Reproduces& row) {
  check_new(results_.comparisons, "comparison", name);
  results_.comparisons.push_back({name, this_run, paper, row});
}

void Lesson::compare_curve(const std::string& name, const LossCurve& this_run,
                           const std::vector<double>& paper, const Reproduces& row,
                           const std::vector<std::size_t>& points, const std::string& axis) {
  const auto compare_one = [&](const std::string& one, double ours, double deviation, double theirs,
                               double tolerance) {
    const double luck = 3 * deviation / std::sqrt(row.sequences) / theirs;
    compare(one, ours, theirs, {row.figure, row.updates, std::max(tolerance, luck), row.sequences});
  };
  compare_one(name, this_run.total(), this_run.total_deviation, mean(paper), row.tolerance);
  for (const std::size_t t : points) {
    if (scale() != Scale::paper || t >= std::min(this_run.mean.size(), paper.size())) break;
    compare_one(text(name, ", ", axis, " = ", t), this_run.mean[t], this_run.deviation[t], paper[t],
                3 * row.tolerance);
  }
}

void Lesson::keep_claim(const Claim& claim, const Place& place) {
  check_new(results_.claims, "claim", claim.name);
  check_claim(claim);
  results_.claims.push_back(claim);
  keep_piece(place, claim_markup(claim, scale()));
}

}  // namespace mesagrad::lesson
