// A tape that differentiates.
//
// Every model of these lessons is found in the same way: write down a loss, compute its derivative
// with respect to every adjustable number, and move each number a little against its derivative.
// For a formula of one line you would differentiate by hand. For a Transformer, or for an algorithm
// with a loop, nobody wants to. This lesson shows the machine that does it, and lets it do something
// that is no neural network at all: it improves a classical algorithm by differentiating through it.
//
// The library's machine is core/tape.h. It works on tensors and takes care of its memory, but below you
// find a whole one for single numbers, in thirty lines. It rests on one idea. While a program
// computes, each operation writes a note on a tape: "this is how to pass derivatives back through
// me". Reading the notes from the last to the first is the chain rule.
//
// Two words that come up everywhere from here on. The adjustable numbers of a model are its weights, or
// parameters; training is to change them, update by update. And the sequences whose losses are averaged
// for one update are a batch.
#include <cmath>
#include <functional>

#include "core/gradcheck.h"
#include "core/ops.h"
#include "nn/attention.h"
#include "nn/loss.h"
#include "nn/optimizer.h"
#include "nn/training.h"
#include "tasks/in_context.h"
#include "tutorials/lesson/checkpoint.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/recipe.h"

using namespace mesagrad;

namespace {

// A whole tape, for single numbers. A number is known by its place in two lists: of its value, and of its
// slope, the derivative of the result by it. An operation computes a value and leaves a note.
class SmallTape {
 public:
  using Place = std::size_t;

  Place number(double x) {
    value_.push_back(x);
    slope_.push_back(0);
    return value_.size() - 1;
  }
  Place add(Place a, Place b) {  // out = a + b changes as much as a does, or b
    const Place out = number(value_[a] + value_[b]);
    notes_.push_back([this, a, b, out] {
      slope_[a] += slope_[out];
      slope_[b] += slope_[out];
    });
    return out;
  }
  Place multiply(Place a, Place b) {  // out = a·b changes b times as much as a does
    const Place out = number(value_[a] * value_[b]);
    notes_.push_back([this, a, b, out] {
      slope_[a] += value_[b] * slope_[out];
      slope_[b] += value_[a] * slope_[out];
    });
    return out;
  }
  void backward(Place result) {  // once
    slope_[result] = 1;
    for (auto note = notes_.rbegin(); note != notes_.rend(); ++note) (*note)();
  }
  double value(Place x) const { return value_[x]; }
  double slope(Place x) const { return slope_[x]; }

 private:
  std::vector<double> value_, slope_;
  std::vector<std::function<void()>> notes_;
};

// -- Part 4 and 5 use the task of lesson 1, as tensors ----------------------------------------------

// States moved back by `steps` positions, zeros in front: (B, T, d) from states (B, T + 1, d).
Tensor delayed(const Tensor& states, Index steps) {
  const Index B = states.dim(0), T = states.dim(1) - 1, d = states.dim(2);
  Tensor result({B, T, d});
  for (Index b = 0; b < B; ++b) {
    for (Index t = steps; t < T; ++t) {
      std::copy_n(&states[(b * (T + 1) + t - steps) * d], d, &result[(b * T + t) * d]);
    }
  }
  return result;
}

// A number that training may change.
Tensor adjustable(real value) { return Tensor({}, value).requires_grad(); }

// One step of gradient descent in context (lesson 1): f_t = η Σ s_i (s_{i-1}·s_t). The sum is what a
// layer of linear attention computes. There, a query looks for something, a key says what there is to
// be found at a place, and a value is what is taken from there; how much of it, the scalar product of
// query and key decides. Here the query is s_t, keys are s_{i-1}, values s_i. More about that in lesson
// 3; now it only saves us a loop.
struct GradientStep {
  Tensor eta = adjustable(0);

  Parameters parameters() { return {{"eta", &eta}}; }

