#include "tasks/loss_curve.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/norm.h"

namespace mesagrad {
namespace {

struct Spread {
  double mean, deviation;  // of a single value
};

// Of n > 0 values, `stride` apart.
Spread spread_of(const double* values, Index n, Index stride) {
  double sum = 0;
  for (Index i = 0; i < n; ++i) sum += values[i * stride];
  const double mean = sum / static_cast<double>(n);
  const double distance = norm_of(n, [=](Index i) { return values[i * stride] - mean; });
  return {mean, n < 2 ? 0 : distance / std::sqrt(static_cast<double>(n - 1))};
}

}  // namespace

double LossCurve::total() const {
  check(!mean.empty(), "loss curve: it has no positions");
  return std::accumulate(mean.begin(), mean.end(), 0.0) / static_cast<double>(mean.size());
}

double LossCurve::standard_error() const {
  check(sequences > 0, "loss curve: it has no sequences");
  return total_deviation / std::sqrt(static_cast<double>(sequences));
}

double LossCurve::standard_error(Index position) const {
  check(position >= 0 && position < std::ssize(deviation), "loss curve: there is no position ", position,
        " of ", deviation.size());
  return deviation[static_cast<std::size_t>(position)] / std::sqrt(static_cast<double>(sequences));
}

Index clearly_below(const LossCurve& a, const LossCurve& b) {
  check(a.t == b.t, "clearly_below: the curves have different positions");
  Index count = 0;
  for (Index i = 0; i < std::ssize(a.t); ++i) {
    const auto n = static_cast<std::size_t>(i);
    if (a.mean[n] + 3 * std::hypot(a.standard_error(i), b.standard_error(i)) < b.mean[n]) ++count;
  }
  return count;
}

LossCurve summarize(const std::vector<double>& losses, Index tokens) {
  check(tokens > 0 && !losses.empty() && std::ssize(losses) % tokens == 0, "loss curve: ",
        losses.size(), " losses are no sequences of ", tokens, " tokens");
  LossCurve curve;
  curve.sequences = std::ssize(losses) / tokens;
  for (Index t = 0; t < tokens; ++t) {
    const Spread spread = spread_of(losses.data() + t, curve.sequences, tokens);
    curve.t.push_back(static_cast<double>(t));
    curve.mean.push_back(spread.mean);
    curve.deviation.push_back(spread.deviation);
  }
  std::vector<double> totals;  // of each sequence
  for (auto row = losses.begin(); row != losses.end(); row += tokens) {
    double total = 0;
    std::for_each_n(row, tokens, [&](double loss) { total += loss / static_cast<double>(tokens); });
    totals.push_back(total);
  }
  curve.total_deviation = spread_of(totals.data(), curve.sequences, 1).deviation;
  return curve;
}

LossCurve loss_curve(Index sequences, Index tokens,
                     const std::function<void(Index, Index, double*)>& losses_of, const Watch& watch) {
  check(sequences > 0 && tokens > 0, "loss_curve: ", sequences, " sequences of ", tokens,
        " tokens; both must be positive");
  const Index losses_count = Shape({sequences, tokens}).size();
  constexpr Index part = 4, parts_between_reports = 256;
  std::vector<double> losses(static_cast<std::size_t>(losses_count));
  const Index parts = (sequences + part - 1) / part;
  for (Index begin = 0; begin < parts; begin += parts_between_reports) {
    parallel_for(std::min(parts_between_reports, parts - begin), [&](Index i) {
      const Index first = (begin + i) * part;
      losses_of(first, std::min(part, sequences - first), losses.data() + first * tokens);
    });
    if (watch) watch(std::min(sequences, (begin + parts_between_reports) * part));
  }
  return summarize(losses, tokens);
}

double* losses_of_prediction(const Predictor& predictor, const Matrix& states,
                             const std::vector<Index>& positions, double* out) {
  const Index tokens = states.rows() - 1, d = states.columns();
  const Matrix prediction = predictor(states);
  check(prediction.rows() == tokens && prediction.columns() == d, "loss_curve: a prediction ",
        shape_of(prediction), " of states (", tokens, ", ", d, ")");
  const Index count = positions.empty() ? tokens : std::ssize(positions);
  for (Index n = 0; n < count; ++n) {
    const Index t = positions.empty() ? n : positions[static_cast<std::size_t>(n)];
    double sum = 0;
    for (Index j = 0; j < d; ++j) {
      const double error = prediction(t, j) - states(t + 1, j);
      sum += error * error;
    }
    *out++ = sum / 2;
  }
  return out;
}

}  // namespace mesagrad
