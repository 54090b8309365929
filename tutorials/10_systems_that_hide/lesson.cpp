// Systems that hide: when the last state does not tell the next one, or tells it in no linear way.
//
// So far two things made life easy. The numbers that a model saw were all there was to know of a system at
// that moment, and what came next was a matrix times these numbers. Take away one of them, then the other.
//
// # Systems of which we see a part
//
// Let a state h of n numbers move as before, h_{t+1} = W h_t with an orthogonal W, but let nobody see it.
// What is seen is an observation of d < n numbers,
//
//     s_t = C h_t + noise,      C of shape (d, n), another one for each sequence, as is W.
//
// The shadow of a pendulum is such an observation: it says where the pendulum is, not how fast it moves, and
// so one shadow does not tell the next. Two of them do. In general d numbers cannot fix n > d. But k
// observations in a row are k·d numbers, and but for the noise each is a linear function of the same h_t, as
// h_{t-1} = W⁻¹h_t and so on:
//
//     z_t = [s_t, s_{t-1}, ..., s_{t-k+1}] = M h_t,      M with the rows of C, CW⁻¹, CW⁻², ...
//
// As soon as k·d >= n, the matrix M (for nearly every C and W) has n independent rows. Then h_t is a linear
// function of z_t, and so is what comes next, s_{t+1} = C W h_t. The problem is linear again, in stacked
// observations. An example for regression is z_{t-1} with the s_t that follows it, k + 1 observations. So a
// first layer that makes examples has to look k steps back, not one as in lesson 7. Nobody tells it k.
//
// # Systems that are not linear
//
// In the second half everything can be seen, but the next state is
//
//     s_{t+1} = W f(s_t)/‖f(s_t)‖ + noise,      f(s) = gelu(s A) B,
//
// with f a small network, the same in all sequences, and an orthogonal W for each. (The function gelu is a
// smooth max(0, x): x times the probability that a normal number is below x.) Who knows f has a linear
// problem, with the features f(s_t)/‖f(s_t)‖ in the place of states. The features are the same everywhere, so
// a model can learn them in training, once and for all; W is another one each time, and has to be found on
// the spot. A Transformer that divides its labour like that computes features with its MLPs (a small network
// of two matrices behind each attention, which works on every token by itself) and least squares with its
// attention. We can look whether the features are there.
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

