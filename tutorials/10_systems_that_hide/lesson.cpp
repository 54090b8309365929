// Systems that hide: when the last state does not tell the next one, or tells it in no linear way.
//
// So far two things made life easy. A token of ten numbers was all there was to know of a system at that
// moment, and what came next was a matrix times these numbers. Take one of them away at a time.
//
// # Systems of which we see a part
//
// Let a state h of n numbers move as before, h_{t+1} = W h_t with an orthogonal W, but let nobody see it. What
// is seen is an observation of d < n numbers,
//
//     s_t = C h_t + noise,      C of shape (d, n), another one for each sequence, as is W.
//
// Ten photographs of a pendulum's shadow are such observations: a shadow says where the pendulum is, not how
// fast it moves, and so a single one does not say where the next will be. Two of them do. In general d numbers
// cannot fix n > d. But k observations in a row are k·d numbers, and each is a linear function of the same
// h_t, as h_{t-1} = W⁻¹h_t and so on:
//
//     z_t = [s_t, s_{t-1}, ..., s_{t-k+1}] = M h_t,      M with the rows of C, CW⁻¹, CW⁻², ...
//
// As soon as k·d >= n, the matrix M (for nearly every C and W) has n independent rows. Then h_t is a linear
// function of z_t, and so is what comes next, s_{t+1} = C W h_t. The problem is linear again, in stacked
// observations. So a model that is to predict by least squares should first bring together k tokens, not two
// as in lesson 7. Nobody tells it k.
//
// # Systems that are not linear
//
// In the second half everything can be seen, but the next state is
//
//     s_{t+1} = W f(s_t)/‖f(s_t)‖ + noise,      f(s) = gelu(s A) B,
//
// with f a small network, the same in all sequences, and an orthogonal W for each. (gelu is a smooth step from
// 0 to x: x times the probability that a normal number is below x.) Who knows f has a linear problem, with the
// features f(s_t)/‖f(s_t)‖ in place of the states. The features are the same for all sequences, so a model can
// learn them in training, once and for all; W is another one each time, and has to be found on the spot. If a
// Transformer divides its labour like that, it computes features with its MLPs and least squares with its
// attention. And we can look whether the features are there.
#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "tutorials/07_token_binding/paper.h"
#include "tutorials/10_systems_that_hide/measure.h"
#include "tutorials/lesson/depth_probes.h"

using namespace mesagrad;

