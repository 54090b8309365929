// A tape that differentiates.
//
// Every model of these lessons is found in the same way: write down a loss, compute its derivative
// with respect to every adjustable number, and move each number a little against its derivative.
// For a formula of one line you would differentiate by hand. For a Transformer, or for an algorithm
// with a loop, nobody wants to. This lesson shows the machine that does it, and lets it try something
// that is no neural network at all: to improve a classical algorithm by differentiating through it.
//
// The library's machine is core/tape.h. It works on tensors, rectangular arrangements of numbers (a single
// number, a vector, a matrix, a stack of matrices), and takes care of its memory. But below you find a
// whole one for single numbers, in thirty lines. It rests on one idea. While a program computes, each
// operation writes a note on a tape: "this is how to pass derivatives back through me". Reading the notes
// from the last to the first is the chain rule.
//
// Some words that come up everywhere from here on. The adjustable numbers of a model are its weights, or
// parameters. All derivatives of the loss by them together are its gradient (lesson 1). Training is to
// change the weights, update by update; the rule by which gradients become changes is the optimizer. And
// the sequences whose losses are averaged for one update are a batch.
#include <cmath>
#include <functional>

#include "core/gradcheck.h"
#include "core/ops.h"
#include "nn/attention.h"
#include "nn/loss.h"
#include "nn/optimizer.h"
#include "nn/training.h"
#include "tutorials/02_a_tape_that_differentiates/measure.h"
#include "tutorials/lesson/train.h"

using namespace mesagrad;

