// MesaNet: a mesa-layer that forgets.
//
// The mesa-layer of lesson 6 fits one matrix to all pairs that it has seen, and every pair counts as much as
// every other, for ever. That is right as long as there is one matrix. But text changes its subject, and a
// stream of measurements its source. So take lesson 1's system and exchange it on the way: up to some token
// s_{t+1} is W s_t, and from there on W' s_t, with another orthogonal matrix. After the switch the best
// single matrix for all pairs is a compromise between W and W', wrong for both; and the longer the past was,
// the longer it takes the new pairs to outvote it. The better a memory is, the worse it forgets.
//
// MesaNet (von Oswald and others, 2025, arXiv 2506.05233) is the mesa-layer made fit for this, and for
// graphics processors. It differs in three ways, and this lesson rebuilds each:
//
//   gates      Every token says how much of the past is kept, γ_t, and how much it counts itself, β_t.
//   penalty    The penalty on large numbers, a diagonal matrix Λ, is not forgotten with the pairs.
//   solver     The system of equations is solved anew for every token, by a few steps of a method that needs
//              nothing but products: conjugate gradients.
//
// The questions: what does forgetting buy? Can a layer learn when to forget? How many steps are enough? And
// how does all this break? (What only measures stands beside this file, in memories.h, gates.h and solving.h.
// Of the authors' figures, made with language models of a thousand million weights, none can be redone here:
// there is nothing to compare with, and no table of differences at the end.)
#include <algorithm>
#include <utility>

#include "tutorials/13_mesanet/gates.h"
#include "tutorials/13_mesanet/generating.h"
#include "tutorials/13_mesanet/memories.h"
#include "tutorials/13_mesanet/recalling.h"
#include "tutorials/13_mesanet/solving.h"
#include "tutorials/lesson/lesson.h"

using namespace mesagrad;

