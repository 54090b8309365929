// What lesson 10 measures, apart from losses.
#pragma once
#include <algorithm>
#include <functional>
#include <vector>

#include "tasks/in_context.h"
#include "tasks/probes.h"
#include "tasks/token_binding.h"
#include "tutorials/10_systems_that_hide/recipes.h"

namespace mesagrad {

// Least squares with a ridge and features, done exactly or nearly.
using Method = std::function<Predictor(const InContext&)>;

inline Method six_iterations(PublishedFor inputs) {
  const ChebyshevCoefficients c = published_coefficients(6, inputs);
  return [c](const InContext& options) { return predict_with(chebyshev(c.alpha, c.beta), options); };
}

// States (n, d) with a 1 behind each, for which regression finds a constant.
inline Matrix with_constant(const Matrix& states) {
  Matrix x(states.rows(), states.columns() + 1, 1);
  for (Index t = 0; t < x.rows(); ++t) std::copy_n(states.row(t), states.columns(), x.row(t));
  return x;
}

// A control: the same prediction of a sequence's states, but from the states of another sequence, which know
// nothing of them.
inline LossCurve from_strangers(const PartiallyObserved& task, std::uint64_t seed, Index sequences,
                                const Method& method, InContext options) {
  return loss_curve(sequences, task.tokens, [&](Index first, Index count, double* out) {
    for (Index i = first; i < first + count; ++i) {
      const auto number = static_cast<std::uint64_t>(i);
      const Matrix strangers = task.sample(Random(seed, stream::analysis_data, number)).states;
      InContext one = options;
      one.features = [&](const Matrix&) { return strangers; };
      const Matrix states = task.sample(Random(seed, stream::test_data, number)).states;
      out = losses_of_prediction(method(one), states, {}, out);
    }
  });
}

// The first layer of a model: S(T-1), ..., S(T-1-5), and the mean over all older tokens.
template <Dynamics T>
std::vector<double> how_far_back(const T& task, const Transformer& model, std::uint64_t seed) {
  const Transformer fixed = snapshot(model);  // whose weights want no gradient
  const auto first_layer = [&](const Tensor& x) { return fixed.after_block(0, matmul(x, fixed.embedding)); };
  const Tensor states = task.batch(seed, stream::analysis_data, 10000, 64).inputs;
  return by_steps_back(sensitivity(first_layer, states, task.tokens - 1), task.tokens - 1, 5);
}

// What measure(model) tells of each snapshot of a training run: a line for each of the numbers it returns.
inline std::vector<std::vector<double>> in_training(
    const lesson::Lesson& L, const lesson::Trained<Transformer>& run,
    const std::function<std::vector<double>(const Transformer&)>& measure) {
  std::vector<std::vector<double>> lines;
  for (const Transformer& moment : run.snapshots) {
    L.check_interrupted();
    const std::vector<double> now = measure(moment);
    lines.resize(now.size());
    for (std::size_t i = 0; i < now.size(); ++i) lines[i].push_back(now[i]);
  }
  return lines;
}

// What the best linear map from the first layer's last token misses of s_{T-1}, ..., s_{T-8}, as shares of
// their variance.
inline std::vector<double> missed_by_steps_back(const PartiallyObserved& task, const Transformer& model,
                                                std::uint64_t seed, Index sequences) {
  const Tensor states = task.inputs_of(sample_states(task, seed, stream::analysis_data, 20000, sequences));
  const std::vector<double> errors = token_probe(model.residual_streams(states)[1], states, task.tokens - 1);
  std::vector<double> missed(errors.rbegin(), errors.rbegin() + 8);
  for (double& error : missed) error /= task.scale * task.scale * static_cast<double>(task.hidden) / 3;
  return missed;
}

// R² of the raw features f(s_t) in the last token of the stream, before the first layer and after each, as
// variance_explained finds it.
inline std::vector<double> features_explained(const NonlinearDynamics& task, const Transformer& model,
                                              const Tensor& states, double smallest) {
  const Tensor inputs = task.inputs_of(states);
  const Features f = [&](const Matrix& s) { return task.network.raw_features(s); };
  return variance_explained(model.residual_streams(inputs), features_of(inputs, f), task.tokens - 1,
                            smallest);
}

// The model, with queries and keys as long as they come.
inline Transformer without_unit_keys(const Transformer& model) {
  Transformer changed = snapshot(model);
  for (Transformer::Block& block : changed.blocks) block.attention.unit_keys = false;
  return changed;
}

}  // namespace mesagrad
