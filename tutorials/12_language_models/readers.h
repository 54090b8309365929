// Models that learn to read a text, and what each of them is asked.
#pragma once
#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "tutorials/12_language_models/measure.h"
#include "tutorials/12_language_models/recipes.h"

namespace mesagrad {

// A model, how it learned and how it ended.
struct Reader {
  std::string name;
  Transformer model;
  std::vector<double> tested_at, test_loss;
  LossCurve curve;
  double score;              // in context
  double seconds_an_update;  // 0 if none was made, because it had been finished before

  double loss() const { return curve.total(); }
};

// Their losses along the windows, side by side in panels.
struct ReaderPanel {
  std::string title;
  std::vector<std::pair<std::string, const Reader*>> lines;
};
inline lesson::LinePlot along_windows(const lesson::Lesson& L, const std::string& name,
                                      const std::string& title, const std::string& caption,
                                      const std::vector<ReaderPanel>& panels) {
  lesson::LinePlot plot{.name = name,
                        .title = title,
                        .x = "position t",
                        .y = "nats per token",
                        .caption = caption,
                        .timing = L.scale() != lesson::Scale::smoke};
  for (const ReaderPanel& panel : panels) {
    plot.panel(panel.title);
    for (const auto& [label, reader] : panel.lines) add_sixteenths(plot, label, reader->curve);
  }
  return plot;
}

// All that read one text, and the table of their losses.
class Readers {
 public:
  Readers(lesson::Lesson& L, const TextWindows& task, const BytePairs& pieces, double bytes_per_token)
      : lesson_(L), task_(task), pieces_(pieces), bytes_per_token_(bytes_per_token) {}

  lesson::Table table = {
      .title = "Text that no model has learned from",
      .caption =
          "Losses in nats per token. Bits per byte: what the loss would cost in a compressed file. "
          "In-context score: the late loss minus the early one.",
      .columns = {"predictor", "loss", "bits per byte", "perplexity", "in-context score"}};

  double bits_per_byte(double loss) const { return loss / logarithm(2) / bytes_per_token_; }

  void row(const std::string& name, double loss, const std::string& score = "") {
    using lesson::fixed_number;
    table.row({name, fixed_number(loss, 3), fixed_number(bits_per_byte(loss), 3),
               fixed_number(exponential(loss), 1), score});
  }

  // Trains a model, which shows now and then what it writes so far, and tests it.
  Reader read(const std::string& name, const Transformer::Options& model) {
    const Index windows = lesson_.scaled<Index>({.smoke = 64, .lesson = 2048, .paper = 8192});
    lesson::Recipe<Transformer> recipe = text_recipe(lesson_, model);
    Index updates = 0;
    recipe.watch = [&](Index n, double, const Transformer& so_far) {
      ++updates;
      if (n % std::max<Index>(recipe.updates / 4, 1) == 0)
        lesson_.remark(text(name, " after ", n, " updates: ", written_by(so_far)), true);
    };
    const auto start = std::chrono::steady_clock::now();
    lesson::Trained<Transformer> run = lesson::train(lesson_, name, task_, recipe, lesson_.seed());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const LossCurve curve = loss_curve(task_, lesson_.seed(), stream::test_data, windows, run.model);
    const double score = in_context_score(curve);
    row(name, curve.total(), lesson::fixed_number(score, 3));
    return {name,
            run.model,
            run.tested_at,
            run.test_loss,
            curve,
            score,
            updates > 0 ? took.count() / static_cast<double>(updates) : 0};
  }

  // Shows what each loses when it reads half a window, and then the same once more. Returns the differences.
  std::vector<double> gains_of_rereading(const std::string& title,
                                         const std::vector<const Reader*>& readers) {
    const Index windows = lesson_.scaled<Index>({.smoke = 16, .lesson = 512, .paper = 1024});
    lesson::Table again{
        .title = title,
        .caption =
            "Mean losses in nats per token. A model that looks up what followed before has next to no "
            "loss at the second reading.",
        .columns = {"model", "first reading", "second reading"}};
    std::vector<double> gains;
    for (const Reader* reader : readers) {
      const ReadTwice losses = read_twice(reader->model, task_, lesson_.seed(), windows);
      again.row({reader->name, lesson::fixed_number(losses.first, 3), lesson::fixed_number(losses.again, 3)});
      gains.push_back(losses.first - losses.again);
    }
    lesson_.show(again);
    return gains;
  }

 private:
  std::string written_by(const Transformer& model) const {
    const Tensor some = task_.batch(lesson_.seed(), stream::analysis_data, 1, 1).inputs;
    const Index begun = std::min<Index>(task_.tokens, 48);
    Random random(lesson_.seed(), stream::generation);
    std::vector<Index> ids = continued(model, {some.data(), some.data() + begun}, 24, task_.tokens, random);
    ids.erase(ids.begin(), ids.begin() + begun);
    return in_a_line(pieces_.decode(ids));
  }

  lesson::Lesson& lesson_;
  const TextWindows& task_;
  const BytePairs& pieces_;
  double bytes_per_token_;
};

}  // namespace mesagrad
