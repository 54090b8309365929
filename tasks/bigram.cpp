#include "tasks/bigram.h"

#include <cmath>
#include <limits>

#include "core/elementary.h"

namespace mesagrad {
namespace {

// The logarithm of a number of the gamma distribution with shape a. For a >= 1 by Marsaglia and Tsang, "A
// simple method for generating gamma variables", 2000; a smaller one is Gamma(a + 1)·U^(1/a), which for small
// a is too small a number to be kept otherwise than by its logarithm.
double log_gamma_number(double a, Random& random) {
  if (a < 1) return log_gamma_number(a + 1, random) + logarithm(random.uniform()) / a;
  const double d = a - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = random.normal(), root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (logarithm(random.uniform()) < x * x / 2 + d * (1 - v + logarithm(v))) return logarithm(d * v);
  }
}

// One of the numbers 0 .. n-1, with the probabilities in p, whose rounding the last one takes.
Index pick(const double* p, Index n, Random& random) {
  double left = random.uniform();
  Index last = 0;
  for (Index j = 0; j < n; ++j) {
    if (p[j] <= 0) continue;
    last = j;
    left -= p[j];
    if (left < 0) break;
  }
  return last;
}

}  // namespace

void Bigram::check_sizes() const {
  check(symbols > 0 && tokens > 0 && concentration > 0 && std::isfinite(concentration),
        "bigram language: ", symbols, " symbols, ", tokens, " tokens, concentration ", concentration,
        "; all must be positive");
}

Bigram::Sequence Bigram::sample(Random random) const {
  check_sizes();
  Sequence sequence{Matrix(symbols, symbols), {}};
  for (Index i = 0; i < symbols; ++i) {
    double* p = sequence.follows.row(i);
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (Index j = 0; j < symbols; ++j)
      largest = std::max(largest, p[j] = log_gamma_number(concentration, random));
    for (Index j = 0; j < symbols; ++j) sum += p[j] = exponential(p[j] - largest);
    for (Index j = 0; j < symbols; ++j) p[j] /= sum;
  }
  sequence.ids.push_back(static_cast<Index>(random.uniform() * static_cast<double>(symbols)));
  while (std::ssize(sequence.ids) <= tokens) {
    sequence.ids.push_back(pick(sequence.follows.row(sequence.ids.back()), symbols, random));
  }
  return sequence;
}

Batch Bigram::batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const {
  check_sizes();
  check(first >= 0 && count >= 0 && count <= std::numeric_limits<Index>::max() - first,
        "bigram language: ", count, " sequences from number ", first, " on");
  std::vector<Index> ids;
  for (Index i = first; i < first + count; ++i) {
    const Sequence sequence = sample(Random(seed, stream, static_cast<std::uint64_t>(i)));
    ids.insert(ids.end(), sequence.ids.begin(), sequence.ids.end());
  }
  return next_ids(ids, tokens);
}

std::vector<double> Bigram::bayes_losses(const std::vector<Index>& ids) const {
  check_sizes();
  for (const Index id : ids) {
    check(id >= 0 && id < symbols, "bigram language: ", id, " is no symbol, only 0 to ", symbols - 1);
  }
  Matrix counts(symbols, symbols);
  std::vector<double> seen(static_cast<std::size_t>(symbols)), losses;
  for (std::size_t t = 1; t < ids.size(); ++t) {
    double& n_ij = counts(ids[t - 1], ids[t]);
    double& n_i = seen[static_cast<std::size_t>(ids[t - 1])];
    losses.push_back(
        -logarithm((n_ij + concentration) / (n_i + static_cast<double>(symbols) * concentration)));
    n_ij += 1;
    n_i += 1;
  }
  return losses;
}

}  // namespace mesagrad
