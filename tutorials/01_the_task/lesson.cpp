// The task: guess the next state of a system that you have never seen before.
//
// Somebody draws an orthogonal matrix W of ten-dimensional space, starts at a random point s₀, and lets
// it run:
//
//     s_{t+1} = W s_t + a little noise
//
// Orthogonal means WᵀW = I. Such a map keeps all lengths and all angles: it turns the space, and half
// of them (those of determinant -1) mirror it as well.
//
// You see s₀, s₁, ..., s_t, one after another, and must say s_{t+1} each time. For the next sequence
// he draws another W, so there is nothing to remember from one sequence to the next: whatever is
// learned about W must be learned from the fifty states themselves, while they are being read.
//
// This is the game that the Transformers of later lessons are trained to play. Before we train any,
// we want to know the game: what is a bad score, what is the best possible one, and how well do
// simple, old algorithms play it? Lesson 3 and those after it compare every model with the numbers
// of this page.
//
// Two words for later. What a Transformer reads is a sequence of vectors, called tokens; here there is
// one for each state. And finding out about W from the sequence itself, with no number of the program
// changed by it, is called learning in context.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "core/elementary.h"
#include "tasks/in_context.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/01_the_task/paper.h"

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

// The orthogonal matrix that is nearest to X. Write X = U S Vᵀ with singular values S; it is U Vᵀ. The
// inverse of Xᵀ has the same U and V, and 1/S. So the mean of the two, again and again, changes nothing
// but the singular values, from σ to (σ + 1/σ)/2, and those tend to 1: it is Newton's method for σ² = 1.
// The balance brings them near 1 first, where Newton's method is fast.
Matrix nearest_orthogonal(Matrix X) {
  for (int iteration = 0; iteration < 30; ++iteration) {
    const Matrix inverse = transpose(lu_solve(X, Matrix::identity(X.rows())));
    const double balance = std::sqrt(frobenius_norm(inverse) / frobenius_norm(X));
    double change = 0;
    for (Index i = 0; i < X.rows(); ++i) {
      for (Index j = 0; j < X.columns(); ++j) {
        const double next = (balance * X(i, j) + inverse(i, j) / balance) / 2;
        change = std::max(change, std::abs(next - X(i, j)));
        X(i, j) = next;
      }
    }
    if (change < 1e-9) break;  // the digits double in every iteration, so all are there
  }
  return X;
}

// An orthonormal basis, in columns, of what `count` states from the first one on span; count <= d.
Matrix span_of(const Matrix& states, Index first, Index count) {
  Matrix columns(states.columns(), count);
  for (Index i = 0; i < states.columns(); ++i) {
    for (Index k = 0; k < count; ++k) columns(i, k) = states(first + k, i);
  }
  return qr(columns).q;
}