namespace {

const SwitchingDynamics task;  // d = 10: ten dimensions, a hundred tokens

std::string three(double x) { return lesson::fixed_number(x, 3); }
std::string two(double x) { return lesson::fixed_number(x, 2); }
std::string brief(double x) { return lesson::short_number(x, 2); }

void lesson_body(lesson::Lesson& L) {
  // -------------------------------------------------------------------------------------------
  L.step("A layer that is stuck");
  //
  // Before anything is trained, write the memories down by hand. Each sees the pairs (s_{i-1}, s_i), one
  // after another, and keeps a matrix Φ; asked at token t, it says Φ q_t, and pays half the squared distance
  // from s_{t+1}. As keys and queries we take states divided by their length: k_i = s_{i-1}/‖s_{i-1}‖ and
  // q_t = s_t/‖s_t‖. (As W keeps lengths, the length of what is said comes from the values s_i.)
  //
  // The switch is at a token n of each sequence's own, between a quarter and three quarters of the way. At n
  // nobody can do well: the label there is the first state that W' made. The pair that it belongs to is seen
  // with token n + 1, and ten such pairs tell W', as there are ten dimensions. So compare losses just before
  // the switch, at it, and after d = 10 and 2d = 20 more tokens. First the two that know no forgetting, and
  // somebody who is told when to start afresh:
  const Index sequences = L.scaled<Index>({.smoke = 100, .lesson = 2000, .paper = 10000});
  const Index tuned_on = L.scaled<Index>({.smoke = 20, .lesson = 200, .paper = 1000});
  L.setting("sequences", sequences);
  using enum Memory::Kind;
  using enum Memory::Forget;
  const auto best = [&](const std::string& name, const std::vector<Memory>& grid) {
    L.check_interrupted();
    return best_of(name, grid, task, L.seed(), tuned_on, sequences);
  };
  std::vector<Memory> sums, gated_sums, mesas, gated_mesas, deltas, gated_deltas;
  for (const double scale : {0.03, 0.05, 0.07, 0.1, 0.14}) sums.push_back({.kind = sum, .scale = scale});
  for (const double penalty : {0.01, 0.1, 0.25, 1.0}) mesas.push_back({.penalty = penalty});
  const Remembered linear = best("linear attention", sums), mesa = best("mesa", mesas);
  const Remembered told = best("mesa, told of the switch", {{.penalty = 0.001, .forget = at_switch}});
  const double of_zero =
      forgetting_of(task, L.seed(), stream::test_data, sequences, {.kind = sum, .scale = 0}).mean;
  L.say(text("Of a state's own loss of ", two(of_zero), " (saying zero), the mesa-layer leaves ",
             brief(mesa.result.before), " just before the switch. At it, it says the state that W would have "
             "made, and pays ", two(mesa.result.at), ", ", two(mesa.result.at / of_zero), " times as much as "
             "who says zero. Ten tokens later it still pays ", two(mesa.result.after), ", and after twenty ",
             two(mesa.result.later), "; who is told pays ", brief(told.result.after), " and ",
             brief(told.result.later), "."));

  // -------------------------------------------------------------------------------------------
  L.step("Gates");
  //
  // Let token t multiply all that there is by γ_t before it adds its own, which it weighs by β_t. Linear
  // attention then keeps G, and the mesa-layer H besides:
  //
  //     G_t = γ_t G_{t-1} + β_t v_t k_tᵀ      H_t = γ_t H_{t-1} + β_t k_t k_tᵀ
  //     linear: o_t = G_t q_t                 mesa: o_t = G_t (H_t + Λ)⁻¹ q_t
  //
  // A pair that is n tokens old weighs γⁿ. With γ = .9 that is a third after ten tokens: the memory is about
  // 1/(1 - γ) = 10 pairs long. The mesa-layer's matrix G (H + Λ)⁻¹ still is the best fit, now of pairs with
  // weights. Lesson 6 carried (H + Λ)⁻¹ along from pair to pair. With gates that works only if Λ decays too
  // (the paper on the mesa-layer has such a form); but a penalty that vanishes protects nobody. So Λ stays,
  // and the system is solved anew for each token. In the library:
  //
  //     x = gated_preconditioned_queries(q, k, log_decay, strength, penalty, heads)
  //     o = gated_linear_attention(x, k, v, log_decay, strength, heads)
  //
  // There is a third way, between these two: the delta rule. Before a new value is written under a key, what
  // Φ says to that key is taken away,
  //
  //     Φ_t = γ_t Φ_{t-1} + β_t (v_t - γ_t Φ_{t-1} k_t) k_tᵀ
  //
  // which is a step of gradient descent on the newest pair alone. It overwrites, and so it forgets by itself.
  //
  // What do we expect? One γ for all tokens has to serve two masters. A short memory is soon rid of W, but
  // has few pairs to fit even when nothing has changed, and of these the oldest weigh little. The mesa-layer
  // can afford the shortest: ten pairs of little weight still determine a matrix, if the penalty is small
  // next to them. Linear attention needs many pairs, so that errors in different directions cancel. For each
  // memory we look for the best constants on a grid, on sequences of their own.
  for (const double decay : {0.8, 0.85, 0.9, 0.95}) {
    for (const double scale : {0.3, 0.4, 0.5, 0.6}) {
      gated_sums.push_back({.kind = sum, .decay = decay, .scale = scale});
    }
  }
  for (const double strength : {0.6, 0.8, 1.0, 1.2}) {
    deltas.push_back({.kind = delta, .strength = strength});
    for (const double decay : {0.97, 0.98, 0.99}) {
      gated_deltas.push_back({.kind = delta, .decay = decay, .strength = strength});
    }
  }
  std::vector<Memory> heavy;
  for (const double decay : {0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95}) {
    for (const double penalty : {0.003, 0.01, 0.03})
      gated_mesas.push_back({.decay = decay, .penalty = penalty});
    heavy.push_back({.decay = decay, .penalty = 0.25});
  }
  const std::vector<Remembered> memories = {
      linear,
      best("gated linear attention", gated_sums),
      mesa,
      best("delta rule", deltas),
      best("gated delta rule", gated_deltas),
      best("gated mesa, Λ = .25", heavy),
      best("gated mesa", gated_mesas),
      told,
      best("mesa, reset by surprise", {{.penalty = 0.001, .forget = on_surprise}})};
  const Remembered &gated_linear = memories[1], &overwriting = memories[4], &penalized = memories[5],
                   &gated = memories[6], &surprised = memories[8];
  lesson::Table table{.title = "Losses of memories, and where their sequences changed",
                      .caption =
                          "Means over all tokens, at the last one before the switch, at the switch, and "
                          "10 and 20 tokens later. Compare \"before\" with \"+10\": few rows are small "
                          "in both.",
                      .columns = {"", "γ", "β", "Λ", "mean", "before", "at", "+10", "+20"}};
  for (const Remembered& m : memories) {
    table.row({m.name, brief(m.memory.decay), brief(m.memory.strength),
               m.memory.kind == least_squares ? brief(m.memory.penalty) : "", three(m.result.mean),
               brief(m.result.before), two(m.result.at), brief(m.result.after), brief(m.result.later)});
  }
  L.show(table);
  lesson::LinePlot around{.name = "switch",
                          .title = "The loss around the switch",
                          .x = "tokens after the switch",
                          .y = "loss",
                          .caption = "Look at the height of each curve on the left, and how long it needs to "
                                     "come back to it on the right.",
                          .log_y = true};
  for (const Remembered* m : {&linear, &gated_linear, &mesa, &overwriting, &gated, &told}) {
    std::vector<double> x(m->result.around.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<double>(i) - static_cast<double>(x.size() / 2);
    }
    around.line(m->name, x, m->result.around);
  }
  L.show(around);
  L.say(text("One γ for all tokens takes the mesa-layer from a mean loss of ", three(mesa.result.mean),
             " to ", three(gated.result.mean), ", with γ = ", brief(gated.memory.decay),
             "; before the switch, where there was nothing to forget, it now pays ",
             brief(gated.result.before), " in the place of ", brief(mesa.result.before),
             ". With the published layer's least penalty, Λ = .25, the best mean is ",
             three(penalized.result.mean), ", at γ = ", brief(penalized.memory.decay), "."));

  // Keys of length 1 explain the penalty: H has trace Σ γⁿ ≈ 1/(1 - γ), so that its ten eigenvalues are
  // 1/(10(1 - γ)) in the mean. With γ = .75 that is .4, and the small ones among them are far below .25.
  //
  // # Being told, and noticing
  //
  // Who knows when the switch was needs no steady γ. Let γ be 1, and 0 at one token, the one that brings the
  // first pair of W': that is the row "told". And who is not told can notice. A prediction that was good and
  // is suddenly wrong by more than half of the state's squared length is no accident: "reset by surprise"
  // empties the memory there. (Not within d + 1 tokens of the beginning or of the last reset, when it can't
  // know anything yet.)
  L.say(text("Told: ", three(told.result.mean), "; by surprise: ", three(surprised.result.mean), ", with ",
             two(surprised.result.resets), " resets in a sequence. The best steady γ leaves ",
             three(gated.result.mean), "."));

  // -------------------------------------------------------------------------------------------
  L.step("Gates that are learned");
  //
  // In a layer the gates are made of the token: log γ_t = log σ(x_t·w + b), with σ(z) = 1/(1 + e⁻ᶻ) between 0
  // and 1, and β_t alike. So one layer can forget at one token and keep at another, if the token tells. To
  // learn that, it needs the gradient of a γ, which stands in all that came after it. Write the result as a
  // sum over pairs with the weights Γ_ti = γ_{i+1}·...·γ_t = e^{c_t - c_i}, where c_t = log γ_1 + ... + log
  // γ_t. Then c_t multiplies all that token t receives, c_i divides all that token i gives, and
  //
  //     dc_t = (all terms that t receives) - (all that it gives),      dlog γ_t = Σ_{s≥t} dc_s
  //
  // For linear attention the terms received are o_t·do_t, and those given β_t dβ_t, both at hand: the
  // gradient costs a sum from the right. The mesa-layer's queries add -D_tᵀH_t x_t, with D_t = (H_t + Λ)⁻¹
  // dx_t, a second solution of the same system. (Do you see why nothing is ever divided by β or γ? They may
  // be 0.)
  //
  // We give the layer lesson 3's tokens [0, s_t, s_{t-1}] and one number more, the cue: 1 in the token that
  // brings the first pair of W', else 0. Or no cue, always 0. Five dimensions, 60 tokens, one head, and all
  // weights learned, queries and keys too. We expect: without a cue, all that a token knows is itself, and
  // nothing in a state says whether W has changed; γ can hardly be anything but a constant, as on the grid.
  // With it, γ should be near 1 always and near 0 once. The delta rule overwrites anyway: it should need its
  // γ less. And what would surprise us: linear attention that profits much from a cue, as its trouble is not
  // the past alone.
  const SwitchingDynamics small = {.dimension = 5, .tokens = 60};
  const std::vector<Learner> learners = {
      {"mesa", GatedMesaLayer{.gates = {.forgets = false, .weighs = false}}},
      {"gated mesa", GatedMesaLayer{}},
      {"gated mesa, floor .25", GatedMesaLayer{.floor = 0.25}},
      {"gated mesa with cue", GatedMesaLayer{}, true},
      {"gated delta rule", GatedDeltaRule{}},
      {"gated delta rule with cue", GatedDeltaRule{}, true},
      {"gated linear", GatedLinearAttention{}},
      {"gated linear with cue", GatedLinearAttention{}, true}};
  const Index tested = L.scaled<Index>({.smoke = 128, .lesson = 2000, .paper = 10000});
  L.setting("updates", gate_recipe(L, small, LinearAttention{}).updates);
  std::vector<Learned> learned;
  for (const Learner& learner : learners) learned.push_back(learn_gates(L, small, learner, tested));
  lesson::Table gates_table{.title = "One layer, trained: losses and gates",
                            .caption =
                                "γ before the switch is a mean over the ten tokens before it; at the "
                                "switch, that of the token with the first pair of the new system. Λ is "
                                "a mean over its diagonal.",
                            .columns = {"", "loss", "γ before", "γ at the switch", "Λ"}};
  lesson::LinePlot gates_plot{.name = "gates",
                              .title = "What trained gates keep of the past",
                              .x = "tokens after the first pair of the new system",
                              .y = "γ, mean over sequences",
                              .caption = "Where does a curve leave its level, and for how many tokens?",
                              .y_low = 0,
                              .y_high = 1};
  for (const Learned& one : learned) {
    const bool has_gate = !one.decay.empty() && one.name != "mesa";
    gates_table.row({one.name, three(one.loss), has_gate ? two(one.usual()) : "1",
                     has_gate ? two(one.at_switch()) : "1", one.penalty > 0 ? brief(one.penalty) : ""});
    if (!has_gate) continue;
    std::vector<double> x;
    for (int i = -10; i <= 10; ++i) x.push_back(i);
    gates_plot.line(one.name, x, one.decay, {.points = true});
  }
  L.show(gates_table);
  L.show(gates_plot);
  const Learned &stuck = learned[0], &steady = learned[1], &cued = learned[3], &delta_steady = learned[4],
                &delta_cued = learned[5], &sum_steady = learned[6], &sum_cued = learned[7];
  L.say(text("The cue takes the gated mesa-layer from ", three(steady.loss), " to ", three(cued.loss),
             ", and its γ at the switch from ", two(steady.at_switch()), " to ", two(cued.at_switch()),
             "; the gated delta rule goes from ", three(delta_steady.loss), " to ", three(delta_cued.loss),
             ", gated linear attention from ", three(sum_steady.loss), " to ", three(sum_cued.loss),
             ". Without gates the mesa-layer is at ", three(stuck.loss), "."));
  // Why does the cued layer not keep all of the past while nothing changes, as we would by hand? Look at the
  // first token. No state comes before s_0, so there is no pair, and by hand its key is 0. But a learned key
  // reads a little of s_0 besides, and is then brought to length 1: a false pair, of full weight, in every
  // sequence. To be rid of it, the layer lets the past fade, the good pairs too. (Is that true? See Things to
  // try.)
  const double by_hand = forgetting_of(small, L.seed(), stream::test_data, tested,
                                       {.penalty = 0.001, .forget = at_switch}).mean;
  L.say(text("Where nothing has changed, the cued layer keeps ", two(cued.usual()), " of the past from token "
             "to token. Its loss is ", three(cued.loss), "; by hand, with keys that are states, γ = 1, and "
             "told of the switch, it would be ", three(by_hand), "."));

  // -------------------------------------------------------------------------------------------
  L.step("How hard to think");
  //
  // To solve (H + Λ) x = q exactly takes K³/3 multiplications for every token, by Cholesky's decomposition.
  // Conjugate gradients takes steps instead, each of which needs one product with H + Λ, K² of them:
  //
  //     x = 0, r = p = q; then again and again
  //     y = (H + Λ)p,   α = r·r/(p·y),   x += αp,   r' = r - αy,   p = r' + (r'·r'/r·r) p
  //
  // After s steps x is the best that can be made of q, (H + Λ)q, ... (H + Λ)ˢ⁻¹q, measured by the quadratic
  // form xᵀ(H + Λ)x - 2xᵀq that it minimizes; after K steps it is exact but for rounding. Zero steps say 0,
  // and one step goes along q: linear attention, with a step size of its own for each token. So a model can
  // be asked to think less, or more, after it was trained: compute at test time is a dial.
  //
  // How many steps are enough depends on eigenvalues: their errors shrink together if they are alike. A
  // large Λ makes them alike, and answers another question than the one asked: its solution is shrunk. We
  // expect curves that cross. Lesson 1's sequences, without a switch:
  const std::vector<Index> steps = {1, 2, 3, 5, 7, 10};
  const std::vector<double> penalties = {0.001, 0.01, 0.25};
  const LinearDynamics steady_task;
  const Index solved = L.scaled<Index>({.smoke = 50, .lesson = 1000, .paper = 5000});
  lesson::Table steps_table{.title = "Mean loss after so many steps of conjugate gradients",
                            .caption =
                                "Ten dimensions, 50 tokens. Read a row from left to right, and then the "
                                "columns 2 and 10 from above.",
                            .columns = {"Λ", "1", "2", "3", "5", "7", "10", "exact"}};
  lesson::LinePlot steps_plot{.name = "steps",
                              .title = "What a step of conjugate gradients is worth",
                              .x = "steps",
                              .y = "mean loss",
                              .caption = "Which penalty is best depends on where you stop.",
                              .log_y = true};
  std::vector<std::vector<double>> after;  // [penalty][steps, and exact]
  for (const double penalty : penalties) {
    std::vector<double> row;
    for (const Index s : steps) row.push_back(loss_of_steps(steady_task, penalty, {s}, L.seed(), solved));
    steps_plot.line(text("Λ = ", penalty), lesson::Numbers(steps), row, {.points = true});
    row.push_back(loss_of_steps(steady_task, penalty, {}, L.seed(), solved));
    std::vector<std::string> cells = {text(penalty)};
    for (const double loss : row) cells.push_back(three(loss));
    steps_table.row(cells);
    after.push_back(row);
  }
  L.show(steps_table);
  L.show(steps_plot);
  L.say(text("After three steps Λ = .25 is at ", three(after[2][2]), " and Λ = .01 at ", three(after[1][2]),
             "; after ten, at ", three(after[2][5]), " and ", three(after[1][5]), ". Λ = .001, which is at ",
             three(after[0][6]), " when solved, pays ", two(after[0][1]), " after two steps: with zero it "
             "would have paid 1.67."));

  // -------------------------------------------------------------------------------------------
  L.step("What a state can hold");
  //
  // All these layers put a past of any length into a matrix of fixed size. How many pairs does it hold? Give
  // it N keys of K = 16 numbers in random directions, each with one of 64 codes as its value, ask for each
  // key, and take the code that is nearest to the answer. In 16 dimensions only 16 keys can be at right
  // angles, and least squares can satisfy any 16 pairs exactly. From there on it must compromise. Softmax
  // attention keeps all pairs, at a cost that grows with them.
  const Index trials = L.scaled<Index>({.smoke = 5, .lesson = 100, .paper = 1000});
  lesson::Table recall{.title = "The share of N pairs that is recalled, with keys of 16 numbers",
                       .caption = "Follow each column down, from N = K/2 to 4K.",
                       .columns = {"N", "linear", "delta rule", "mesa", "softmax"}};
  std::vector<std::vector<double>> shares;
  for (const Index pairs : {8, 16, 32, 64}) {
    shares.push_back(recalled(pairs, 16, trials, L.seed()));
    recall.row({text(pairs), two(shares.back()[0]), two(shares.back()[1]), two(shares.back()[2]),
                two(shares.back()[3])});
  }
  L.show(recall);
  L.say(text("At N = K the mesa-layer recalls ", two(shares[1][2]), " and linear attention ",
             two(shares[1][0]), "; at N = 4K it is ", two(shares[3][2]), " and ", two(shares[3][0]),
             ". The delta rule, which forgets so well, recalls ", two(shares[1][1]), " and ",
             two(shares[3][1]), "."));

  // Those keys were drawn by us, and nobody may choose random directions for keys who can learn better ones.
  // So let a layer learn the same game. A sequence is N = 16 pairs of a key and a value, each out of 64
  // symbols, and then the 16 keys once more in another order; at each of these the layer has to say the
  // value. (This is called associative recall with many queries.) As pairs lie in two tokens here, the key of
  // a token is made of the token before: a value meets its key. All the rest is learned: a vector for each
  // symbol, queries, keys, values, and the 128 logits. The state is one matrix of K × K numbers.
  //
  // 64 symbols have to share K dimensions, and a sequence holds 16 of them. What do we expect? With K = 32
  // all should do well; with K = 8 nobody but softmax can. Who needs the larger state? And a surprise would
  // be a memory that learns keys good enough to hold more pairs than it has dimensions.
  const Recall game;
  const std::vector<std::pair<std::string, Mixer>> players = {
      {"linear", LinearAttention{{.unit_keys = true}}},
      {"delta rule", GatedDeltaRule{.gates = {.forgets = false}}},
      {"mesa", MesaLayer{.features = {.unit_keys = true}}},
      {"softmax", SoftmaxAttention{}}};
  lesson::Table learned_table{.title = "The share of 16 pairs that a trained layer recalls",
                              .caption = "Each layer was trained with this key size. Below 1/64 = .02 would be "
                                         "worse than to guess a value.",
                              .columns = {"K", "linear", "delta rule", "mesa", "softmax"}};
  L.setting("updates, recall", recall_recipe(L, game, SoftmaxAttention{}, 16).updates);
  const std::vector<Index> key_sizes = {8, 16, 32};
  std::vector<std::vector<double>> recalls;  // [key size][player]
  for (const Index K : key_sizes) {
    std::vector<double>& row = recalls.emplace_back();
    for (const auto& [name, kind] : players) row.push_back(learned_recall(L, game, name, kind, K));
    learned_table.row({text(K), two(row[0]), two(row[1]), two(row[2]), two(row[3])});
  }
  L.show(learned_table);
  L.say(text("With 8 dimensions for 16 pairs, linear attention recalls ", two(recalls[0][0]),
             ", the delta rule ", two(recalls[0][1]), ", the mesa-layer ", two(recalls[0][2]), " and softmax ",
             two(recalls[0][3]), "; with 16, ", two(recalls[1][0]), ", ", two(recalls[1][1]), ", ",
             two(recalls[1][2]), " and ", two(recalls[1][3]), "."));

  // -------------------------------------------------------------------------------------------
  L.step("Three orders of the same arithmetic");
  //
  // Token by token, the recurrence needs H_t, a matrix, for each step of the solver. A graphics processor
  // would rather multiply large matrices. So cut the sequence into chunks of C tokens, and let all tokens of
  // a chunk make their steps side by side: what they need of the past is H before the chunk, and what they
  // need of each other is a table of C × C scores (nn/gated_mesa_forms.h). With C = T there is no recurrence
  // left. The results must agree; the cost of a token grows with C. We expect the recurrence to be fastest
  // here, on a processor with a cache, which likes one small matrix.
  const Index longest = L.scaled<Index>({.smoke = 128, .lesson = 512, .paper = 1024});
  const std::vector<Form> orders = forms(longest, 32, 10, L.seed());
  lesson::Table forms_table{.title = "Ten steps of conjugate gradients, K = 32",
                            .caption = "The largest difference of any output from the recurrence's, and the "
                                       "time for a token on this machine, whatever else it was doing.",
                            .columns = {"tokens at once", "difference", "microseconds"}};
  double farthest = 0;
  for (const Form& form : orders) {
    forms_table.row({form.chunk == 0 ? "1, the recurrence" : text(form.chunk), brief(form.difference),
                     lesson::short_number(form.microseconds, 2)});
    farthest = std::max(farthest, form.difference);
  }
  L.show(forms_table);

  // The recurrence has another use. Who writes text needs one token after another, as the next depends on
  // what the last one turned out to be. A layer with a recurrence keeps its matrices from token to token, and
  // that is all that its past can ever mean to it. Softmax has to keep every key and every value (a key-value
  // cache), and to look at all of them. The library's Decoder (nn/decoder.h) does both. Its answers must be
  // those of the model that sees all tokens side by side; and we expect times and numbers that do not grow,
  // but for softmax.
  const Index early = 64, late = L.scaled<Index>({.smoke = 256, .lesson = 4096, .paper = 16384});
  const std::vector<std::pair<std::string, Mixer>> writers = {{"linear", LinearAttention{}},
                                                              {"gated delta rule", GatedDeltaRule{}},
                                                              {"mesa", MesaLayer{}},
                                                              {"gated mesa", GatedMesaLayer{}},
                                                              {"softmax", SoftmaxAttention{}}};
  lesson::Table writing{.title = "One token more, K = 32",
                        .caption = "Numbers that a layer keeps, and microseconds for the next token on this "
                                   "machine, whatever else it was doing.",
                        .columns = {"layer", text("kept after ", early), text("kept after ", late),
                                    text("µs after ", early), text("µs after ", late)}};
  double decoder_farthest = 0, growth = 0;
  for (const auto& [name, kind] : writers) {
    const OneMore first = one_more(kind, early, L.seed()), last = one_more(kind, late, L.seed());
    writing.row({name, text(first.numbers), text(last.numbers), lesson::short_number(first.microseconds, 2),
                 lesson::short_number(last.microseconds, 2)});
    decoder_farthest = std::max(decoder_farthest, decoder_difference(kind, 100, L.seed()));
    if (name != "softmax") {
      growth = std::max(growth, static_cast<double>(last.numbers) / static_cast<double>(first.numbers));
    }
  }
  L.show(writing);
  L.say(text("Token by token, no answer differs from that of all tokens side by side by more than ",
             brief(decoder_farthest), " of the largest."));

  // -------------------------------------------------------------------------------------------
  L.step("How it breaks");
  //
  // The published layer has a history of reports of NaN and of training that drifts off. Each of its troubles
  // can be shown in a few lines, and beside each stands the rule that this library keeps.
  //
  // Guards. To avoid 0/0, it adds 10⁻⁵ to what conjugate gradients divides by. That is harmless for a q of
  // length 1. But the backward pass solves the same system for the gradient, and gradients of a mean over
  // many tokens are small, 10⁻⁴ or 10⁻⁸. Then the guard is all that counts. Ours divides by what is there,
  // stops when the residual is 10⁻⁵ of q's own length, and answers 0 to 0.
  constexpr Index K = 32;
  const std::vector<real> H = rounded_state(K, 200, 200, 1, 24, L.seed()), penalty(64, real{0.25});
  lesson::Table guards{.title = "Thirty steps, by the length of the right-hand side q",
                       .caption = "‖(H + Λ)x - q‖/‖q‖, for K = 32 and Λ = .25. At 1 nothing was solved.",
                       .columns = {"‖q‖", "10⁻⁵ added", "relative rule"}};
  double guarded_small = 0, relative_worst = 0;
  Random random(L.seed(), stream::analysis_data, 79);
  const std::vector<double> direction = random_direction(64, random);
  for (const double size : {1.0, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8}) {
    std::vector<real> q(K), x(K), r(K), p(K), y(K);
    for (std::size_t j = 0; j < q.size(); ++j) q[j] = static_cast<real>(size * direction[j]);
    guarded_conjugate_gradients(K, 30, H.data(), penalty.data(), q.data(), x.data());
    guarded_small = residual(K, H.data(), penalty.data(), q.data(), x.data());
    conjugate_gradients(K, 30, [&](const real* from, real* to) {
      multiply_penalized(K, H.data(), penalty.data(), from, to);
    }, q.data(), x.data(), r.data(), p.data(), y.data());
    const double ours = residual(K, H.data(), penalty.data(), q.data(), x.data());
    guards.row({brief(size), brief(guarded_small), brief(ours)});
    relative_worst = std::max(relative_worst, ours);
  }
  L.show(guards);

  // Precision. H is a sum of thousands of terms. Kept in half precision, with 11 binary digits, or as
  // bfloat16, with 8, each sum is rounded, and H may get eigenvalues below zero, even below -Λ. Then H + Λ
  // has a direction in which it is negative, p·y may be 0, and a step infinite. Rule: the state is kept in
  // float, steps end where p·y is not positive, and the exact solver knows that no pivot can be below Λ.
  lesson::Table digits{.title = "H after 4096 keys, 12 different ones, K = 64",
                       .caption = "Each sum was rounded to so many binary digits. Exactly, the smallest "
                                  "eigenvalue is 0; H + Λ is positive as long as it is above -Λ.",
                       .columns = {"digits", "smallest eigenvalue, γ = 1", "with γ = .99"}};
  std::vector<double> smallest;
  const Index counted = L.scaled<Index>({.smoke = 1024, .lesson = 4096, .paper = 4096});
  for (const int kept : {24, 11, 8}) {
    std::vector<std::string> cells = {text(kept)};
    for (const double decay : {1.0, 0.99}) {
      smallest.push_back(smallest_eigenvalue(rounded_state(64, counted, 12, decay, kept, L.seed()), 64, 200));
      cells.push_back(brief(smallest.back()));
    }
    digits.row(cells);
  }
  L.show(digits);

  // Zeros. β = 0 and a gradient of the form E/β make 0/0; γ = 0 has the logarithm -∞, and the chunk's
  // c_t - c_i is ∞ - ∞; a table of e^{c_t - c_i} for all i and t, set to 0 above the diagonal afterwards, has
  // infinity times 0 there; and k/‖k‖ of a key of zeros passes a gradient on that is 10¹⁶ times as large, if
  // the length is guarded by 10⁻¹⁶. Rules: no gradient divides by a gate; log γ is at least -20; exponentials
  // are only taken where i ≤ t; the length of a key is √(‖k‖² + 10⁻⁶).
  const auto far = static_cast<real>(exponential(20.0 * 64));
  const Tensor zero_key = Tensor({1, 1, 4}).requires_grad();
  {
    Tape tape;
    tape.backward(safe_unit_length(zero_key, 1), Tensor({1, 1, 4}, 1));
  }
  L.say(text("64 tokens of log γ = -20 above the diagonal: e¹²⁸⁰ = ", static_cast<double>(far),
             ", and times 0 it is ", std::isnan(far * 0) ? "no number" : "0",
             ". A key of zeros multiplies a gradient by ", brief(static_cast<double>(zero_key.grad()[0])),
             "."));

  // -------------------------------------------------------------------------------------------
  L.step("What could have gone wrong");
  //
  // Forgetting could have cost as much as it bought. Trained gates could have ignored the cue. The curves
  // could have failed to cross, the chunks to agree, and surprise could have struck too often.
  L.found(text("After a switch of W: mesa-layer without forgetting ", three(mesa.result.mean),
               ", with the best steady γ ", three(gated.result.mean), ", reset by surprise ",
               three(surprised.result.mean), ". Trained: ", three(stuck.loss), " without gates, ",
               three(steady.loss), " with them, ", three(cued.loss), " with a cue."));
  const lesson::Judged always = {.from = lesson::Scale::smoke};
  L.claim("mesa without forgetting: mean loss", mesa.result.mean, {.expected = 0.757, .tolerance = 0.035});
  L.claim("gated mesa: mean loss", gated.result.mean, {.expected = 0.352, .tolerance = 0.018});
  L.claim("gated delta rule: mean loss", overwriting.result.mean, {.expected = 0.406, .tolerance = 0.02});
  L.claim("gated linear attention: mean loss", gated_linear.result.mean,
          {.expected = 0.857, .tolerance = 0.043});
  L.claim_below("told of the switch, mean loss: part of the best steady γ's",
                told.result.mean / gated.result.mean, 0.65);
  L.claim_below("reset by surprise: mean loss, part of that of who is told",
                surprised.result.mean / told.result.mean, 1.05);
  L.claim("resets by surprise in a sequence", surprised.result.resets, {.expected = 1, .tolerance = 0.02});
  L.claim_below("trained: gated mesa, part of the loss without gates", steady.loss / stuck.loss, 0.55);
  L.claim_below("trained: gated mesa with cue, part of the loss without cue", cued.loss / steady.loss, 0.85);
  L.claim_below("trained: γ at the cue", cued.at_switch(), 0.2);
  L.claim_above("trained: gated delta rule with cue, compared with gated mesa with cue",
                delta_cued.loss / cued.loss, 1.08);
  L.claim_above("trained: gated linear with cue, compared with gated mesa with cue",
                sum_cued.loss / cued.loss, 2);
  L.claim("exactly solved, Λ = .01: mean loss", after[1][6], {.expected = 0.188, .tolerance = 0.01});
  L.claim("exactly solved, Λ = .25: mean loss", after[2][6], {.expected = 0.239, .tolerance = 0.012});
  L.claim_below("three steps: loss with Λ = .25, part of that with Λ = .01", after[2][2] / after[1][2], 0.5);
  L.claim_above("ten steps: the same quotient", after[2][5] / after[1][5], 1.1);
  L.claim_above("recall at N = K: mesa less linear", shares[1][2] - shares[1][0], 0.1);
  L.claim_below("recall at N = 4K: mesa less linear", shares[3][2] - shares[3][0], 0.2);
  L.claim_above("trained, N = 2K: what the mesa-layer recalls, less linear attention",
                recalls[0][2] - recalls[0][0], 0.04);
  L.claim_above("trained, N = 2K: what softmax recalls, less the mesa-layer",
                recalls[0][3] - recalls[0][2], 0.3);
  L.claim_above("trained, N = K/2: the least that one of the four recalls",
                *std::min_element(recalls[2].begin(), recalls[2].end()), 0.95);
  L.claim_below("largest difference between recurrence and chunks", farthest, 1e-5, always);
  L.claim_below("largest difference between token by token and all at once, relative",
                decoder_farthest, 1e-4, always);
  L.claim_below("growth of what layers with a recurrence keep", growth, 1.0001, always);
  L.claim_above("‖q‖ = 10⁻⁸, guards of 10⁻⁵: residual", guarded_small, 0.9, always);
  L.claim_below("relative rule: residual, worst of the table", relative_worst, 1e-4, always);
  L.claim_below("smallest eigenvalue of H in half precision, γ = 1", smallest[2], -0.25, always);
  L.claim_above("smallest eigenvalue of H in float, γ = 1", smallest[0], -0.25, always);

  // -------------------------------------------------------------------------------------------
  L.step("Things to try");
  //
  // Say first what will happen, then change the source and run at lesson scale. What we found stands at the
  // end; claims will fail, which is what they are for.
  //
  // Nothing to learn from. If a false pair in the first token is what keeps γ away from 1, tell the layer
  // that it is one: in SwitchingDynamics::batch (tasks/forgetting.cpp) add
  //     if (cue && t == 0) token[3 * d] = -1;
  // so that the cue is -1 there. It can now be ignored by way of β. What becomes of the loss with a cue?
  //
  // A cue that comes too early. In the same place, let the cue stand in token n, `t == sequence.switched`. It
  // then comes with the last pair of the old system: who empties the memory there keeps one wrong pair. Will
  // the loss be higher?
  //
  // Training in a hurry. Train the gated mesa-layer without a cue with two steps of conjugate gradients, or
  // one, in the place of the exact solver: GatedMesaLayer{.solver = {2}}. The gradient then is not quite that
  // of what is computed. Does it learn all the same, and what Λ does it choose?
  //
  // What we found (seed 1). With the first token marked, the cued layer's loss falls from .130 to .102, where
  // by hand it is .100, and Λ from .05 to .02: the false pair was most of what was wrong. The early cue makes
  // the loss lower, .117: in token n the layer now knows that it knows nothing, says little, and pays .86 for
  // it in the place of 1.64; that saves more than the wrong pair costs. With three steps the layer
  // reaches .200, with two .239, with one .331, in the place of .175, and chooses Λ = .06, .11 and .11 in the
  // place of .04: less thinking, more caution.
}

}  // namespace

int main(int argc, char** argv) {
  return lesson::run({.number = 13, .title = "MesaNet",
                      .question = "What does a mesa-layer gain if it can forget, and how does it learn when?",
                      .source = __FILE__},
                     argc, argv, lesson_body);
}