namespace {

std::string loss_text(double x) { return lesson::fixed_number(x, 4); }

struct Followed {
  Candidate candidate;
  lesson::Trained<Transformer> run;
  LossCurve curve;
};

template <Dynamics T>
std::vector<Followed> train_all(lesson::Lesson& L, const std::string& systems, const T& task, Index sequences) {
  std::vector<Followed> models;
  for (const Candidate& one : candidates_for(L, task)) {
    const lesson::Recipe<Transformer> recipe = lesson::transformer_recipe(L, one.model, one.schedule);
    L.setting(text("updates, ", systems, " ", one.name), recipe.updates);
    models.push_back({one, lesson::train(L, text(systems, " ", one.name), task, recipe, L.seed()), {}});
    models.back().curve = loss_curve(task, L.seed(), stream::test_data, sequences, models.back().run.model);
  }
  return models;
}

void lesson_body(lesson::Lesson& L) {
  const bool paper = L.scale() == lesson::Scale::paper;
  const Index sequences = L.scaled<Index>({.smoke = 64, .lesson = 2560, .paper = 2560});
  L.setting("test sequences", sequences);

  // -------------------------------------------------------------------------------------------
  L.step("How many observations tell the next?");
  //
  // First the yardstick, without any model: least squares (lesson 1) on k stacked observations, with zeros in
  // the place of those before s_0. Two things pull. With small k a part of h_t stays hidden, and no number of
  // pairs makes up for it: the loss should stop falling early. With large k there is more to learn, k·d numbers
  // for each number predicted, and it takes more pairs. By counting, k = n/d should do; but the noise of the
  // observations is a reason for more. The ridge is 1 here, not the .001 of earlier lessons; the next step
  // says why.
  const PartiallyObserved task = hiding_systems(L);
  const Index enough = task.hidden / task.dimension;
  L.setting("hidden", task.hidden);
  L.setting("observed", task.dimension);
  std::vector<LossCurve> stacks;
  lesson::LinePlot plot = lesson::by_position(
      {.name = "stacked",
       .title = text("Least squares on stacked observations: ", task.dimension, " of ", task.hidden, " numbers"),
       .caption = "Compare where the curves level off, and which is lowest early on.",
       .log_y = true});
  for (Index k = 1; k <= enough + 1; ++k) {
    L.check_interrupted();
    const Predictor predictor = least_squares_predictor({.ridge = paper ? 3.0 : 1.0, .features = stacked(k)});
    stacks.push_back(loss_curve(task, L.seed(), stream::test_data, sequences, predictor));
    plot.curve(text("k = ", k), stacks.back());
  }
  L.show(plot);
  const double energy = task.scale * task.scale * static_cast<double>(task.hidden) / 3;  // variance of a number
  const double zero = static_cast<double>(task.dimension) * energy / 2;
  const auto k_numbers = [&](const auto& number) {
    std::string all;
    for (std::size_t k = 1; k <= stacks.size(); ++k) {
      all += text(k == 1 ? "" : k < stacks.size() ? ", " : " and ", number(stacks[k - 1]));
    }
    return all;
  };
  L.say(text("In the mean over positions, least squares on 1 to ", stacks.size(), " observations loses ",
             k_numbers([](const LossCurve& c) { return loss_text(c.total()); }), "; at the last position ",
             k_numbers([](const LossCurve& c) { return loss_text(c.mean.back()); }), ". Saying 0 costs ",
             loss_text(zero), "."));

  // -------------------------------------------------------------------------------------------
  L.step("Where does the bump come from?");
  //
  // The authors compare their models with Proposition 2 (lesson 5): six iterations towards least squares, here
  // on single observations, and on sixteen stacked. Their curves have a bump. At t = 4, having seen four
  // observations, these algorithms lose half as much again as by saying 0, which is what they do at t = 0! Both
  // curves need no training, so take the authors' systems (n = 15, d = 5) at every scale, and find out.
  //
  // Consider least squares with a tiny ridge. Until there are as many pairs as dimensions it can pass through
  // all pairs without an error, and it does. That is right if what a pair says is true, as in lesson 1. Here
  // two thirds of what comes next are decided by what is hidden, and for a fit that does not see it this is
  // noise; but the fit takes it at its word. An answer made of noise is as large as the truth, and independent
  // of it: a loss that saying 0 pays once is paid twice. And when pairs are about as many as dimensions, some
  // direction was seen only a little; there the fit divides by nearly nothing. This is known far beyond this
  // task: the error of a fit peaks where the data just suffice to determine it.
  //
  // If that is the story, four things should come out. Exact least squares on single observations should have
  // its peak where pairs are as many as dimensions: d = 5 pairs, at t = 6 (the authors' code leaves the newest
  // pair out). Six iterations, which don't get far in directions in which little was seen, should have a lower
  // one. A larger ridge, which says that a fit of large numbers needs much evidence, should take it away: a
  // single pair should not convince, so it should be about as large as ‖s‖², 6 here. And if inputs are swapped
  // for those of a stranger, another sequence, which know nothing at all, there should be a bump, and when
  // nothing is hidden (n = d) none.
  const PartiallyObserved big;
  const Index most = L.scaled<Index>({.smoke = 32, .lesson = 2560, .paper = 2560});
  const auto classical = [&](const PartiallyObserved& systems, Index count, const Predictor& predictor) {
    L.check_interrupted();
    return loss_curve(systems, L.seed(), stream::test_data, count, predictor);
  };
  const Method six = six_iterations(PublishedFor::stacked);
  const auto plan = [](double ridge, Index k) {
    return InContext{.ridge = ridge, .newest_pair = false, .features = stacked(k)};
  };
  std::vector<std::vector<LossCurve>> bumps;  // [exact, six iterations, sixteen stacked][ridge]
  const std::vector<double> ridges = {0.001, 0.1, 3};
  lesson::LinePlot bump = lesson::by_position(
      {.name = "bump",
       .title = "Loss on systems of 15 numbers of which 5 are observed",
       .caption = "Three ways to do least squares with three ridges, and controls with the ridge 0.001. Look at "
                  "positions 2 to 8. Dashed: the authors' curves, whose ridge is 0.001.",
       .log_y = true});
  for (const auto& [title, method, k] :
       {std::tuple<const char*, Method, Index>{"exact, single observations", least_squares_predictor, 1},
        {"six iterations, single observations", six, 1}, {"six iterations, sixteen stacked", six, 16}}) {
    bump.panel(title);
    bumps.emplace_back();
    for (const double ridge : ridges) {
      bumps.back().push_back(classical(big, k == 16 ? most / 4 : most, method(plan(ridge, k))));
      bump.curve(text("ridge ", ridge), bumps.back().back());
    }
    const auto& authors = k == 1 ? paper::partial_proposition_2 : paper::partial_proposition_2_stacked;
    if (bumps.size() > 1) bump.line("authors", bumps[1][0].t, authors, {.given = true, .like = "ridge 0.001"});
  }
  bump.panel("six iterations, controls");
  const LossCurve strangers = from_strangers(big, L.seed(), most, six, {.newest_pair = false});
  const LossCurve all_seen = classical({.hidden = 5}, most, six(plan(0.001, 1)));
  bump.curve("inputs of a stranger", strangers);
  bump.curve("nothing hidden", all_seen);
  L.show(bump);
  const auto above_start = [](const LossCurve& c) { return std::ranges::max(c.mean) / c.mean[0]; };
  const auto highest = [](const LossCurve& c) { return std::ranges::max_element(c.mean) - c.mean.begin(); };
  L.say(text("Exact least squares with the ridge .001 is worst at t = ", highest(bumps[0][0]), ", where it loses ",
             lesson::short_number(above_start(bumps[0][0]), 3), " times what it does at t = 0; with ridge .1 ",
             lesson::short_number(above_start(bumps[0][1]), 3), " times, with ridge 3 ",
             lesson::short_number(above_start(bumps[0][2]), 3), " times. Six iterations: ",
             lesson::short_number(above_start(bumps[1][0]), 3), ", ",
             lesson::short_number(above_start(bumps[1][1]), 3), " and ",
             lesson::short_number(above_start(bumps[1][2]), 3), " times. With inputs of a stranger: ",
             lesson::short_number(above_start(strangers), 3), ", when nothing is hidden: ",
             lesson::short_number(above_start(all_seen), 3), "."));

  // Sixteen stacked observations have eighty dimensions, which fifty pairs never fill. There the peak proper is
  // out of reach. What is left at t = 3 is the first part of the story: few pairs, taken at their word. So the
  // authors' yardstick is not the best that least squares can do, and a model that stays below the bump has
  // found a ridge, nothing more. With the ridge 3 a yardstick is fair.
  for (const std::size_t t : {3u, 4u, 9u, 19u, 49u}) {
    L.compare(text("Proposition 2, single observations, t = ", t), bumps[1][0].mean[t],
              paper::partial_proposition_2[t]);
    L.compare(text("Proposition 2, sixteen stacked, t = ", t), bumps[2][0].mean[t],
              paper::partial_proposition_2_stacked[t]);
  }
  const double single_mean = bumps[1][0].total(), stacked_mean = bumps[2][0].total();
  L.compare("Proposition 2, single observations, mean", single_mean, lesson::mean(paper::partial_proposition_2));
  L.compare("Proposition 2, sixteen stacked, mean", stacked_mean,
            lesson::mean(paper::partial_proposition_2_stacked));

  // The other classical curves, of the second half. We come back to them.
  const NonlinearDynamics curved = nonlinear_systems(L);
  const Features features = [&](const Matrix& s) { return curved.network.unit_features(s); };
  const auto on_curved = [&](const Predictor& predictor) {
    return loss_curve(curved, L.seed(), stream::test_data, sequences, predictor);
  };
  const Method iterations = six_iterations(PublishedFor::features);
  const LossCurve on_states = on_curved(least_squares_predictor({.ridge = 0.3})),
                  on_features = on_curved(least_squares_predictor({.features = features})),
                  plan_on_states = on_curved(iterations({.newest_pair = false})),
                  plan_on_features = on_curved(iterations({.newest_pair = false, .features = features}));

  // -------------------------------------------------------------------------------------------
  L.step("Models of systems that hide");
  //
  // Now train two: layers of softmax attention alone, and the hybrid of one and a mesa-layer (lesson 8). They
  // see single observations. Where will they come to lie among the curves of k = 1, 2, ...? A model whose first
  // layer only binds neighbours, as in lesson 7, has two observations in a token at most, and its mesa-layer
  // can't do better than k = 2 allows or, with pairs of such tokens, k = 3. Softmax layers can bind again, layer
  // after layer.
  const std::vector<Followed> models = train_all(L, "hiding", task, sequences);
  lesson::LinePlot trained = lesson::by_position(
      {.name = "hiding-models",
       .title = "Trained models, and least squares on stacked observations",
       .caption = "Between which dashed lines do the models lie, and is it the same at all positions?",
       .log_y = true});
  for (const Followed& model : models) trained.curve(model.candidate.name, model.curve);
  for (std::size_t k = 1; k <= stacks.size(); ++k) {
    trained.curve(text("k = ", k), stacks[k - 1], {.dashed = true, .thin = true});
  }
  L.show(trained);
  const auto count_above = [](const std::vector<LossCurve>& curves, double loss) {
    return std::ranges::count_if(curves, [&](const LossCurve& c) { return loss < c.total(); });
  };
  for (const Followed& model : models) {
    L.say(text(model.candidate.name, ", after ", model.run.tested_at.back(), " updates: a mean loss of ",
               loss_text(model.curve.total()), ", which is below ", count_above(stacks, model.curve.total()), " of the ",
               stacks.size(), " curves of least squares; at the last position ", loss_text(model.curve.mean.back()),
               "."));
  }

  // -------------------------------------------------------------------------------------------
  L.step("How far back does the first layer look?");
  //
  // Lesson 7's instruments. Sensitivity: how strongly does the last token after the first layer depend on each
  // observation? In lesson 7 the state one step back rose from the ground, and those behind it hardly did. Here
  // we expect more lines to rise, as many as k says, and later than the first.
  lesson::LinePlot far = lesson::by_updates(
      {.name = "sensitivity",
       .title = "How strongly the first layer's last token depends on each observation",
       .caption = "The mean length of the token's gradient by an observation, in training. Which lines leave the "
                  "ground, and in which order? The lowest line is the mean of all that are older than five steps."});
  std::vector<std::vector<std::vector<double>>> sensitivities;  // [model][test][steps back]
  for (const Followed& model : models) {
    sensitivities.emplace_back();
    for (const Transformer& moment : model.run.snapshots) {
      L.check_interrupted();
      sensitivities.back().push_back(how_far_back(task, moment, L.seed()));
    }
    far.panel(model.candidate.name);
    for (const std::size_t steps : {0u, 1u, 2u, 3u, 4u, 6u}) {
      std::vector<double> line;
      for (const auto& moment : sensitivities.back()) line.push_back(moment[steps]);
      far.line(steps == 6 ? "older" : text(steps, " back"), model.run.tested_at, line);
    }
  }
  L.show(far);

  // The same at the end, beside the authors' models here and in lesson 7, where everything could be seen. How
  // long the stream's vectors are is up to a model: compare slopes with the first column, which is set to 1.
  lesson::Table table{.title = "Sensitivity of the last token after the first layer",
                      .caption = "To the observation so many steps back, that to the last one = 1. The authors' "
                                 "after 3000 updates.",
                      .columns = {"", "itself", "1 back", "2", "3", "4", "5"}};
  const auto add = [&](const std::string& name, const auto& slopes) {
    std::vector<std::string> row = {name};
    for (std::size_t i = 0; i < 6; ++i) row.push_back(lesson::fixed_number(slopes[i] / slopes[0], 3));
    table.row(row);
  };
  add("all seen, authors' softmax", paper::tf_7_sensitivity);
  add("all seen, authors' hybrid", paper::hybrid_sensitivity);
  add("hiding, authors' softmax", paper::partial_tf_7_sensitivity);
  add("hiding, authors' hybrid", paper::partial_hybrid_sensitivity);
  for (std::size_t m = 0; m < models.size(); ++m) add("hiding, our " + models[m].candidate.name, sensitivities[m].back());
  L.show(table);

  // And what does that token know? The best linear map from it to each observation misses a share of the
  // observation's variance. Where it is near 0, the observation stands in the token. Count those in a row: if
  // the first layer collects for least squares, there should be enough for k·d >= n.
  lesson::LinePlot known{.name = "known",
                         .title = "What can be computed from the last token after the first layer",
                         .x = "steps back",
                         .y = "share missed",
                         .caption = "Share of an observation's variance that the best linear map from the token "
                                    "misses: 1 is all of it. Dashed: the authors' models, for 15 numbers of which "
                                    "5 are seen. Shares below 10⁻⁴ are drawn as 10⁻⁴.",
                         .log_y = true};
  const Index probed = L.scaled<Index>({.smoke = 128, .lesson = 2048, .paper = 4096});
  std::vector<std::size_t> in_a_row;
  for (const Followed& model : models) {
    std::vector<double> back, missed = missed_by_steps_back(task, model.run.model, L.seed(), probed, energy);
    in_a_row.push_back(0);
    while (in_a_row.back() < missed.size() && missed[in_a_row.back()] < 0.25) ++in_a_row.back();
    const bool softmax = model.candidate.name == "softmax";
    std::vector<double> authors = softmax ? paper::partial_tf_7_token_probe : paper::partial_hybrid_token_probe;
    std::ranges::reverse(authors);
    for (std::size_t i = 0; i < missed.size(); ++i) {
      back.push_back(static_cast<double>(i));
      authors[i] = std::max(authors[i] / 1.25, 1e-4);  // of C h, C (5, 15)
      missed[i] = std::max(missed[i], 1e-4);
    }
    known.line(model.candidate.name, back, missed, {.points = true});
    known.line("authors' " + model.candidate.name, back, authors, {.given = true, .like = model.candidate.name});
  }
  L.show(known);
  for (std::size_t m = 0; m < models.size(); ++m) {
    L.say(text("From the last token of the ", models[m].candidate.name, "'s first layer the last ", in_a_row[m],
               " observations can be computed but for a quarter of their variance: ",
               in_a_row[m] * static_cast<std::size_t>(task.dimension), " numbers, where the hidden state has ",
               task.hidden, "."));
  }

  // -------------------------------------------------------------------------------------------
  L.step("Systems that are not linear");
  //
  // The second half. The yardsticks first: least squares on the states, as if the system were linear, with the
  // ridge that suits it best (0.3; a smaller one has a bump, for the reason that we know now), and on the true
  // features. What lies between these two has to do with features.
  //
  // The model is the hybrid with an MLP in each layer. And its mesa-layer's queries and keys are brought to
  // length 1: as the states here have lengths near 1, only their directions matter.
  const std::vector<Followed> curved_models = train_all(L, "nonlinear", curved, sequences);
  const Followed& bent = curved_models.front();
  const LossCurve lengths = loss_curve(curved, L.seed(), stream::test_data, sequences,
                                       without_unit_keys(bent.run.model));
  lesson::LinePlot losses = lesson::by_position(
      {.name = "nonlinear",
       .title = "Loss on nonlinear systems",
       .caption = "Where do the models lie between least squares on states and on features? Dashed: Proposition "
                  "2, newest pair left out.",
       .log_y = true});
  for (const Followed& model : curved_models) losses.curve(model.candidate.name, model.curve);
  losses.curve("least squares on states", on_states);
  losses.curve("least squares on features", on_features);
  losses.curve("Proposition 2 on states", plan_on_states, {.dashed = true, .like = "least squares on states"});
  losses.curve("Proposition 2 on features", plan_on_features,
               {.dashed = true, .like = "least squares on features"});
  L.show(losses);
  for (const Followed& model : curved_models) {
    L.say(text(model.candidate.name, ", after ", model.run.tested_at.back(), " updates: a mean loss of ",
               loss_text(model.curve.total()), ", at the last position ", loss_text(model.curve.mean.back()),
               ". Least squares loses ", loss_text(on_states.total()), " on states, at last ",
               loss_text(on_states.mean.back()), ", and ", loss_text(on_features.total()), " on features, at last ",
               loss_text(on_features.mean.back()), "."));
  }

  // -------------------------------------------------------------------------------------------
  L.step("Are the features there?");
  //
  // A model of such a loss could have learned something else than f. So ask its stream: how much of the
  // variance of f(s_t), in the last token, does the best linear map explain (R², 1 is all)? From the state
  // itself some of it can be had, as f is partly linear. What the first layer's MLP adds should rise while the
  // loss falls. What would surprise us: a loss that falls far below that of least squares on states while R²
  // stays where it was.
  lesson::LinePlot r2 = lesson::by_updates(
      {.name = "features",
       .title = "Which share of the features' variance can be read off the stream",
       .caption = "R² of the best linear map from the last token to f of the last state, in training: before the "
                  "first layer, which is the state alone, and after each. Look how it moves while the loss falls "
                  "in the next figure."});
  r2.y = "R² of the features";
  const Tensor looked = sample_states(curved, L.seed(), stream::analysis_data, 0, probed);
  std::vector<std::vector<double>> explained;  // [layer][test]
  for (const Transformer& moment : bent.run.snapshots) {
    L.check_interrupted();
    const std::vector<double> now = features_explained(curved, moment, looked, 0.001);
    explained.resize(now.size());
    for (std::size_t l = 0; l < now.size(); ++l) explained[l].push_back(now[l]);
  }
  for (std::size_t l = 0; l < explained.size(); ++l) {
    r2.line(l == 0 ? "before the first layer" : text("after layer ", l), bent.run.tested_at, explained[l]);
  }
  L.show(r2);
  lesson::LinePlot falling = lesson::by_updates(
      {.name = "nonlinear-training",
       .title = "The loss on nonlinear systems while training",
       .caption = "Compare with the figure above. Dashed: least squares on states.",
       .log_y = true});
  for (const Followed& model : curved_models) {
    falling.line(model.candidate.name, model.run.tested_at, model.run.test_loss, {.points = true});
  }
  falling.line("least squares on states", bent.run.tested_at,
               std::vector<double>(bent.run.tested_at.size(), on_states.total()), {.dashed = true});
  L.show(falling);
  L.say(text("From the state alone a linear map explains ", lesson::fixed_number(explained[0].back(), 3),
             " of the features' variance. After the first layer it is ",
             lesson::fixed_number(explained[1].front(), 3), " before training and ",
             lesson::fixed_number(explained[1].back(), 3), " at the end; after the second ",
             lesson::fixed_number(explained[2].back(), 3), "."));

  // Then the layer above should run least squares on them. Lesson 8's probes, with features: the next state,
  // and the preconditioned features A_t⁻¹x_t, with A_t = Σ x_i x_iᵀ of the features x. Layer 1 should make
  // neither much easier to read than features do, and the mesa-layer the next state. The preconditioned
  // features have no place to appear in a model of two layers, as the mesa-layer applies their product with
  // everything else in one go: if the right side falls a little after layer 1, it is because there are features.
  const lesson::DepthProbes probes = lesson::probe_by_depth(curved, bent.run.model, L.seed(), probed / 2,
                                                            {.features = features}, PublishedFor::features);
  lesson::show_probes(L, probes, {.name = "probes",
                                  .title = "What can be read off the hybrid's stream",
                                  .caption = "Losses of linear probes for the next state, and for the preconditioned "
                                             "features. After which layer does each fall?"});

  // -------------------------------------------------------------------------------------------
  L.step("Without the unit length");
  //
  // How much does the trained model rely on queries and keys of length 1? Take the same weights, and leave the
  // lengths as they come. A mesa-layer does not mind if all keys become twice as long. But if each has another
  // length, the long ones count more in the sums, and a ridge that fitted fits no more.
  lesson::Table unit{.title = "The trained hybrid, with and without queries and keys of length 1",
                     .caption = "Mean loss, and loss at the last position.",
                     .columns = {"", "mean", "last position"}};
  unit.row({"as trained", loss_text(bent.curve.total()), loss_text(bent.curve.mean.back())});
  unit.row({"lengths as they come", loss_text(lengths.total()), loss_text(lengths.mean.back())});
  unit.row({"least squares on states", loss_text(on_states.total()), loss_text(on_states.mean.back())});
  L.show(unit);
  const double worse = lengths.total() / bent.curve.total(), worse_at_last = lengths.mean.back() / bent.curve.mean.back();
  L.say(text("Without the unit length the loss is ", lesson::fixed_number(worse, 2), " times as large in the mean, ",
             lesson::fixed_number(worse_at_last, 2), " times at the last position."));

  // -------------------------------------------------------------------------------------------
  L.step("What could have gone wrong");
  //
  // The bump could have been the iterations' fault, or stayed with a larger ridge. The first layer could have
  // looked one step back, as ever, and left the rest to the layers above, or spread over all the past. The MLP
  // could have done nothing, and the loss could have stayed above that of least squares on states.
  L.found(text("Systems that hide: ", loss_text(models[0].curve.total()), " for softmax, ",
               loss_text(models[1].curve.total()), " for the hybrid, ", loss_text(stacks[0].total()),
               " for least squares on single observations. Nonlinear systems: ", loss_text(bent.curve.total()),
               " for the hybrid, ", loss_text(on_states.total()), " for least squares on states."));
  L.claim_below("least squares on 4 observations, compared with 1, last position",
                stacks.back().mean.back() / stacks[0].mean.back(), 0.15);
  L.claim("exact least squares, ridge .001: its worst position", static_cast<double>(highest(bumps[0][0])), {6, 0});
  L.claim_above("six iterations, ridge .001: the bump, t = 0 being 1", above_start(bumps[1][0]), 1.3);
  L.claim_below("exact, ridge 3: the bump", above_start(bumps[0][2]), 1.15);
  L.claim_above("six iterations, inputs of a stranger: the bump", above_start(strangers), 1.7);
  L.claim_below("six iterations, nothing hidden: the bump", above_start(all_seen), 1.1);
  const double close = paper ? 0.02 : 0.06;
  L.claim("Proposition 2, single observations, authors = 1",
          single_mean / lesson::mean(paper::partial_proposition_2), {1, close});
  L.claim("Proposition 2, sixteen stacked, authors = 1",
          stacked_mean / lesson::mean(paper::partial_proposition_2_stacked), {1, close});
  for (std::size_t m = 0; m < models.size(); ++m) {
    const std::string& name = models[m].candidate.name;
    const std::vector<double>& back = sensitivities[m].back();
    L.claim_below(text(name, ": loss"), models[m].curve.total(), m == 0 ? 0.2 : 0.24);
    L.claim_below(text(name, ": loss, least squares on single observations = 1"),
                  models[m].curve.total() / stacks[0].total(), 0.8);
    L.claim_above(text(name, ": slope to 2 back, 1 back = 1"), back[2] / back[1], 0.3);
    L.claim_above(text(name, ": slope to 2 back, older ones = 1"), back[2] / back[6], 5);
    L.claim_above(text(name, ": numbers known in a row, hidden ones = 1"),
                  static_cast<double>(in_a_row[m]) * static_cast<double>(task.dimension) /
                      static_cast<double>(task.hidden), 0.99);
  }
  L.claim_below("nonlinear: loss, least squares on states = 1", bent.curve.total() / on_states.total(), 0.8);
  L.claim_below("nonlinear: the same at the last position", bent.curve.mean.back() / on_states.mean.back(), 0.8);
  L.claim_above("nonlinear: loss, least squares on features = 1", bent.curve.total() / on_features.total(), 1);
  L.claim_below("R² of the features after layer 1, before training", explained[1].front(), 0.8);
  L.claim_above("R² after layer 1 at the end", explained[1].back(), 0.8);
  L.claim_below("next state, probe after layer 2 at the last position, input = 1",
                probes.next_left(2, curved.tokens - 1), 0.2);
  L.claim_below("preconditioned features, probe after layer 1 at t = 19, input = 1",
                probes.preconditioned_left(1, 19), 0.9);
  L.claim_above("without unit keys: loss, as trained = 1", worse, 1.3);
}

}  // namespace

int main(int argc, char** argv) {
  return lesson::run({.number = 10, .title = "Systems that hide",
                      .question = "What does a Transformer do when the last state does not tell the next one?",
                      .source = __FILE__},
                     argc, argv, lesson_body);
}