  Tensor operator()(const Tensor& states) const {
    const Tensor s = delayed(states, 0);
    return scale(causal_linear_attention(s, delayed(states, 1), s, 1), eta);
  }
};

// The iterative solver of lesson 1, with its twelve coefficients adjustable:
//
//     p <- p - α_k Â p,    x <- x + p + β_k (x - x before),       from p = x = s_t,  Â = A/||A||
//
// and in the end f_t = C x/||A||. Products with A = Σ s_{i-1} s_{i-1}ᵀ + λI are again linear
// attention, whose keys and values are the same. Like the authors we leave out the newest pair, so
// keys are two positions old and values one.
struct LearnedSolver {
  std::vector<Tensor> alpha, beta;

  explicit LearnedSolver(Index iterations) {
    for (Index k = 0; k < iterations; ++k) {
      alpha.push_back(adjustable(1));  // α = 1, β = 0 is the plain geometric series
      beta.push_back(adjustable(0));
    }
  }

  Parameters parameters() {
    Parameters result;
    for (std::size_t k = 0; k < alpha.size(); ++k) {
      result.push_back({text("alpha ", k + 1), &alpha[k]});
      result.push_back({text("beta ", k + 1), &beta[k]});
    }
    return result;
  }

  Tensor operator()(const Tensor& states) const {
    constexpr auto ridge = static_cast<real>(0.001);
    const Tensor keys = delayed(states, 2), values = delayed(states, 1), s = delayed(states, 0);
    const Tensor one_over_norm = inverse_norms(keys, ridge);
    Tensor p = s, x = s, before = s;
    for (std::size_t k = 0; k < alpha.size(); ++k) {
      const Tensor Ap = (causal_linear_attention(p, keys, keys, 1) + ridge * p) * one_over_norm;
      p = p - scale(Ap, alpha[k]);
      const Tensor next = x + p + scale(x - before, beta[k]);
      before = std::exchange(x, next);
    }
    return causal_linear_attention(x * one_over_norm, keys, values, 1);
  }

  // 1/||A_t|| for every position, d times each: (B, T, d). Data, not differentiated.
  static Tensor inverse_norms(const Tensor& keys, real ridge) {
    const Index B = keys.dim(0), T = keys.dim(1), d = keys.dim(2);
    Tensor result(keys.shape());
    for (Index b = 0; b < B; ++b) {
      Matrix A(d, d);
      for (Index i = 0; i < d; ++i) A(i, i) = static_cast<double>(ridge);
      for (Index t = 0; t < T; ++t) {
        const real* key = &keys[(b * T + t) * d];
        for (Index i = 0; i < d; ++i) {
          for (Index j = 0; j < d; ++j) A(i, j) += static_cast<double>(key[i]) * key[j];
        }
        std::fill_n(&result[(b * T + t) * d], d, static_cast<real>(1 / frobenius_norm(A)));
      }
    }
    return result;
  }

