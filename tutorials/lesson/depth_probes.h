// Lesson 5's question, asked of any model: what can be read off the tokens, layer after layer?
#pragma once
#include <algorithm>

#include "tasks/probes.h"
#include "tasks/proposition_2.h"
#include "tutorials/lesson/lesson.h"

namespace mesagrad::lesson {

// Losses (layers + 1, T) of linear probes, of the model's input and after each of its layers. Figure 5.
struct DepthProbes {
  Matrix next;            // s_{t+1}
  Matrix preconditioned;  // A_t⁻¹ s_t, by Proposition 2's six iterations
  Matrix control;         // (1, T): s_{t+1} from A_t⁻¹ s_t alone, without the model

  // As parts of what the input leaves.
  double next_left(Index layer, Index t) const { return next(layer, t) / next(0, t); }
  double preconditioned_left(Index layer, Index t) const {
    return preconditioned(layer, t) / preconditioned(0, t);
  }
};

// With features, x_t takes the place of s_t in A_t⁻¹ s_t.
template <Dynamics T, class Model>
DepthProbes probe_by_depth(const T& task, const Model& model, std::uint64_t seed, Index sequences,
                           const InContext& plan = {}, PublishedFor inputs = PublishedFor::states) {
  const Tensor states = sample_states(task, seed, stream::analysis_data, 0, sequences);
  const std::vector<Tensor> streams = model.residual_streams(task.inputs_of(states));
  const ChebyshevCoefficients c = published_coefficients(6, inputs);
  const Tensor seen = plan.features ? features_of(states, plan.features) : states;
  const Tensor preconditioned = preconditioned_states(seen, chebyshev(c.alpha, c.beta), plan.ridge);
  const Matrix usual = without_outliers(preconditioned);
  return {linear_probe(streams, next_states(states)), linear_probe(streams, preconditioned, usual),
          linear_probe({preconditioned}, next_states(states), usual)};
}

// Draws them at the positions 9, 19 and the last one, and says what they are.
inline void show_probes(Lesson& L, const DepthProbes& probes, LinePlot plot,
                        const Place& place = Place::here()) {
  const Index layers = probes.next.rows() - 1;
  const Index positions[] = {9, 19, probes.next.columns() - 1};
  std::vector<double> depth;
  for (Index l = 0; l <= layers; ++l) depth.push_back(static_cast<double>(l));
  plot.x = "layer";
  plot.y = "loss of the probe, input = 1";
  plot.log_y = true;
  for (const bool next : {true, false}) {
    plot.panel(next ? "next state" : "preconditioned state");
    for (const Index t : positions) {
      std::vector<double> left;
      for (Index l = 0; l <= layers; ++l) {
        left.push_back(next ? probes.next_left(l, t) : probes.preconditioned_left(l, t));
      }
      plot.line(text("t = ", t), depth, left, {.points = true});
    }
  }
  L.show(plot, place);
  for (const Index t : positions) {
    Index best = 0;  // the layer after which the preconditioned state is easiest to read
    for (Index l = 1; l <= layers; ++l) {
      if (probes.preconditioned(l, t) < probes.preconditioned(best, t)) best = l;
    }
    L.say(text("t = ", t, ": ", layers, " layers bring the next state's loss from 1 to ",
               short_number(probes.next_left(layers, t), 2),
               "; the preconditioned state's is lowest after layer ", best, ", at ",
               short_number(probes.preconditioned_left(best, t), 2), ", and ends at ",
               short_number(probes.preconditioned_left(layers, t), 2), "."),
          place);
  }
}

// The authors' losses at a position: before the first layer, and after each. Empty if there are none.
struct AuthorsProbes {
  Index t;
  std::vector<double> next, preconditioned;
};

// Rows of the page's last table at paper scale, where the models are the authors', probed as they did: over 256
// sequences, in the mean over five draws of them. (With 40 channels, losses become up to 16 % lower by that.)
template <Dynamics T, class Model>
void compare_probes(Lesson& L, const T& task, const Model& model, const std::vector<AuthorsProbes>& theirs,
                    const Reproduces& row, const std::string& name = "") {
  if (L.scale() != Scale::paper) return;
  std::vector<DepthProbes> draws;
  for (std::uint64_t k = 1; k <= 5; ++k) {  // far from those of the next SEED
    draws.push_back(probe_by_depth(task, model, L.seed() + 1000 * k, 256));
  }
  for (const auto& [t, next, preconditioned] : theirs) {
    for (const bool is_next : {true, false}) {
      const std::vector<double>& losses = is_next ? next : preconditioned;
      for (std::size_t l = 1; l < losses.size(); ++l) {
        double input = 0, left = 0;
        for (const DepthProbes& draw : draws) {
          const Matrix& ours = is_next ? draw.next : draw.preconditioned;
          input += ours(0, t);
          left += ours(static_cast<Index>(l), t);
        }
        L.compare(text(name, is_next ? "next" : "preconditioned", " state, probe after layer ", l,
                       " at t = ", t, ", input = 1"),
                  left / input, losses[l] / losses[0], row);
      }
    }
  }
}

}  // namespace mesagrad::lesson
