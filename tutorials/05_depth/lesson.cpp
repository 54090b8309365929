// Depth: are more layers better optimizers?
//
// One layer of linear attention can make one step of gradient descent (lesson 3), and lesson 1 has told
// what a step is worth: it pays about half of what saying 0 costs, where least squares pays a ninth. What
// could two, four, six layers do with their depth?
//
// Put the two algorithms side by side. With the sums over the pairs so far, A_t = Σ s_{i-1} s_{i-1}ᵀ and
// C_t = Σ s_i s_{i-1}ᵀ, for i ≤ t,
//
//     one step of gradient descent says  η C_t s_t        least squares says  C_t A_t⁻¹ s_t
//
// They differ in what C_t is multiplied by, and that is a vector which stands in token t itself. If somebody
// replaced the question s_t by A_t⁻¹ s_t first, a single step would be exact. To change a problem such that a
// simple method solves it well is called preconditioning. So there is a plan that a deep model could follow,
// Proposition 2 of the paper: the first layers work on the question, not on the answer. They turn s_t into
// A_t⁻¹ s_t, by an iteration that solves a linear system; what follows is one step of gradient descent.
//
// This lesson writes the plan into weights by hand, trains models that have not heard of it, looks into
// their streams, squeezes them into a few numbers, and puts them on tasks where cheating pays. (How the
// models are trained stands beside this lesson in recipes.h, what is measured of them in measure.h.)
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tasks/compression.h"
#include "tasks/proposition_2.h"
#include "tutorials/03_one_layer_is_one_step/paper.h"
#include "tutorials/05_depth/measure.h"
#include "tutorials/05_depth/paper.h"
#include "tutorials/05_depth/recipes.h"
#include "tutorials/lesson/depth_probes.h"
#include "tutorials/lesson/train.h"

using namespace mesagrad;

namespace {

constexpr Index d = 10;
const LinearDynamics task;  // lesson 1's

// The iteration of step 1 with the given steps, in double: x ≈ A⁻¹s.
ApplyInverse iteration(const std::vector<double>& steps) {
  return [steps](const Matrix& A, std::span<const double> s) {
    std::vector<double> x(s.size()), r(s.begin(), s.end());
    for (const double step : steps) {
      std::vector<double> next = r;
      for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] += step * r[i];
        for (std::size_t j = 0; j < x.size(); ++j) {
          next[i] -= step * A(static_cast<Index>(i), static_cast<Index>(j)) * r[j];
        }
      }
      r = next;
    }
    return x;
  };
}

std::string loss_text(double x) { return lesson::fixed_number(x, 4); }

