// Learning
//
// A model makes a prediction, and it is off by something. A tape says how each weight would have to move for
// the loss to fall. This assignment is about what comes before and after the tape: the loss, and the update.
// An update is a few lines of arithmetic on each weight, and all of training is to repeat it; yet whether
// training works at all depends on these lines more than on most others.
//
// Read: nn/loss.h and nn/optimizer.h, which have all formulas; nn/counted_rows.h.
// Read: lesson 2 from "Learning one number" on; core/norm.h, when you have written 4.4.
// Find out: what the two ways of clipping do to the direction of a gradient. Which optimizer notices if the
// loss is measured in other units. What the norm of (3e200, 4e200) is, and what becomes of it if you square
// the numbers as they are.
// To write: 4.1, 4.2 in nn/loss.cpp; 4.3, 4.4, 4.5, 4.6, 4.7 in nn/optimizer.cpp.
// Hours: 4
// Unlocks: make tutorial-2
// Withheld: tests/nn/optimizer_test.cpp
// Withheld: tests/nn/loss_test.cpp
//
// # The one derivation
//
// Let g be the gradient of the loss at the weights θ. Near θ, L(θ + δ) is about L(θ) + g·δ. That alone would
// ask for an infinite δ. But it is true near θ only, so we make it costly to go far, and look for the δ with
// the least
//
//     g·δ + (1/2η) Σ_i s_i δ_i²        with the derivative  g_i + s_i δ_i/η,  zero at  δ_i = -η g_i/s_i.
//
// An update is this choice: how far is far, and for which weight. With s_i = 1 it is gradient descent with
// the learning rate η. Adam takes for s_i how large the gradient of weight i usually is, so that steep and
// flat weights move about equally far. And "usually", as well as g itself, is a mean over the last updates,
// because one batch says both only up to luck.
//
// Such a mean costs one number for each weight. From m_0 = 0, m_n = β m_{n-1} + (1 - β) g_n, which is
//
//     m_n = (1 - β) ( g_n + β g_{n-1} + β² g_{n-2} + ... + β^{n-1} g_1 ).
//
// Old gradients fade. Here is the weight that each has in m_4, with β = 1/2:
//
//     g_1  #              1/16
//     g_2  ##             1/8
//     g_3  ####           1/4
//     g_4  ########       1/2
//                         sum 15/16
//
// A mean has weights whose sum is 1. By the geometric series, (1 - β)(1 + β + ... + β^{n-1}) = 1 - βⁿ, what
// is missing is βⁿ, the weight of the zero that we began with. So m_n/(1 - βⁿ) is a mean from the first
// update on. It matters: with β2 = 0.999, v_1 is g²/1000, its root 32 times too small, and the first updates
// would be far too large.
//
// To think about (nobody checks this):
// 1. The loss is multiplied by 1000. What changes in the updates of SGD, of AdamW, and of SGD behind each of
// the two ways of clipping?
// 2. A step of gradient descent goes downhill, if it is short enough. Is that still so after clip_by_value?
// With momentum? With AdamW?
//
// Hint 4.1: squared_distance, above, is the squared error of one row.
// Hint 4.1: Of a row of output only the first d of D numbers count; the row begins at number rows[n]·D.
// Hint 4.1: Sum squared_distance(output.data() + rows[n] * D, labels.data() + rows[n] * d, d); over 2·terms.
// Hint 4.2: Where does one number f_j of a row that counts stand in the loss? Differentiate by it.
// Hint 4.2: Add (f_j - y_j)/terms, times the gradient of the loss, to the first d channels of such a row.
// Hint 4.2: dx = output.grad(); dx[rows[n] * D + j] += loss.grad()[0] / terms * (f - y), for n and for j < d.
// Hint 4.3: Two loops: over the parameters, and over p.tensor->size() numbers.
// Hint 4.3: What is above bound becomes bound, and what is below -bound becomes -bound.
// Hint 4.3: g[i] = std::min(std::max(g[i], -b), b), where g = p.tensor->grad() and b is a real.
// Hint 4.4: First one sum of squares over all parameters, then, if it must be, one factor for all.
// Hint 4.4: The factor that makes the norm `bound` is bound/norm.
// Hint 4.4: Return the norm from before; if it is at most bound, leave the gradients as they are.
// Hint 4.5: Two loops again: parameters, numbers. Which of v and x comes first?
// Hint 4.5: v = averages_[0][n] takes μ·v + g, and only then x is changed, by v.
// Hint 4.5: v[i] = mu * v[i] + g[i]; x[i] -= rate * v[i]; with g = parameters_[n].tensor->grad().
// Hint 4.6: Count first: the first update has n = 1, else 1 - βⁿ is 0.
// Hint 4.6: The lines of nn/optimizer.h, in their order, for each number. m̂ and v̂ are not kept.
// Hint 4.6: 1 - power(beta, n) is one for all numbers. The decay is 0 if rank() < 2 and only matrices decay.
// Hint 4.7: Ask first whether n is at the end, then whether it is in the warm-up.
// Hint 4.7: In between, progress = (n - warmup)/(total - warmup) goes from 0 to 1, as doubles.
// Hint 4.7: (1 + cos(π·progress))/2 goes from 1 to 0; it is the share of peak - end that is left.
//
// Mistake 4.1: (2 * static_cast<double>(terms)) ==> static_cast<double>(terms)
// Mistake 4.1: rows[n] * D ==> n * D
// Mistake 4.1: rows[n] * d, d) ==> rows[n] * d, D)
// Mistake 4.2: / static_cast<real>(terms) ==> / static_cast<real>(output.dim(0))
// Mistake 4.2: if (!add) ==> if (false)
// Mistake 4.2: dx_row[j] += ==> dx_row[j] =
// Mistake 4.2: (x[j] - y[j]) ==> (y[j] - x[j])
// Mistake 4.3: std::min(std::max(g[i], -b), b) ==> std::min(g[i], b)
// Mistake 4.3: std::min(std::max(g[i], -b), b) ==> (std::abs(g[i]) > b ? 0 : g[i])
// Mistake 4.4: if (norm.value() <= bound) ==> if (false)
// Mistake 4.4: return norm.value(); ==> return bound;
// Mistake 4.4: i < p.tensor->size() ==> i + 1 < p.tensor->size()
// Mistake 4.4: g[i] = g[i] * m ==> g[i] = m
// Mistake 4.5: x[i] -= r * v[i]; ==> x[i] += r * v[i];
// Mistake 4.5: x[i] -= r * v[i]; ==> x[i] -= r * g[i];
// Mistake 4.5: mu * v[i] + g[i] ==> mu * v[i] + (1 - mu) * g[i]
// Mistake 4.6: 1 / (1 - power(options_.beta2, updates_)) ==> 1.0
// Mistake 4.6: std::sqrt(v[i] * square_scale) + epsilon ==> std::sqrt(v[i] * square_scale + epsilon)
// Mistake 4.6: r * (direction + decay * x[i]) ==> r * direction + decay * x[i]
// Mistake 4.6: p.shape().rank() >= 2 ==> p.shape().rank() >= 1
// Mistake 4.7: if (n >= total) return end; ==> if (n > total) return end;
// Mistake 4.7: static_cast<double>(n - warmup) ==> static_cast<double>(n)
// Mistake 4.7: 0.5 * (1 + cosine ==> 0.5 * (1 - cosine
// Mistake 4.7: return peak * static_cast<double>(n) ==> return peak * static_cast<double>(n + 1)
#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/loss.h"
#include "nn/optimizer.h"
#include "tests/course/check.h"

