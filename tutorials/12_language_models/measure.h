// What lesson 12 measures of texts and of models.
#pragma once
#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/elementary.h"
#include "nn/generation.h"
#include "tasks/bigram.h"
#include "tasks/text.h"
#include "tasks/token_binding.h"
#include "tutorials/lesson/lesson.h"

namespace mesagrad {

inline std::size_t at(Index i) { return static_cast<std::size_t>(i); }

// -- Texts -----------------------------------------------------------------------------------------

// In one line of ASCII, but for the signs that stand for ends of lines and, if wanted, for spaces.
inline std::string in_a_line(const std::string& bytes, const std::string& space = " ") {
  std::string line;
  for (const char c : bytes) {
    if (c == '\n') line += " ⏎ ";
    else if (c == ' ' || c == '\t' || c == '\r') line += space;
    else line += c > ' ' && c <= '~' ? c : '?';
  }
  return line;
}

// Of a text or of some pieces, with spaces between them.
inline std::string piece_by_piece(const BytePairs& pieces, const std::vector<Index>& ids) {
  std::string result;
  for (const Index id : ids) result += (result.empty() ? "" : " ") + in_a_line(pieces.pieces[at(id)], "␣");
  return result;
}

// Of a text's words with letters, of four bytes and more, the share that is a word of another text.
inline double share_of_known_words(std::string_view text, std::string_view other) {
  const auto without_space = [](std::string_view word) {
    return word.starts_with(' ') ? word.substr(1) : word;
  };
  std::set<std::string_view> known;
  for (const std::string_view word : words_of(other)) known.insert(without_space(word));
  double all = 0, found = 0;
  for (const std::string_view word : words_of(text)) {
    const std::string_view name = without_space(word);
    const bool is_name = name.size() >= 4 && name.find_first_of("abcdefghijklmnopqrstuvwxyz") != name.npos;
    if (!is_name) continue;
    ++all;
    found += known.contains(name) ? 1 : 0;
  }
  return all > 0 ? found / all : 0;
}

// The mean -log p of the validation text's tokens, where p is a token's share of the training text (order 0);
// or its share of those that stand behind the same token, mixed with the former: (n_ij + c·p_j)/(n_i + c), c
// = 5 (order 1).
struct Counted {
  double order_0 = 0, order_1 = 0;
};
inline Counted counted(const TextWindows& text) {
  const Index V = text.vocabulary;
  std::vector<double> single(at(V), 1), followed(at(V));
  Matrix pairs(V, V);
  for (const Index id : text.training) ++single[at(id)];
  for (std::size_t t = 1; t < text.training.size(); ++t) {
    ++pairs(text.training[t - 1], text.training[t]);
    ++followed[at(text.training[t - 1])];
  }
  const auto all = static_cast<double>(std::ssize(text.training) + V);
  constexpr double c = 5;
  Counted loss;
  const auto n = static_cast<double>(text.validation.size() - 1);
  for (std::size_t t = 1; t < text.validation.size(); ++t) {
    const Index i = text.validation[t - 1], j = text.validation[t];
    const double p = single[at(j)] / all;
    loss.order_0 -= logarithm(p) / n;
    loss.order_1 -= logarithm((pairs(i, j) + c * p) / (followed[at(i)] + c)) / n;
  }
  return loss;
}

// -- Losses ----------------------------------------------------------------------------------------

inline double mean_between(const LossCurve& curve, Index from, Index to) {
  double sum = 0;
  for (Index t = from; t < to; ++t) sum += curve.mean[at(t)];
  return sum / static_cast<double>(to - from);
}

// The mean loss of the last eighth of the positions, minus that of the second sixteenth.
inline double in_context_score(const LossCurve& curve) {
  const Index T = std::ssize(curve.mean);
  return mean_between(curve, 7 * T / 8, T) - mean_between(curve, T / 16, T / 8);
}

// A line of means over sixteenths of the positions.
inline void add_sixteenths(lesson::LinePlot& plot, const std::string& label, const LossCurve& curve,
                           const lesson::LineStyle& style = {.points = true}) {
  const Index T = std::ssize(curve.mean);
  std::vector<double> x, y;
  for (Index n = 0; n < 16; ++n) {
    const Index from = n * T / 16, to = (n + 1) * T / 16;
    x.push_back(static_cast<double>(from + to - 1) / 2);
    y.push_back(mean_between(curve, from, to));
  }
  plot.line(label, x, y, style);
}

// The same text twice: windows of the validation text, the first half of each in the place of the second half
// too. The mean loss of predicting the tokens of the first reading, from the second token on, and of the
// second.
struct ReadTwice {
  double first = 0, again = 0;
};
inline ReadTwice read_twice(const Transformer& model, const TextWindows& text, std::uint64_t seed,
                            Index windows) {
  const Index half = text.tokens / 2, T = 2 * half;
  const LossCurve curve = loss_curve(windows, T, [&](Index begin, Index count, double* out) {
    const Tensor seen = text.batch(seed, stream::test_data, begin, count).inputs;
    std::vector<Index> ids;
    for (Index i = 0; i < count; ++i) {
      for (Index t = 0; t <= T; ++t) ids.push_back(static_cast<Index>(seen[i * text.tokens + t % half]));
    }
    const Batch batch = next_ids(ids, T);
    cross_entropies(model(batch.inputs), batch.labels, out);
  });
  return {mean_between(curve, 0, half - 1), mean_between(curve, half, T)};
}

inline lesson::LinePlot symbol_plot(const std::string& name, const std::string& title, const std::string& x,
                                    const std::string& caption) {
  return {.name = name, .title = title, .x = x, .y = "nats per symbol", .caption = caption};
}

// Of a bigram language, by Bayes' rule.
inline LossCurve bayes_curve(const Bigram& language, std::uint64_t seed, Index sequences) {
  return loss_curve(language, seed, stream::test_data, sequences, [&](Index first, Index count, double* out) {
    for (Index i = first; i < first + count; ++i) {
      const Random random(seed, stream::test_data, static_cast<std::uint64_t>(i));
      out = std::ranges::copy(language.bayes_losses(language.sample(random).ids), out).out;
    }
  });
}

// -- Attention -------------------------------------------------------------------------------------

// Of each head of the first layer, mean over the windows x (B, T).
inline std::vector<Matrix> first_maps(const Transformer& model, const Tensor& x) {
  const Transformer::Block& block = model.blocks[0];
  return attention_maps(block.attention, (*block.attention_norm)(model.residual_streams(x)[0]));
}

// The mean share that tokens from the ninth on give to the `steps` tokens before them, of the head that gives
// most.
inline double most_back(const std::vector<Matrix>& maps, Index steps) {
  double most = 0;
  for (const Matrix& map : maps) {
    double sum = 0;
    for (Index t = 8; t < map.rows(); ++t) {
      for (Index s = t - steps; s < t; ++s) sum += map(t, s) / static_cast<double>(map.rows() - 8);
    }
    most = std::max(most, sum);
  }
  return most;
}

inline lesson::HeatMap map_figure(const std::string& name, const std::string& title, int heads) {
  lesson::HeatMap figure{
      .name = name,
      .title = title,
      .caption =
          "Mean attention of the first 16 tokens of 64 sequences, head by head: from above, the "
          "tokens that look; from left to right, the tokens looked at. Look for a line "
          "just below the diagonal: the token before.",
      .columns = heads,
      .limit = 1};
  for (int h = 1; h <= heads; ++h) figure.column_titles.push_back(text("head ", h));
  return figure;
}

inline void add_maps(lesson::HeatMap& figure, const std::string& name, const std::vector<Matrix>& maps) {
  constexpr Index shown = 16;
  figure.row_titles.push_back(name);
  for (const Matrix& map : maps) {
    std::vector<double> cells;
    for (Index t = 0; t < shown; ++t) {
      for (Index s = 0; s < shown; ++s) cells.push_back(map(t, s));
    }
    figure.panel("", shown, shown, cells);
  }
}

// The mean γ of each head of a last block with gates, of windows x (B, T), in ascending order.
inline std::vector<double> mean_decays(const Transformer& model, const Tensor& x) {
  const Transformer::Block& block = model.blocks.back();
  const TokenGates& gates = std::get<GatedMesaLayer>(block.attention.mixer).gates;
  const Index heads = block.attention.heads;
  const std::vector<Tensor> streams = model.residual_streams(x);
  const Tensor decays = gates.log_decay((*block.attention_norm)(streams[streams.size() - 2]), heads);
  std::vector<double> mean(at(heads));
  for (Index i = 0; i < decays.size(); ++i) {
    const double decay = exponential(static_cast<double>(decays[i]));
    mean[at(i % heads)] += decay * static_cast<double>(heads) / static_cast<double>(decays.size());
  }
  std::ranges::sort(mean);
  return mean;
}

// Operations of one update, of a model's matrices alone: 2 for each number and token forward, 4 backward.
inline double operations(Transformer model, double tokens) {
  double numbers = 0;
  for (const Parameter& p : model.parameters()) {
    const bool multiplied = p.name != "embedding" && p.name != "positions" && p.tensor->shape().rank() == 2;
    if (multiplied) numbers += static_cast<double>(p.tensor->size());
  }
  return 6 * numbers * tokens;
}

}  // namespace mesagrad