void lesson_body(lesson::Lesson& L) {
  // -------------------------------------------------------------------------------------------
  L.step("Proposition 2, by hand");
  //
  // How does attention solve A_t x = s_t? Start from x = 0 and follow what is still missing, r = s_t - A_t x,
  // which is s_t at first. A step x ← x + α r in the direction of what is missing changes r by -α A_t r. (It
  // is gradient descent on ½ x·A_t x - s_t·x, whose gradient is -r; for this function the method is called
  // Richardson's iteration.) And the prediction C_t x grows by α C_t r. So a step changes
  //
  //     r  by  -α Σ s_{i-1} (s_{i-1}·r)      and the prediction  by  +α Σ s_i (s_{i-1}·r)
  //
  // and both are linear attention, with the query r and the keys s_{i-1}; only the values differ. There is
  // no need to keep x. The second group of a token, which one layer did not need, starts as s_t: let it be r.
  //
  //     e_t = [ 0 , s_t , s_t , s_{t-1} ]     on the way:     [ prediction , r , s_t , s_{t-1} ]
  //
  // So a layer has two heads (lesson 3: two attentions side by side, whose results are both added). Both
  // compare the second group of token t with the fourth of token i. The first takes the third group of token
  // i, s_i, times α into the prediction; the second takes the fourth, s_{i-1}, times -α into r. One layer is
  // one step, and K layers are K iterations: what they read of other tokens is the same in all of them.
  //
  // Which steps α? Take an eigenvector of A_t with the eigenvalue a. Along it a step multiplies r by 1 - αa,
  // so that after K steps what is missing is
  //
  //     p(a) = (1 - α_1 a)(1 - α_2 a) ... (1 - α_K a)
  //
  // times what it was. That is a polynomial with p(0) = 1, and the steps are the inverses of its roots. We
  // want it small wherever eigenvalues may be.
  //
  // Chebyshev's polynomials are best at that. As cos 2θ = 2 cos² θ - 1 and cos 3θ = 4 cos³ θ - 3 cos θ, so
  // cos Kθ always is a polynomial T_K of degree K in x = cos θ. While x goes from -1 to 1 it swings between
  // -1 and 1; outside it grows faster than any other polynomial of its degree that stays within ±1 inside.
  // So stretch it over an interval [b, c] of eigenvalues, and divide by its value at a = 0 to make p(0) = 1.
  // Then nothing in the interval keeps more than the first of these, and the roots, where Kθ is an odd
  // multiple of π/2, are the second:
  //
  //     1/T_K  at  x = (c + b)/(c - b)
  //     1/α_k = (c + b)/2 + (c - b)/2 · cos(π(2k - 1)/2K)
  //
  // We choose b = 4.4 and c = 118, which makes .76 for K = 2, .40 for 4 and .19 for 6. (For one layer we take
  // .033, the best single step of lesson 1.) How large are eigenvalues? Their sum is the trace of A_t, the
  // sum of the squared lengths of states, each about 10/3: so their mean is about t/3, 3 at t = 10 and 16 at
  // t = 49. Left of the interval p grows to 1, and nothing worse happens than that a question is left open.
  // On the right it grows without bound, and very fast. At which positions do we expect this plan to be good?
  const Index sequences = L.scaled<Index>({.smoke = 256, .lesson = 4096, .paper = 16384});
  L.setting("sequences", sequences);
  const auto curve_of = [&](const auto& predictor) {
    return loss_curve(task, L.seed(), stream::test_data, sequences, predictor);
  };
  const std::vector<Index> depths = {1, 2, 4, 6};
  std::vector<LossCurve> by_hand;
  double hand_difference = 0;
  for (const Index K : depths) {
    const std::vector<double> steps = K == 1 ? std::vector<double>{0.033} : chebyshev_steps(K, 4.4, 118);
    LinearTransformer model = proposition_2_transformer(d, steps);
    model.options.clip = 4;  // what the trained models have, against the few sequences that explode
    by_hand.push_back(curve_of(model));
    // Beyond the interval both may explode; so layers and iteration are compared with steps that are safe.
    const std::vector<double> small(static_cast<std::size_t>(K), 0.01);
    const Predictor in_double = predict_with(iteration(small), {.ridge = 1e-12});
    const double off =
        largest_difference(task, proposition_2_transformer(d, small), in_double, L.seed(), 32);
    hand_difference = std::max(hand_difference, off);
  }
  L.say(text("Over 32 sequences, predictions of the layers and of the iteration differ by at most ",
             hand_difference, "."));

  // -------------------------------------------------------------------------------------------
  L.step("The same depths, trained");
  //
  // Now models of 1, 2, 4 and 6 layers with random weights, trained to predict as lesson 3's layer was. If
  // depth buys iterations, each should be better than the one before. They might even be better than our
  // plan, which takes the same steps at every position although A_t grows with t, and never touches the
  // question and the answer in any other way. It would be a surprise if more layers bought nothing. And look
  // at the right end of the curves: A_t goes on growing, so steps that suit t = 20 may be too bold for t =
  // 49.
  //
  // The dashed line is the paper's version of the plan: six iterations with learned step sizes and momenta
  // (lesson 1), in seven layers, and with the newest pair left out.
  std::vector<lesson::Runs<LinearTransformer>> trained;
  for (const Index K : depths) {
    const lesson::Recipe<LinearTransformer> recipe = depth_recipe(L, K);
    L.setting(text("updates of ", K, " layers"), recipe.updates);
    if (K == 1) L.setting("batch", recipe.batch);
    const std::string name = text(K, K == 1 ? " layer" : " layers");
    trained.push_back(lesson::train_and_test(L, name, task, recipe, 1, sequences));
  }
  const lesson::Runs<LinearTransformer>&four = trained[2], &six = trained[3];
  const ChebyshevCoefficients c = published_coefficients(6);
  const LossCurve all_pairs = curve_of(least_squares_predictor({})),
                  one_behind = curve_of(least_squares_predictor({.newest_pair = false})),
                  descent = curve_of(gradient_step_predictor(0.032)),
                  plan = curve_of(predict_with(chebyshev(c.alpha, c.beta), {.newest_pair = false}));
  lesson::LinePlot curves = lesson::by_position(
      {.name = "depth",
       .title = "One to six trained layers, one gradient step and least squares",
       .caption = "How much of the gap between one gradient step and least squares with all pairs does each "
                  "depth close, and where? Dashed: Proposition 2 with learned momentum, as deep as seven "
                  "layers, newest pair left out."});
  for (const auto& model : trained) curves.curve(model.name, model.curve());
  curves.curve("one gradient step", descent, {.thin = true});
  curves.curve("least squares", all_pairs, {.thin = true});
  curves.curve("Proposition 2", plan, {.dashed = true});
  L.show(curves);
  const auto late = [](const LossCurve& curve) {
    return std::accumulate(curve.mean.begin() + 20, curve.mean.end(), 0.0);
  };
  for (const auto* model : {&four, &six}) {
    const auto times = [&](const LossCurve& other) {
      return lesson::short_number(late(model->curve()) / late(other), 3);
    };
    L.say(text("At t = 20 to 49 the loss of ", model->name, " is ", times(all_pairs), " times that of least ",
               "squares, and ", times(plan), " times that of Proposition 2 (dashed)."));
  }
  lesson::Table table{.title = "Mean loss of trained layers, and of the plan by hand",
                      .caption = text("Least squares: ", loss_text(all_pairs.total()),
                                      ", without the newest pair ", loss_text(one_behind.total()),
                                      ". Proposition 2 with learned momentum, 7 layers: ",
                                      loss_text(plan.total()), "."),
                      .columns = {"layers", "trained", "authors", "by hand"}};
  const std::vector<double>* curves_of_authors[] = {&paper::lsa_1, &paper::lsa_2, &paper::lsa_4,
                                                    &paper::lsa_6};
  std::vector<double> authors;
  for (const auto* curve : curves_of_authors) authors.push_back(lesson::mean(*curve));
  for (std::size_t n = 0; n < depths.size(); ++n) {
    table.row({text(depths[n]), loss_text(trained[n].mean_loss), loss_text(authors[n]),
               loss_text(by_hand[n].total())});
    L.compare_curve(trained[n].name, trained[n].curve(), *curves_of_authors[n],
                    {.figure = "4C", .updates = depth_recipe(L, depths[n]).updates});
  }
  L.show(table);
  if (L.scale() == lesson::Scale::paper) {  // two layers in a hurry, as in the authors' notebook
    const auto hurried = lesson::train(L, "2 layers, notebook", task, notebook_recipe(), L.seed());
    for (const std::size_t n : {0u, 3u, 4u, 5u, 7u, 10u, 15u, 20u, 24u}) {  // it falls until the 8th test
      const auto then = static_cast<Index>(100 * n);
      L.compare(text("test loss after ", then, " updates"), hurried.test_loss[n], paper::notebook[n],
                {.figure = "notebook", .updates = then, .tolerance = n < 8 ? 0.15 : 0.05});
    }
  }

  // Is a small difference between 6 layers and 4 more than luck? A mean over N sequences is itself uncertain:
  // by its standard error, the standard deviation of a single sequence divided by √N. Luck alone goes beyond
  // two of them once in twenty times, beyond three almost never. Sequences that are hard for one model are
  // hard for the other; so we take differences on the same sequences first, and then their mean. (That is the
  // luck of these sequences. The luck of the first weights is another, and only another SEED shows it.)
  const LossCurve gain = difference(task, four.model(), six.model(), L.seed(), sequences);
  const double gain_in_errors = gain.total() / gain.standard_error();
  L.say(text("6 layers lose ", gain.total() < 0 ? "more than 4 by " : "less than 4 by ",
             loss_text(std::abs(gain.total())), ", which is ",
             lesson::fixed_number(std::abs(gain_in_errors), 1), " standard errors of the difference."));

  // -------------------------------------------------------------------------------------------
  L.step("What stands in the stream");
  //
  // Is it the plan, then? Look inside. Each layer adds what it computes to the tokens that it was given;
  // what stands in the tokens before the first layer, and after each, is the residual stream (lesson 3).
  // What could be read off it? Take the tokens at position t of many sequences, a row a for each, and find
  // the matrix M for which a M is nearest to the thing that we look for, by least squares. This is a linear
  // probe, and the error that remains is its loss. A probe is linear on purpose: a clever one would compute
  // what the model did not.
  //
  // We look for two things: the next state s_{t+1}, and the preconditioned state A_t⁻¹ s_t, as six iterations
  // give it. Divide by the probe's loss at the model's input, so that all begin at 1. A model that descends
  // on the answer should make the first easier to read from layer to layer and leave the second as it was. A
  // model that follows the plan should make the second easier too, in early layers; the last ones may spoil
  // it again, as the question is of no use any more.
  //
  // Could the one be read off the other? The preconditioned state by itself says nothing about the next one,
  // without the system's matrix. That is a control: a probe from one to the other should pay 1.67, the price
  // of knowing nothing.
  const Index probed = L.scaled<Index>({.smoke = 128, .lesson = 1024, .paper = 2048});
  const lesson::DepthProbes probes = lesson::probe_by_depth(task, six.model(), L.seed(), probed);
  lesson::show_probes(L, probes,
                      {.name = "probes",
                       .title = "What can be read off six layers",
                       .caption = "Falling on the left: the model descends on the answer. Falling on the "
                                  "right: it works on the question. Look for layers after which the right "
                                  "side rises again."});
  lesson::compare_probes(L, task, six.model(), paper::probes_of_lsa_6,
                         {"4E", depth_recipe(L, 6).updates, 0.25});

  // -------------------------------------------------------------------------------------------
  L.step("Six layers in 768 numbers");
  //
  // Lesson 3 replaced a layer by twelve numbers and asked what was lost. Do the same here. Of a head's four
  // matrices only two products matter, W_q W_kᵀ, which says what is compared with what, and W_v W_o, which
  // says what is copied where. Each has 40 times 40 numbers, or four by four blocks of ten by ten, as a token
  // has four groups. Keep the mean of the diagonal of every block, times the identity: 16 numbers for a
  // product, 32 for a head, 768 for the 24 heads. If heads do what the plan's heads do, compare and copy
  // whole groups, nothing is lost.
  //
  // Early in training we expect just that, or even a gain, as the noise of the first weights goes. Later is
  // another matter: nothing obliges a model to keep to identities, and of the authors' own models the deeper
  // ones, trained for long, do lose by it. What is early? We say it beforehand. AdamW moves a weight by about
  // the learning rate in each update, so the sum of all rates so far tells how far a weight can have come;
  // early is when it is about a quarter. That is after 600 of 2400 updates here, and after 2500 of 15,000 at
  // the authors' lower rate.
  //
  // Between the model and its compression lies a third, whose products are the average of both (lesson 3).
  const lesson::Trained<LinearTransformer>& watched = six.runs.front();
  std::vector<double> updates, compressed, halfway;  // losses, the model's own = 1
  const Index compared = L.scaled<Index>({.smoke = 64, .lesson = 1280, .paper = 2560});
  const auto loss_of = [&](const Transformer& model) {
    return loss_curve(task, L.seed(), stream::test_data, compared, model).total();
  };
  for (std::size_t n = 1; n < watched.snapshots.size(); ++n) {
    const LinearTransformer& model = watched.snapshots[n];
    const Transformer small = compress(model, d);
    updates.push_back(watched.tested_at[n]);
    compressed.push_back(loss_of(small) / watched.test_loss[n]);
    halfway.push_back(loss_of(interpolate(model, small)) / watched.test_loss[n]);
  }
  lesson::LinePlot costs{.name = "compression",
                         .title = "What compression costs, while six layers are trained",
                         .x = "updates",
                         .y = "test loss, the model's own = 1",
                         .caption = "Compressed: 32 numbers for each head. Halfway: the average of both "
                                    "models' products. Below 1, the model's own numbers were worse than "
                                    "their averages."};
  costs.line("compressed", updates, compressed, {.points = true});
  costs.line("halfway", updates, halfway, {.points = true});
  L.show(costs);
  const std::size_t early = L.scaled<std::size_t>({.smoke = 3, .lesson = 3, .paper = 2});  // a snapshot
  const LossCurve cost = difference(task, compress(watched.snapshots[early], d), watched.snapshots[early],
                                    L.seed(), compared);
  const auto percent = [](double x) { return lesson::short_number(100 * x, 2); };
  L.say(text("Early, after ", watched.tested_at[early], " updates, compression changes the loss by ",
             percent(cost.total() / watched.test_loss[early]), " %; in the end, after ", updates.back(),
             ", by ", percent(compressed.back() - 1), " %."));

  // -------------------------------------------------------------------------------------------
  L.step("Where cheating pays");
  //
  // Two controls. In the first, systems are not orthogonal: W = Z Λ Z⁻¹ with eigenvalues Λ between .3 and .9
  // and random eigenvectors Z. All such systems contract in the end, but as the eigenvectors are far from
  // orthogonal, states may grow large before they die out, and least squares meets very uneven data. A model
  // that learns in context should not mind much: we expect the order of the models to stay as it was.
  //
  // In the second all sequences share one W. Nothing has to be learned in context any more, as W can be
  // learned by heart, into the weights. A model that does so can predict from the first state on, as no
  // algorithm can that starts from nothing in each sequence. So a loss far below that of a gradient step is
  // what cheating looks like; if training found nothing but algorithms for learning in context, we should not
  // see it. (The mesa-layer, which solves least squares exactly, is explained in lesson 6.)
  const LinearDynamics contracting = {.clip = 2, .system = LinearDynamics::System::contracting};
  const LinearDynamics fixed = {.system = LinearDynamics::System::fixed};
  const auto step_on = [&](const LinearDynamics& system) {  // the loss of the best gradient step
    const double eta = search_step_size(system, L.seed(), stream::analysis_data, sequences).best_eta();
    return loss_curve(system, L.seed(), stream::test_data, sequences, gradient_step_predictor(eta)).total();
  };
  const double contracting_descent = step_on(contracting), fixed_descent = step_on(fixed);
  const std::vector<Control> controls = controls_of(contracting, fixed);
  std::vector<double> control_loss(controls.size(), std::nan(""));
  lesson::Table cheats{.title = "Mean loss of the controls", .columns = {"", "this run", "authors"}};
  for (std::size_t n = 0; n < controls.size(); ++n) {
    const Control& one = controls[n];
    if (!one.quick && L.scale() != lesson::Scale::paper) continue;
    const lesson::Recipe<LinearTransformer> recipe = recipe_for(L, one.model, one.training);
    const auto run = lesson::train(L, one.name, *one.system, recipe, L.seed());
    const LossCurve curve = loss_curve(*one.system, L.seed(), stream::test_data, sequences, run.model);
    control_loss[n] = curve.total();
    cheats.row({one.name, loss_text(control_loss[n]), loss_text(lesson::mean(*one.authors))});
    L.compare_curve(one.name, curve, *one.authors,
                    {.figure = one.system == &fixed ? "12" : "11", .updates = recipe.updates});
  }
  const double authors_contracting = lesson::mean(paper::contracting.back()),
               authors_fixed = lesson::mean(paper::fixed_W.back());
  cheats.row({"contracting, gradient step", loss_text(contracting_descent), loss_text(authors_contracting)});
  cheats.row({"fixed W, gradient step", loss_text(fixed_descent), loss_text(authors_fixed)});
  L.show(cheats);
  L.compare("contracting, gradient step", contracting_descent, authors_contracting, {.figure = "11"});
  L.compare("fixed W, gradient step", fixed_descent, authors_fixed, {.figure = "12"});

  // -------------------------------------------------------------------------------------------
  L.step("What could have gone wrong");
  //
  // Depth could have bought nothing, or something that has nothing to do with solving a linear system. Each
  // claim below was a way to find that out.
  if (L.scale() != lesson::Scale::paper) {
    L.say("Training could have been too short for a comparison with the paper, and at this scale it is: "
          "the authors' models had 5,000 to 15,000 updates of 256 or 512 sequences. So expect losses above "
          "theirs, for the deeper models and for the fixed W, which takes long to learn by heart. What is "
          "claimed below compares our models with each other.");
  }
  L.found(text("Mean loss: ", loss_text(trained[0].mean_loss), ", ", loss_text(trained[1].mean_loss), ", ",
               loss_text(four.mean_loss), " and ", loss_text(six.mean_loss),
               " with 1, 2, 4 and 6 layers; least squares on all pairs ", loss_text(all_pairs.total()), "."));
  L.claim_below("Proposition 2 by hand: largest difference to the iteration", hand_difference, 1e-4,
                {.from = lesson::Scale::smoke});
  if (L.scale() == lesson::Scale::paper) {
    for (const std::size_t n : {1u, 2u, 3u}) {
      L.claim_below(text("loss of ", trained[n].name), trained[n].mean_loss, 1.02 * authors[n]);
    }
    for (std::size_t n = 0; n < controls.size(); ++n) {
      L.claim_below(controls[n].name, control_loss[n],
                    lesson::mean(*controls[n].authors) * (n < 5 ? 1.15 : 1.1));
    }
    L.claim_below("fixed W, 1 layer, compared with gradient descent", control_loss[5] / fixed_descent, 0.125);
    L.claim_above("compression in the end, compared with the model", compressed.back(), 1.05);
  } else {
    L.claim_below("2 layers, compared with 1", trained[1].mean_loss / trained[0].mean_loss, 0.6);
    L.claim_below("4 layers, compared with 2", four.mean_loss / trained[1].mean_loss, 0.75);
    L.claim_below("6 layers, compared with 2", six.mean_loss / trained[1].mean_loss, 0.75);
    L.claim_below("contracting: 2 layers, compared with 1", control_loss[1] / control_loss[0], 0.7);
    L.claim_below("fixed W, 1 layer, compared with gradient descent", control_loss[5] / fixed_descent, 0.5);
  }
  L.claim_below("trained, compared with by hand: 6 layers", six.mean_loss / by_hand[3].total(), 1);
  L.claim_below("next state, probe after layer 6 at t = 49, input = 1", probes.next_left(6, 49), 0.1);
  L.claim_below("preconditioned state, probe after layer 3 at t = 19, input = 1",
                probes.preconditioned_left(3, 19), 0.6);
  L.claim_between("control: the next state from the preconditioned one, t = 19", probes.control(0, 19), 1.4,
                  1.8);
  L.claim_below("cost of compression early in training, in standard errors",
                cost.total() / cost.standard_error(), 3);

  // -------------------------------------------------------------------------------------------
  L.step("Things to try");
  //
  // Say first what will happen, then change the source and run. What we found stands at the end; claims
  // will fail, which is what they are for.
  //
  // A wider interval. Take Chebyshev's steps for eigenvalues from 4.4 to 240, in the place of 118. At
  // which positions is the plan of six layers better then, at which is it worse, and what does its mean
  // loss do? (Think of when A_t has large eigenvalues. Print by_hand[3].mean[19] and mean[49];
  // SCALE=smoke will do.)
  //
  // The order of the factors. What six steps leave of s_t is a product of six factors, and a product
  // does not care about their order. So reverse the steps of chebyshev_steps, the largest first. Now do
  // the same with `model.options.clip = 1e6`.
  //
  // Learned by heart. Let the models of the fixed W be tested on `task`, where every sequence has a W of
  // its own: write `task` for `*one.system` where control_loss is computed. Saying 0 costs 1.67 there.
  // Are the two models better or worse than that, and which of them is the worse one?
  //
  // What we found at lesson scale. With the wider interval t = 49 goes from .23 to .14, t = 19 from .15
  // to .26, and the mean from .33 to .41. In the wrong order the mean is .72; without the clip both
  // orders agree in six digits. Numbers on the way may grow large before they shrink, and a clip does
  // not give back what it took. The models that know their W by heart lose 13.5 (one layer) and 3.0
  // (the mesa-layer): who is sure of the wrong thing does worse than who says nothing. (The last two
  // with SEED=4711.)
}

}  // namespace

int main(int argc, char** argv) {
  return lesson::run({.number = 5, .title = "Depth: are more layers better optimizers?",
                      .question = "What do more layers of linear attention do with their depth?",
                      .source = __FILE__},
                     argc, argv, lesson_body);
}
