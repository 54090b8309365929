// The mesa-layer: a layer that solves the problem exactly.
//
// A layer of linear attention can make one step of gradient descent on the pairs that it has seen, and many
// layers can make many steps. But what they crawl towards has a formula. Call the input of a pair its key k_i
// and what followed its value v_i. Among all matrices Φ, the one that maps every key so far to its value
// best, with a little aversion to large numbers, is
//
//     Φ_t = the Φ with the smallest  ½ Σ_{i≤t} ‖v_i - Φ k_i‖² + ‖Φ‖²/(2λ)
//
// where ‖Φ‖² is the sum of the squares of all its entries. The aversion is lesson 1's ridge, only upside
// down: λ divides here, so a large λ is a small penalty. It makes sure that there is one best Φ even when
// there are fewer pairs than directions, and it keeps the noise of few pairs from becoming large numbers.
//
// So why not write a layer that uses it, o_t = Φ_t q_t, for the query q_t? It has to solve a linear system
// for every token, and it has to be differentiated; both sound expensive. The paper calls it the mesa-layer:
// a mesa-optimizer is an optimizer that stands inside a trained model, and here one is built in. (What is
// only measured, and not needed to understand the layer, stands beside this lesson in measure.h.)
//
// The question of this lesson: what does one such layer learn, next to six layers of linear attention?
#include <algorithm>
#include <cmath>
#include <numeric>

#include "nn/linear_transformer.h"
#include "tasks/in_context.h"
#include "tutorials/05_depth/paper.h"
#include "tutorials/06_the_mesa_layer/measure.h"
#include "tutorials/06_the_mesa_layer/paper.h"
#include "tutorials/lesson/mesa_table.h"
#include "tutorials/lesson/train.h"

using namespace mesagrad;