  Predictor predictor() const {
    std::vector<double> a, b;
    for (const Tensor& value : alpha) a.push_back(value.item());
    for (const Tensor& value : beta) b.push_back(value.item());
    return predict_with(chebyshev(a, b), {.newest_pair = false});
  }
};

// An operation with a mistake in its backward step, for part 3: d(x²) is 2x·dx, and somebody forgot
// the 2.
Tensor careless_square(const Tensor& x) {
  const Tensor out = Tape::output(x.shape(), {&x});
  for (Index i = 0; i < x.size(); ++i) out[i] = x[i] * x[i];
  Tape::record("careless square", out, [=] {
    for (Index i = 0; i < x.size(); ++i) x.grad()[i] += x[i] * out.grad()[i];
  });
  return out;
}

void lesson_body(lesson::Lesson& L) {
  // -------------------------------------------------------------------------------------------
  L.step("Two additions and a tape");
  //
  // The smallest example that can go wrong. b uses a twice, and c uses b twice, so c = 4a. A tape
  // that forgot to add up would say 1 or 2; one that visited b twice would say 8.
  //
  //     a ==(+)==> b ==(+)==> c        forward:   values, from left to right, a note at each (+)
  //     4 <======= 2 <======= 1        backward:  slopes, from right to left, by the notes
  //
  // Each double line is two uses, and each use brings its share of the slope: 1 + 1 = 2, 2 + 2 = 4. Why
  // is from last to first the right order? Who uses b was computed after b, so its note is read before
  // that of b, and the slope of b is complete when it is needed.
  double slope = 0, small_slope = 0;
  {
    SmallTape tape;
    const auto a = tape.number(1), b = tape.add(a, a), c = tape.add(b, b);
    tape.backward(c);
    small_slope = tape.slope(a);
  }
  {
    Tensor a({}, 1);
    a.requires_grad();
    Tape tape;
    const Tensor b = a + a;
    const Tensor c = b + b;
    tape.backward(c);
    slope = a.grad()[0];
    L.say(text("a = ", a.item(), ",  b = a + a = ", b.item(), ",  c = b + b = ", c.item(),
               ".  The library's tape says dc/db = ", b.grad()[0], " and dc/da = ", slope,
               ", the small one dc/da = ", small_slope, "."));
  }

  // -------------------------------------------------------------------------------------------
  L.step("Two weights, and one step downhill");
  //
  // The smallest model that learns: it predicts 2w₁ + 3w₂, and the loss is the squared distance to 1. By
  // hand, with the prediction p, the slopes are 2(p - 1)·2 and 2(p - 1)·3. At w = (0.5, -1) p is -2, the
  // loss is 9, and the slopes are -12 and -18. Both weights should grow, the second more.
  std::vector<double> weights = {0.5, -1}, slopes = {0, 0}, losses;
  for (int update = 0; update < 2; ++update) {
    SmallTape tape;
    const auto w1 = tape.number(weights[0]), w2 = tape.number(weights[1]);
    const auto prediction = tape.add(tape.multiply(w1, tape.number(2)), tape.multiply(w2, tape.number(3)));
    const auto off = tape.add(prediction, tape.number(-1));
    const auto loss = tape.multiply(off, off);
    tape.backward(loss);
    losses.push_back(tape.value(loss));
    if (update == 0) slopes = {tape.slope(w1), tape.slope(w2)};
    weights[0] -= 0.01 * tape.slope(w1);
    weights[1] -= 0.01 * tape.slope(w2);
  }
  L.say(text("The small tape says ", slopes[0], " and ", slopes[1], ". A hundredth of that, subtracted from the "
             "weights, takes the loss from ", losses[0], " to ", losses[1], "."));

  // -------------------------------------------------------------------------------------------
  L.step("How we know that a derivative is right");
  //
  // By the definition: move one number by a little h to both sides, and look how much the result
  // moves. That takes two runs of the program for every number, far too slow for training, but it is
  // the judge of every operation in this library. The result is weighted with random numbers first,
  // because a plain sum can hide mistakes that cancel.
  //
  // The accused is the most important operation of all, a product of matrices, out = A·B. Let dout be the
  // derivatives of the loss by the entries of out. Its backward step takes two lines to derive:
  //
  //     a change of A by E changes out by E·B, and the loss by  Σ_ij dout_ij (E·B)_ij
  //     = Σ_ijk dout_ij E_ik B_kj = Σ_ik E_ik (dout·Bᵀ)_ik,  so  dA = dout·Bᵀ;  likewise  dB = Aᵀ·dout
  //
  // Numbers in single precision have seven digits, and of the difference of two nearly equal numbers
  // only about three are left. With `make tutorial-2 REAL=double` the first error shrinks to 1e-9;
  // the second does not shrink, because it is a mistake and not rounding.
  const auto random_matrix = [&](Index rows, Index columns, std::uint64_t number) {
    Tensor result({rows, columns});
    Random random(L.seed(), stream::analysis_data, number);
    for (Index i = 0; i < result.size(); ++i) result[i] = static_cast<real>(random.normal());
    return result;
  };
  const std::vector<Tensor> inputs = {random_matrix(3, 4, 1), random_matrix(4, 2, 2)};
  const GradCheck good = check_gradients(
      [](const std::vector<Tensor>& x) {
        const Tensor y = matmul(x[0], x[1]);
        return y * y;
      },
      inputs);
  const GradCheck bad = check_gradients(
      [](const std::vector<Tensor>& x) { return careless_square(matmul(x[0], x[1])); }, inputs);
  L.say("Squaring a matrix product: " + good.report() + ".");
  L.say("The same with a careless square: " + bad.report() + ".");

  // -------------------------------------------------------------------------------------------
  L.step("Learning one number");
  //
  // Lesson 1 found the best step size of in-context gradient descent by computing a parabola. Now we
  // pretend not to know that it is one: start at η = 0, and follow the derivative downhill, every
  // time with a batch of 256 new sequences. (So there are two gradient descents here. The inner one is
  // the prediction itself, and η is its step size; the outer one changes η. Its own step size is called
  // the learning rate.)
  //
  // Every batch has a slightly different best η, so η never comes to rest. But it wanders around the right
  // place, and the mean of where it has been is much closer to it than where it happens to be in the end.
  const LinearDynamics task;
  constexpr Index batch = 256;
  L.setting("batch", batch);

  // One update of a model's numbers: loss and gradient on batch number n.
  const auto loss_on_batch = [&](auto& training, Index n) {
    return training([&](const auto& model, Index first, Index count) {
      const Tensor states = task.sample(L.seed(), stream::training_data, n * batch + first, count);
      return squared_error(model(states), next_states(states), batch);
    });
  };

  GradientStep step;
  double learned_eta = 0;  // the mean of η from update 20 on, when it has arrived
  {
    Training training(step, batch, task.tokens);
    SGD optimizer(step.parameters(), {});
    std::vector<double> updates, etas;
    constexpr Index last = 100, arrived = 20;
    for (Index n = 0; n < last; ++n) {
      updates.push_back(static_cast<double>(n));
      etas.push_back(step.eta.item());
      if (n >= arrived) learned_eta += step.eta.item() / static_cast<double>(last - arrived);
      loss_on_batch(training, n);
      optimizer.step(2e-4);
    }
    lesson::LinePlot plot{.name = "learning-eta",
                          .title = "The step size η while it is learned",
                          .x = "update",
                          .y = "η",
                          .caption = "Dashed: the minimum of the parabola of lesson 1. Thin: the mean of η from "
                                     "update 20 on. Does it come to the dashed line, and does it stay there?"};
    plot.line("η while it learns", updates, etas, {.points = true});
    const StepSizeSearch search = search_step_size(task, L.seed(), stream::test_data, 4096);
    plot.line("line search", std::vector<double>{0, last - 1}, std::vector<double>(2, search.best_eta()),
              {.dashed = true});
    plot.line("mean of η", std::vector<double>{arrived, last - 1}, std::vector<double>(2, learned_eta),
              {.thin = true});
    L.show(plot);
    L.say(text("The mean of η from update ", arrived, " on is ", learned_eta, "; line search on other sequences "
               "gives ", search.best_eta(), "."));
  }

  // -------------------------------------------------------------------------------------------
  L.step("Learning an algorithm");
  //
  // The same with twelve numbers inside a loop: the step sizes and momenta of an iterative solver,
  // six iterations long. Each evaluation of the loss runs the solver at every position of every
  // sequence; the tape then runs through all six iterations backwards. Nothing about this needed a
  // new idea, which is the point.
  //
  // Twelve numbers are not all equally steep, so one learning rate does not suit them all. The optimizer
  // AdamW keeps running means of each number's derivative and of its square, and moves the number by the
  // learning rate times the first over the root of the second: a step of about the same size for steep
  // and flat directions. (The W is for weight decay: all numbers also shrink a little in every update.)
  // Warm-up lets the learning rate grow from 0 at first, while those means are still poor, and a cosine
  // takes it down in the end, so that the noise of the batches dies away. Clipping limits each derivative
  // to [-1, 1], against the rare batch that would throw everything over.
  //
  // The recipe is the authors', at paper scale with their numbers. A student's run makes bigger and fewer
  // steps.
  const Index updates = L.scaled<Index>({.smoke = 30, .lesson = 1000, .paper = 20000});
  const WarmupCosine schedule =
      L.scale() == lesson::Scale::paper
          ? WarmupCosine{.peak = 3e-4, .end = 1e-5, .warmup = 500, .total = 40000}
          : WarmupCosine{.peak = 1e-2, .end = 1e-4, .warmup = updates / 10, .total = updates};
  L.setting("updates", updates);
  L.setting("peak learning rate", schedule.peak);

  const Index test_sequences = L.scaled<Index>({.smoke = 256, .lesson = 8192, .paper = 65536});
  const double exact_zero = 10.0 / 6 + 10 * 1e-4 * 51 / 4;  // see lesson 1
  const double luck = loss_curve(task, L.seed(), stream::test_data, test_sequences, [](const Matrix& s) {
                        return Matrix(s.rows() - 1, s.columns());
                      }).total() / exact_zero;
  const auto test = [&](const Predictor& predictor) {
    return loss_curve(task, L.seed(), stream::test_data, test_sequences, predictor).total() / luck;
  };

  LearnedSolver solver(6);
  const double plain = test(solver.predictor());
  std::vector<double> history_n, history;
  {
    Training training(solver, batch, task.tokens);
    const AdamW::Options adam = {.decay = 0.05};
    const Clipping clipping = {.value = 1};
    AdamW optimizer(solver.parameters(), adam);
    double average = 0;
    const Index every = std::max<Index>(1, updates / 100);
    Checkpoint checkpoint =
        lesson::checkpoint(L, "solver",
                           text("updates ", updates, ", batch ", batch, ", ", lesson::in_words(adam), ", ",
                                lesson::in_words(clipping), ", ", lesson::in_words(schedule, updates), ", ",
                                lesson::in_words(task)));
    checkpoint.keep("solver", solver.parameters());
    checkpoint.keep("optimizer", optimizer);
    checkpoint.keep("history n", history_n);
    checkpoint.keep("history", history);
    checkpoint.keep("average", average);
    const Index start = checkpoint.start(updates);
    lesson::Progress bar = L.progress("learning twelve coefficients", updates, start);
    for (Index n = start; n < updates; ++n) {
      checkpoint.save_when_due(n);
      const double loss = loss_on_batch(training, n);
      clip(solver.parameters(), clipping);
      optimizer.step(schedule(n));
      average += loss / static_cast<double>(every);
      if ((n + 1) % every == 0) {
        history_n.push_back(static_cast<double>(n + 1));
        history.push_back(std::exchange(average, 0));
      }
      bar.update(n + 1, loss);
    }
  }
  const double learned = test(solver.predictor());
  const ChebyshevCoefficients theirs = published_coefficients(6);
  const double published = test(predict_with(chebyshev(theirs.alpha, theirs.beta), {.newest_pair = false}));

  lesson::LinePlot plot{.name = "learning-a-solver",
                        .title = "The loss of the solver while its coefficients are learned",
                        .x = "update",
                        .y = "loss on fresh sequences",
                        .caption = "Six products with A at each position. Dashed: with the coefficients that "
                                   "learning starts from, and with the authors'."};
  plot.line("learning", history_n, history);
  const std::vector<double> ends = {history_n.front(), history_n.back()};
  plot.line("plain geometric series", ends, std::vector<double>(2, plain), {.dashed = true});
  plot.line("authors' coefficients", ends, std::vector<double>(2, published), {.dashed = true});
  L.show(plot);

  lesson::Table table{.title = "The coefficients",
                      .caption = "Compare the losses before the numbers: different coefficients can make "
                                 "nearly the same polynomial.",
                      .columns = {"k", "α learned", "α published", "β learned", "β published"}};
  double largest = 0;  // relative difference of a step size
  for (std::size_t k = 0; k < solver.alpha.size(); ++k) {
    largest = std::max(largest, std::abs(solver.alpha[k].item() / theirs.alpha[k] - 1));
    const auto number = [](double x) { return lesson::short_number(x, 4); };
    table.row({text(k + 1), number(solver.alpha[k].item()), number(theirs.alpha[k]),
               number(solver.beta[k].item()), number(theirs.beta[k])});
  }
  L.show(table);
  L.say(text("On the test sequences the plain series costs ", plain, ", the learned coefficients ", learned,
             ", and the authors' ", published, ". The step sizes α differ from the authors' by up to ",
             lesson::fixed_number(100 * largest, 0), " %."));
  L.curve("loss while learning", history_n, history);

  L.compare("step size η", learned_eta, 0.032);
  L.compare("learned solver", learned, 0.2339);
  L.compare("published coefficients", published, 0.2317);

  const bool in_double = sizeof(real) == sizeof(double);
  L.found(text("Gradients by the tape led to a step size of ", lesson::fixed_number(learned_eta, 4),
               ", and took a solver of six iterations from a loss of ", lesson::fixed_number(plain, 3), " to ",
               lesson::fixed_number(learned, 3), "."));
  L.claim("dc/da of c = (a + a) + (a + a)", slope,
          {.expected = 4, .tolerance = 0, .from = lesson::Scale::smoke});
  L.claim("the same by the small tape", small_slope,
          {.expected = 4, .tolerance = 0, .from = lesson::Scale::smoke});
  L.claim("slopes of two weights by the small tape, distance from those by hand",
          std::abs(slopes[0] + 12) + std::abs(slopes[1] + 18),
          {.expected = 0, .tolerance = 0, .from = lesson::Scale::smoke});
  L.claim_below("error of a right gradient", good.error, in_double ? 1e-7 : 2e-2,
                {.from = lesson::Scale::smoke});
  L.claim_above("error of a wrong gradient", bad.error, 0.1, {.from = lesson::Scale::smoke});
  // Over 60 seeds the mean of η had a standard deviation of 0.00023; the claim allows for four of them.
  L.claim("learned step size", learned_eta, {.expected = 0.0322, .tolerance = 0.00095});
  L.claim_below("learned solver, compared with the plain series", learned / plain, 0.75);
  if (L.scale() == lesson::Scale::paper) {
    L.claim_between("learned solver", learned, 0.230, 0.235);
    L.claim_below("largest relative difference of a learned α from the published one", largest, 0.02);
  }

  // -------------------------------------------------------------------------------------------
  L.step("Things to try");
  //
  // Say first what will happen, then change the source and run with SCALE=smoke.
  //
  // One step, or none that helps. The first update takes η from 0 to about 0.01, at a learning rate of
  // 2e-4, and the minimum is at 0.032. The loss is a parabola. Work out the learning rate at which the
  // first update arrives, and the one from which on η moves further away with every update. Then try 6.4e-4,
  // 1.2e-3 and 1.4e-3, and read the figure.
  //
  // A mistake that the judge lets pass. Put the 2 into careless_square, but write = in the place of +=.
  // Does check_gradients notice? Now check y + careless_square(y) with y = matmul(x[0], x[1]), where y is
  // used twice. Why is adding up a part of the chain rule? (Think of dc/da of the first example.)
  //
  // Perfectly settled. Train η on the first batch again and again: `n * batch + first` becomes `first` in
  // loss_on_batch. Does η still wander? Is what it settles at better or worse than the wandering mean, and
  // how far from the dashed line? Try SEED=2 and SEED=3 before you answer. (The solver learns from the
  // same function. What would you say about its loss while learning, compared with the test?)
}

}  // namespace

int main(int argc, char** argv) {
  return lesson::run({.number = 2, .title = "A tape that differentiates",
                      .question = "How does a program find the derivative of whatever it computes?",
                      .source = __FILE__},
                     argc, argv, lesson_body);
}