namespace mesagrad::course {
namespace {

using Inputs = std::vector<Tensor>;

void set_gradient(const Tensor& x, const Tensor& g) { std::copy_n(g.data(), g.size(), x.grad()); }

Tensor gradient_of(const Tensor& x) {
  return Tensor(x.shape(), std::span<const real>(x.grad(), static_cast<std::size_t>(x.size())));
}

// Two weights that are no multiples of each other, a matrix and a vector.
struct Weights {
  Tensor matrix = random_tensor({2, 3}, 10), vector = random_tensor({4}, 11);
  Parameters parameters;
  Weights() {
    parameters = {{"matrix", &matrix.requires_grad()}, {"vector", &vector.requires_grad()}};
  }
  Weights(const Weights&) = delete;
  Weights& operator=(const Weights&) = delete;

  void set_gradients(int number) const {
    set_gradient(matrix, random_tensor({2, 3}, number));
    set_gradient(vector, random_tensor({4}, number + 1));
  }
};

// The mean of squared_errors over sequences and positions that count.
double mean_loss(const Tensor& f, const Tensor& y, const std::vector<Index>& positions = {}) {
  std::vector<double> losses(
      static_cast<std::size_t>(f.dim(0) * (positions.empty() ? f.dim(1) : std::ssize(positions))));
  squared_errors(f, y, losses.data(), positions);
  double sum = 0;
  for (const double loss : losses) sum += loss;
  return sum / static_cast<double>(losses.size());
}

EXERCISE("4.1", 3, "the loss is half the squared error, per sequence and position",
         "Divide by 2 and by the number of rows, and not by that of channels.") {
  const Tensor f({1, 2, 2}, {1, 2, 3, 4}), y({1, 2, 2}, {1, 1, 1, 3});
  expect_equal("the loss of (1, 2), (3, 4) where (1, 1), (1, 3) is right", squared_error(f, y)[0], 1.5);
  const Index B = random_size(2, 4), T = random_size(3, 5, 1);
  const Tensor g = random_tensor({B, T, 3}, 0), z = random_tensor({B, T, 3}, 1);
  expect_equal("the loss of random numbers", squared_error(g, z)[0], mean_loss(g, z));
}

EXERCISE("4.1", 2, "the prediction is the first channels of each row",
         "Rows of output are D apart, of labels d.") {
  const Tensor f = random_tensor({2, 3, 4}, 0), y = random_tensor({2, 3, 2}, 1);
  expect_equal("the loss with D = 4, d = 2", squared_error(f, y)[0], mean_loss(f, y));
}

EXERCISE("4.1", 2, "positions that don't count are left out, and parts of a batch add up",
         "Row n that counts is row rows[n]; `terms` knows how many there are in the whole batch.") {
  const Index t = random_size(0, 2);
  const std::vector<Index> some = {t, t + 2};
  const Tensor f = random_tensor({3, 5, 3}, 0), y = random_tensor({3, 5, 3}, 1);
  expect_equal(text("the loss of positions ", t, " and ", t + 2), squared_error(f, y, 0, some)[0],
               mean_loss(f, y, some));
  expect_equal("the loss of 3 of 12 sequences", squared_error(f, y, 12, some)[0], mean_loss(f, y, some) / 4);
}

EXERCISE("4.2", 3, "the gradient is what differences say",
         "Each f_j is in one square; the loss has a gradient, too.") {
  const Tensor f = random_tensor({2, 3, 4}, 0), y = random_tensor({2, 3, 2}, 1);
  expect_gradient([&](const Inputs& x) { return squared_error(x[0], y); }, {f}, {"the output"});
  expect_gradient([&](const Inputs& x) { return squared_error(x[0], y, 7, {0, 2}); }, {f},
                  {"the output, of which positions 0 and 2 of 7 sequences count,"});
}

EXERCISE("4.2", 2, "two losses of one output add up", "Add to what is there.") {
  const Tensor f = random_tensor({2, 3, 3}, 0), y = random_tensor({2, 3, 3}, 1);
  const auto both = [&](const Inputs& x) { return squared_error(x[0], y) - squared_error(x[0], y, 0, {1}); };
  expect_gradient(both, {f}, {"the output, in two losses,"});
}

EXERCISE("4.2", 2, "what does not count has the gradient 0, in memory that was used before",
         "grad_part() gives memory with anything in it unless `add` is true; grad() gives zeros.") {
  const Tensor f = random_tensor({2, 3, 4}, 0).requires_grad(), y = random_tensor({2, 3, 2}, 1);
  Arena arena;
  {
    Tape before(arena);
    const Tensor left = Tape::output({4096}, {});
    std::fill_n(left.data(), left.size(), std::numeric_limits<real>::quiet_NaN());
  }
  Tape tape(arena);
  tape.backward(squared_error(real{1} * f, y, 0, {1}));
  for (Index b = 0; b < 2; ++b) {
    for (Index t = 0; t < 3; ++t) {
      for (Index j = 0; j < 4; ++j) {
        const Index place = (b * 3 + t) * 4 + j;
        const double expected = t == 1 && j < 2 ? (f[place] - y[(b * 3 + t) * 2 + j]) / 2 : 0;
        expect_equal(text("where position 1 counts, and d = 2, the gradient at (", b, ", ", t, ", ", j, ")"),
                     f.grad()[place], expected);
      }
    }
  }
}

EXERCISE("4.3", 2, "numbers beyond the bound come to it, others stay",
         "There is an upper and a lower bound.") {
  Tensor w = Tensor({5}).requires_grad();
  set_gradient(w, Tensor({5}, {-3, -0.5, 0, 0.5, 3}));
  clip_by_value({{"w", &w}}, 2);
  expect_equal("the gradient (-3, -.5, 0, .5, 3) with bound 2", gradient_of(w),
               Tensor({5}, {-2, -0.5, 0, 0.5, 2}));
}

EXERCISE("4.3", 1, "every parameter's gradient is clipped, and no weight",
         "It is p.tensor->grad() that changes.") {
  const Weights w;
  const Tensor before = w.matrix.copy();
  w.set_gradients(0);
  const Tensor g = gradient_of(w.vector);
  clip_by_value(w.parameters, 0.25);
  expect_equal("a weight", w.matrix, before);
  for (const Tensor& x : {w.matrix, w.vector}) {
    for (Index i = 0; i < x.size(); ++i)
      expect(std::abs(x.grad()[i]) <= 0.25, "with bound 0.25, number ", i, " of a gradient is ", x.grad()[i]);
  }
  for (Index i = 0; i < g.size(); ++i)
    expect(g[i] * w.vector.grad()[i] >= 0, "number ", i, " was ", g[i], " and has another sign: ",
           w.vector.grad()[i]);
}

EXERCISE("4.4", 3, "the norm is that of all gradients together",
         "One sum of squares, and its root; return it.") {
  Tensor a = Tensor({2}).requires_grad(), b = Tensor({1}).requires_grad();
  set_gradient(a, Tensor({2}, {3, -4}));
  set_gradient(b, Tensor({1}, 12));
  const Parameters both = {{"a", &a}, {"b", &b}};
  expect_equal("the norm of (3, -4) and (12), clipped to 6.5,", clip_by_norm(both, 6.5), 13);
  expect_equal("the norm after that", clip_by_norm(both, 100), 6.5);
}

EXERCISE("4.4", 3, "all are scaled by one factor", "The factor is bound/norm.") {
  const Weights w;
  w.set_gradients(0);
  const Tensor g = gradient_of(w.matrix), h = gradient_of(w.vector);
  const double norm = clip_by_norm(w.parameters, 0.3);
  const auto factor = static_cast<real>(0.3 / norm);
  expect_equal("the first gradient, clipped to 0.3,", gradient_of(w.matrix), factor * g);
  expect_equal("the second gradient, clipped to 0.3,", gradient_of(w.vector), factor * h);
}

EXERCISE("4.4", 2, "gradients within the bound stay as they are", "Never make a gradient longer.") {
  const Weights w;
  w.set_gradients(0);
  const Tensor g = gradient_of(w.matrix);
  const double norm = clip_by_norm(w.parameters, 1000);
  expect(norm > 0 && norm < 1000, "with the bound 1000 the norm of ten normal numbers is said to be ", norm);
  expect_equal("the gradient, within the bound,", gradient_of(w.matrix), g);
  for (const Parameter& p : w.parameters) p.tensor->zero_grad();
  expect_equal("the norm of zeros", clip_by_norm(w.parameters, 1), 0);
  expect_equal("the gradient of zeros", gradient_of(w.vector), Tensor({4}));
}

EXERCISE("4.5", 2, "without momentum, each weight loses rate times its gradient",
         "Downhill is against the gradient.") {
  const Weights w;
  const Tensor a = w.matrix.copy(), b = w.vector.copy();
  SGD optimizer(w.parameters, {});
  w.set_gradients(0);
  const Tensor expected_a = a - real{0.125} * gradient_of(w.matrix);
  const Tensor expected_b = b - real{0.125} * gradient_of(w.vector);
  optimizer.step(0.125);
  expect_equal("after a step, the first weight", w.matrix, expected_a);
  w.set_gradients(2);
  optimizer.step(0);
  expect_equal("after one more step, with rate 0, the second weight", w.vector, expected_b);
}

EXERCISE("4.5", 3, "with momentum, old gradients go on, by μ, μ², ...",
         "v <- μ·v + g: there is no 1 - μ, and no rate.") {
  Tensor w = Tensor({}, 10).requires_grad();
  SGD optimizer({{"w", &w}}, {.momentum = 0.5});
  w.grad()[0] = 1;
  optimizer.step(1);
  expect_equal("10 after a step with gradient 1, rate 1, μ = 1/2", w[0], 9);
  optimizer.step(1);
  expect_equal("that after another such step, v = 1.5,", w[0], 7.5);
  w.grad()[0] = 0;
  optimizer.step(0.1);
  expect_equal("that after a step with gradient 0, rate 0.1, v = 0.75,", w[0], 7.425);
}

EXERCISE("4.5", 1, "each parameter has a velocity of its own",
         "It is averages_[0][n], of the n-th parameter.") {
  const Weights w;
  const Tensor b = w.vector.copy();
  SGD optimizer(w.parameters, {.momentum = 0.5});
  w.set_gradients(0);
  optimizer.step(1);
  optimizer.step(1);
  expect_equal("the second weight after two steps", w.vector, b - real{2.5} * gradient_of(w.vector));
}

// What AdamW subtracts in its last update from a weight of 0, by means whose weights have the sum 1.
double adam_update(const std::vector<double>& gradients, const AdamW::Options& options, double rate) {
  double mean = 0, square = 0, of_mean = 0, of_square = 0;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const auto age = static_cast<double>(gradients.size() - 1 - i);
    const double a = std::pow(options.beta1, age), b = std::pow(options.beta2, age);
    mean += a * gradients[i];
    square += b * gradients[i] * gradients[i];
    of_mean += a;
    of_square += b;
  }
  return rate * (mean / of_mean) / (std::sqrt(square / of_square) + options.epsilon);
}

EXERCISE("4.6", 2, "the first update is the rate, whatever the gradient's size",
         "In the first update n = 1, and both means are of one gradient.") {
  for (const double size : {1e-3, 1.0, 1e3}) {
    const Weights w;
    const Tensor before = w.vector.copy();
    w.set_gradients(0);
    for (Index i = 0; i < 4; ++i) w.vector.grad()[i] *= static_cast<real>(size);
    AdamW optimizer(w.parameters, {.epsilon = 1e-30});
    optimizer.step(0.1);
    for (Index i = 0; i < 4; ++i) {
      const double g = w.vector.grad()[i];
      expect_equal(text("the first update, with rate 0.1 and gradient ", g, ","), before[i] - w.vector[i],
                   g > 0 ? 0.1 : -0.1);
    }
  }
}

EXERCISE("4.6", 2, "the same gradient again and again is the same update",
         "m and v are means only when they are divided by 1 - βⁿ, each with its own β.") {
  Tensor w = Tensor({}, 1).requires_grad();
  AdamW optimizer({{"w", &w}}, {.epsilon = 1e-30});
  w.grad()[0] = 3;
  for (int n = 1; n <= 4; ++n) {
    optimizer.step(0.125);
    expect_equal(text("1 after ", n, " updates with rate 1/8 and gradient 3"), w[0], 1 - 0.125 * n);
  }
}

EXERCISE("4.6", 4, "every number moves by its mean over the root of its mean square",
         "ε is added to the root, and v takes the square of g.") {
  const AdamW::Options options{.beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.25};
  const Weights w;
  AdamW optimizer(w.parameters, options);
  std::vector<double> seen[4];
  for (int n = 1; n <= 4; ++n) {
    w.set_gradients(2 * n);
    const Tensor before = w.vector.copy(), g = gradient_of(w.vector);
    optimizer.step(0.1 / n);
    for (Index i = 0; i < 4; ++i) {
      std::vector<double>& gradients = seen[i];
      gradients.push_back(g[i]);
      expect_equal(text("update ", n, " of number ", i, " of the second weight"), before[i] - w.vector[i],
                   adam_update(gradients, options, 0.1 / n));
    }
    expect_equal(text("the gradient after update ", n), gradient_of(w.vector), g);
  }
}

EXERCISE("4.6", 2, "the decay shrinks weights by rate·decay, and no mean sees it",
         "Inside the bracket that the rate multiplies.") {
  const Weights w, without;
  AdamW optimizer(w.parameters, {.decay = 0.5}), plain(without.parameters, {});
  for (int n = 1; n <= 3; ++n) {
    const Tensor before = w.matrix.copy(), other = without.matrix.copy();
    w.set_gradients(2 * n);
    without.set_gradients(2 * n);
    optimizer.step(0.25);
    plain.step(0.25);
    expect_equal(text("with decay 0.5 and rate 0.25, weight number 0 after update ", n), w.matrix[0],
                 (without.matrix[0] - other[0]) + 0.875 * before[0]);
  }
}

EXERCISE("4.6", 2, "the decay leaves vectors alone, if it shall", "A matrix has a shape of rank 2 or more.") {
  for (const bool matrices_only : {false, true}) {
    const Weights w;
    const Tensor a = w.matrix.copy(), b = w.vector.copy();
    AdamW optimizer(w.parameters, {.decay = 0.5, .decays_matrices_only = matrices_only});
    for (const Parameter& p : w.parameters) p.tensor->zero_grad();
    optimizer.step(0.5);
    const std::string when = text(" without gradient, decays_matrices_only = ", matrices_only, ",");
    expect_equal("the matrix" + when, w.matrix, real{0.75} * a);
    expect_equal("the vector" + when, w.vector, matrices_only ? b : real{0.75} * b);
  }
}

EXERCISE("4.6", 1, "it goes on from its memory and the number of its updates",
         "updates_ counts, with rate 0 as well.") {
  const Weights w, again;
  AdamW optimizer(w.parameters, {}), resumed(again.parameters, {});
  w.set_gradients(0);
  optimizer.step(0);
  expect_equal("a weight after an update with rate 0", w.vector, again.vector);
  expect(optimizer.updates() == 1, "after one update, updates() is ", optimizer.updates());
  resumed.set_updates(1);
  const Parameters from = optimizer.memory(), to = resumed.memory();
  for (std::size_t i = 0; i < from.size(); ++i)
    std::copy_n(from[i].tensor->data(), from[i].tensor->size(), to[i].tensor->data());
  w.set_gradients(2);
  again.set_gradients(2);
  optimizer.step(0.1);
  resumed.step(0.1);
  expect_equal("a weight after update 2 of an optimizer with the memory of another,", again.vector, w.vector);
}

EXERCISE("4.7", 2, "the rate warms up in a line from 0", "n/warmup of the peak, in doubles.") {
  const WarmupCosine rate{.peak = 2, .end = 0.5, .warmup = 100, .total = 300};
  for (const Index n : {0, 1, 25, 99}) {
    expect_equal(text("with peak 2 and warmup 100, the rate of update ", n), rate(n),
                 0.02 * static_cast<double>(n));
  }
}

EXERCISE("4.7", 3, "it comes down in half a cosine",
         "The cosine goes from 1 to -1 between `warmup` and `total`.") {
  const Index warmup = random_size(1, 9);
  const WarmupCosine rate{.peak = 5, .end = 1, .warmup = warmup, .total = warmup + 12};
  const double expected[] = {5, 3 + std::sqrt(3.0), 4, 3, 2, 3 - std::sqrt(3.0), 1};
  for (Index n = 0; n <= 6; ++n) {
    expect_equal(text("from peak 5 to end 1, after ", n, " sixths of the way down, the rate"),
                 rate(warmup + 2 * n), expected[n]);
  }
  for (const Index n : {13, 1000}) expect_equal("the rate after the end", rate(warmup + n), 1);
}

EXERCISE("4.7", 1, "there may be no warm-up, or no way down",
         "At `total` it is `end`, whatever came before.") {
  const WarmupCosine cold{.peak = 5, .end = 1, .warmup = 0, .total = 8};
  expect_equal("the rate of update 0 without warm-up", cold(0), 5);
  const WarmupCosine cliff{.peak = 5, .end = 1, .warmup = 10, .total = 10};
  expect_equal("with warmup = total = 10, the rate of update 9", cliff(9), 4.5);
  expect_equal("with warmup = total = 10, the rate of update 10", cliff(10), 1);
}

}  // namespace
}  // namespace mesagrad::course