namespace {

void lesson_body(lesson::Lesson& L) {
  // -------------------------------------------------------------------------------------------
  L.step("Two additions and a tape");
  //
  // A whole tape, for single numbers. A number is known by its place in two lists: of its value, and of its
  // slope, the derivative of the result by it. An operation computes a value and leaves a note. The note of
  // out = a + b says: out changes as much as a does, so whatever slope out has, a gets it too, and so does
  // b. The note of out = a·b says: out changes b times as much as a does, and a times as much as b.
  class SmallTape {
   public:
    using Place = std::size_t;

    Place number(double x) {
      value_.push_back(x);
      slope_.push_back(0);
      return value_.size() - 1;
    }
    Place add(Place a, Place b) {
      const Place out = number(value_[a] + value_[b]);
      notes_.push_back([this, a, b, out] {
        slope_[a] += slope_[out];
        slope_[b] += slope_[out];
      });
      return out;
    }
    Place multiply(Place a, Place b) {
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

  // The smallest example that can go wrong. b uses a twice, and c uses b twice, so c = 4a. A tape
  // that forgot to add up would say 1 or 2; one that visited b twice would say 8.
  //
  //     a ==(+)==> b ==(+)==> c     forward:  values, left to right, a note at each (+)
  //     4 <======= 2 <======= 1     backward: slopes, right to left, by the notes
  //
  // Each double line is two uses, and each use brings its share of the slope: 1 + 1 = 2, 2 + 2 = 4. Why
  // is from last to first the right order? Who uses b was computed after b, so its note is read before
  // that of b, and the slope of b is complete when it is needed.
  SmallTape small;
  const auto x = small.number(1), y = small.add(x, x), z = small.add(y, y);
  small.backward(z);

  // The same with the library. An operation finds the tape by itself; a gradient lies beside the numbers.
  // (The tape ends at the closing brace, and with it what was written on it.)
  Tensor a({}, 1);
  a.requires_grad();
  {
    Tape tape;
    const Tensor b = a + a;
    const Tensor c = b + b;
    tape.backward(c);
    L.say(text("a = ", a.item(), ",  b = a + a = ", b.item(), ",  c = b + b = ", c.item(),
               ".  The library's tape says dc/db = ", b.grad()[0], " and dc/da = ", a.grad()[0],
               ", the small one dc/da = ", small.slope(x), "."));
  }

  // -------------------------------------------------------------------------------------------
  L.step("Two weights, and one step downhill");
  //
  // The smallest model that learns: it predicts 2w₁ + 3w₂, and the loss is the squared distance to 1. By
  // hand, with the prediction p, the slopes are 2(p - 1)·2 and 2(p - 1)·3. At w = (0.5, -1) p is -2, the
  // loss is 9, and the slopes are -12 and -18. Both weights should grow, the second more.
  //
  // We subtract a hundredth of its slope from each weight; the hundredth is called the learning rate. If
  // the loss were a plane, it would fall by 0.01·(12² + 18²) = 4.68. It is curved upwards, so it should
  // fall a little less.
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
  L.say(text("The small tape says ", slopes[0], " and ", slopes[1], ". A hundredth of that, subtracted from ",
             "the weights, takes the loss from ", losses[0], " to ", losses[1], "."));

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
  // Does the judge see mistakes? Here is an operation with one in its backward step: d(x²) is 2x·dx, and
  // somebody forgot the 2. The judge should find an error of the size of the derivative itself.
  const auto careless_square = [](const Tensor& in) {
    const Tensor out = Tape::output(in.shape(), {&in});
    for (Index i = 0; i < in.size(); ++i) out[i] = in[i] * in[i];
    Tape::record("careless square", out, [=] {
      for (Index i = 0; i < in.size(); ++i) in.grad()[i] += in[i] * out.grad()[i];
    });
    return out;
  };

  // Numbers in single precision have seven digits, and of the difference of two nearly equal numbers
  // only about three are left. So even a right derivative has an error here. With `make tutorial-2
  // REAL=double` it should shrink to about 1e-9; the other should not, being a mistake and not rounding.
  const std::vector<Tensor> inputs = {random_matrix(3, 4, L.seed(), 1), random_matrix(4, 2, L.seed(), 2)};
  const GradCheck good = check_gradients(
      [](const std::vector<Tensor>& in) {
        const Tensor product = matmul(in[0], in[1]);
        return product * product;
      },
      inputs);
  const GradCheck bad = check_gradients(
      [&](const std::vector<Tensor>& in) { return careless_square(matmul(in[0], in[1])); }, inputs);
  L.say("Squaring a matrix product: " + good.report() + ".");
  L.say("The same with a careless square: " + bad.report() + ".");

  // -------------------------------------------------------------------------------------------
  L.step("Learning one number");
  //
  // Lesson 1 found the best step size of in-context gradient descent by computing a parabola. Now we
  // pretend not to know that it is one: start at η = 0, and follow the derivative downhill, every
  // time with a batch of 256 new sequences. (So there are two gradient descents here. The inner one is
  // the prediction itself, and η is its step size; the outer one changes η, with a learning rate.)
  //
  // The inner one is f_t = η Σ s_i (s_{i-1}·s_t), and its sum is what a layer of linear attention computes.
  // There, a query looks for something, a key says what there is to be found at a place, and a value is
  // what is taken from there; how much of it, the scalar product of query and key decides. Here the query
  // is s_t, keys are s_{i-1}, values s_i. More about that in lesson 3; now it only saves us a loop.
  // (`delayed` of measure.h moves the states back by so many positions.)
  struct GradientStep {
    Tensor eta = Tensor({}, 0).requires_grad();

    Parameters parameters() { return {{"eta", &eta}}; }

    Tensor operator()(const Tensor& states) const {
      const Tensor s = delayed(states, 0);
      return scale(causal_linear_attention(s, delayed(states, 1), s, 1), eta);
    }
  };

  // One update begins with loss and gradient on batch number n. `training` (nn/training.h) runs forward and
  // backward, a part of the batch on each core, and adds the parts' gradients up.
  const LinearDynamics task;
  constexpr Index batch = 256;
  L.setting("batch", batch);
  const auto loss_on_batch = [&](auto& training, Index n) {
    return training([&](const auto& model, Index first, Index count) {
      const Tensor states = sample_states(task, L.seed(), stream::training_data, n * batch + first, count);
      return squared_error(model(states), next_states(states), batch);
    });
  };

  // Then the optimizer changes η: SGD, stochastic gradient descent, subtracts the learning rate, 2e-4, times
  // the derivative. (Stochastic, because a batch gives the derivative of the mean loss only up to luck.)
  //
  // Every batch has a slightly different best η, so η should never come to rest, but wander around the
  // right place. The mean of where it has been should be much closer to it than where it happens to be in
  // the end.
  GradientStep step;
  std::vector<double> etas;
  double learned_eta = 0;  // the mean of η from update 20 on, when it should have arrived
  constexpr Index last = 100, arrived = 20;
  Training eta_training(step, batch, task.tokens);
  SGD eta_optimizer(step.parameters(), {});
  for (Index n = 0; n < last; ++n) {
    etas.push_back(step.eta.item());
    if (n >= arrived) learned_eta += step.eta.item() / static_cast<double>(last - arrived);
    loss_on_batch(eta_training, n);
    eta_optimizer.step(L.rate(2e-4));
  }
  const double best_eta = search_step_size(task, L.seed(), stream::test_data, 4096).best_eta();
  show_learning(L, etas, arrived, learned_eta, best_eta);
  L.say(text("The mean of η from update ", arrived, " on is ", learned_eta, "; line search on other ",
             "sequences gives ", best_eta, "."));

  // -------------------------------------------------------------------------------------------
  L.step("Learning an algorithm");
  //
  // The same with twelve numbers inside a loop: the step sizes and momenta of the iterative solver of
  // lesson 1, six iterations long,
  //
  //     p <- p - α_k Â p,    x <- x + p + β_k (x - x before),       from p = x = s_t,  Â = A/||A||
  //
  // and in the end f_t = C x/||A||, where ||A|| is the root of the sum of squares of the entries.
  // Products with A = Σ s_{i-1} s_{i-1}ᵀ + λI are again linear attention, whose keys and values are the
  // same. Like the authors we leave out the newest pair, so keys are two positions old and values one.
  // With α = 1 and β = 0 it is the plain geometric series, and there we start. (The twelve numbers, α_k
  // and β_k for each iteration, are kept in measure.h.)
  struct LearnedSolver : AdjustableCoefficients {
    using AdjustableCoefficients::AdjustableCoefficients;

    Tensor operator()(const Tensor& states) const {
      constexpr auto ridge = static_cast<real>(0.001);
      const Tensor keys = delayed(states, 2), values = delayed(states, 1), s = delayed(states, 0);
      const Tensor one_over_norm = inverse_norms(keys, ridge);
      Tensor p = s, solution = s, before = s;
      for (std::size_t k = 0; k < alpha.size(); ++k) {
        const Tensor Ap = (causal_linear_attention(p, keys, keys, 1) + ridge * p) * one_over_norm;
        p = p - scale(Ap, alpha[k]);
        const Tensor next = solution + p + scale(solution - before, beta[k]);
        before = std::exchange(solution, next);
      }
      return causal_linear_attention(solution * one_over_norm, keys, values, 1);
    }
  };

  // Each evaluation of the loss runs the solver at every position of every sequence; the tape then runs
  // through all six iterations backwards. Nothing about this needed a new idea, which is the point.
  //
  // Twelve numbers are not all equally steep, so one learning rate does not suit them all. The optimizer
  // AdamW keeps running means of each number's derivative and of its square, and moves the number by the
  // learning rate times the first over the root of the second: a step of about the same size for steep
  // and flat directions. (The W is for weight decay: all numbers also shrink a little in every update.)
  // Warm-up lets the learning rate grow from 0 at first, while those means are still poor, and a cosine
  // takes it down in the end, so that the noise of the batches can die away. Clipping limits each
  // derivative to [-1, 1], against the rare batch that would throw everything over.
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

  // The loss before and after is that of test sequences, on which nothing is learned. What would surprise
  // us: a loss after training that is not lower, or one far below the authors'. (`follow` of measure.h calls
  // the function that it is given for each update, draws the bar, and saves the run from time to time.)
  const Index test_sequences = L.scaled<Index>({.smoke = 256, .lesson = 8192, .paper = 65536});
  const auto solver_loss = solver_loss_on(task, L.seed(), test_sequences);
  LearnedSolver solver(6);
  const double plain = solver_loss(solver.coefficients());
  Training training(solver, batch, task.tokens);
  const AdamW::Options adam = {.decay = 0.05};
  const Clipping clipping = {.value = 1};
  AdamW optimizer(solver.parameters(), adam);
  const std::string recipe = text("batch ", batch, ", ", lesson::in_words(adam), ", ",
                                  lesson::in_words(clipping), ", ", lesson::in_words(schedule, updates),
                                  ", ", lesson::in_words(task));
  const History history = follow(L, recipe, solver.parameters(), optimizer, updates, [&](Index n) {
    const double loss = loss_on_batch(training, n);
    clip(solver.parameters(), clipping);
    optimizer.step(L.rate(schedule(n)));
    return loss;
  });
  const double learned = solver_loss(solver.coefficients());
  const double published = solver_loss(published_coefficients(6));
  lesson::LinePlot plot{.name = "learning-a-solver",
                        .title = "The loss of the solver while its coefficients are learned",
                        .x = "update",
                        .y = "loss on fresh sequences",
                        .caption = "Six products with A at each position. Dashed: with the "
                                   "coefficients that learning starts from, and with the authors'."};
  plot.line("learning", history.updates, history.loss);
  const std::vector<double> ends = {history.updates.front(), history.updates.back()};
  plot.line("plain geometric series", ends, {plain, plain}, {.dashed = true});
  plot.line("authors' coefficients", ends, {published, published}, {.dashed = true});
  L.show(plot);
  const double largest = show_coefficients(L, solver.coefficients(), published_coefficients(6));
  L.say(text("On the test sequences the plain series costs ", plain, ", the learned coefficients ", learned,
             ", and the authors' ", published, ". The step sizes α differ from the authors' by up to ",
             lesson::fixed_number(100 * largest, 0), " %."));

  L.compare("step size η", learned_eta, 0.032, {.figure = "4C"});
  L.compare("learned solver", learned, 0.2339, {.figure = "6C", .updates = updates});
  L.compare("published coefficients", published, 0.2317, {.figure = "6C"});

  const bool in_double = sizeof(real) == sizeof(double);
  constexpr auto smoke = lesson::Scale::smoke;  // from which scale on a claim is judged
  L.found(text("Gradients by the tape led to a step size of ", lesson::fixed_number(learned_eta, 4),
               ", and took a solver of six iterations from a loss of ", lesson::fixed_number(plain, 3),
               " to ", lesson::fixed_number(learned, 3), "."));
  L.claim("dc/da of c = (a + a) + (a + a)", a.grad()[0], {.expected = 4, .tolerance = 0, .from = smoke});
  L.claim("the same by the small tape", small.slope(x), {.expected = 4, .tolerance = 0, .from = smoke});
  L.claim("slopes of two weights by the small tape, distance from those by hand",
          std::abs(slopes[0] + 12) + std::abs(slopes[1] + 18),
          {.expected = 0, .tolerance = 0, .from = smoke});
  L.claim_below("error of a right gradient", good.error, in_double ? 1e-7 : 2e-2, {.from = smoke});
  L.claim_above("error of a wrong gradient", bad.error, 0.1, {.from = smoke});
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
  // One step, or none that helps. Read off the figure how far the first update takes η, at a learning rate
  // of 2e-4, and where the minimum is. The loss is a parabola. Work out the learning rate at which the first
  // update should arrive, and the one from which on η should move further away with every update. Then try
  // 6.4e-4, 1.2e-3 and 1.4e-3.
  //
  // A mistake that the judge lets pass. Put the 2 into careless_square, but write = in the place of +=.
  // Does check_gradients notice? Now check p + careless_square(p) with p = matmul(in[0], in[1]), where p is
  // used twice. Why is adding up a part of the chain rule? (Think of dc/da of the first example.)
  //
  // Perfectly settled. Train η on the first batch again and again: `n * batch + first` becomes `first` in
  // loss_on_batch. Does η still wander? Is what it comes to better or worse than the wandering mean, and
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
