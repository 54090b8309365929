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
// What a guess costs is called its loss: half the squared distance to the true next state, as in the
// paper. Small is good. The loss of an algorithm is the mean over positions t and over many sequences.
//
// This is the game that the Transformers of later lessons are trained to play. Before we train any,
// we want to know the game: what is a bad loss, what is the best possible one, and how well do
// simple, old algorithms play it? Lesson 3 and those after it compare every model with the numbers
// of this page.
//
// Two words for later. What a Transformer reads is a sequence of vectors, called tokens; here there is
// one for each state. And finding out about W from the sequence itself, with no number of the program
// changed by it, is called learning in context.
//
// And two about chance. All random numbers of a run follow from a single one, its seed: the same seed
// gives the same sequences, SEED=2 gives others. So every mean on this page is a little wrong, by luck. A
// mean of N independent losses of standard deviation δ is wrong by about δ/√N, which is called its standard
// error: with four times as many sequences it is half as large. Two or three standard errors are luck,
// six are not.
#include <algorithm>

#include "tasks/in_context.h"
#include "tutorials/01_the_task/measure.h"
#include "tutorials/01_the_task/paper.h"
#include "tutorials/lesson/lesson.h"

using namespace mesagrad;

namespace {

void lesson_body(lesson::Lesson& L) {
  const LinearDynamics task;  // d = 10, T = 50, noise 0.01: the paper's setting
  const Index sequences = L.scaled<Index>({.smoke = 256, .lesson = 65536, .paper = 262144});
  L.setting("dimension", task.dimension);
  L.setting("tokens", task.tokens);
  L.setting("noise", task.noise);
  L.setting("sequences", sequences);

  // -------------------------------------------------------------------------------------------
  L.step("What the sequences look like");
  //
  // Three sequences, and of each only three of its ten components. W keeps lengths, so no sequence
  // should grow or die out; and since every W is another one, no two should move alike. Would you dare to
  // continue one of these curves by eye?
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
        std::vector<double> t, component;
        for (Index k = 0; k < task.tokens; ++k) {
          t.push_back(static_cast<double>(k));
          component.push_back(s(k, j));
        }
        plot.line(text("component ", j + 1), t, component);
      }
    }
    L.show(plot);
  }

  // Every algorithm below plays the same sequences. An algorithm, a Predictor, is a function that takes the
  // states of a sequence, one in each row, and gives a prediction for each; for row t it may look at the
  // rows up to t only. What comes back is its loss at every position.
  const auto play = [&](const std::string& name, Index count, const Predictor& predictor) {
    lesson::Progress bar = L.progress(name, count);
    return loss_curve(task, L.seed(), stream::test_data, count, predictor,
                      [&](Index done) { bar.update(done); });
  };
  const Index fewer = sequences / 8;  // for what is slow, or varies little

  // -------------------------------------------------------------------------------------------
  L.step("The worst loss worth mentioning, and the best one possible");
  //
  // Who always says "0" pays half the squared length of the state. A component that is uniform in
  // (-1, 1) has the mean square 1/3, and W keeps lengths, so ten of them cost 10/6 = 1.667, plus
  // what the noise adds on the way, dσ²(T + 1)/4 on average, where d = 10, T = 50, and σ = 0.01 is the
  // standard deviation of the noise in each component: together 1.679.
  const LossCurve zero = play("always 0", sequences, [](const Matrix& s) {
    return Matrix(s.rows() - 1, s.columns());
  });

  // Who is told W says W s_t, and pays for the noise alone: dσ²/2 = 0.0005. Nobody can do better,
  // because the noise of the next step is not in anything that was seen. If what we measure is many
  // standard errors from these two numbers, then the sequences are not what we think. (How it is measured,
  // and a few other things that are not the subject here, is in measure.h beside this file.)
  const LossCurve told = knowing_the_system(task, L.seed(), fewer);
  const auto two_digits = [](double x) { return lesson::short_number(x, 2); };
  L.say(text("Saying 0 costs ", zero.total(), ", with a standard error of ",
             two_digits(zero.standard_error()), ". Knowing W costs ", told.total(), ", with one of ",
             two_digits(told.standard_error()), "."));

  // How long the sequences of this run happened to start is luck, and it moves all losses up or
  // down together. But it is luck that we can see: with infinitely many sequences, "0" would cost 1.679.
  // Mean losses below are divided by what this run's sequences are too long or too short. (Statisticians
  // call this a ratio estimate: the same precision, from fewer sequences.)
  const double d = static_cast<double>(task.dimension), T = static_cast<double>(task.tokens);
  const double exact_zero = d / 6 + d * task.noise * task.noise * (T + 1) / 4;
  const double luck = zero.total() / exact_zero;
  const auto score = [&](const LossCurve& curve) { return curve.total() / luck; };

  // -------------------------------------------------------------------------------------------
  L.step("Least squares: the best linear regression");
  //
  // At position t we have seen the pairs (s₀, s₁), (s₁, s₂), ..., (s_{t-1}, s_t): t examples of a
  // linear map. Fitting a linear map Φ to examples is called linear regression. Least squares takes the Φ
  // with the smallest sum of squared errors, Σ ||s_i - Φ s_{i-1}||², and is the best way to do it when
  // nothing else is known about the map. From ten pairs on there are as many equations as unknowns, and
  // without noise they would give W exactly: we expect the loss to fall off a cliff there. (The little λ
  // that it adds to the squares, called a ridge, only keeps it from dividing by 0 before.)
  //
  // There is one surprise. The authors' least-squares code leaves out the newest pair, (s_{t-1},
  // s_t), which their Transformers do see. So it is always one example behind, and a model that
  // beats it has not done magic. We show both: the curve as published, and the honest bound.
  const LossCurve lsq_published = play("least squares, newest pair left out", sequences,
                                       least_squares_predictor({.newest_pair = false}));
  const LossCurve lsq = play("least squares", sequences, least_squares_predictor({}));

  // -------------------------------------------------------------------------------------------
  L.step("What regression does not use: W keeps lengths");
  //
  // Least squares would work for any linear map. Ours is orthogonal, and who knows that has fewer
  // unknowns: d(d - 1)/2 = 45 instead of d² = 100. Which orthogonal W fits the pairs best? Since
  // ||W s_{i-1}|| = ||s_{i-1}|| whatever W is, the sum of squares is smallest where Σ s_i · W s_{i-1} is
  // largest, and that is the orthogonal matrix nearest to C_t = Σ s_i s_{i-1}ᵀ (the function
  // nearest_orthogonal of measure.h). It is known as the orthogonal Procrustes problem, after an innkeeper of
  // legend who made his guests fit the bed.
  //
  // With fewer than d pairs, C_t says where the directions go that have been seen. Where the others go
  // is open, up to their sign even in the last step before t = d, so for them we predict 0: W is then an
  // orthogonal map from the span of the inputs to the span of what followed them.
  const auto predict_orthogonal = [&](const Matrix& s) {
    Matrix C(task.dimension, task.dimension), prediction(task.tokens, task.dimension);
    for (Index t = 1; t < task.tokens; ++t) {
      for (Index i = 0; i < task.dimension; ++i) {
        for (Index j = 0; j < task.dimension; ++j) C(i, j) += s(t, i) * s(t - 1, j);
      }
      Matrix W;
      if (t < task.dimension) {
        const Matrix from = span_of(s, 0, t), to = span_of(s, 1, t);
        const Matrix inside = multiply(transpose(to), multiply(C, from));
        W = multiply(to, multiply(nearest_orthogonal(inside), transpose(from)));
      } else {
        W = nearest_orthogonal(C);
      }
      for (Index i = 0; i < task.dimension; ++i) {
        for (Index j = 0; j < task.dimension; ++j) prediction(t, i) += W(i, j) * s(t, j);
      }
    }
    return prediction;
  };
  const LossCurve orthogonal = play("nearest orthogonal matrix", fewer, predict_orthogonal);

  // What each pays on top of the noise comes from the unknowns that the noise has moved. With very many
  // pairs the two should therefore stand as 45 to 100; with few, least squares pays extra for directions
  // in which it has hardly seen an input, so the share should be smaller. A share above 45/100 would mean
  // that the prior knowledge is not used well. We compare on the same sequences.
  const LossCurve same = play("least squares on as many", fewer, least_squares_predictor({}));
  const double share = excess_ratio(orthogonal, same, told, 40);
  lesson::Table gain{.title = "Least squares and the nearest orthogonal matrix",
                     .caption = "On the same sequences. The noise alone costs 0.0005.",
                     .columns = {"t", "least squares", "orthogonal", "difference"}};
  for (const std::size_t k : {5u, 9u, 10u, 12u, 20u, 30u, 40u, 49u}) {
    gain.row({text(k), lesson::short_number(same.mean[k], 3), lesson::short_number(orthogonal.mean[k], 3),
              lesson::fixed_number(100 * (orthogonal.mean[k] / same.mean[k] - 1), 0) + " %"});
  }
  L.show(gain);
  L.say(text("From t = 40 on, the orthogonal matrix pays ", lesson::short_number(share, 3),
             " times what least squares pays on top of the noise."));

  // -------------------------------------------------------------------------------------------
  L.step("One step of gradient descent");
  //
  // The slope of a function of many variables, the vector of its derivatives, is called its gradient. It
  // points to where the function grows fastest, so a small step against it makes the function smaller, and
  // many steps take it to a minimum: gradient descent. How far a step goes is the step size η times the
  // gradient.
  //
  // The cheapest learner imaginable starts from Φ = 0, makes a single step of gradient descent on half the
  // sum of squares of all pairs so far, and predicts with the Φ that comes out. At Φ = 0 the gradient is
  // -Σ s_i s_{i-1}ᵀ, so the step gives Φ = η Σ s_i s_{i-1}ᵀ, and the prediction is
  //
  //     f_t = η Σ_{i ≤ t} s_i (s_{i-1} · s_t).
  //
  // How well it does depends on η; a few examples need a large one, many examples a small one, and
  // it has to be the same at all t. As a function of η the loss is a parabola, so we need not search
  // long. Remember the formula: lesson 3 asks whether a Transformer finds it, with no one telling it.
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
  const LossCurve step = play("one gradient step", sequences, gradient_step_predictor(eta));

  // -------------------------------------------------------------------------------------------
  L.step("In between: inverting a matrix without inverting it");
  //
  // Least squares predicts C A⁻¹ s_t with two matrices of sums, A = Σ s_{i-1} s_{i-1}ᵀ + λI and
  // C = Σ s_i s_{i-1}ᵀ; a gradient step puts η in the place of A⁻¹. Between these two there is a
  // ladder: approximate A⁻¹ s_t by a few products of A with a vector. The plainest way is the
  // geometric series, 1/a = 1 + (1 - a) + (1 - a)² + ..., known as Neumann's for matrices. It converges for
  // a between 0 and 2, so A is divided by its norm first, the root of the sum of squares of its entries.
  // The series should come the closer to least squares, the more terms it has. How many will it need?
  const std::vector<Index> terms = {1, 2, 4, 6, 12, 20};
  std::vector<double> neumann_scores;
  for (const Index K : terms) {
    const std::string name = text("geometric series, ", K, " terms");
    const LossCurve series = play(name, sequences, predict_with(neumann(K)));
    L.curve(name, series.t, series.mean, series.deviation);
    neumann_scores.push_back(score(series));
  }

  // Cut off, the series is a polynomial of A, with a product for each power. A polynomial with better
  // coefficients can get further with as few products. The authors learned twelve numbers for it, a step
  // size and a momentum for each of six iterations, by gradient descent (we do the same in lesson 2).
  // Momentum means that a part of the last movement is made once more: what has been going one way goes
  // on that way for a while. The polynomial is the algorithm that Proposition 2 of the paper writes into
  // a Transformer of seven layers; with two iterations, of three. Like their least squares, the
  // published curves leave out the newest pair.
  const auto proposition_2 = [](Index K) {
    const ChebyshevCoefficients c = published_coefficients(K);
    return predict_with(chebyshev(c.alpha, c.beta), {.newest_pair = false});
  };
  const LossCurve seven = play("Proposition 2, 7 layers", sequences, proposition_2(6));
  const LossCurve three = play("Proposition 2, 3 layers", sequences, proposition_2(2));
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

  L.say(text("Six products of the learned polynomial cost ", score(seven), ", six terms of the plain ",
             "series ", neumann_scores[3], " and twenty ", neumann_scores[5], "; least squares costs ",
             score(lsq), "."));

  // -------------------------------------------------------------------------------------------
  L.step("All of them, position by position");
  //
  // Everybody should start at about 1.67, because the first state says nothing about W. Look for the
  // cliff of least squares, which should stand at t = 10, when there are d = 10 pairs. And look at the
  // single step towards the end: its sum has more and more terms, and one η has to do for all of them.
  lesson::LinePlot plot = lesson::by_position({.name = "algorithms",
                                               .title = "What each algorithm pays at each position",
                                               .caption = "Dashed: the authors' curves. The thin line is the "
                                                          "noise, below which nobody can get on average."});
  plot.curve("always 0", zero);
  plot.curve("one gradient step", step);
  plot.curve("Proposition 2, 3 layers", three);
  plot.curve("Proposition 2, 7 layers", seven);
  plot.curve("least squares, newest pair left out", lsq_published);
  plot.curve("least squares", lsq);
  plot.curve("nearest orthogonal matrix", orthogonal);
  plot.curve("knowing W", told, {.thin = true});
  const auto authors = [&](const std::string& name, const std::string& like, const auto& losses) {
    plot.line("authors' " + name, zero.t, losses, {.given = true, .like = like});
  };
  authors("gradient step", "one gradient step", paper::gradient_step);
  authors("3 layers", "Proposition 2, 3 layers", paper::proposition_2_of_3);
  authors("7 layers", "Proposition 2, 7 layers", paper::proposition_2_of_7);
  authors("least squares", "least squares, newest pair left out", paper::lsq);
  L.show(plot);
  const auto lowest = std::min_element(step.mean.begin(), step.mean.end());
  const auto three_digits = [](double x) { return lesson::short_number(x, 3); };
  L.say(text("From t = 9 to t = 10 the loss of least squares goes from ", three_digits(lsq.mean[9]), " to ",
             three_digits(lsq.mean[10]), ". One gradient step is best at t = ", lowest - step.mean.begin(),
             ", where it pays ", three_digits(*lowest), "; at t = 49 it pays ",
             three_digits(step.mean[49]), "."));

  L.compare("always 0", zero.total(), 1.667);
  const auto compare = [&](const std::string& name, LossCurve curve, const auto& theirs, const char* figure) {
    for (double& loss : curve.mean) loss /= luck;
    L.compare_curve(name, curve, theirs, {.figure = figure});
  };
  compare("one gradient step", step, paper::gradient_step, "4C");
  compare("Proposition 2, 3 layers", three, paper::proposition_2_of_3, "6C");
  compare("Proposition 2, 7 layers", seven, paper::proposition_2_of_7, "6C");
  compare("least squares, newest pair left out", lsq_published, paper::lsq, "6C");

  // What this page claims; each line could have come out false.
  L.found(text("Mean loss: always 0 ", lesson::fixed_number(zero.total(), 3),
               ", one step of gradient descent ", lesson::fixed_number(score(step), 3), ", least squares ",
               lesson::fixed_number(score(lsq), 3), ", knowing W ", lesson::fixed_number(told.total(), 4),
               "."));
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
  L.claim("the same at t = 49", orthogonal.mean[49] / same.mean[49],
          {.expected = 0.888, .tolerance = 0.0085});
  L.claim_below("what it pays on top of the noise, compared with least squares", share, 0.45);
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
