// One layer of linear attention is one step of gradient descent.
//
// A Transformer layer without softmax computes, for every token x_t, a sum over the tokens so far:
//
//     x_t + Σ_heads Σ_{i ≤ t} (x_t W_q · x_i W_k) x_i W_v W_o
//
// A token is a vector, one for each position of the sequence, and here it is a row: x W is a row times a
// matrix. (Lesson 1 wrote states as columns, W s. Both are usual, and scalar products are the same.) What
// the four matrices do has names. The query x_t W_q is what token t looks for; the key x_i W_k is what
// token i offers to be found by; their scalar product says how much of the value x_i W_v is taken over;
// and W_o writes the sum into the token. A head is one such set of matrices, and heads are added. That
// the result is added to x_t, instead of replacing it, makes the tokens a stream that flows through all
// layers, to which each only adds: the residual stream. (The usual attention makes positive shares of the
// scalar products, which add up to one, by a function called softmax. Linear attention takes them as they
// are.)
//
// Lesson 1 ended with an algorithm that learns in context by one step of gradient descent:
//
//     s_{t+1} ≈ η Σ_{i ≤ t} s_i (s_{i-1} · s_t)
//
// Put next to each other they look alike: compare s_t with all earlier inputs, and add up what
// followed, weighted by the likeness. Proposition 1 of the paper says that the first can be the
// second, with the right weights. The question of this lesson is another one: a layer that is
// trained to predict, from small random weights, and that knows nothing of gradient descent:
// does it end up there?
#include <cmath>
#include <limits>

#include "core/elementary.h"
#include "nn/linear_transformer.h"
#include "nn/loss.h"
#include "nn/optimizer.h"
#include "nn/training.h"
#include "tasks/compression.h"
#include "tasks/in_context.h"
#include "tutorials/lesson/checkpoint.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/03_one_layer_is_one_step/paper.h"
#include "tutorials/lesson/recipe.h"

using namespace mesagrad;

