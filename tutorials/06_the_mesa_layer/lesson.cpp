// The mesa-layer: a layer that solves the problem exactly.
//
// A layer of linear attention makes one step of gradient descent on the pairs that it has seen, and
// many layers make many steps. But what they crawl towards has a formula. Among all matrices Φ, the
// one that maps every key so far to its value best, with a little aversion to large numbers, is
//
//     Φ_t = argmin_Φ  ½ Σ_{i≤t} ‖v_i - Φ k_i‖² + ‖Φ‖²/(2λ)
//
// So why not write a layer that uses it, out_t = Φ_t q_t? It has to solve a linear system for every
// token, and it has to be differentiated; both sound expensive, and neither is. The question of this
// lesson: what does one such layer learn, next to six layers of linear attention?
#include <cmath>

#include "core/elementary.h"
#include "core/tape.h"
#include "nn/linear_transformer.h"
#include "tasks/in_context.h"
#include "tasks/time_reversal.h"
#include "tutorials/lesson/paper.h"
#include "tutorials/lesson/stopwatch.h"
#include "tutorials/lesson/train.h"

using namespace mesagrad;

namespace {

constexpr Index d = 10;
constexpr Index key_size = 20;
const LinearDynamics task;  // lesson 1's

// Independent normal vectors (1, T, K) of about the given length.
Tensor vectors(Index T, Index K, double length, std::uint64_t seed, std::uint64_t number) {
  Tensor result({1, T, K});
  Random random(seed, stream::analysis_data, number);
  for (Index i = 0; i < result.size(); ++i) {
    result[i] = static_cast<real>(length / std::sqrt(static_cast<double>(K)) * random.normal());
  }
  return result;
}

// (Σ_{i<=t} k_i k_iᵀ + I/λ)⁻¹ q_t in double, by the textbook: build the matrix, solve the system.
Matrix solve_directly(const Tensor& q, const Tensor& k, double lambda, Index t) {
  const Index K = k.dim(2);
  Matrix H(K, K), right(K, 1);
  for (Index i = 0; i < K; ++i) {
    H(i, i) = 1 / lambda;
    right(i, 0) = q[t * K + i];
  }
  for (Index n = 0; n <= t; ++n) {
    for (Index i = 0; i < K; ++i) {
      for (Index j = 0; j < K; ++j) H(i, j) += static_cast<double>(k[n * K + i]) * k[n * K + j];
    }
  }
  return cholesky_solve(H, right);
}

// The layer's largest error at the first 50 positions and 50 later ones, relative to the largest number
// of the solution.
double error_of_layer(Index T, double key_length, double lambda, std::uint64_t seed) {
  const Tensor q = vectors(T, key_size, 1, seed, 1), k = vectors(T, key_size, key_length, seed, 2);
  const Tensor result = preconditioned_queries(q, k, Tensor({1}, static_cast<real>(lambda)), 1);
  double largest = 0;
  for (Index t = 0; t < T; t += t < 50 ? 1 : std::max<Index>(1, T / 50)) {
    const Matrix exact = solve_directly(q, k, lambda, t);
    double size = 0, error = 0;
    for (Index i = 0; i < key_size; ++i) {
      size = std::max(size, std::abs(exact(i, 0)));
      const double off = std::abs(result[t * key_size + i] - exact(i, 0));
      error = off <= error ? error : off;  // a NaN counts as an error
    }
    largest = error / size <= largest ? largest : error / size;
  }
  return largest;
}

// Two ways to the gradient of the keys, the paper's in float, against the paper's in double.
struct GradientErrors {
  double ours, reversed, start;  // start: of the R_0 that the reversed recursion arrives at
};

GradientErrors gradient_errors(Index T, double key_length, double lambda, std::uint64_t seed) {
  Tensor q = vectors(T, key_size, 1, seed, 1), k = vectors(T, key_size, key_length, seed, 2);
  const Tensor p = vectors(T, key_size, 1, seed, 3);
  const auto reversal = [&](auto number) {
    using Number = decltype(number);
    const auto copy = [](const Tensor& x) { return std::vector<Number>(x.data(), x.data() + x.size()); };
    return TimeReversal<Number>(T, key_size, copy(q).data(), copy(k).data(), copy(p).data(),
                                static_cast<Number>(lambda));
  };
  const auto exact = reversal(0.0);
  const auto reversed = reversal(0.0f);
  k.requires_grad();
  Tape tape;
  tape.backward(preconditioned_queries(q, k, Tensor({1}, static_cast<real>(lambda)), 1), p);
  const auto error = [&](const auto* dk) {
    double largest = 0, size = 0;
    for (std::size_t i = 0; i < exact.dk.size(); ++i) {
      const auto wanted = static_cast<double>(exact.dk[i]);
      size = std::max(size, std::abs(wanted));
      const double off = std::abs(static_cast<double>(dk[i]) - wanted);
      largest = off <= largest ? largest : off;
    }
    return largest / size;
  };
  return {error(k.grad()), error(reversed.dk.data()), reversed.start_error};
}

// Softmax attention as everybody writes it: all scores, their exponentials, their sums.
void softmax_attention(Index T, Index K, const Tensor& q, const Tensor& k, const Tensor& v, Tensor& scores,
                       Tensor& out) {
  gemm(T, T, K, rows_of(q.data(), K), columns_of(k.data(), K), scores.data(), T, false);
  parallel_for(T, [&](Index t) {
    real* row = scores.data() + t * T;
    real sum = 0, largest = *std::max_element(row, row + t + 1);
    for (Index i = 0; i <= t; ++i) sum += row[i] = std::exp(row[i] - largest);
    for (Index i = 0; i < T; ++i) row[i] = i <= t ? row[i] / sum : 0;
  });
  gemm(T, K, T, rows_of(scores.data(), T), rows_of(v.data(), K), out.data(), K, false);
}

std::string scientific(double x) { return lesson::short_number(x, 2); }

void lesson_body(lesson::Lesson& L) {
  // -------------------------------------------------------------------------------------------
  L.step("Linear attention with better questions");
  //
  // Set the derivative of the objective to zero. With R_t = (Σ k_i k_iᵀ + I/λ)⁻¹, whose matrix is the
  // same for all rows of Φ,
  //
  //     Φ_t = (Σ v_i k_iᵀ) R_t     and     out_t = Φ_t q_t = Σ_{i≤t} v_i (k_i · R_t q_t)
  //
  // Read the last sum again: it is linear attention, asked with R_t q_t in the place of q_t. So all
  // that is new is the preconditioning of queries, and that is the only new function: see nn/mesa.h.
  //
  // A new pair changes the matrix by k kᵀ, and Sherman and Morrison tell what that does to its inverse:
  //
  //     R_t = R_{t-1} - u uᵀ/(1 + k_t·u),     u = R_{t-1} k_t
  //
  // No system is ever solved; K² multiplications for a token carry R along. Compare with the textbook:
  const Index stress_tokens = L.scaled<Index>({.smoke = 512, .lesson = 16384, .paper = 16384});
  const Index middle_tokens = stress_tokens / 16;
  const double easy_error = error_of_layer(50, 1, 1, L.seed());
  {
    lesson::Table table{.title = "Error of the layer in float, against a system solved in double",
                        .caption =
                            "Keys of 20 numbers. The worst cases are the first few tokens: while some "
                            "directions were never seen, R holds λ and 1/‖k‖² side by side, and rounding "
                            "the large one costs the small one. Length of the sequence does no harm.",
                        .columns = {"‖k‖", "λ", "50 tokens", text(middle_tokens), text(stress_tokens)}};
    for (const double length : {0.1, 1.0, 10.0, 30.0}) {
      for (const double lambda : {0.1, 1.0, 100.0}) {
        table.row({text(length), text(lambda), scientific(error_of_layer(50, length, lambda, L.seed())),
                   scientific(error_of_layer(middle_tokens, length, lambda, L.seed())),
                   scientific(error_of_layer(stress_tokens, length, lambda, L.seed()))});
      }
    }
    L.show(table);
  }
  const double hard_error = error_of_layer(stress_tokens, 30, 100, L.seed());

  // -------------------------------------------------------------------------------------------
  L.step("A dial between gradient descent and the exact solution");
  //
  // λ says how much to trust the pairs. With λ -> 0 the matrix under the inverse is all I/λ, R is λI,
  // and the layer is λ times linear attention: one small step of gradient descent. With a large λ it
  // is least squares. How small is small? Compare the queries, R q/λ with q:
  std::vector<double> dial, distance;
  {
    const Tensor q = vectors(50, key_size, 1, L.seed(), 1), k = vectors(50, key_size, 1, L.seed(), 2);
    for (double lambda = 1e-4; lambda < 200; lambda *= std::sqrt(10.0)) {
      const Tensor result = preconditioned_queries(q, k, Tensor({1}, static_cast<real>(lambda)), 1);
      double off = 0, size = 0;
      for (Index i = 0; i < q.size(); ++i) {
        off += power(result[i] / lambda - q[i], 2);
        size += power(q[i], 2);
      }
      dial.push_back(lambda);
      distance.push_back(std::sqrt(off / size));
    }
    lesson::LinePlot plot{.name = "dial",
                          .title = "From linear attention to least squares",
                          .x = "λ",
                          .y = "relative distance of R·q/λ from q",
                          .caption =
                              "On the left the mesa-layer is linear attention, on the right it has left "
                              "it altogether. In between the distance grows like λ.",
                          .log_x = true,
                          .log_y = true};
    plot.line("50 tokens, ‖k‖ = 1", dial, distance, {.points = true});
    L.show(plot);
  }

  // -------------------------------------------------------------------------------------------
  L.step("Two ways back");
  //
  // Training needs the gradient. Let p_t be that of R_t q_t, and d_t = R_t p_t. As R is the inverse of
  // H_t = Σ k_i k_iᵀ + I/λ, the gradient of H_t is -d_t q̃_tᵀ, and every key is part of all later H:
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
  // and on paper that is exact. In float, each step back divides by a number that is close to zero if
  // the key was long. How far from λI is the matrix at which it arrives, and what is its gradient
  // worth?
  double reversal_near = 0, reversal_far = 0, ours_worst = 0;
  {
    lesson::Table table{.title = "Relative errors in float",
                        .caption =
                            "Start: the recovered R_0 against λI. Reversed and library: the gradient of "
                            "the keys, against a computation in double, which has digits to spare.",
                        .columns = {"‖k‖", "λ", "tokens", "start", "reversed", "library"}};
    for (const auto& [lambda, T] : {std::pair<double, Index>{1, 50}, {4, 50}, {1, 224}, {4, 1024}}) {
      for (const double length : {0.3, 1.0, 3.0, 10.0, 30.0}) {
        const GradientErrors e = gradient_errors(T, length, lambda, L.seed());
        table.row({text(length), text(lambda), text(T), scientific(e.start), scientific(e.reversed),
                   scientific(e.ours)});
        if (length == 1.0 && T == 50 && lambda == 1) reversal_near = e.start;
        if (length == 30.0 && T == 1024) reversal_far = e.start;
        ours_worst = e.ours <= ours_worst ? ours_worst : e.ours;
      }
    }
    L.show(table);
  }

  // -------------------------------------------------------------------------------------------
  L.step("One layer, trained");
  //
  // Now put a single mesa-layer where lessons 3 and 5 had linear attention. Same tokens, same task.
  // It has 12,804 weights, of which four are λ. What do we expect? It can't beat least squares with
  // all pairs; if training finds the right queries, keys and values, it should come close, with a λ
  // that fits the noise. Before it has seen ten pairs even the optimum does not know much.
  const Index updates = L.scaled<Index>({.smoke = 100, .lesson = 2400, .paper = 4500});
  const Index seeds = L.scaled<Index>({.smoke = 1, .lesson = 1, .paper = 3});
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
  L.setting("updates", updates);
  L.setting("training seeds", seeds);
  L.setting("batch", recipe.batch);
  std::vector<lesson::Trained<LinearTransformer>> runs;
  for (Index i = 0; i < seeds; ++i) {
    runs.push_back(lesson::train(L, text("mesa-", i + 1), task, recipe,
                                 L.seed() + 1000 * static_cast<std::uint64_t>(i)));
  }
  const Index sequences = L.scaled<Index>({.smoke = 256, .lesson = 8192, .paper = 16384});
  L.setting("sequences", sequences);
  const auto curve_of = [&](const auto& predictor) {
    return loss_curve(task, L.seed(), stream::test_data, sequences, predictor);
  };
  const LossCurve mesa = curve_of(runs[0].model), all_pairs = curve_of(least_squares_predictor({})),
                  one_behind = curve_of(least_squares_predictor({.newest_pair = false})),
                  descent = curve_of(gradient_step_predictor(0.032));
  double mean_loss = 0;
  for (const lesson::Trained<LinearTransformer>& run : runs)
    mean_loss += curve_of(run.model).total() / static_cast<double>(seeds);
  const std::vector<double>& t = mesa.t;
  {
    lesson::LinePlot plot{
        .name = "mesa-layer",
        .title = "A mesa-layer against the best that can be done",
        .x = "position t",
        .y = "loss",
        .caption =
            "For ten pairs one layer is least squares with all of them. After that its λ, "
            "which has to serve all positions, keeps it a little above. Dashed: the "
            "authors' six layers of linear attention.",
        .log_y = true};
    plot.line("mesa-layer", t, mesa.mean, {.points = true});
    plot.line("least squares, all pairs", t, all_pairs.mean);
    plot.line("least squares, newest pair left out", t, one_behind.mean, {.thin = true});
    plot.line("one gradient step", t, descent.mean, {.thin = true});
    plot.line("six linear layers (authors)", t, paper::curve(paper::lsa_6), {.dashed = true});
    L.show(plot);
    L.curve("mesa-layer", t, mesa.mean, mesa.deviation);
    L.curve("least squares, all pairs", t, all_pairs.mean);
  }
  {
    const std::vector<double>& n = runs[0].tested_at;
    std::vector<double> paper_n;
    for (std::size_t i = 0; i < paper::mesa_training.size(); ++i)
      paper_n.push_back(100 * static_cast<double>(i));
    lesson::LinePlot plot{
        .name = "training",
        .title = "The loss while training",
        .x = "updates",
        .y = "test loss",
        .caption =
            "After a short wait everything happens at once; the rest is polish. Dashed: the "
            "authors, with batches of 256 and a constant learning rate of 0.0004.",
        .log_y = true};
    for (std::size_t i = 0; i < runs.size(); ++i) plot.line(text("seed ", i + 1), n, runs[i].test_loss);
    plot.line("authors", paper_n, paper::curve(paper::mesa_training), {.dashed = true});
    L.show(plot);
    L.curve("test loss while training", n, runs[0].test_loss);
  }
  {
    lesson::Table table{.title = "The λ of each head", .columns = {"head", "this run", "authors"}};
    const double authors[] = {1.46, 1.61, 1.51, 1.45};
    const Tensor& lambda = std::get<MesaLayer>(runs[0].model.blocks[0].attention.mixer).lambda;
    for (Index h = 0; h < 4; ++h) {
      table.row({text(h + 1), lesson::fixed_number(lambda[h], 2),
                 lesson::fixed_number(authors[h], 2)});
    }
    L.show(table);
  }

  // -------------------------------------------------------------------------------------------
  L.step("What it costs");
  //
  // Softmax attention compares every token with every earlier one: time for a token grows with its
  // position. The mesa-layer keeps one matrix R and one matrix Σ v_i k_iᵀ, whatever came before. Here
  // are both on the same cores, forward only, one head of size 20, and the same number of tokens in
  // all, cut into sequences of different lengths. (Sixteen sequences are solved side by side, so the
  // longest ones are sixteen for each thread.)
  const Index longest = L.scaled<Index>({.smoke = 256, .lesson = 16384, .paper = 16384});
  const Index all = longest * 16 * L.threads();
  std::vector<double> tokens, mesa_time, softmax_tokens, softmax_time;
  for (Index T = 64; T <= longest; T *= 4) {
    const auto cut = [&](std::uint64_t number) {
      return vectors(1, all * key_size, std::sqrt(static_cast<double>(all)), L.seed(), number)
          .reshaped({all / T, T, key_size});
    };
    const Tensor q = cut(1), k = cut(2), v = cut(3), lambda({1}, 1);
    Arena memory;
    const lesson::Times mesa_run = lesson::time([&] {
      Tape tape(memory);
      causal_linear_attention(preconditioned_queries(q, k, lambda, 1), k, v, 1);
    }, 0.3);
    tokens.push_back(static_cast<double>(T));
    mesa_time.push_back(1e6 * mesa_run.median / static_cast<double>(all));
    if (T > 4096) continue;
    Tensor scores({T, T}), out({T, key_size});
    const lesson::Times softmax_run =
        lesson::time([&] { softmax_attention(T, key_size, q, k, v, scores, out); }, 0.3);
    softmax_tokens.push_back(static_cast<double>(T));
    softmax_time.push_back(1e6 * softmax_run.median / static_cast<double>(T));
  }
  {
    lesson::LinePlot plot{.name = "cost",
                          .title = "Time for a token",
                          .x = "tokens in the sequence",
                          .y = "microseconds for a token",
                          .caption =
                              "The mesa-layer's time does not depend on the length. Softmax attention, "
                              "written plainly, becomes slower with every token.",
                          .log_x = true,
                          .log_y = true};
    plot.line("mesa-layer", tokens, mesa_time, {.points = true});
    plot.line("softmax attention", softmax_tokens, softmax_time, {.points = true});
    L.show(plot);
  }
  const auto [fastest, slowest] = std::minmax_element(mesa_time.begin(), mesa_time.end());
  // -------------------------------------------------------------------------------------------
  L.step("What could have gone wrong");
  //
  // A layer that solves the problem by construction still has to learn which problem. Each claim below
  // was a way for it to fail.
  L.compare("loss of the mesa-layer", mean_loss, 0.1900);
  for (const std::size_t n : {5u, 10u, 20u, 40u}) {
    if (L.scale() == lesson::Scale::paper) {
      double mean = 0;
      for (const lesson::Trained<LinearTransformer>& run : runs)
        mean += run.test_loss[n] / static_cast<double>(seeds);
      L.compare(text("test loss after ", 100 * n, " updates"), mean, paper::mesa_training[n]);
    }
  }
  L.claim_below("error of the layer against the textbook, ‖k‖ = 1", easy_error, 1e-5,
                {.from = lesson::Scale::smoke});
  L.claim_below("error at ‖k‖ = 30, λ = 100, any length", hard_error, 0.1,
                {.from = lesson::Scale::smoke});
  L.claim_below("distance from linear attention at λ = 0.0001", distance[0], 0.01,
                {.from = lesson::Scale::smoke});
  L.claim_below("time reversal with short keys: error of R_0", reversal_near, 1e-4,
                {.from = lesson::Scale::smoke});
  L.claim_above("time reversal with long keys: error of R_0", reversal_far, 0.1,
                {.from = lesson::Scale::smoke});
  L.claim_below("the library's gradient, worst of the table", ours_worst, 0.01,
                {.from = lesson::Scale::smoke});
  if (L.scale() == lesson::Scale::paper) {
    L.claim("loss of the mesa-layer", mean_loss, {.expected = 0.190, .tolerance = 0.0038});
  } else {
    L.claim_between("loss of the mesa-layer", mean_loss, 0.186, 0.2);
  }
  L.claim_below("the same, compared with the authors' six linear layers",
                mean_loss / paper::mean(paper::lsa_6), 0.95);
  L.claim_above("the same, compared with least squares on all pairs", mean_loss / all_pairs.total(), 1);
  L.claim_below("slowest time for a token over fastest, 64 to 16384 tokens", *slowest / *fastest, 1.3);
}

}  // namespace

int main(int argc, char** argv) {
  return lesson::run({.number = 6, .title = "The mesa-layer",
                      .question = "What does a layer learn that solves least squares exactly?",
                      .source = __FILE__},
                     argc, argv, lesson_body);
}