void lesson_body(lesson::Lesson& L) {
  const bool paper = L.scale() == lesson::Scale::paper;
  const Index sequences = L.scaled<Index>({.smoke = 64, .lesson = 2560, .paper = 2560});
  L.setting("test sequences", sequences);

  // -------------------------------------------------------------------------------------------
  L.step("How many observations tell the next?");
  //
  // First the yardstick, without any model: least squares (lesson 1) on k stacked observations, with zeros in
  // the place of those before s_0. Two things pull. With a small k a part of h_t stays hidden, and no number
  // of pairs makes up for it: the loss should stop falling early. With a large k there is more to learn, k·d
  // numbers for each number predicted, which takes more pairs. By counting, k = n/d should do; but
  // observations have noise, which is a reason for more. The ridge is 1 here, not the .001 of earlier
  // lessons; the next step says why.
  const PartiallyObserved task = hiding_systems(L);
  L.setting("hidden", task.hidden);
  L.setting("observed", task.dimension);
  std::vector<LossCurve> stacks;  // of k = 1, 2, ...
  lesson::LinePlot plot = lesson::by_position(
      {.name = "stacked",
       .title = text("Least squares on k observations of ", task.dimension, " out of ", task.hidden,
                     " numbers"),
       .caption = "Compare where the curves level off, and which is lowest early on.",
       .log_y = true});
  for (Index k = 1; k <= task.hidden / task.dimension + 1; ++k) {
    L.check_interrupted();
    const Predictor predictor = least_squares_predictor({.ridge = paper ? 3.0 : 1.0, .features = stacked(k)});
    stacks.push_back(loss_curve(task, L.seed(), stream::test_data, sequences, predictor));
    plot.curve(text("k = ", k), stacks.back());
  }
  L.show(plot);
  for (std::size_t k = 1; k <= stacks.size(); ++k) {
    L.say(text("k = ", k, ": a mean loss of ", loss_text(stacks[k - 1].total()), ", and ",
               loss_text(stacks[k - 1].mean.back()), " at the last position."));
  }

  // -------------------------------------------------------------------------------------------
  L.step("Where does the bump come from?");
  //
  // The authors compare their models with Proposition 2 (lesson 5): six iterations towards least squares, on
  // single observations, and on sixteen stacked. Both their curves have a bump. At t = 4, having seen five
  // observations, the first loses half as much again as at t = 0, where it says 0! No training is needed to
  // find out, so let us take the authors' systems (n = 15, d = 5) at every scale.
  //
  // Consider least squares with a tiny ridge. As long as there are fewer pairs than dimensions it can pass
  // through all pairs without an error, and it does. That is right if what a pair says is true, as in lesson
  // 1. Here two thirds of what comes next are decided by what is hidden. For a fit that can't see this it is
  // noise, and the fit takes it at its word. An answer made of noise is as large as the truth and has nothing
  // to do with it, so the cost of saying 0 is paid twice. And when there are about as many pairs as
  // dimensions, some direction has been seen only a little; there the fit divides by nearly nothing. (This is
  // known far beyond our task: the error of a fit peaks where the data just suffice to determine it, and
  // falls again beyond. In deep learning it goes by the name of double descent.)
  //
  // If that is the story, five things should come out.
  //
  //   1. Exact least squares on single observations has its peak where pairs are as many as dimensions: d = 5
  //      pairs, at t = 6, as the authors' code leaves the newest pair out.
  //   2. Six iterations do not get far in directions that were seen only a little: their peak is lower.
  //   3. A larger ridge takes it away. It should be of the size of ‖s‖², about 6, so that one pair does not
  //      convince.
  //   4. If inputs are swapped for those of a stranger, another sequence, the bump is higher still.
  //   5. When nothing is hidden, n = d, there is none.
  const PartiallyObserved big;
  const Index most = L.scaled<Index>({.smoke = 32, .lesson = 2560, .paper = 16384});
  const auto classical = [&](const PartiallyObserved& systems, Index count, const Predictor& predictor) {
    L.check_interrupted();
    return loss_curve(systems, L.seed(), stream::test_data, count, predictor);
  };
  const Method six = six_iterations(PublishedFor::stacked);
  lesson::LinePlot bump{.name = "bump",
                        .title = "Least squares on systems of 15 numbers of which 5 are seen",
                        .x = "position t",
                        .y = "loss; saying 0 = 1",
                        .caption = "Three ways with three ridges, and two controls with the ridge 0.001. "
                                   "Above 4 it is cut off. Dashed: the authors', with the ridge 0.001.",
                        .y_low = 0,
                        .y_high = 4};
  const auto draw = [&](const std::string& label, std::vector<double> mean, const lesson::LineStyle& style) {
    std::vector<double> t;
    for (double& loss : mean) {
      loss /= big.scale * big.scale * 15 * 5 / 6;  // saying 0
      t.push_back(static_cast<double>(t.size()));
    }
    t.resize(31);
    mean.resize(31);
    bump.line(label, t, mean, style);
  };
  std::vector<std::vector<LossCurve>> ways;  // [exact, six iterations, sixteen stacked][ridge]
  for (const auto& [title, method, k] :
       {std::tuple<const char*, Method, Index>{"exact, single observations", least_squares_predictor, 1},
        {"six iterations, single observations", six, 1}, {"six iterations, sixteen stacked", six, 16}}) {
    bump.panel(title);
    ways.emplace_back();
    for (const double ridge : {0.001, 0.1, 3.0}) {
      const InContext plan{.ridge = ridge, .newest_pair = false, .features = stacked(k)};
      ways.back().push_back(classical(big, k == 1 ? most : most / 4, method(plan)));
      draw(text("ridge ", ridge), ways.back().back().mean, {});
    }
    if (ways.size() == 1) continue;
    draw("authors", k == 1 ? paper::partial_proposition_2 : paper::partial_proposition_2_stacked,
         {.given = true, .like = "ridge 0.001"});
  }
  bump.panel("six iterations, controls");
  const LossCurve strangers = from_strangers(big, L.seed(), most, six, {.newest_pair = false});
  const LossCurve all_seen = classical({.hidden = 5}, most, six({.newest_pair = false}));
  draw("inputs of a stranger", strangers.mean, {});
  std::vector<double> open = all_seen.mean;
  for (double& loss : open) loss *= 3;  // as saying 0 costs a third here
  draw("nothing hidden", open, {});
  L.show(bump);
  const auto peak = [](const LossCurve& c) { return std::ranges::max(c.mean) / c.mean[0]; };
  const auto three_peaks = [&](const std::vector<LossCurve>& way) {
    return text(lesson::short_number(peak(way[0]), 3), ", ", lesson::short_number(peak(way[1]), 3), " and ",
                lesson::short_number(peak(way[2]), 3));
  };
  const auto worst = std::ranges::max_element(ways[0][0].mean) - ways[0][0].mean.begin();
  L.say(text("The highest loss, that at t = 0 being 1, with the ridges .001, .1 and 3: exact least squares ",
             three_peaks(ways[0]), ", with the first at t = ", worst, "; six iterations ",
             three_peaks(ways[1]), "; on sixteen stacked ", three_peaks(ways[2]),
             ". With the ridge .001 and inputs of a stranger ", lesson::short_number(peak(strangers), 3),
             ", with nothing hidden ", lesson::short_number(peak(all_seen), 3), "."));

  // Sixteen stacked observations have eighty dimensions, which fifty pairs never fill: the peak proper is out
  // of reach. What is left at t = 3 is the first part of the story, few pairs taken at their word. So the
  // authors' yardstick is not the best that least squares can do early on, and a model that stays below the
  // bump need not know more than a ridge.
  const double single_mean = ways[1][0].total(), stacked_mean = ways[2][0].total();
  L.say(text("Proposition 2 with the ridge .001 has a mean loss of ", loss_text(single_mean),
             " on single observations and ", loss_text(stacked_mean),
             " on sixteen stacked; the authors report ",
             loss_text(lesson::mean(paper::partial_proposition_2)), " and ",
             loss_text(lesson::mean(paper::partial_proposition_2_stacked)), "."));
  L.compare_curve("Proposition 2, single observations", ways[1][0], paper::partial_proposition_2,
                  {.figure = "7B", .sequences = 5 * 512});
  L.compare_curve("Proposition 2, sixteen stacked", ways[2][0], paper::partial_proposition_2_stacked,
                  {.figure = "7B", .sequences = 5 * 512});

  // -------------------------------------------------------------------------------------------
  L.step("And for systems that are not linear?");
  //
  // Least squares on the states, as if the system were linear, should have a bump for the same reason: what a
  // line can't follow is noise to it. So it gets the ridge that suits it best, .3; and as gelu is positive
  // for most numbers, a constant beside the state, which features with a mean other than 0 call for. On the
  // true features least squares needs hardly any ridge. What lies between the two should have to do with
  // features. Proposition 2 with the authors' coefficients stands beside them, the newest pair left out.
  // (Even at paper scale this is not the authors' curve, because their random network is another one than
  // ours: on our network of their size Proposition 2 loses .052, on theirs .047.)
  const NonlinearDynamics curved = nonlinear_systems(L);
  const Features features = [&](const Matrix& s) { return curved.network.unit_features(s); };
  const auto on_curved = [&](const Predictor& predictor) {
    L.check_interrupted();
    return loss_curve(curved, L.seed(), stream::test_data, sequences, predictor);
  };
  const Method plan = six_iterations(PublishedFor::features);
  const LossCurve on_states = on_curved(least_squares_predictor({.ridge = 0.3, .features = with_constant})),
                  on_features = on_curved(least_squares_predictor({.features = features})),
                  plan_on_states = on_curved(plan({.newest_pair = false})),
                  plan_on_features = on_curved(plan({.newest_pair = false, .features = features}));
  lesson::Table yardsticks{.title = "Nonlinear systems: mean loss, and loss at the last position",
                           .caption = "Saying 0 costs a half.",
                           .columns = {"", "mean", "last"}};
  const auto add_yardstick = [&](const std::string& name, const LossCurve& curve) {
    yardsticks.row({name, loss_text(curve.total()), loss_text(curve.mean.back())});
  };
  add_yardstick("least squares on states", on_states);
  add_yardstick("least squares on features", on_features);
  add_yardstick("Proposition 2 on states", plan_on_states);
  add_yardstick("Proposition 2 on features", plan_on_features);
  L.show(yardsticks);

  // -------------------------------------------------------------------------------------------
  L.step("Models of systems that hide");
  //
  // Now train two: layers of softmax attention alone, and the hybrid of one and a mesa-layer (lesson 8). They
  // see single observations. The hybrid's mesa-layer has only what its first layer brought together. If a
  // token holds m observations, one of them is what is predicted and m - 1 are what it is predicted from: it
  // should lose what least squares on k = m - 1 loses. Softmax layers can bind again, layer after layer.
  const std::vector<Followed> models = train_all(L, "hiding", task, sequences);
  const Followed &softmax = models[0], &hybrid = models[1];
  lesson::LinePlot trained = lesson::by_position(
      {.name = "hiding-models",
       .title = "Trained models, and least squares on k observations",
       .caption = "Between which dashed lines do the models lie, and is it the same at all positions?",
       .log_y = true});
  for (const Followed& model : models) trained.curve(model.name(), model.curve);
  for (std::size_t k = 1; k <= stacks.size(); ++k) {
    trained.curve(text("k = ", k), stacks[k - 1], {.dashed = true, .thin = true});
  }
  L.show(trained);
  for (const Followed& model : models) {
    const auto above = std::ranges::count_if(
        stacks, [&](const LossCurve& c) { return model.curve.total() < c.total(); });
    L.say(text(model.name(), ", after ", model.run.tested_at.back(), " updates: a mean loss of ",
               loss_text(model.curve.total()), ", which is below ", above, " of the ", stacks.size(),
               " curves of least squares; at the last position ", loss_text(model.curve.mean.back()), "."));
  }

  // -------------------------------------------------------------------------------------------
  L.step("How far back does the first layer look?");
  //
  // Lesson 7's instruments. Sensitivity: how strongly does the last token, after the first layer, depend on
  // each observation? In lesson 7 the state one step back rose from the ground, and those behind it hardly
  // did. Here we expect more lines to rise, one after another: what is k good for before k - 1 is in use?
  lesson::LinePlot far = lesson::by_updates(
      {.name = "sensitivity",
       .title = "How strongly the first layer's last token depends on each observation",
       .caption = "The mean length of the token's gradient by an observation, in training. Which lines leave "
                  "the ground, and in which order? The last is the mean of all older than 5 back."});
  far.y = "sensitivity";
  std::vector<std::vector<double>> in_the_end;  // [model][steps back]
  for (const Followed& model : models) {
    const auto lines = in_training(L, model.run, [&](const Transformer& moment) {
      return how_far_back(task, moment, L.seed());
    });
    in_the_end.emplace_back();
    for (const std::vector<double>& line : lines) in_the_end.back().push_back(line.back());
    far.panel(model.name());
    for (const std::size_t i : {0u, 1u, 2u, 3u, 4u, 6u}) {
      far.line(i == 6 ? "older" : text(i, " back"), model.run.tested_at, lines[i]);
    }
  }
  L.show(far);

  // The same at the end, beside the authors' models, also those of lesson 7, where everything could be seen.
  // How long the stream's vectors are is up to a model: compare slopes with the first column, which is set to
  // 1.
  lesson::Table table{.title = "Sensitivity of the first layer's last token",
                      .caption = "To the observation so many steps back, that to the last one = 1. The "
                                 "authors' after 3000 updates.",
                      .columns = {"", "1 back", "2", "3", "4", "5"}};
  const auto add = [&](const std::string& name, const auto& slopes) {
    std::vector<std::string> row = {name};
    for (std::size_t i = 1; i < 6; ++i) row.push_back(lesson::fixed_number(slopes[i] / slopes[0], 3));
    table.row(row);
  };
  add("all seen, authors' softmax", paper::tf_7_sensitivity);
  add("all seen, authors' hybrid", paper::hybrid_sensitivity);
  add("hiding, authors' softmax", paper::partial_tf_7_sensitivity);
  add("hiding, authors' hybrid", paper::partial_hybrid_sensitivity);
  for (std::size_t m = 0; m < models.size(); ++m) add("hiding, our " + models[m].name(), in_the_end[m]);
  L.show(table);

  // And what does that token know? The best linear map from it to each observation misses a share of the
  // observation's variance. Where that is near 0, the observation stands in the token. Count those in a row.
  lesson::LinePlot known{.name = "known",
                         .title = "What can be computed from the first layer's last token",
                         .x = "steps back",
                         .y = "share missed",
                         .caption = "Share of an observation's variance that the best linear map from the "
                                    "token misses; 1 is all of it. Dashed: the authors' models, for 15 "
                                    "numbers of which 5 are seen. Shares below 10⁻⁴ are drawn as 10⁻⁴.",
                         .log_y = true};
  const Index probed = L.scaled<Index>({.smoke = 128, .lesson = 2048, .paper = 4096});
  std::vector<std::size_t> in_a_row;
  std::vector<std::vector<double>> all_missed;
  for (const Followed& model : models) {
    const std::vector<double> missed = missed_by_steps_back(task, model.run.model, L.seed(), probed);
    const auto end = std::ranges::find_if(missed, [](double share) { return share > 0.25; });
    in_a_row.push_back(static_cast<std::size_t>(end - missed.begin()));
    all_missed.push_back(missed);
    const std::vector<double> back = {0, 1, 2, 3, 4, 5, 6, 7};
    const auto drawn = [](std::vector<double> shares) {
      for (double& share : shares) share = std::max(share, 1e-4);
      return shares;
    };
    known.line(model.name(), back, drawn(missed), {.points = true});
    known.line(text("authors' ", model.name()), back, drawn(model.candidate.authors_missed),
               {.given = true, .like = model.name()});
  }
  L.show(known);
  const auto k_of = [&](std::size_t m) {  // one of them is what is predicted
    return std::clamp<std::size_t>(in_a_row[m], 2, stacks.size() + 1) - 1;
  };
  for (std::size_t m = 0; m < models.size(); ++m) {
    L.say(text(models[m].name(), ": counted from the last one, the token knows this many observations, each "
               "but for a quarter of its variance or less: ", in_a_row[m], ". Least squares on k = ", k_of(m),
               " loses ", loss_text(stacks[k_of(m) - 1].total()), ", the model ",
               loss_text(models[m].curve.total()), "."));
  }

  // -------------------------------------------------------------------------------------------
  L.step("Models of systems that are not linear");
  //
  // The model is the hybrid, with an MLP in each layer. Its mesa-layer's queries and keys are brought to
  // length 1, as the features are. How much does it rely on that? The figure has a fourth line: the same
  // trained weights, with lengths as they come. A mesa-layer does not mind if all keys become twice as long.
  // But if each key has another length, long ones count more in the sums, and a ridge that fitted fits no
  // more.
  const std::vector<Followed> curved_models = train_all(L, "nonlinear", curved, sequences);
  const Followed& bent = curved_models.front();
  const LossCurve lengths =
      loss_curve(curved, L.seed(), stream::test_data, sequences, without_unit_keys(bent.run.model));
  lesson::LinePlot losses = lesson::by_position(
      {.name = "nonlinear",
       .title = "Loss on nonlinear systems",
       .caption = "Where does the model lie between least squares on states and on features, early and late? "
                  "Dashed: the trained hybrid without the unit length.",
       .log_y = true});
  for (const Followed& model : curved_models) losses.curve(model.name(), model.curve);
  losses.curve("lengths as they come", lengths, {.dashed = true, .like = "hybrid"});
  losses.curve("least squares on states", on_states);
  losses.curve("least squares on features", on_features);
  L.show(losses);
  for (const Followed& model : curved_models) {
    L.say(text(model.name(), ", after ", model.run.tested_at.back(), " updates: a mean loss of ",
               loss_text(model.curve.total()), ", at the last position ", loss_text(model.curve.mean.back()),
               "."));
  }
  const double worse = lengths.total() / bent.curve.total();
  const double worse_at_last = lengths.mean.back() / bent.curve.mean.back();
  L.say(text("Without the unit length, the same weights lose ", lesson::fixed_number(worse, 2),
             " times as much, and ", lesson::fixed_number(worse_at_last, 2), " times at the last position."));

  // -------------------------------------------------------------------------------------------
  L.step("Are the features there?");
  //
  // Ask the stream: which share of the variance of f(s_t), in the last token, does the best linear map
  // explain (R², 1 is all)? Much of it can be had from the state itself, as f is partly linear. What the MLPs
  // add should rise while the loss falls. What would surprise us: a loss that falls far below that of least
  // squares on states while R² stays where it was.
  //
  // A trap: an MLP with random weights computes something of each number's square, only ten thousand times
  // smaller than the rest of the stream; and a probe, which may multiply by any number, finds it there. No
  // layer would. So directions of the stream count here only if it varies in them by a thousandth at least of
  // what it varies where it varies most.
  lesson::LinePlot r2 = lesson::by_updates(
      {.name = "features",
       .title = "Which share of the features' variance can be read off the stream",
       .caption = "R² of the best linear map from the last token to f of the last state, in training: before "
                  "the first layer, which is the state alone, and after each. Thin: the share of the loss "
                  "that is gone."});
  r2.y = "R²; share of the loss";
  const Tensor looked = sample_states(curved, L.seed(), stream::analysis_data, 0, probed);
  const auto explained = in_training(L, bent.run, [&](const Transformer& moment) {
    return features_explained(curved, moment, looked, 0.001);
  });
  std::vector<double> gone;
  for (const double loss : bent.run.test_loss) gone.push_back(1 - loss / bent.run.test_loss.front());
  for (std::size_t l = 0; l < explained.size(); ++l) {
    r2.line(l == 0 ? "before the first layer" : text("after layer ", l), bent.run.tested_at, explained[l]);
  }
  r2.line("loss that is gone", bent.run.tested_at, gone, {.thin = true});
  L.show(r2);
  L.say(text("A linear map of the state alone explains ", lesson::fixed_number(explained[0].back(), 3),
             " of the features' variance. After the first layer it is ",
             lesson::fixed_number(explained[1].front(), 3), " before training and ",
             lesson::fixed_number(explained[1].back(), 3), " at the end; after the second ",
             lesson::fixed_number(explained[2].back(), 3), "."));

  // The layer above should run least squares on them. Lesson 8's probes, with features: for the next state,
  // and for the preconditioned features A_t⁻¹x_t, where A_t = Σ x_i x_iᵀ is a sum over the features x. The
  // next state should become readable after the mesa-layer. The preconditioned features have no place of
  // their own in a model of two layers: the mesa-layer computes the whole product that they are a part of. So
  // their line should fall after layer 1 by no more than features help to guess them.
  const lesson::DepthProbes probes = lesson::probe_by_depth(curved, bent.run.model, L.seed(), probed / 2,
                                                            {.features = features}, PublishedFor::features);
  lesson::show_probes(L, probes, {.name = "probes",
                                  .title = "What can be read off the stream of the nonlinear systems' hybrid",
                                  .caption = "Losses of linear probes for the next state, and for the "
                                             "preconditioned features. After which layer does each fall?"});

  // -------------------------------------------------------------------------------------------
  L.step("What could have gone wrong");
  //
  // The bump could have been the iterations' fault, or stayed with a larger ridge. The first layer could have
  // looked one step back, as ever, and left the rest to the layers above, or spread over all the past. The
  // MLPs could have done nothing, and the loss could have stayed above that of least squares on states.
  //
  // And what did go wrong: we set out to show that a first layer looks as far back as the systems demand. It
  // looks further than one step, but not as far as we counted on, and the second of the exercises below says
  // that need is not what decides. Nor are features all that the nonlinear model has learned: see the third.
  L.found(text("Systems that hide: mean losses of ", loss_text(softmax.curve.total()), " for softmax and ",
               loss_text(hybrid.curve.total()), " for the hybrid, ", loss_text(stacks[0].total()),
               " for least squares on single observations. Nonlinear systems: ",
               loss_text(bent.curve.total()), " for the hybrid, ", loss_text(on_states.total()),
               " for least squares on states."));
  L.claim("the worst position of exact least squares, ridge .001", static_cast<double>(worst), {6, 0});
  L.claim_above("peak of six iterations, ridge .001, t = 0 being 1", peak(ways[1][0]), 1.3);
  L.claim_below("the same, ridge 3", peak(ways[1][2]), 1.15);
  L.claim_above("the same, ridge .001, inputs of a stranger", peak(strangers), 1.7);
  L.claim_below("the same, ridge .001, nothing hidden", peak(all_seen), 1.1);
  const double close = paper ? 0.02 : 0.06;
  L.claim("Proposition 2 on single observations, the authors' loss = 1",
          single_mean / lesson::mean(paper::partial_proposition_2), {1, close});
  L.claim("Proposition 2 on sixteen stacked, the authors' loss = 1",
          stacked_mean / lesson::mean(paper::partial_proposition_2_stacked), {1, close});
  if (paper) {
    const auto reproduces = [](const char* figure, const Followed& model, double tolerance) {
      return lesson::Reproduces{figure, static_cast<Index>(model.run.tested_at.back()), tolerance};
    };
    for (std::size_t m = 0; m < models.size(); ++m) {
      const auto& slopes = m == 0 ? paper::partial_tf_7_sensitivity : paper::partial_hybrid_sensitivity;
      for (const std::size_t back : {1u, 2u, 3u, 4u}) {
        L.compare(text("slope to ", back, " back, that to the last = 1, ", models[m].name()),
                  in_the_end[m][back] / in_the_end[m][0], slopes[back] / slopes[0],
                  reproduces("22", models[m], 0.25));
        // Theirs are fitted to 256 sequences.
        const double missed =
            error_of_fewer(all_missed[m][back], models[m].candidate.model.width, probed, 256);
        L.compare(text("share of the observation ", back, " back that the token knows, ", models[m].name()),
                  1 - missed, 1 - models[m].candidate.authors_missed[back],
                  reproduces("21", models[m], 0.15));
      }
    }
    const Followed& bent_softmax = curved_models[1];
    lesson::compare_probes(L, task, softmax.run.model, {{49, paper::partial_tf_7_probe, {}}},
                           reproduces("24", softmax, 0.25), "hiding: ");
    lesson::compare_probes(L, curved, bent_softmax.run.model, {{49, paper::nonlinear_tf_7_probe, {}}},
                           reproduces("25", bent_softmax, 0.25), "nonlinear: ");
    for (const std::vector<Followed>* all : {&models, &curved_models}) {
      for (const Followed& model : *all) {
        const std::string name = text(all == &models ? "hiding, " : "nonlinear, ", model.name());
        const double authors = lesson::mean(model.candidate.authors);
        L.compare_curve(name, model.curve, model.candidate.authors,
                        {.figure = all == &models ? "7B" : "7C",
                         .updates = static_cast<Index>(model.run.tested_at.back()),
                         .sequences = 5 * 512});
        L.claim_below(text(name, ": the authors' loss = 1"), model.curve.total() / authors, 1.04);
      }
    }
  } else {
    L.claim_above("hybrid: loss, that of least squares on one observation less than its token knows = 1",
                  hybrid.curve.total() / stacks[k_of(1) - 1].total(), 0.8);
    for (const Followed& model : models) {
      L.claim_below(text(model.name(), ": loss, that of least squares on single observations = 1"),
                    model.curve.total() / stacks[0].total(), 0.8);
    }
    L.claim_below("nonlinear: loss, that of least squares on states = 1",
                  bent.curve.total() / on_states.total(), 0.85);
  }
  for (std::size_t m = 0; m < models.size(); ++m) {
    L.claim_above(text(models[m].name(), ": slope to 2 back, that to 1 back = 1"),
                  in_the_end[m][2] / in_the_end[m][1], 0.38);
    L.claim_above(text(models[m].name(), ": slope to 2 back, that to older ones = 1"),
                  in_the_end[m][2] / in_the_end[m][6], 5);
    L.claim_above(text(models[m].name(), ": observations known in a row"), static_cast<double>(in_a_row[m]),
                  2.5);
  }
  L.claim_below("nonlinear: loss at the last position, that of least squares on states = 1",
                bent.curve.mean.back() / on_states.mean.back(), 1);
  L.claim_above("nonlinear: loss, that of least squares on features = 1",
                bent.curve.total() / on_features.total(), 1);
  L.claim_below("R² of the features after layer 1, before training", explained[1].front(), 0.8);
  L.claim_above("R² of the features after layer 1, at the end", explained[1].back(), 0.85);
  L.claim_below("next state, probe after the last layer, last position, input = 1",
                probes.next_left(probes.next.rows() - 1, curved.tokens - 1), 0.1);
  L.claim_above("without the unit length: loss at the last position, as trained = 1", worse_at_last, 1.5);

  // -------------------------------------------------------------------------------------------
  L.step("Things to try");
  //
  // Say first what will happen, then change recipes.h and run at lesson scale. What we found stands at the
  // end.
  //
  // Hide more. Ten numbers of which two are seen (hidden = 10 in hiding_systems) need five observations to
  // tell the next, not three. Does the hybrid's first layer look further back?
  //
  // Hide nothing. With hidden = 2 the last observation is enough. How far back does it look now?
  //
  // No MLPs. Leave .mlp out of the nonlinear candidates. Does the hybrid fall back to least squares on
  // states? And what becomes of R² after layer 1?
  //
  // What we found (seed 1). Hide more: no further. The token knows three observations, as before, and the
  // loss is .539, below least squares on two (.580) but far above five (.403). Hide nothing: three again!
  // Only the slope to the third is smaller, .3 times that to the second instead of half of it. So three is
  // what this layer comes to hold when it is trained like this, whatever the systems hide; of our seven seeds
  // one (5) came to hold four, and loses .145 instead of .21. No MLPs: R² stays at .75, where it was before
  // training, so it is the MLPs that make features. But the loss is .057, not far above the .050 with MLPs,
  // and below all that we could get out of least squares on states. That is the surprise which we spoke of.
  // What else the mesa-layer has learned about such systems we do not know.
}

}  // namespace

int main(int argc, char** argv) {
  return lesson::run({.number = 10, .title = "Systems that hide",
                      .question = "What does a Transformer do if the last state does not tell the next one?",
                      .source = __FILE__},
                     argc, argv, lesson_body);
}