namespace {

constexpr Index d = 10;
constexpr Index batch = 256;
constexpr Index every = 100;  // updates from one test to the next
constexpr double rate = 2e-4;
const AdamW::Options adam = {.decay = 0.05};
const Clipping clipping = {.value = 1};
const LinearDynamics task;  // lesson 1: ten dimensions, fifty tokens, a new orthogonal W every time

// What one training run leaves behind, test by test.
struct Run {
  std::vector<LinearTransformer> snapshots;
  std::vector<double> loss;  // on the test sequences
};

// The authors' recipe for this experiment (figure 4A): two heads of key size 20, weights of standard
// deviation 0.0002 at first, AdamW with a constant learning rate, gradients limited to [-1, 1].
const LinearTransformer::Options one_layer = {.width = 4 * d,
                                              .blocks = 1,
                                              .heads = 2,
                                              .key_size = 20,
                                              .masked_channels = 2 * d,
                                              .clip = 4,
                                              .init_deviation = 0.0002};

// All models are tested on the same sequences, which no training run sees.
struct Test {
  std::uint64_t seed;
  Index sequences;
  double operator()(const Transformer& model) const {
    return loss_curve(task, seed, stream::test_data, sequences, model).total();
  }
};

Run train(lesson::Lesson& L, const std::string& name, std::uint64_t seed, const Test& test, Index updates) {
  LinearTransformer model(one_layer, seed);
  Training training(model, batch, task.tokens);
  AdamW optimizer(model.parameters(), adam);
  Run run;
  // A training that is killed can go on from its last save (RESUME=1), if it still is the same training.
  Checkpoint checkpoint = lesson::checkpoint(
      L, name, text("training seed ", seed, ", updates ", updates, ", batch ", batch, ", rate ", rate, ", ",
                    lesson::in_words(adam), ", ", lesson::in_words(clipping), ", test every ", every,
                    ", test sequences ", test.sequences, ", ", lesson::in_words(one_layer), ", ",
                    lesson::in_words(task)));
  checkpoint.keep("model", model.parameters());
  checkpoint.keep("optimizer", optimizer);
  checkpoint.keep("snapshots", run.snapshots, model);
  checkpoint.keep("test loss", run.loss);
  const Index start = checkpoint.start(updates);
  lesson::Progress bar = L.progress(text("training ", name), updates, start);
  for (Index n = start; n <= updates; ++n) {
    checkpoint.save_when_due(n);
    if (n == updates) checkpoint.save(n);
    if (n % every == 0) {
      run.snapshots.push_back(snapshot(model));
      run.loss.push_back(test(model));
    }
    if (n == updates) break;
    const double loss = training([&](const LinearTransformer& part, Index first, Index count) {
      const Batch data = task.batch(seed, stream::training_data, n * batch + first, count);
      return squared_error(part(data.inputs), data.labels, batch);
    });
    clip(model.parameters(), clipping);
    optimizer.step(rate);
    bar.update(n + 1, loss);
  }
  return run;
}

// The largest difference between a model's predictions and a predictor's, over all positions.
double largest_difference(const LinearTransformer& model, const Predictor& predictor, std::uint64_t seed,
                          Index sequences) {
  double largest = 0;
  for (Index i = 0; i < sequences; ++i) {
    const Tensor output = model(task.batch(seed, stream::analysis_data, i, 1).inputs);
    const Matrix expected =
        predictor(task.sample(Random(seed, stream::analysis_data, static_cast<std::uint64_t>(i))).states);
    for (Index t = 0; t < task.tokens; ++t) {
      for (Index j = 0; j < d; ++j) {
        largest = std::max(largest, std::abs(output[t * 4 * d + j] - expected(t, j)));
      }
    }
  }
  return largest;
}

// The d-wide groups from .. from + rows and from 0 .. columns of a product, for a picture.
std::vector<double> part_of(const Matrix& product, Index first_row, Index rows, Index first_column,
                            Index columns) {
  std::vector<double> values;
  for (Index i = first_row; i < first_row + rows; ++i) {
    for (Index j = first_column; j < first_column + columns; ++j) values.push_back(product(i, j));
  }
  return values;
}

std::vector<double> column_mean(const std::vector<std::vector<double>>& rows) {
  std::vector<double> mean(rows[0].size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += row[i] / static_cast<double>(rows.size());
  }
  return mean;
}

// Standard deviation over the rows; 0 for a single one.
std::vector<double> column_deviation(const std::vector<std::vector<double>>& rows) {
  const std::vector<double> mean = column_mean(rows);
  std::vector<double> deviation(mean.size());
  if (rows.size() < 2) return deviation;
  for (std::size_t i = 0; i < mean.size(); ++i) {
    for (const auto& row : rows) deviation[i] += power(row[i] - mean[i], 2);
    deviation[i] = std::sqrt(deviation[i] / static_cast<double>(rows.size() - 1));
  }
  return deviation;
}

void lesson_body(lesson::Lesson& L) {
  // -------------------------------------------------------------------------------------------
  L.step("Gradient descent, written into the weights by hand");
  //
  // Attention can only compare what stands in one token, and a pair (s_{i-1}, s_i) needs both. So for
  // now we hand the pairs over ready-made ("constructed tokens"), in four groups of ten channels:
  //
  //     e_t = [ 0 , s_t , s_t , s_{t-1} ]
  //
  // The prediction is to appear in the first group. (The second is for deeper models; one layer gets
  // it zeroed.)
  //
  // Two tokens first, with states of a single number, so that a token is four numbers. Let s₀ = 1, s₁ = 2:
  //
  //     e₀ = [0, 1, 1, 0]     e₁ = [0, 2, 2, 1]
  //
  // The query reads the third number, the key the fourth, the value the third again, and η is 0.1. At
  // t = 1 the query is 2. Token 0 has the key 0, so nothing of it is taken. Token 1 has the key 1 and the
  // value 2, and adds η·(2·1)·2 = 0.4 to the first number of e₁. Gradient descent has seen one example, 1
  // goes to 2, and from Φ = 0 a step makes Φ = η·2·1 = 0.2, which predicts Φ s₁ = 0.4. It is the same
  // multiplication in another order.
  //
  // In ten dimensions numbers become groups. Proposition 1: let the query read s_t, the key s_{i-1}, the
  // value s_i, and write η times the sum into the first group. Three identity matrices and one η, and
  // everything else is 0; the layer's formula above then is the formula of gradient descent, term by term.
  const StepSizeSearch search = search_step_size(
      task, L.seed(), stream::test_data, L.scaled<Index>({.smoke = 512, .lesson = 16384, .paper = 65536}));
  const double eta = search.best_eta();
  constexpr real unlimited = std::numeric_limits<real>::infinity();
  const LinearTransformer by_hand(
      {.width = 4 * d, .heads = 1, .key_size = d, .clip = unlimited, .init_deviation = 0}, L.seed());
  const SelfAttention& written = by_hand.blocks[0].attention;
  for (Index i = 0; i < d; ++i) {
    written.wq[(2 * d + i) * d + i] = 1;                 // the query reads channel i of the third group, s_t,
    written.wk[(3 * d + i) * d + i] = 1;                 // the key that of the fourth, s_{i-1},
    written.wv[(2 * d + i) * d + i] = 1;                 // the value that of the third,
    written.wo[i * 4 * d + i] = static_cast<real>(eta);  // and η times it is written to the first
  }
  const double difference =
      largest_difference(by_hand, gradient_step_predictor(eta), L.seed(), 64);
  L.say(text("The best step size is η = ", eta, " (lesson 1). Over 64 sequences, the layer's predictions and "
             "those of gradient descent differ by at most ", difference, "."));

  // -------------------------------------------------------------------------------------------
  L.step("The same layer, trained");
  //
  // Now nobody writes anything. The weights start as noise of size 0.0002, so small that the layer
  // predicts almost exactly 0 (a product of four of them is 10⁻¹⁵), and that the gradient is tiny too.
  // AdamW (lesson 2) makes its steps as large as for a big gradient, but at first they only take the
  // weights out of the noise. When do you expect the loss to fall, and how steeply?
  const Index updates = L.scaled<Index>({.smoke = 100, .lesson = 2500, .paper = 3500});
  const auto final_test = static_cast<std::size_t>(std::min<Index>(updates, 2500) / every);
  const std::uint64_t seeds = L.scaled<std::uint64_t>({.smoke = 1, .lesson = 1, .paper = 5});
  L.setting("updates", updates);
  L.setting("training seeds", seeds);
  L.setting("batch", batch);
  L.setting("learning rate", rate);
  L.setting("weight decay", adam.decay);
  // The authors test on 2560 sequences. Their luck moves all losses of a run by up to a percent or
  // two, so at paper scale, where we want to compare with the authors, we take eight times as many.
  const Test test{L.seed(), L.scaled<Index>({.smoke = 256, .lesson = 2560, .paper = 20480})};
  L.setting("test sequences", test.sequences);
  std::vector<Run> runs;
  for (std::uint64_t i = 0; i < seeds; ++i) {
    runs.push_back(train(L, text("layer-", i + 1), L.seed() + 1000 * i, test, updates));
  }
  // From here on "the layer" is the first seed's after 2500 updates; the others come back at the end.
  const LinearTransformer& layer = runs[0].snapshots[final_test];

  const Index sequences = L.scaled<Index>({.smoke = 256, .lesson = 16384, .paper = 65536});
  L.setting("sequences", sequences);
  const LossCurve trained = loss_curve(task, L.seed(), stream::test_data, sequences, layer);
  const LossCurve descent =
      loss_curve(task, L.seed(), stream::test_data, sequences, gradient_step_predictor(eta));
  const std::vector<double>& t = trained.t;
  std::vector<double> ratio;
  double largest_ratio = 0;
  for (Index i = 0; i < task.tokens; ++i) {
    const auto k = static_cast<std::size_t>(i);
    ratio.push_back(trained.mean[k] / descent.mean[k]);
    if (i >= 2) largest_ratio = std::max(largest_ratio, std::abs(ratio[k] - 1));
  }
  {
    lesson::LinePlot plot{.name = "layer-and-descent",
                          .title = "A trained layer and a step of gradient descent",
                          .x = "position t",
                          .y = "loss",
                          .caption = text("The layer after ", static_cast<Index>(final_test) * every,
                                          " updates. Where the curves part, it is not gradient descent. "
                                          "Dashed: the authors' layer.")};
    plot.line("trained layer", t, trained.mean, {.points = true});
    plot.line("one gradient step", t, descent.mean);
    plot.line("authors' trained layer", t, paper::lsa_1, {.dashed = true});
    L.show(plot);
    lesson::LinePlot quotient{.name = "layer-over-descent",
                              .title = "The layer's loss divided by that of a step of gradient descent",
                              .x = "position t",
                              .y = "ratio",
                              .caption = "How far is it from the thin line at 1, and where?"};
    quotient.line("trained layer / gradient step", t, ratio, {.points = true});
    quotient.line("equal", std::vector<double>{t.front(), t.back()}, std::vector<double>{1, 1}, {.thin = true});
    L.show(quotient);
    std::string history;
    for (std::size_t i = 0; i < runs[0].loss.size() && i <= 5; ++i) {
      history += text(i == 0 ? "" : ", ", lesson::short_number(runs[0].loss[i], 3), " after ", i * every);
    }
    L.say(text("The test loss was ", history, " updates. From t = 2 on, the layer's loss differs from that "
               "of gradient descent by up to ", lesson::fixed_number(100 * largest_ratio, 1), " %."));
  }

  // -------------------------------------------------------------------------------------------
  L.step("Reading the weights");
  //
  // Equal losses could be a coincidence; weights are a confession. W_q and W_k matter only through
  // their product, which says which channels are compared with which, and W_v and W_o through theirs,
  // which says what is copied where. If the layer is gradient descent, we should see multiples of the
  // identity: in the block (s_t, s_{i-1}) of the first, and in the block (s_i, prediction) of the
  // second. A head may flip the sign of both.
  const std::vector<Index> moments = updates >= 2500 ? std::vector<Index>{0, 200, 300, 500, 2500}
                                                     : std::vector<Index>{0, updates};
  {
    lesson::HeatMap qk{.name = "query-key",
                       .title = "W_q·W_kᵀ of both heads while training",
                       .caption =
                           "Rows: what the query reads; columns: what the key reads. Look for multiples of "
                           "the identity.",
                       .columns = static_cast<int>(moments.size()),
                       .row_titles = {"head 1", "head 2"},
                       .block = d,
                       .row_labels = {"sₜ", "sₜ₋₁"},
                       .column_labels = {"sᵢ", "sᵢ₋₁"}};
    lesson::HeatMap vo{.name = "value-output",
                       .title = "W_v·W_o of both heads while training",
                       .caption = "Rows: what the value reads; columns: the prediction it is written to.",
                       .columns = static_cast<int>(moments.size()),
                       .row_titles = {"head 1", "head 2"},
                       .block = d,
                       .row_labels = {"sᵢ", "sᵢ₋₁"},
                       .column_labels = {"prediction"}};
    for (Index head = 0; head < 2; ++head) {
      for (const Index moment : moments) {
        const SelfAttention& block = runs[0].snapshots[static_cast<std::size_t>(moment / every)].blocks[0].attention;
        const std::string title = text(moment, " updates");
        qk.panel(title, 2 * d, 2 * d, part_of(query_key_product(block, head), 2 * d, 2 * d, 2 * d, 2 * d));
        vo.panel(title, 2 * d, d, part_of(value_output_product(block, head), 2 * d, 2 * d, 0, d));
      }
    }
    L.show(qk);
    L.show(vo);
  }

  // -------------------------------------------------------------------------------------------
  L.step("The layer in twelve numbers");
  //
  // So take the pictures at their word. Replace every block of ten by ten by the mean of its diagonal
  // times the identity: six numbers are left of the 3200 of each head. If what we threw away had
  // mattered, the loss would tell.
  //
  // And those numbers have a meaning: the coefficient of s_i (s_{i-1}·s_t), summed over the heads, is
  // the step size that the layer has learned.
  const Transformer compressed = compress(layer, d);
  const double layer_loss = runs[0].loss[final_test], compressed_loss = test(compressed);
  const double learned_eta = effective_step_size(layer, d);
  {
    lesson::Table table{.title = "What is left of each head",
                        .caption = text("Step size: the products of the second and the last column but one, "
                                        "added up, ", lesson::short_number(learned_eta, 3), "."),
                        .columns = {"head", "sₜ·sᵢ", "sₜ·sᵢ₋₁", "sₜ₋₁·sᵢ", "sₜ₋₁·sᵢ₋₁", "copies sᵢ",
                                    "copies sᵢ₋₁"}};
    for (Index head = 0; head < 2; ++head) {
      const Matrix qk = block_scalars(query_key_product(layer.blocks[0].attention, head), d);
      const Matrix vo = block_scalars(value_output_product(layer.blocks[0].attention, head), d);
      const auto number = [](double x) { return lesson::fixed_number(x, 4); };
      table.row({text(head + 1), number(qk(2, 2)), number(qk(2, 3)), number(qk(3, 2)), number(qk(3, 3)),
                 number(vo(2, 0)), number(vo(3, 0))});
    }
    L.show(table);
  }
  L.say(text("The layer's loss is ", layer_loss, ", of the compressed one ", compressed_loss, "."));

  // -------------------------------------------------------------------------------------------
  L.step("Halfway between the layer and its formula");
  //
  // One more test that could go wrong. If the trained layer and the formula were two different
  // solutions that happen to be equally good, a model halfway between them would be worse than both.
  // We average the products (never the factors, which mean nothing by themselves) of the compressed
  // layer with those of the layer as it was after 0, 100, 200, ... updates.
  //
  // At the very start one half is nothing and the other half is the formula. Half of W_q W_kᵀ times
  // half of W_v W_o makes a step of η/4, so the loss should start 7/16 of the way down the parabola
  // of lesson 1, at 1.33.
  //
  // The authors train a second time for this, from the same seed. Training here is the same to the
  // last bit every time, so that would only repeat itself; we have kept the weights. (That it does
  // repeat itself is one of the claims below.)
  std::vector<std::vector<double>> layer_losses, halfway_losses;
  std::vector<double> compressed_losses, etas;
  for (const Run& run : runs) {
    const Transformer end = compress(run.snapshots[final_test], d);
    compressed_losses.push_back(test(end));
    etas.push_back(effective_step_size(run.snapshots[final_test], d));
    layer_losses.push_back(run.loss);
    halfway_losses.emplace_back();
    for (const LinearTransformer& snapshot : run.snapshots) {
      L.check_interrupted();
      halfway_losses.back().push_back(test(interpolate(snapshot, end)));
    }
  }
  const Run again = train(L, "again", L.seed(), test, every);
  bool repeats = true;
  for (std::size_t p = 0; p < 4; ++p) {
    LinearTransformer first = runs[0].snapshots[1], second = again.snapshots[1];
    const Tensor &a = *first.parameters()[p].tensor, &b = *second.parameters()[p].tensor;
    repeats = repeats && std::equal(a.data(), a.data() + a.size(), b.data());
  }

  const std::vector<double> mean = column_mean(layer_losses), spread = column_deviation(layer_losses);
  const std::vector<double> halfway = column_mean(halfway_losses),
                            halfway_spread = column_deviation(halfway_losses);
  std::vector<double> compressed_line(mean.size(), compressed_loss), n;
  for (std::size_t i = 0; i < mean.size(); ++i) n.push_back(static_cast<double>(i) * every);
  {
    lesson::LinePlot plot{.name = "interpolation",
                          .title = "The layer, its formula, and the model halfway between",
                          .x = "updates",
                          .y = "test loss",
                          .caption = seeds > 1
                                         ? "Means over the seeds, with bands of one standard deviation. "
                                           "Dashed: the authors' runs."
                                         : "Dashed: the authors' runs, means over five seeds."};
    plot.line("trained layer", n, mean, {.std = spread, .band = true});
    plot.line("halfway to the formula", n, halfway, {.std = halfway_spread, .band = true});
    plot.line("compressed to a formula", n, compressed_line, {.thin = true});
    std::vector<double> their_n;
    for (std::size_t i = 0; i < paper::lsa_1_training.size(); ++i) {
      if (static_cast<Index>(i) * every <= updates) their_n.push_back(static_cast<double>(i) * every);
    }
    const auto shorten = [&](std::vector<double> values) {
      values.resize(their_n.size());
      return values;
    };
    plot.line("authors' layer", their_n, shorten(paper::lsa_1_training),
              {.dashed = true, .like = "trained layer"});
    plot.line("authors' halfway", their_n, shorten(paper::interpolated_training),
              {.dashed = true, .like = "halfway to the formula"});
    L.show(plot);
  }

  L.curve("trained layer", t, trained.mean, trained.deviation);
  L.curve("one gradient step", t, descent.mean, descent.deviation);
  L.curve("test loss while training", n, mean, spread);
  L.curve("test loss halfway to the formula", n, halfway, halfway_spread);

  // The authors' test sequences started a little shorter than they should have on average, ours a
  // little longer or shorter too. The loss before training shows by how much (lesson 1), and the
  // comparison takes it out.
  const double luck = mean[0] / paper::lsa_1_training[0];
  for (const std::size_t i : {2u, 3u, 5u, 10u, 20u, 34u}) {
    if (i >= mean.size()) continue;
    L.compare(text("layer after ", i * every, " updates"), mean[i] / luck, paper::lsa_1_training[i]);
  }
  for (const std::size_t i : {0u, 1u, 2u, 3u, 5u, 10u, 20u, 34u}) {
    if (i >= mean.size()) continue;
    L.compare(text("halfway after ", i * every, " updates"), halfway[i] / luck,
              paper::interpolated_training[i]);
  }
  // At paper scale the tables should agree up to what chance allows: 2 % for their test sequences, and
  // three standard errors of the difference of two means over five seeds.
  double worst = 0;
  for (std::size_t i = 0; i < std::min(mean.size(), paper::lsa_1_training.size()); ++i) {
    const auto distance = [&](double ours, double theirs, double seed_spread) {
      const double chance = 0.02 * theirs + 3 * seed_spread * std::sqrt(2.0 / static_cast<double>(seeds));
      return std::abs(ours / luck - theirs) / chance;
    };
    worst = std::max({worst, distance(mean[i], paper::lsa_1_training[i], spread[i]),
                      distance(halfway[i], paper::interpolated_training[i], halfway_spread[i])});
  }
  L.compare("compressed", column_mean({compressed_losses})[0] / luck, lesson::mean(paper::compressed));
  L.compare("learned step size", column_mean({etas})[0], 0.0334);

  L.found(text("Mean loss: the trained layer ", lesson::fixed_number(trained.total(), 3),
               ", one step of gradient descent ", lesson::fixed_number(descent.total(), 3),
               ". The step size in the layer's weights is ", lesson::fixed_number(learned_eta, 4), ", the best is ",
               lesson::fixed_number(eta, 4), "."));
  L.claim_below("Proposition 1 by hand: largest difference to gradient descent", difference, 1e-5,
                {.from = lesson::Scale::smoke});
  L.claim("training twice gives the same bits", repeats ? 1 : 0,
          {.expected = 1, .tolerance = 0, .from = lesson::Scale::smoke});
  L.claim_between("loss of the trained layer", trained.total(), 0.875, 0.905);
  L.claim_below("largest relative difference to gradient descent at any t >= 2", largest_ratio, 0.035);
  L.claim_below("loss lost by compression to twelve numbers", compressed_loss - layer_loss, 0.003);
  L.claim("learned step size", learned_eta, {.expected = 0.0334, .tolerance = 0.002});
  L.claim("halfway model before training: 7/16 of the way", halfway[0],
          {.expected = 1.33, .tolerance = 0.03});
  if (seeds > 1) L.claim_below("largest distance to the authors' table, in units of chance", worst, 1);
  L.claim_below("halfway model in the end, compared with the layer",
                std::abs(halfway.back() - mean.back()), 0.005);

  // -------------------------------------------------------------------------------------------
  L.step("Things to try");
  //
  // Say first what will happen, then change the source and run.
  //
  // Twice as bold. Write 2η into the layer by hand, and let it say its loss,
  //
  //     L.say(text(loss_curve(task, L.seed(), stream::test_data, 512, by_hand).total()));
  //
  // with SCALE=smoke. η is the best step, so 2η should still be better than none? Use the parabola of
  // lesson 1 to predict the loss of 2η and of -η, knowing only the loss of 0 and of η.
  //
  // Which numbers nobody can read. Multiply the weights of wq by 1000 and divide those of wk by 1000. Does
  // the difference to gradient descent grow? What do the pictures show of a trained layer that its factors
  // W_q and W_k, looked at one by one, would not?
  //
  // A start from larger noise, and from none. The flat beginning must come from the tiny weights: so start
  // with an init_deviation of 0.02, a hundred times as large. How many updates does that save? (Set
  // `updates` of the smoke scale to 400, run with SCALE=smoke, and read the line about the test loss.)
  // Remember how AdamW makes its steps. Then start with an init_deviation of 0. The derivative of a
  // product by one of its factors is the product of the others: how long is the flat beginning now?
}

}  // namespace

int main(int argc, char** argv) {
  return lesson::run({.number = 3, .title = "One layer of linear attention is one step of gradient descent",
                      .question = "Does a trained attention layer find gradient descent by itself?",
                      .source = __FILE__},
                     argc, argv, lesson_body);
}
