// The task: guess the next state of a system that you have never seen before.
//
// Somebody draws a rotation W of ten-dimensional space, starts at a random point s₀, and lets it run:
//
//     s_{t+1} = W s_t + a little noise
//
// You see s₀, s₁, ..., s_t, one after another, and must say s_{t+1} each time. For the next sequence
// he draws another W, so there is nothing to remember from one sequence to the next: whatever is
// learned about W must be learned from the fifty states themselves, while they are being read.
//
// This is the game that the Transformers of later lessons are trained to play. Before we train any,
// we want to know the game: what is a bad score, what is the best possible one, and how well do
// simple, old algorithms play it? Lesson 3 and those after it compare every model with the numbers
// of this page.
#include <cmath>
#include <numeric>
#include <span>

#include "core/elementary.h"
#include "tasks/in_context.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/paper.h"

using namespace mesagrad;

namespace {

// How many standard errors two means of positions t are apart, in root mean square over t. Two
// measurements of the same thing give about 1. `ours` also tells how much a single sequence varies,
// which holds for theirs too.
double distance(const LossCurve& ours, std::span<const double> theirs, int their_sequences) {
  double squares = 0;
  for (std::size_t t = 0; t < theirs.size(); ++t) {
    const double variance = ours.deviation[t] * ours.deviation[t] *
                            (1.0 / static_cast<double>(ours.sequences) + 1.0 / their_sequences);
    squares += (ours.mean[t] - theirs[t]) * (ours.mean[t] - theirs[t]) / variance;
  }
  return std::sqrt(squares / static_cast<double>(theirs.size()));
}

void lesson_body(lesson::Lesson& L) {
  const LinearDynamics task;  // d = 10, T = 50, noise 0.01: the paper's setting
  const Index sequences = L.scaled<Index>({.smoke = 256, .lesson = 65536, .paper = 262144});
  L.setting("dimension", task.dimension);
  L.setting("tokens", task.tokens);
  L.setting("noise", task.noise);
  L.setting("sequences", sequences);
  std::vector<double> t(static_cast<std::size_t>(task.tokens));  // positions
  std::iota(t.begin(), t.end(), 0);

  // -------------------------------------------------------------------------------------------
  L.step("What the sequences look like");
  //
  // Three sequences, and of each only three of its ten components. W only turns, so no sequence
  // grows or dies out; and since every W is another one, no two sequences move alike.
  {
    lesson::LinePlot plot{.name = "sequences",
                          .title = "Three sequences, three of their ten components",
                          .x = "position t",
                          .y = "component of sₜ",
                          .caption = "Each sequence follows a rotation of its own."};
    for (std::uint64_t i = 0; i < 3; ++i) {
      const Matrix s = task.sample(Random(L.seed(), stream::analysis_data, i)).states;
      plot.panel(text("sequence ", i + 1));
      for (Index j = 0; j < 3; ++j) {
        std::vector<double> component;
        for (Index k = 0; k < task.tokens; ++k) component.push_back(s(k, j));
        plot.line(text("component ", j + 1), t, component);
      }
    }
    L.show(plot);
  }

  // Every algorithm below plays the same sequences, and is scored as the paper scores its models:
  // half the squared distance to the true next state, averaged over positions and sequences.
  const auto play = [&](const std::string& name, const Predictor& predictor) {
    lesson::Progress bar = L.progress(name, sequences);
    const LossCurve curve = loss_curve(task, L.seed(), stream::test_data, sequences, predictor,
                                       [&](Index done) { bar.update(done); });
    L.curve(name, t, curve.mean, curve.deviation);
    return curve;
  };

  // -------------------------------------------------------------------------------------------
  L.step("The worst score worth mentioning, and the best one possible");
  //
  // Who always says "0" pays half the squared length of the state. A component that is uniform in
  // (-1, 1) has the mean square 1/3, and W keeps lengths, so ten of them cost 10/6 = 1.667, plus
  // what the noise adds on the way, dσ²(T + 1)/4 on average: together 1.679.
  const LossCurve zero = play("always 0", [](const Matrix& s) { return Matrix(s.rows() - 1, s.columns()); });

  // Who is told W says W s_t, and pays for the noise alone: dσ²/2 = 0.0005. Nobody can do better,
  // because the noise of the next step is not in anything that was seen.
  const auto told = loss_curve(sequences / 8, task.tokens, [&](Index first, Index count, double* out) {
    for (Index i = first; i < first + count; ++i) {
      const auto [W, s] = task.sample(Random(L.seed(), stream::test_data, static_cast<std::uint64_t>(i)));
      const Matrix guess = multiply(s, transpose(W));  // row t is W s_t
      for (Index k = 0; k < task.tokens; ++k, ++out) {
        *out = 0;
        for (Index j = 0; j < task.dimension; ++j) *out += power(guess(k, j) - s(k + 1, j), 2) / 2;
      }
    }
  });
  L.say(text("Saying 0 costs ", zero.total(), ". Knowing W costs ", told.total(), "."));

  // How long the sequences of this run happened to start is luck, and it moves all scores up or
  // down together. But it is luck that we can see: the score of "0" should be 1.679 exactly. Scores
  // below are divided by what this run's sequences are too long or too short. (Statisticians call
  // this a ratio estimate. For least squares it saves about half of the sequences.)
  const double d = static_cast<double>(task.dimension), T = static_cast<double>(task.tokens);
  const double exact_zero = d / 6 + d * task.noise * task.noise * (T + 1) / 4;
  const double luck = zero.total() / exact_zero;
  const auto score = [&](const LossCurve& curve) { return curve.total() / luck; };

  // -------------------------------------------------------------------------------------------
  L.step("Least squares: the best that can be done without being told");
  //
  // At position t we have seen the pairs (s₀, s₁), (s₁, s₂), ..., (s_{t-1}, s_t): t examples of a
  // linear map. Fitting a linear map to examples is what least squares is for. After ten pairs it
  // has as many equations as unknowns, and from there on it knows W nearly exactly: the loss falls
  // off a cliff.
  //
  // There is one surprise. The authors' least-squares code leaves out the newest pair, (s_{t-1},
  // s_t), which their Transformers do see. So it is always one example behind, and a model that
  // beats it has not done magic. We show both: the curve as published, and the honest bound.
  const LossCurve lsq_published = play("least squares, newest pair left out",
                                       least_squares_predictor({.newest_pair = false}));
  const LossCurve lsq = play("least squares", least_squares_predictor({}));

  // -------------------------------------------------------------------------------------------
  L.step("One step of gradient descent");
  //
  // The cheapest learner imaginable: start from Φ = 0, make a single step of gradient descent on
  // the sum of squares of all pairs so far, and predict with the Φ that comes out. With step size η,
  //
  //     f_t = η Σ_{i ≤ t} s_i (s_{i-1} · s_t).
  //
  // How well it does depends on η; a few examples need a large one, many examples a small one, and
  // it has to be the same at all t. As a function of η the loss is a parabola, so we need not search
  // long. Remember the formula: in lesson 3 a Transformer will find it, with no one telling it.
  const StepSizeSearch search = search_step_size(task, L.seed(), stream::test_data, sequences);
  const double eta = search.best_eta();
  {
    std::vector<double> etas, losses;
    for (double e = 0; e <= 0.0605; e += 0.001) {
      etas.push_back(e);
      losses.push_back(search.loss(e));
    }
    lesson::LinePlot plot{.name = "step-size",
                          .title = "One step of gradient descent: which step size?",
                          .x = "step size η",
                          .y = "loss",
                          .caption = text("Too timid on the left, too bold on the right. The best is η = ",
                                          lesson::short_number(eta, 3), ".")};
    plot.line("loss of one step", etas, losses);
    plot.line("the best", {eta}, {search.loss(eta)}, {.points = true, .unjoined = true});
    L.show(plot);
  }
  const LossCurve step = play("one gradient step", gradient_step_predictor(eta));

  // -------------------------------------------------------------------------------------------
  L.step("In between: inverting a matrix without inverting it");
  //
  // Least squares predicts C A⁻¹ s_t with two matrices of sums, A = Σ s_{i-1} s_{i-1}ᵀ + λI and
  // C = Σ s_i s_{i-1}ᵀ; a gradient step puts η in the place of A⁻¹. Between these two there is a
  // ladder: approximate A⁻¹ s_t by a few products of A with a vector. The plainest way is the
  // geometric series, 1/a = 1 + (1 - a) + (1 - a)² + ..., known as Neumann's for matrices.
  const std::vector<Index> terms = {1, 2, 4, 6, 12, 20};
  std::vector<double> neumann_scores;
  for (const Index K : terms) {
    neumann_scores.push_back(score(play(text("geometric series, ", K, " terms"), predict_with(neumann(K)))));
  }

  // A polynomial with better coefficients gets much further with as few products. The authors
  // learned twelve numbers for it, a step size and a momentum for each of six iterations, by gradient
  // descent (we do the same in lesson 2). It is the algorithm that Proposition 2 of the paper writes
  // into a Transformer of seven layers; with two iterations, of three. Like their least squares, the
  // published curves leave out the newest pair.
  const auto proposition_2 = [](Index K) {
    const ChebyshevCoefficients c = published_coefficients(K);
    return predict_with(chebyshev(c.alpha, c.beta), {.newest_pair = false});
  };
  const LossCurve seven = play("Proposition 2, 7 layers", proposition_2(6));
  const LossCurve three = play("Proposition 2, 3 layers", proposition_2(2));
  {
    lesson::LinePlot plot{.name = "iterations",
                          .title = "Better with every product",
                          .x = "products of A with a vector",
                          .y = "loss",
                          .caption = "The learned polynomial gets by with fewer products, although it is one "
                                     "example behind."};
    plot.line("geometric series", terms, neumann_scores, {.points = true});
    plot.line("learned polynomial, newest pair left out", std::vector<int>{2, 6},
              std::vector<double>{score(three), score(seven)}, {.points = true});
    plot.line("least squares", std::vector<int>{1, 20}, std::vector<double>{score(lsq), score(lsq)},
              {.dashed = true});
    L.show(plot);
  }

  // -------------------------------------------------------------------------------------------
  L.step("All of them, position by position");
  //
  // Everybody starts at 1.67, because the first state says nothing about W. Least squares falls off
  // its cliff at t = 10, when it has d = 10 pairs. The single step gets better until t = 36 or so,
  // and then worse again: its sum has more and more terms, and the one η is too large for them.
  lesson::LinePlot plot{.name = "algorithms",
                        .title = "What each algorithm pays at each position",
                        .x = "position t",
                        .y = "loss",
                        .caption = "Dashed: the authors' curves. The thin line is the noise, below which "
                                   "nobody can get.",
                        .log_y = true};
  plot.line("always 0", t, zero.mean);
  plot.line("one gradient step", t, step.mean);
  plot.line("Proposition 2, 3 layers", t, three.mean);
  plot.line("Proposition 2, 7 layers", t, seven.mean);
  plot.line("least squares, newest pair left out", t, lsq_published.mean);
  plot.line("least squares", t, lsq.mean);
  plot.line("knowing W", t, told.mean, {.thin = true});
  const auto reference = [&](const std::string& name, const auto& values, const std::string& like) {
    plot.line(name, t, paper::curve(values), {.dashed = true, .like = like});
  };
  reference("authors' gradient step", paper::gradient_step, "one gradient step");
  reference("authors' 3 layers", paper::proposition_2_of_3, "Proposition 2, 3 layers");
  reference("authors' 7 layers", paper::proposition_2_of_7, "Proposition 2, 7 layers");
  reference("authors' least squares", paper::lsq, "least squares, newest pair left out");
  L.show(plot);

  L.compare("always 0", zero.total(), 1.667);
  L.compare("one gradient step", score(step), paper::mean(paper::gradient_step));
  L.compare("Proposition 2, 3 layers", score(three), paper::mean(paper::proposition_2_of_3));
  L.compare("Proposition 2, 7 layers", score(seven), paper::mean(paper::proposition_2_of_7));
  L.compare("least squares, newest pair left out", score(lsq_published), paper::mean(paper::lsq));

  // What this page claims; each line could have come out false.
  L.claim("predicting 0 costs d/6", zero.total(), {.expected = 1.667, .tolerance = 0.01667});
  L.claim_between("least squares without the newest pair", score(lsq_published), 0.209, 0.212);
  L.claim_below("its distance to the authors' curve, in standard errors (rms over t)",
                distance(lsq_published, paper::lsq, paper::sequences), 2);
  L.claim_between("least squares with the newest pair", score(lsq), 0.184, 0.187);
  L.claim_between("best step size of one gradient step", eta, 0.031, 0.034);
  L.claim_between("loss of one gradient step", score(step), 0.886, 0.905);
  L.claim_between("Proposition 2, 7 layers", score(seven), 0.229, 0.235);
  L.claim_between("Proposition 2, 3 layers", score(three), 0.298, 0.312);
  // The paper has no numbers for the series; these are from a program independent of this one.
  const std::vector<double> expected = {0.599, 0.478, 0.363, 0.310, 0.246, 0.219};
  for (std::size_t i = 0; i < terms.size(); ++i) {
    L.claim(text("geometric series, ", terms[i], " terms"), neumann_scores[i],
            {.expected = expected[i], .tolerance = 0.03 * expected[i]});
  }
  const double floor = d * task.noise * task.noise / 2;
  L.claim("knowing W costs the noise, dσ²/2", told.total(), {.expected = floor, .tolerance = 0.02 * floor});
  // 39 pairs more than unknowns leave a little uncertainty about W: the floor times about 1 + d/39.
  L.claim_between("least squares at t = 49, in units of the noise floor", lsq.mean[49] / floor, 1, 1.4);
}

}  // namespace

int main(int argc, char** argv) {
  return lesson::run({.number = 1, .title = "The task",
                      .question = "How well can a sequence be predicted by learning from its own past?",
                      .source = __FILE__},
                     argc, argv, lesson_body);
}
