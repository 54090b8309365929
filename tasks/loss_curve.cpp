#include "tasks/loss_curve.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mesagrad {
namespace {

// Standard deviation from a sum and a sum of squares of n values.
double deviation(double sum, double squares, Index n) {
  if (n < 2) return 0;
  const auto count = static_cast<double>(n);
  return std::sqrt(std::max(0.0, (squares - sum * sum / count) / (count - 1)));
}

}  // namespace

double LossCurve::total() const {
  return std::accumulate(mean.begin(), mean.end(), 0.0) / static_cast<double>(mean.size());
}

double LossCurve::standard_error() const {
  return total_deviation / std::sqrt(static_cast<double>(sequences));
}

double LossCurve::standard_error(Index t) const {
  return deviation[static_cast<std::size_t>(t)] / std::sqrt(static_cast<double>(sequences));
}

LossCurve summarize(const std::vector<double>& losses, Index tokens) {
  check(tokens > 0 && !losses.empty() && std::ssize(losses) % tokens == 0, "loss curve: ",
        losses.size(), " losses are no sequences of ", tokens, " tokens");
  const auto T = static_cast<std::size_t>(tokens);
  LossCurve curve;
  curve.sequences = std::ssize(losses) / tokens;
  const auto count = static_cast<double>(curve.sequences);
  std::vector<double> sum(T), squares(T);
  double total_sum = 0, total_squares = 0;
  for (auto row = losses.begin(); row != losses.end(); row += tokens) {
    double total = 0;
    for (std::size_t t = 0; t < T; ++t) {
      const double loss = row[static_cast<Index>(t)];
      sum[t] += loss;
      squares[t] += loss * loss;
      total += loss / static_cast<double>(tokens);
    }
    total_sum += total;
    total_squares += total * total;
  }
  for (std::size_t t = 0; t < T; ++t) {
    curve.mean.push_back(sum[t] / count);
    curve.deviation.push_back(deviation(sum[t], squares[t], curve.sequences));
  }
  curve.total_deviation = deviation(total_sum, total_squares, curve.sequences);
  return curve;
}

LossCurve loss_curve(Index sequences, Index tokens,
                     const std::function<void(Index, Index, double*)>& losses_of,
                     const Watch& watch) {
  check(sequences > 0 && tokens > 0, "loss_curve: ", sequences, " sequences of ", tokens,
        " tokens; both must be positive");
  constexpr Index part = 4, parts_between_reports = 256;
  std::vector<double> losses(static_cast<std::size_t>(sequences * tokens));
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

LossCurve loss_curve(const LinearDynamics& task, std::uint64_t seed, std::uint32_t stream,
                     Index sequences, const Predictor& predictor, const Watch& watch) {
  return loss_curve(sequences, task.tokens, [&](Index first, Index count, double* out) {
    for (Index i = first; i < first + count; ++i) {
      const auto sequence = task.sample(Random(seed, stream, static_cast<std::uint64_t>(i)));
      const Matrix prediction = predictor(sequence.states);
      for (Index t = 0; t < task.tokens; ++t) {
        double sum = 0;
        for (Index j = 0; j < task.dimension; ++j) {
          const double error = prediction(t, j) - sequence.states(t + 1, j);
          sum += error * error;
        }
        *out++ = sum / 2;
      }
    }
  }, watch);
}

}  // namespace mesagrad