namespace {

constexpr Index d = 10;
constexpr Index key_size = 20;
const LinearDynamics task;  // lesson 1's

std::string scientific(double x) { return lesson::short_number(x, 2); }
std::string loss_text(double x) { return lesson::fixed_number(x, 4); }
std::string time_text(double x) { return lesson::fixed_number(x, 2); }

void lesson_body(lesson::Lesson& L) {
  // -------------------------------------------------------------------------------------------
  L.step("Linear attention with better questions");
  //
  // Every token makes three vectors: a key and a value, the example (k_i, v_i) that it gives to others,
  // and a query q_t, which it asks for itself. Set the derivative of the objective by Φ to zero:
  //
  //     Σ_{i≤t} (Φ k_i - v_i) k_iᵀ + Φ/λ = 0     or     Φ (Σ_{i≤t} k_i k_iᵀ + I/λ) = Σ_{i≤t} v_i k_iᵀ
  //
  // Let R_t be the inverse of the matrix on the left. Then
  //
  //     Φ_t = (Σ v_i k_iᵀ) R_t     and     o_t = Φ_t q_t = Σ_{i≤t} v_i (k_i · R_t q_t)
  //
  // Read the last sum again: it is linear attention, asked with R_t q_t in the place of q_t. So all that is
  // new is the preconditioning of queries (lesson 5: to change the question such that a simple method answers
  // it well). What several layers approach step by step, this one does at once.
  //
  // A new pair changes the matrix by k kᵀ. What does that do to its inverse? Let R be the inverse of H,
  // u = R k, and guess that only a multiple of u uᵀ has to go. As H u = k and kᵀR = uᵀ,
  //
  //     (H + k kᵀ)(R - c u uᵀ) = I + k uᵀ - c k uᵀ - c (k·u) k uᵀ
  //                            = I + (1 - c (1 + k·u)) k uᵀ
  //
  // and this is I if c = 1/(1 + k·u). So, as Sherman and Morrison found,
  //
  //     R_t = R_{t-1} - u uᵀ/(1 + k_t·u),     u = R_{t-1} k_t,     R_0 = λI
  //
  // (Pairs are counted from 1 here, so that R_0 belongs to none.) No system is ever solved: a few times K²
  // multiplications for a token carry R along, for keys of K numbers. In double, with queries and keys (T,
  // K), this is all of it:
  const auto recursion = [](const Matrix& q, const Matrix& k, double lambda) {
    const Index T = q.rows(), K = q.columns();
    Matrix R(K, K), u(K, 1), result(T, K);
    for (Index i = 0; i < K; ++i) R(i, i) = lambda;
    for (Index t = 0; t < T; ++t) {
      double divisor = 1;  // 1 + k·u
      for (Index i = 0; i < K; ++i) {
        u(i, 0) = 0;
        for (Index j = 0; j < K; ++j) u(i, 0) += R(i, j) * k(t, j);
        divisor += k(t, i) * u(i, 0);
      }
      for (Index i = 0; i < K; ++i) {
        for (Index j = 0; j < K; ++j) {
          R(i, j) -= u(i, 0) * u(j, 0) / divisor;
          result(t, i) += R(i, j) * q(t, j);
        }
      }
    }
    return result;
  };
  const Tensor q = vectors(50, 1, L.seed(), 1), k = vectors(50, 1, L.seed(), 2);  // of random directions
  const Matrix queries = reference::head_of(q, 0, 0, 1), keys = reference::head_of(k, 0, 0, 1);
  const Matrix textbook = reference::preconditioned_queries(queries, keys, 1);
  L.say(text("The textbook builds the matrix and solves the system, for every token. Over 50 tokens, with "
             "λ = 1, the recursion differs from it by at most ",
             scientific(error_of_rows(recursion(queries, keys, 1), textbook)),
             " of a solution's largest number."));

  // The library has the same recursion in float, for all heads and sequences at once: preconditioned_queries
  // of nn/mesa.h. Float keeps seven digits, and R has to hold numbers of different size: λ in directions that
  // no key has shown, and something like 1/‖k‖² in those that were seen. So what should decide about errors
  // is λ‖k‖². And what do many tokens do? An error that is made once stays in R for good.
  const Index stress_tokens = L.scaled<Index>({.smoke = 512, .lesson = 16384, .paper = 16384});
  const RoundingErrors rounding = rounding_errors(stress_tokens, L.seed());
  L.show(rounding.table);
  L.say(text("From 50 to ", stress_tokens, " tokens the error of one row grows ",
             lesson::fixed_number(rounding.growth, 1), "-fold, to ", scientific(rounding.grown),
             "; that of all others grows less, or not at all."));

  // -------------------------------------------------------------------------------------------
  L.step("A dial between gradient descent and the exact solution");
  //
  // λ says how much to trust the pairs. With λ → 0 the matrix under the inverse is all I/λ, R is λI, and the
  // layer is λ times linear attention: one small step of gradient descent. With a large λ it is least
  // squares. How small is small? Compare R q/λ with q. Along an eigenvector of Σ k_i k_iᵀ with the eigenvalue
  // a, R is 1/(a + 1/λ), so that
  //
  //     R q/λ = q/(1 + λa)     and its distance from q is   λa/(1 + λa)
  //
  // times q. That grows like λ as long as λa is small, and never passes 1. Keys of length 1 make a trace of t
  // at position t, so eigenvalues of t/20 in the mean: we expect the bend near λ = 1.
  std::vector<double> dial, distance;
  for (double lambda = 1e-4; lambda < 200; lambda *= std::sqrt(10.0)) {
    dial.push_back(lambda);
    distance.push_back(distance_from_linear(q, k, lambda));
  }
  lesson::LinePlot dial_plot{.name = "dial",
                             .title = "From linear attention to least squares",
                             .x = "λ",
                             .y = "relative distance of R·q/λ from q",
                             .caption = "At 0 the mesa-layer would be linear attention, at 1 nothing of the "
                                        "old query is left. Compare the slope on the left with that of λ "
                                        "itself.",
                             .log_x = true,
                             .log_y = true};
  dial_plot.line("50 tokens, ‖k‖ = 1", dial, distance, {.points = true});
  L.show(dial_plot);

  // -------------------------------------------------------------------------------------------
  L.step("Two ways back");
  //
  // Training needs the gradient. Write q̃_t for R_t q_t, p_t for the gradient that arrives at it, and
  // d_t = R_t p_t. What does a small change δH of H_t = Σ k_i k_iᵀ + I/λ do? From H R = I follows
  // δR = -R δH R, and so (R is symmetric)
  //
  //     p_t·δq̃_t = -(R_t p_t)·δH (R_t q_t) = -d_t·δH q̃_t,     δH = Σ (δk_i k_iᵀ + k_i δk_iᵀ) - δλ I/λ²
  //
  // Read off what stands at δk_i and δλ, remember that a key is part of all later H, and write d before a
  // letter for its gradient:
  //
  //     dq_t = d_t,     dk_i = -Σ_{t≥i} (d_t q̃_tᵀ + q̃_t d_tᵀ) k_i,     dλ = Σ_t d_t·q̃_t / λ²
  //
  // The d_t cost a second forward sweep; the sum in the middle grows from the last token to the first.
  // (Check that nothing else is needed: no R is kept.) This is what the library does.
  //
  // The paper does something more daring. It keeps the last R only and runs time backwards,
  //
  //     R_{t-1} = R_t - w wᵀ/(k_t·w - 1),     w = R_t k_t
  //
  // which is Sherman and Morrison's formula for a pair that is taken away, and exact on paper. But look at
  // what it divides by. With u as before, w = u - u (u·k)/(1 + k·u) = u/(1 + k·u), so
  //
  //     k_t·w - 1 = (k·u)/(1 + k·u) - 1 = -1/(1 + k_t·u)
  //
  // and for a long key that is a difference of two numbers near 1 which is nearly zero. In float we expect
  // few correct digits of it. How far from λI is the matrix at which it arrives, and what is its gradient
  // worth?
  const GradientTable gradients = gradient_table(L.seed());
  L.show(gradients.table);

  // -------------------------------------------------------------------------------------------
  L.step("One layer, trained");
  //
  // Now put a single mesa-layer where lessons 3 and 5 had linear attention. Same tokens, same task, four
  // heads with keys of twenty numbers. It has 12,804 weights, of which four are λ, one for each head; they
  // start at 1 and are trained like all others. Nobody tells the layer which part of a token is a key and
  // which a value: that is what it has to learn.
  //
  // What do we expect? Least squares with all pairs is the best linear regression; if training finds the
  // right queries, keys and values, the layer should come close, with a λ that fits the noise. But regression
  // is not the best that could be done: it does not know that W is orthogonal (lesson 1). Does the layer make
  // use of that, anywhere? It would have to be better than least squares at some position, by more than
  // chance: by more than three standard errors, say (lesson 5).
  const Index updates = L.scaled<Index>({.smoke = 100, .lesson = 2400, .paper = 4500});
  const WarmupCosine cosine{.peak = 2e-3, .end = 1e-5, .warmup = 100, .total = updates};
  const lesson::Recipe<LinearTransformer> recipe = {
      .model = {.width = 4 * d,
                .heads = 4,
                .key_size = key_size,
                .kind = MesaLayer{},
                .masked_channels = 2 * d,
                .clip = 4,
                .init_deviation = 0.0002},
      .optimizer = {.decay = 0.1},
      .updates = updates,
      .batch = L.scaled<Index>({.smoke = 32, .lesson = 64, .paper = 256}),
      .rate = [&](Index n) { return L.scale() == lesson::Scale::paper ? 4e-4 : cosine(n); },
      .test_every = L.scaled<Index>({.smoke = 50, .lesson = 100, .paper = 100}),
      .test_sequences = L.scaled<Index>({.smoke = 256, .lesson = 1280, .paper = 2560})};
  const Index sequences = L.scaled<Index>({.smoke = 256, .lesson = 8192, .paper = 16384});
  L.setting("updates", updates);
  L.setting("batch", recipe.batch);
  L.setting("sequences", sequences);
  const lesson::Runs<LinearTransformer> layer =
      lesson::train_and_test(L, "mesa-layer", task, recipe, 1, sequences);
  const auto curve_of = [&](const Predictor& predictor) {
    return loss_curve(task, L.seed(), stream::test_data, sequences, predictor);
  };
  const LossCurve &mesa = layer.curve(), all_pairs = curve_of(least_squares_predictor({})),
                  one_behind = curve_of(least_squares_predictor({.newest_pair = false})),
                  descent = curve_of(gradient_step_predictor(0.032));
  lesson::LinePlot curves = lesson::by_position(
      {.name = "mesa-layer",
       .title = "A mesa-layer beside the best linear regression",
       .caption = "Compare two stretches: the first ten pairs, when some directions were never seen, and "
                  "what follows, when least squares has only noise left to average away. Dashed: the "
                  "authors' six layers of linear attention."});
  curves.curve("mesa-layer", mesa, {.points = true});
  curves.curve("least squares, all pairs", all_pairs);
  curves.curve("least squares, newest pair left out", one_behind, {.thin = true});
  curves.curve("one gradient step", descent, {.thin = true});
  curves.line("six linear layers (authors)", mesa.t, paper::lsa_6, {.given = true});
  L.show(curves);
  const auto mean_ratio = [&](Index from, Index to) {  // of the sums over from .. to
    const auto sum = [&](const std::vector<double>& loss) {
      return std::accumulate(loss.begin() + from, loss.begin() + to + 1, 0.0);
    };
    return lesson::short_number(sum(mesa.mean) / sum(all_pairs.mean), 3);
  };
  L.say(text("Least squares with all pairs = 1: the layer's loss is ", mean_ratio(0, 9), " at t = 0 to 9, ",
             mean_ratio(10, 10), " at t = 10, and ", mean_ratio(20, 49), " at t = 20 to 49."));
  const Index better = clearly_below(mesa, all_pairs);
  L.say(text("At ", better, " of the ", task.tokens, " positions it is better than least squares by more "
             "than three standard errors: ", better == 0 ? "no sign of its knowing that W is orthogonal."
                                              : "it knows something that regression does not."));

  // How did it get there? Weights start so small that the layer says nearly 0, as in lesson 3.
  lesson::LinePlot training = lesson::by_updates(
      {.name = "training",
       .title = "The loss while training",
       .caption = "Look for a wait, a fall and a long tail. Dashed: the authors, with batches of 256 and a "
                  "constant learning rate of 0.0004.",
       .log_y = true});
  for (std::size_t i = 0; i < layer.runs.size(); ++i) {
    training.line(text("seed ", layer.seeds[i]), layer.runs[i].tested_at, layer.runs[i].test_loss);
  }
  std::vector<double> authors_updates(paper::mesa_training.size());
  for (std::size_t i = 0; i < authors_updates.size(); ++i) authors_updates[i] = 100 * static_cast<double>(i);
  training.line("authors", authors_updates, paper::mesa_training, {.given = true});
  L.show(training);
  const lesson::Trained<LinearTransformer>& first = layer.runs.front();
  L.say(text("From ", loss_text(first.test_loss.front()), " to ", loss_text(first.test_loss.back()),
             ": nine tenths of that way are done after ", first.tested_at[first.when_lost(0.9)], " of ",
             updates, " updates."));

  // And what λ did it choose? Keys twice as long with a λ a fourth as large are the same layer, up to a
  // factor that queries or values can make up for. So λ alone says nothing; λ‖k‖² does: how much one pair
  // weighs, compared with the aversion to large numbers.
  lesson::show_lambdas(L, layer.model(), 0, task.batch(L.seed(), stream::test_data, 0, 256).inputs,
                       {1.46, 1.61, 1.51, 1.45});

  // -------------------------------------------------------------------------------------------
  L.step("What it costs");
  //
  // Softmax attention, which lesson 7 explains, compares every token with every earlier one: the work for a
  // token grows with its position. The mesa-layer keeps one matrix R and one matrix Σ v_i k_iᵀ, whatever came
  // before, so its time for a token should not depend on the position; but it is a few times K² at once. So
  // we expect two lines that cross. Both are the library's own, with vector instructions, here on one thread:
  // forward only, one head of size 20, tokens cut into sequences of different lengths.
  const Index longest = L.scaled<Index>({.smoke = 256, .lesson = 16384, .paper = 16384});
  const Cost cost = cost_by_length(L, longest);
  lesson::LinePlot times{.name = "cost",
                         .title = "Time for a token, on one thread",
                         .x = "tokens in the sequence",
                         .y = "microseconds for a token",
                         .caption = "The library's own mesa-layer and softmax attention. Look where the "
                                    "lines cross. Times belong to this machine, and to what else it was "
                                    "doing.",
                         .log_x = true,
                         .log_y = true,
                         .timing = true};
  times.line("mesa-layer", cost.tokens, cost.mesa, {.points = true});
  times.line("softmax attention", cost.tokens, cost.softmax, {.points = true});
  L.show(times);
  const auto [fastest, slowest] = std::minmax_element(cost.mesa.begin(), cost.mesa.end());
  L.say(text("From 64 to ", longest, " tokens softmax attention's time for a token went from ",
             time_text(cost.softmax.front()), " to ", time_text(cost.softmax.back()),
             " microseconds; the mesa-layer's stayed between ", time_text(*fastest), " and ",
             time_text(*slowest), ". That is shown and not judged: on a busy machine both mean little."));
  std::size_t from = cost.tokens.size();  // from there on the mesa-layer was the faster one
  while (from > 0 && cost.mesa[from - 1] < cost.softmax[from - 1]) --from;
  L.say(from == cost.tokens.size()
            ? text("At ", longest, " tokens softmax attention was still the faster one.")
            : text("From ", cost.tokens[from], " tokens on the mesa-layer was the faster one."));

  // -------------------------------------------------------------------------------------------
  L.step("What could have gone wrong");
  //
  // A layer that solves the problem by construction still has to learn which problem. Each claim below
  // was a way for it to fail.
  L.say(text("Training could have stopped short. Ours had ", updates, " updates of ", recipe.batch,
             " sequences, the authors' 5000 of 256; ours ends at a loss of ", loss_text(layer.mean_loss),
             ", theirs at 0.1900, and least squares with all pairs is at ", loss_text(all_pairs.total()),
             "."));
  L.compare("loss of the mesa-layer", layer.mean_loss, 0.1900,
            {.figure = "4D", .updates = updates, .tolerance = 0.02});
  for (const std::size_t n : {2u, 3u, 5u, 10u, 20u, 30u, 40u, 44u}) {
    if (L.scale() != lesson::Scale::paper) break;
    const auto then = static_cast<Index>(100 * n);
    L.compare(text("test loss after ", then, " updates"), layer.runs[0].test_loss[n], paper::mesa_training[n],
              {.figure = "4D", .updates = then});
  }
  L.found(text("Mean loss: one trained mesa-layer ", loss_text(layer.mean_loss),
               ", least squares on all pairs ", loss_text(all_pairs.total()),
               ", one step of gradient descent ", loss_text(descent.total()), "."));
  const lesson::Judged always = {.from = lesson::Scale::smoke};
  L.claim_below("error of the layer against the textbook, ‖k‖ = 1", error_of_layer(50, 1, 1, L.seed()), 1e-5,
                always);
  L.claim_below("error at ‖k‖ = 30, λ = 100, longest sequence", rounding.hard, 0.1, always);
  L.claim_below("distance from linear attention at λ = 0.0001", distance[0], 0.01, always);
  L.claim_below("time reversal with short keys: error of R_0", gradients.reversal_near, 1e-4, always);
  L.claim_above("time reversal with long keys: error of R_0", gradients.reversal_far, 0.1, always);
  L.claim_below("the library's gradient, worst of the table", gradients.ours_worst, 0.01, always);
  if (L.scale() == lesson::Scale::paper) {
    L.claim("loss of the mesa-layer", layer.mean_loss, {.expected = 0.190, .tolerance = 0.0038});
  } else {
    L.claim_between("loss of the mesa-layer", layer.mean_loss, 0.186, 0.2);
  }
  L.claim_below("the same, compared with the authors' six linear layers",
                layer.mean_loss / lesson::mean(paper::lsa_6), 0.95);
  L.claim_above("the same, compared with least squares on all pairs", layer.mean_loss / all_pairs.total(), 1);

  // -------------------------------------------------------------------------------------------
  L.step("Things to try");
  //
  // Say first what will happen, then change the source and run at lesson scale. What we found stands at
  // the end; claims will fail, which is what they are for.
  //
  // A better λ? The layer stays above least squares from t = 10 on. Is it λ that holds it back? After
  // training multiply the trained λ of all heads by 3, by 10, by 100 (it is in the first block's
  // `attention.mixer`; show_lambdas, in tutorials/lesson/mesa_table.h, reads it there), compute the curve
  // again, and compare the mean loss and t = 10.
  //
  // Fewer numbers in a key. States have ten numbers, keys have twenty. Set key_size to 5. Four heads
  // could still hold twenty numbers together. Is this as good as twenty in each head, as bad as one
  // gradient step (.89), or where in between? What does a regression on half of a state miss?
  //
  // Half a gradient. In nn/mesa.cpp, in `backward`, leave out one of the two terms of dk_i: the inner
  // multiply_add goes, and M[i * K + j] takes its place. Which claims notice? And does the layer still
  // learn?
  //
  // What we found. Three times λ makes the trained layer better, .1913 becomes .1866 and t = 10 goes
  // from .072 to .029; ten times brings .1887, with .013 at t = 10; a hundred times ruins it, .32. So λ
  // does hold it back, but only so far; perhaps because a large λ believes whatever else stands in the
  // keys. Keys of 5 numbers reach .437. With half of the gradient the claim on the library's gradient
  // fails, as it must; and yet the layer learns, and reaches .285. That a training goes down does not
  // prove its gradient right.
}

}  // namespace

int main(int argc, char** argv) {
  return lesson::run({.number = 6, .title = "The mesa-layer",
                      .question = "What does a layer learn that solves least squares exactly?",
                      .source = __FILE__},
                     argc, argv, lesson_body);
}