// Predicts s_{t+1} by the orthogonal matrix that fits the pairs so far best. While there are fewer pairs
// than dimensions, it is one from the span of the inputs to the span of what followed them.
Matrix predict_orthogonal(const Matrix& s) {
  const Index T = s.rows() - 1, d = s.columns();
  Matrix C(d, d), prediction(T, d);
  for (Index t = 1; t < T; ++t) {
    for (Index i = 0; i < d; ++i) {
      for (Index j = 0; j < d; ++j) C(i, j) += s(t, i) * s(t - 1, j);
    }
    Matrix W;
    if (t < d) {
      const Matrix from = span_of(s, 0, t), to = span_of(s, 1, t);
      const Matrix inside = multiply(transpose(to), multiply(C, from));
      W = multiply(to, multiply(nearest_orthogonal(inside), transpose(from)));
    } else {
      W = nearest_orthogonal(C);
    }
    for (Index i = 0; i < d; ++i) {
      for (Index j = 0; j < d; ++j) prediction(t, i) += W(i, j) * s(t, j);
    }
  }
  return prediction;
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
  // Three sequences, and of each only three of its ten components. W keeps lengths, so no sequence
  // grows or dies out; and since every W is another one, no two sequences move alike.
  {
    lesson::LinePlot plot{.name = "sequences",
                          .title = "Three sequences, three of their ten components",
                          .x = "position t",
                          .y = "component of sₜ",
                          .caption = "Each sequence has an orthogonal matrix W of its own."};
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
  const auto play_some = [&](const std::string& name, Index count, const Predictor& predictor) {
    lesson::Progress bar = L.progress(name, count);
    const LossCurve curve = loss_curve(task, L.seed(), stream::test_data, count, predictor,
                                       [&](Index done) { bar.update(done); });
    L.curve(name, t, curve.mean, curve.deviation);
    return curve;
  };
  const auto play = [&](const std::string& name, const Predictor& predictor) {
    return play_some(name, sequences, predictor);
  };
  const Index fewer = sequences / 8;  // for what is slow, or varies little

  // -------------------------------------------------------------------------------------------
  L.step("The worst score worth mentioning, and the best one possible");
  //
  // Who always says "0" pays half the squared length of the state. A component that is uniform in
  // (-1, 1) has the mean square 1/3, and W keeps lengths, so ten of them cost 10/6 = 1.667, plus
  // what the noise adds on the way, dσ²(T + 1)/4 on average: together 1.679.
  const LossCurve zero = play("always 0", [](const Matrix& s) { return Matrix(s.rows() - 1, s.columns()); });

  // Who is told W says W s_t, and pays for the noise alone: dσ²/2 = 0.0005. Nobody can do better,
  // because the noise of the next step is not in anything that was seen.
  const auto told = loss_curve(fewer, task.tokens, [&](Index first, Index count, double* out) {
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
  L.step("Least squares: the best linear regression");
  //
  // At position t we have seen the pairs (s₀, s₁), (s₁, s₂), ..., (s_{t-1}, s_t): t examples of a
  // linear map. Fitting a linear map to examples is called linear regression, and least squares is the
  // best way to do it when nothing else is known about the map. After ten pairs it has as many
  // equations as unknowns, and from there on it knows W nearly exactly: the loss falls off a cliff.
  // (The little λ that it adds to the squares, called a ridge, only keeps it from dividing by 0 before.)
  //
  // There is one surprise. The authors' least-squares code leaves out the newest pair, (s_{t-1},
  // s_t), which their Transformers do see. So it is always one example behind, and a model that
  // beats it has not done magic. We show both: the curve as published, and the honest bound.
  const LossCurve lsq_published = play("least squares, newest pair left out",
                                       least_squares_predictor({.newest_pair = false}));
  const LossCurve lsq = play("least squares", least_squares_predictor({}));

  // -------------------------------------------------------------------------------------------
  L.step("What regression does not use: W keeps lengths");
  //
  // Least squares would work for any linear map. Ours is orthogonal, and who knows that has fewer
  // unknowns: d(d - 1)/2 = 45 instead of d² = 100. Which orthogonal W fits the pairs best? Since
  // ||W s_{i-1}|| = ||s_{i-1}|| whatever W is, the sum of squares is smallest where Σ s_i · W s_{i-1} is
  // largest, and that is the orthogonal matrix nearest to C_t = Σ s_i s_{i-1}ᵀ (the function
  // nearest_orthogonal above). It is known as the orthogonal Procrustes problem, after an innkeeper of
  // legend who made his guests fit the bed.
  //
  // With fewer than d pairs, C_t says where the directions go that have been seen. Where the others go
  // is open, up to their sign even in the last step before t = d, so for them we predict 0.
  const LossCurve orthogonal = play_some("nearest orthogonal matrix", fewer, predict_orthogonal);

  // What each pays on top of the noise comes from the unknowns that the noise has moved. With very many
  // pairs the two should therefore stand as 45 to 100; with few, least squares pays extra for directions
  // in which it has hardly seen an input, so the share should be smaller. We compare on the same sequences.
  const LossCurve same = loss_curve(task, L.seed(), stream::test_data, fewer, least_squares_predictor({}));
  double lsq_excess = 0, orthogonal_excess = 0;
  for (std::size_t k = 40; k < 50; ++k) {
    lsq_excess += same.mean[k] - told.mean[k];
    orthogonal_excess += orthogonal.mean[k] - told.mean[k];
  }
  const double excess_ratio = orthogonal_excess / lsq_excess;
  lesson::Table gain{.title = "Least squares and the nearest orthogonal matrix",
                     .caption = "On the same sequences. The noise alone costs 0.0005.",
                     .columns = {"t", "least squares", "orthogonal", "difference"}};
  for (const std::size_t k : {5u, 9u, 10u, 12u, 20u, 30u, 40u, 49u}) {
    gain.row({text(k), lesson::short_number(same.mean[k], 3), lesson::short_number(orthogonal.mean[k], 3),
              lesson::fixed_number(100 * (orthogonal.mean[k] / same.mean[k] - 1), 0) + " %"});
  }
  L.show(gain);
  L.say(text("From t = 40 on, the orthogonal matrix pays ", lesson::short_number(excess_ratio, 3),
             " times what least squares pays on top of the noise."));

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

  // A polynomial with better coefficients can get further with as few products. The authors learned
  // twelve numbers for it, a step size and a momentum for each of six iterations, by gradient descent
  // (we do the same in lesson 2). Momentum means that a part of the last movement is made once more: what
  // has been going one way goes on that way for a while. The polynomial is the algorithm that Proposition
  // 2 of the paper writes into a Transformer of seven layers; with two iterations, of three. Like their
  // least squares, the published curves leave out the newest pair.
  const auto proposition_2 = [](Index K) {
    const ChebyshevCoefficients c = published_coefficients(K);
    return predict_with(chebyshev(c.alpha, c.beta), {.newest_pair = false});
  };
  const LossCurve seven = play("Proposition 2, 7 layers", proposition_2(6));
  const LossCurve three = play("Proposition 2, 3 layers", proposition_2(2));
  {
    lesson::LinePlot plot{.name = "iterations",
                          .title = "Loss by the number of products",
                          .x = "products of A with a vector",
                          .y = "loss",
                          .caption = "How many products of the plain series is one of the learned polynomial "
                                     "worth? (The latter is one example behind.)"};
    plot.line("geometric series", terms, neumann_scores, {.points = true});
    plot.line("learned polynomial, newest pair left out", std::vector<int>{2, 6},
              std::vector<double>{score(three), score(seven)}, {.points = true});
    plot.line("least squares", std::vector<int>{1, 20}, std::vector<double>{score(lsq), score(lsq)},
              {.dashed = true});
    L.show(plot);
  }

  L.say(text("Six products of the learned polynomial cost ", score(seven), ", six terms of the plain series ",
             neumann_scores[3], " and twenty ", neumann_scores[5], "; least squares costs ", score(lsq), "."));

  // -------------------------------------------------------------------------------------------
  L.step("All of them, position by position");
  //
  // Everybody starts at 1.67, because the first state says nothing about W. Look for the cliff of least
  // squares, which should stand at t = 10, when there are d = 10 pairs. And look at the single step
  // towards the end: its sum has more and more terms, and one η has to do for all of them.
  lesson::LinePlot plot{.name = "algorithms",
                        .title = "What each algorithm pays at each position",
                        .x = "position t",
                        .y = "loss",
                        .caption = "Dashed: the authors' curves. The thin line is the noise, below which "
                                   "nobody can get on average.",
                        .log_y = true};
  plot.line("always 0", t, zero.mean);
  plot.line("one gradient step", t, step.mean);
  plot.line("Proposition 2, 3 layers", t, three.mean);
  plot.line("Proposition 2, 7 layers", t, seven.mean);
  plot.line("least squares, newest pair left out", t, lsq_published.mean);
  plot.line("least squares", t, lsq.mean);
  plot.line("nearest orthogonal matrix", t, orthogonal.mean);
  plot.line("knowing W", t, told.mean, {.thin = true});
  const auto reference = [&](const std::string& name, const auto& values, const std::string& like) {
    plot.line(name, t, values, {.dashed = true, .like = like});
  };
  reference("authors' gradient step", paper::gradient_step, "one gradient step");
  reference("authors' 3 layers", paper::proposition_2_of_3, "Proposition 2, 3 layers");
  reference("authors' 7 layers", paper::proposition_2_of_7, "Proposition 2, 7 layers");
  reference("authors' least squares", paper::lsq, "least squares, newest pair left out");
  L.show(plot);
  const auto lowest = std::min_element(step.mean.begin(), step.mean.end());
  const auto three_digits = [](double x) { return lesson::short_number(x, 3); };
  L.say(text("From t = 9 to t = 10 the loss of least squares goes from ", three_digits(lsq.mean[9]), " to ",
             three_digits(lsq.mean[10]), ". One gradient step is best at t = ", lowest - step.mean.begin(),
             ", where it pays ", three_digits(*lowest), "; at t = 49 it pays ",
             three_digits(step.mean[49]), "."));

  L.compare("always 0", zero.total(), 1.667);
  L.compare("one gradient step", score(step), lesson::mean(paper::gradient_step));
  L.compare("Proposition 2, 3 layers", score(three), lesson::mean(paper::proposition_2_of_3));
  L.compare("Proposition 2, 7 layers", score(seven), lesson::mean(paper::proposition_2_of_7));
  L.compare("least squares, newest pair left out", score(lsq_published), lesson::mean(paper::lsq));

  // What this page claims; each line could have come out false.
  L.found(text("Mean loss: always 0 ", lesson::fixed_number(zero.total(), 3), ", one step of gradient descent ",
               lesson::fixed_number(score(step), 3), ", least squares ", lesson::fixed_number(score(lsq), 3),
               ", knowing W ", lesson::fixed_number(told.total(), 4), "."));
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
  // Over 8192 sequences the first of these two ratios has a standard error of 0.0027, the second of 0.0021,
  // measured from the paired differences; a claim allows for four of them. The sums of the third scatter
  // by 0.003 from seed to seed.
  L.claim("nearest orthogonal matrix at t = 20, compared with least squares",
          orthogonal.mean[20] / same.mean[20], {.expected = 0.714, .tolerance = 0.011});
  L.claim("the same at t = 49", orthogonal.mean[49] / same.mean[49], {.expected = 0.888, .tolerance = 0.0085});
  L.claim_below("what it pays on top of the noise, compared with least squares", excess_ratio, 0.45);
  const double floor = d * task.noise * task.noise / 2;
  L.claim("knowing W costs the noise, dσ²/2", told.total(), {.expected = floor, .tolerance = 0.02 * floor});
  // 39 pairs more than unknowns leave a little uncertainty about W: the floor times about 1 + d/39.
  L.claim_between("least squares at t = 49, in units of the noise floor", lsq.mean[49] / floor, 1, 1.4);

  // -------------------------------------------------------------------------------------------
  L.step("Things to try");
  //
  // Change the source, say first what will happen, then run. Claims will fail and the numbers will no
  // longer be the published ones; that is what claims are for. (With SCALE=smoke a run takes a second,
  // and is good enough for most of this.)
  //
  // Tomorrow as today. Add an algorithm that predicts s_t itself: whatever the state does, it cannot go
  // far in one step, can it? Will this cost less than saying 0, and by how much? Then explain the
  // number: in ten dimensions, what is the angle between s_t and W s_t, on average?
  //
  // The best ridge. Give least_squares_predictor({.ridge = 0.0001}) and 0.01 in place of the 0.001 that
  // it takes by itself, and look at t = 10. Then raise the noise, `const LinearDynamics task = {.noise =
  // 0.1};`, and find the best λ again. There is a rule: λ is the variance of the noise divided by the
  // variance of what one believes an entry of W to be, before any example. Does it give both of your λ?
  //
  // Guess the rest. In predict_orthogonal, start C at a millionth of the identity and take away the case
  // t < d. Now W is a full orthogonal matrix from the first pair on, it keeps all lengths as the true one
  // does, and it agrees with all pairs. Is this better than predicting 0 for what has not been seen? Look
  // at t = 5 and t = 9, and compare the loss of a wrong guess of the right length with that of no guess.
}

}  // namespace

int main(int argc, char** argv) {
  return lesson::run({.number = 1, .title = "The task",
                      .question = "How well can a sequence be predicted by learning from its own past?",
                      .source = __FILE__},
                     argc, argv, lesson_body);
}
