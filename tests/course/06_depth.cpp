// Depth
//
// One layer makes one step. What could six do? In this assignment you write the plan of Proposition 2 into
// weights, in which a layer is one step of an iteration that solves a linear system; then you find the
// steps that serve best; and then you write the instruments that tell whether a trained model does anything
// like it: probes.
//
// Read: tasks/proposition_2.h; lesson 5 (tutorials/05_depth/lesson.cpp), as far as its second step;
// tasks/probes.h.
// Find out: why no layer has to hold A_t, or its inverse. What happens to the plan where A_t has an
// eigenvalue beyond those that the steps were made for.
// To write: 6.1 and 6.2 in tasks/proposition_2.cpp, 6.3 to 6.5 in tasks/probes.cpp; about forty lines.
// Hours: 5
// Unlocks: nothing yet: lessons 5 and 6 train mesa-layers, too, and follow after assignment 7.
// Withheld: tests/tasks/proposition_2_test.cpp
// Withheld: tests/tasks/probes_test.cpp
//
// # The one derivation
//
// Least squares predicts C x with A x = s (A, C and s of the newest token; see tasks/in_context.h, without
// a ridge). Begin with x = 0 and call what is missing r = s - A x, so r_0 = s. A step x ← x + α r makes
//
//     r_k = r_{k-1} - α_k A r_{k-1} = (I - α_k A) r_{k-1}          what is missing
//     f_k = f_{k-1} + α_k C r_{k-1}                                the prediction C x
//
// Both take sums over the past, of s_{i-1} (s_{i-1} · r) and of s_i (s_{i-1} · r): two heads with the same
// query r and the same key s_{i-1}, whose values differ. A layer of the two is a step, and x is never
// written anywhere.
//
// How good is it? α_k A r_{k-1} = r_{k-1} - r_k, so α_k r_{k-1} = A⁻¹ (r_{k-1} - r_k), and the sum over k
// is
//
//     f_K = C A⁻¹ (s - r_K)
//
// The prediction is exact but for what is still missing. And that is r_K = p(A) s, with
//
//     p(a) = (1 - α_1 a) (1 - α_2 a) ... (1 - α_K a)
//
// Along an eigenvector of A with the eigenvalue a it is p(a) times what it was. So the whole plan is one
// polynomial, with p(0) = 1, and with a root at each 1/α_k. If eigenvalues may lie anywhere from `least` to
// `greatest`, the best roots are those with which p swings between two bounds ε and -ε there, and touches
// them K + 1 times (here K = 2, three times):
//
//      1 |*
//        | *                                          *
//        |  *                                        *
//      ε |   *                                      *
//        |    '.                                  .'
//      0 |------'.------------------------------.'--------- a
//        |        '-..                      ..-'
//     -ε |            ''---..........---''
//            :                                      :
//          least                                 greatest
//
// Chebyshev's polynomials do that, and the header has their roots. Left of `least` no more is missing than
// at the start. Right of `greatest` p grows faster than any other polynomial of its degree that keeps
// within ±ε before.
//
// A probe is least squares again: the rows of a are residual streams of N sequences at one position, those
// of y what we look for, and aM should be near y. What the best M leaves of y is perpendicular to all
// columns of a, aᵀ(y - aM) = 0; so ||y - aM||² = ||y||² - ||aM||², and no probe can do worse than to say 0.
//
// To think about (nobody checks this):
// 1. The order of the steps makes no difference to p. Compute, for steps made for eigenvalues in [4.4, 118]
// and K = 6, the largest |p| that an eigenvalue in [0, 118] meets on the way, after one, two, .. six of the
// steps: with the smallest step first, and with the largest first. What has that to do with models whose
// stream is clipped at 4?
// 2. D channels of noise explain D/N of any target. With 40 channels, what could a probe claim that was
// fitted to 80 sequences and tested on the same? What would you do about it?
//
// Hint 6.1: A layer is a list of two GroupHead; a step is such a layer. Which group is r, and which
// collects the prediction?
// Hint 6.1: r is group 1, both are asked with it. The first head copies s_i, group 2, into group 0. The
// second changes r itself: it copies s_{i-1}, group 3, into group 1.
// Hint 6.1: For each step α: layers.push_back({{1, 2, 0, α}, {1, 3, 1, -α}}).
// Hint 6.2: The formula has the inverse of a step. cosine is in core/elementary.h, π is std::numbers::pi.
// Hint 6.2: The largest root is that of k = 1, as the cosine falls from there; its inverse is the smallest
// step.
// Hint 6.2: For k = 1 .. K add 2 / (greatest + least + (greatest - least) * cosine(π(2k - 1)/(2K))) to the
// vector. Compute the fraction in doubles: static_cast<double>(2 * k - 1) / static_cast<double>(2 * K).
// Hint 6.3: Make A once for each sequence, and let it grow from token to token.
// Hint 6.3: The order matters: at t first ask `inverse` with the A of the states before, then add s_t s_tᵀ
// to A.
// Hint 6.3: State t of sequence n begins at states.data() + (n * (T + 1) + t) * d, its result at
// result.data() + (n * T + t) * d. Make a std::vector<double> of d numbers for `inverse`.
// Hint 6.4: There are two regions: what the best map leaves of y, and what a loss makes of it. at_position
// and squared_norm are there already.
// Hint 6.4: left_by_best_map: M = least_squares(a, y, tolerance); the result is a·M - y or its negative. In
// linear_probe: a is at_position(stream, t, sequences), y the same of the targets.
// Hint 6.4: losses(l, t) = squared_norm(left_by_best_map(a, y)) / (2 n), with n = sequences.size() as a
// double. streams[static_cast<std::size_t>(l)] is stream l.
// Hint 6.5: As in 6.4, what the best map leaves; but a bias is allowed, and the error is measured by the
// target's spread.
// Hint 6.5: y is centred already; centre a in the same way. length(y, j) is the root of the sum of squares
// of column j.
// Hint 6.5: error = left_by_best_map(centred(at_position(streams[i], t, all)), y, smallest). For each j add
// (1 - (length(error, j) / length(y, j))²) / d to result[i].
//
// Mistake 6.1: .query = 1, .value = 2 ==> .query = 2, .value = 2
// Mistake 6.1: .query = 1, .value = 3 ==> .query = 1, .value = 2
// Mistake 6.1: .step = -step ==> .step = step
// Mistake 6.1: .output = 1 ==> .output = 2
// Mistake 6.2: 2 * k - 1 ==> 2 * k
// Mistake 6.2: (greatest + least + ==> (greatest - least +
// Mistake 6.2: Index k = 1; k <= K; ++k ==> Index k = K; k >= 1; --k
// Mistake 6.3: A(i, i) = ridge ==> A(i, i) = 1
// Mistake 6.3: (n * (T + 1) + t) * d ==> (n * T + t) * d
// Mistake 6.3: A(i, j) += ==> A(i, j) =
// Mistake 6.3: (n * (T + 1) + t) * d; ==> (n * (T + 1) + t + 1) * d;
// Mistake 6.4: / (2 * count) ==> / count
// Mistake 6.4: error.values()[i] -= y.values()[i] ==> error.values()[i] += y.values()[i]
// Mistake 6.4: at_position(targets, t, sequences) ==> at_position(targets, 0, sequences)
// Mistake 6.4: static_cast<double>(sequences.size()) ==> static_cast<double>(N)
// Mistake 6.5: centred(at_position(streams[i], t, all)) ==> at_position(streams[i], t, all)
// Mistake 6.5: left * left ==> left
// Mistake 6.5: , y, smallest) ==> , y)
#include <algorithm>
#include <cmath>

#include "tasks/in_context.h"
#include "tasks/probes.h"
#include "tasks/proposition_2.h"
#include "tests/course/check.h"

namespace mesagrad::course {
namespace {

// Tokens [0, s_t, s_t, s_{t-1}] (1, T, 4d) of random states.
struct Past {
  Index d, T;
  Tensor states = random_tensor({1, T + 1, d});
  Tensor tokens = constructed_tokens(states);

  // Σ_{i <= t} of s_{i-1} s_{i-1}ᵀ, or of s_i s_{i-1}ᵀ, row by row.
  Matrix sum(Index t, bool of_labels) const {
    Matrix result(d, d);
    for (Index i = 1; i <= t; ++i) {
      for (Index row = 0; row < d; ++row) {
        for (Index column = 0; column < d; ++column)
          result(row, column) += states[(of_labels ? i : i - 1) * d + row] * states[(i - 1) * d + column];
      }
    }
    return result;
  }
  Matrix state(Index t) const {
    Matrix s(d, 1);
    std::copy_n(states.data() + t * d, d, s.row(0));
    return s;
  }
};

// a + factor·b
Matrix plus(Matrix a, double factor, const Matrix& b) {
  for (std::size_t i = 0; i < a.values().size(); ++i) a.values()[i] += factor * b.values()[i];
  return a;
}

void expect_group(const std::string& what, const Tensor& stream, Index t, Index group,
                  const Matrix& expected) {
  const Index d = expected.rows();
  Matrix is(d, 1);
  std::copy_n(stream.data() + (4 * t + group) * d, d, is.row(0));
  expect_equal(text(what, " at t = ", t, ", number "), is, expected);
}

EXERCISE(
    "6.1", 4, "two steps on two numbers",
    "Both heads ask with r. Steps are made in their order, each of the r that the one before has left.") {
  const Tensor tokens({1, 2, 4});
  tokens[1] = tokens[2] = tokens[7] = 1;
  tokens[5] = tokens[6] = 2;
  const std::vector<Tensor> streams = proposition_2_transformer(1, {0.1, 0.5}).residual_streams(tokens);
  expect(streams.size() == 3, "there are ", streams.size() - 1, " layers, expected 2");
  const std::string states = "s_0 = 1, s_1 = 2, steps 0.1 and 0.5: at s_1 ";
  expect_equal(states + "the first step makes the prediction 0.1·s_1·(s_0·r), r = 2, which", streams[1][4],
               0.4);
  expect_equal(states + "it leaves r = 2 - 0.1·s_0·(s_0·2), which", streams[1][5], 1.8);
  expect_equal(states + "the second adds 0.5·s_1·(s_0·1.8) to the prediction, which", streams[2][4], 2.2);
  expect_equal(states + "the second takes 0.5·s_0·(s_0·1.8) from r, which", streams[2][5], 0.9);
}

EXERCISE("6.1", 4, "after K layers (I - α_K A) .. (I - α_1 A) s_t is missing, and nothing else has changed",
         "Only groups 0 and 1 are written to; each step takes the r of the layer before.") {
  const Past past{random_size(2, 4), 6};
  const std::vector<double> steps = {0.1, -0.05, 0.2};
  const std::vector<Tensor> streams = proposition_2_transformer(past.d, steps).residual_streams(past.tokens);
  for (Index t = 0; t < past.T; ++t) {
    Matrix r = past.state(t);
    for (std::size_t k = 0; k < steps.size(); ++k) {
      r = plus(r, -steps[k], multiply(past.sum(t, false), r));
      expect_group(text("after layer ", k + 1, ", r"), streams[k + 1], t, 1, r);
      expect_group(text("after layer ", k + 1, ", group 2"), streams[k + 1], t, 2, past.state(t));
    }
  }
}

EXERCISE("6.1", 4, "the prediction is C_t x_t, with an x_t that leaves just that r",
         "The prediction grows by α C r with the r before the step.") {
  const Past past{random_size(2, 3, 1), 8};
  const Tensor out = proposition_2_transformer(past.d, {0.02, 0.05, 0.03})(past.tokens);
  for (Index t = past.d + 1; t < past.T; ++t) {  // as soon as A_t has an inverse
    Matrix r(past.d, 1);
    std::copy_n(out.data() + (4 * t + 1) * past.d, past.d, r.row(0));
    // A x = s - r
    const Matrix x = lu_solve(past.sum(t, false), plus(past.state(t), -1, r));
    const Matrix f = multiply(past.sum(t, true), x);
    Matrix is(past.d, 1);
    std::copy_n(out.data() + 4 * t * past.d, past.d, is.row(0));
    expect_equal(text("the prediction C A⁻¹ (s - r) at t = ", t, ", number "), is, f, 1e-6);
  }
}

EXERCISE(
    "6.2", 4, "one step and two are those that you find by hand",
    "1/α_k is root k of the header's formula; the cosine falls as k grows, so k = 1 has the largest root.") {
  const std::vector<double> one = chebyshev_steps(1, 2, 6);
  expect(one.size() == 1, one.size(), " steps, expected 1");
  expect_equal("for eigenvalues from 2 to 6, the single step", one[0], 0.25);
  const std::vector<double> two = chebyshev_steps(2, 1, 3);
  expect(two.size() == 2, two.size(), " steps, expected 2");
  expect(two[0] <= two[1], "for eigenvalues from 1 to 3 the steps are ", two[0], " and ", two[1],
         ", but the smallest one comes first");
  expect_equal("for eigenvalues from 1 to 3, the first root 1/α", 1 / two[0], 2 + std::sqrt(0.5));
  expect_equal("for eigenvalues from 1 to 3, the second root 1/α", 1 / two[1], 2 - std::sqrt(0.5));
}

EXERCISE("6.2", 6, "between the ends p swings K + 1 times between the same bounds",
         "The roots are at (greatest + least)/2 + (greatest - least)/2·cos(π(2k - 1)/2K).") {
  const Index K = random_size(2, 6, 2);
  const double least = 1 + static_cast<double>(random_size(1, 5, 3)), greatest = 10 * least;
  const std::vector<double> steps = chebyshev_steps(K, least, greatest);
  expect(std::ssize(steps) == K, steps.size(), " steps, expected ", K);
  expect(std::is_sorted(steps.begin(), steps.end()), "the steps do not grow from the first to the last");
  const auto p = [&](double a) {
    double product = 1;
    for (const double step : steps) product *= 1 - step * a;
    return product;
  };
  const double bound = p(least);
  expect(bound > 0 && bound < 1, "p(least) is ", bound, ", expected a number between 0 and 1");
  double before = bound;
  for (Index k = 1; k <= K; ++k) {  // the places where cos Kθ is 1 or -1
    const double part = std::cos(std::acos(-1.0) * static_cast<double>(k) / static_cast<double>(K));
    const double a = (greatest + least) / 2 - (greatest - least) / 2 * part;
    expect_equal(text("p at extreme ", k, " of ", K, ", a = ", a, ","), p(a), -before);
    before = p(a);
  }
}

ApplyInverse product_instead() {  // A·s, which shows what A is
  return [](const Matrix& A, std::span<const double> s) {
    Matrix b(A.rows(), 1);
    std::copy(s.begin(), s.end(), b.row(0));
    const Matrix x = multiply(A, b);
    return std::vector<double>(x.values().begin(), x.values().end());
  };
}

EXERCISE(
    "6.3", 5, "A_t is the sum over the states before s_t, and the ridge, for each sequence anew",
    "A starts as ridge·I, once for each sequence; at t, s_t is asked for first and added to A afterwards; a "
    "sequence has T + 1 rows of states.") {
  const Index d = random_size(2, 4, 4), T = 5;
  const Tensor states = random_tensor({3, T + 1, d});
  const Tensor is = preconditioned_states(states, product_instead(), 0.25);
  Tensor expected({3, T, d});
  for (Index n = 0; n < 3; ++n) {
    const auto s = [&](Index t, Index j) { return states[(n * (T + 1) + t) * d + j]; };
    for (Index t = 0; t < T; ++t) {
      for (Index i = 0; i < t; ++i) {
        real alike = 0;
        for (Index j = 0; j < d; ++j) alike += s(i, j) * s(t, j);
        for (Index j = 0; j < d; ++j) expected[(n * T + t) * d + j] += s(i, j) * alike;
      }
      for (Index j = 0; j < d; ++j) expected[(n * T + t) * d + j] += real{0.25} * s(t, j);
    }
  }
  expect_equal("where the `inverse` of the check gives A·s, number (n, t, j) = ", is, expected);
}

EXERCISE("6.3", 3, "an inverse that makes too many numbers is refused",
         "Check the size of what `inverse` returns.") {
  const ApplyInverse wrong = [](const Matrix&, std::span<const double> s) {
    return std::vector<double>(s.size() + 1);
  };
  expect_refused("an inverse of d + 1 numbers", [&] {
    preconditioned_states(random_tensor({1, 3, 2}), wrong);
  });
}

EXERCISE("6.4", 4, "three sequences of one channel, by hand",
         "y = Ma without a bias: M = Σay/Σa². The loss is half the mean over the sequences.") {
  const Tensor a({3, 1, 1}), y({3, 1, 1}), silent({3, 1, 1});  // a = 1, 2, 3 and y = 1, 1, 3
  a[0] = y[0] = y[1] = 1;
  a[1] = 2;
  a[2] = y[2] = 3;
  const Matrix losses = linear_probe({a, silent}, y);
  expect(losses.rows() == 2 && losses.columns() == 1, "the losses are ", shape_of(losses), ", not (2, 1)");
  expect_equal("of a = 1, 2, 3 and y = 1, 1, 3, the loss", losses(0, 0), (11 - 144.0 / 14) / 6);
  expect_equal("of a channel of zeros and y = 1, 1, 3, the loss Σy²/6", losses(1, 0), 11.0 / 6);
  Matrix chosen(3, 1, 1);
  chosen(1, 0) = 0;
  expect_equal("without the second sequence, the loss of zeros, Σy²/4,",
               linear_probe({a, silent}, y, chosen)(1, 0), 2.5);
}

EXERCISE("6.4", 4, "no other map is better, at any position and in any stream",
         "A stream's row of losses is its own, and so is a position's map.") {
  const Index N = 30, T = 3, D = random_size(2, 4, 5), d = 2;
  const std::vector<Tensor> streams = {random_tensor({N, T, D}, 1), random_tensor({N, T, D + 1}, 2)};
  const Tensor targets = random_tensor({N, T, d}, 3);
  const Matrix losses = linear_probe(streams, targets);
  for (std::size_t l = 0; l < 2; ++l) {
    const Index width = streams[l].dim(2);
    for (Index t = 0; t < T; ++t) {
      Matrix a(N, width), y(N, d);
      for (Index n = 0; n < N; ++n) {
        std::copy_n(streams[l].data() + (n * T + t) * width, width, a.row(n));
        std::copy_n(targets.data() + (n * T + t) * d, d, y.row(n));
      }
      // ||y||² - ||aM||² = yᵀy - yᵀa (aᵀa)⁻¹ aᵀy
      const Matrix ay = multiply(transpose(a), y);
      const Matrix explained = multiply(transpose(ay), lu_solve(multiply(transpose(a), a), ay));
      const Matrix all = multiply(transpose(y), y);
      double left = 0;
      for (Index j = 0; j < d; ++j) left += all(j, j) - explained(j, j);
      expect_equal(text("stream ", l, " at t = ", t, ": the loss"), losses(static_cast<Index>(l), t),
                   left / static_cast<double>(2 * N));
    }
  }
}

EXERCISE("6.4", 2, "a channel that stands there twice changes nothing",
         "least_squares copes with it: use it, and the tolerance.") {
  const Index N = 20;
  const Tensor once = random_tensor({N, 1, 2}, 4), targets = random_tensor({N, 1, 1}, 5), twice({N, 1, 4});
  for (Index n = 0; n < N; ++n) {
    for (Index j = 0; j < 4; ++j) twice[4 * n + j] = once[2 * n + j % 2];
  }
  const Matrix losses = linear_probe({once, twice}, targets);
  expect_equal("with each channel twice, the loss", losses(1, 0), losses(0, 0), 1e-7);
}

EXERCISE("6.5", 4, "the share explained is the square of the correlation, in the mean over components",
         "The map has a bias: centre the stream, as y is. Then: 1 - (error's length / y's length)², of each "
         "component, in their mean.") {
  const Index N = 12, T = 2, t = 1, d = 2;
  const Tensor a = random_tensor({N, T, 1}, 6), y = random_tensor({N, T, d}, 7);
  for (Index n = 0; n < N; ++n) {
    a[n * T + t] += 5;
    y[(n * T + t) * d] += 2 * a[n * T + t];
  }
  double expected = 0;
  for (Index j = 0; j < d; ++j) {
    double sum_a = 0, sum_y = 0, aa = 0, ay = 0, yy = 0;
    for (Index n = 0; n < N; ++n) sum_a += a[n * T + t], sum_y += y[(n * T + t) * d + j];
    for (Index n = 0; n < N; ++n) {
      const double x = a[n * T + t] - sum_a / static_cast<double>(N);
      const double z = y[(n * T + t) * d + j] - sum_y / static_cast<double>(N);
      aa += x * x, ay += x * z, yy += z * z;
    }
    expected += ay * ay / (aa * yy) / static_cast<double>(d);
  }
  const std::vector<double> is = variance_explained({y, a}, y, t);
  expect(is.size() == 2, "there are ", is.size(), " shares, expected 2");
  expect_equal("of the targets themselves, the share explained", is[0], 1, 1e-7);
  expect_equal("of one channel, the share explained", is[1], expected, 1e-7);
}

EXERCISE("6.5", 4, "what is held too faintly counts as absent",
         "Hand `smallest` on to left_by_best_map; there (6.4), it belongs to the tolerance.") {
  const Index N = 100;
  const Tensor y = random_tensor({N, 1, 1}, 8), noise = random_tensor({N, 1, 1}, 9), stream({N, 1, 2});
  for (Index n = 0; n < N; ++n) {
    stream[2 * n] = noise[n];
    stream[2 * n + 1] = y[n] / 100;
  }
  expect_equal("a target a hundred times smaller than noise, with smallest = 0, the share",
               variance_explained({stream}, y, 0, 0)[0], 1, 1e-6);
  const double faint = variance_explained({stream}, y, 0, 0.1)[0];
  expect(faint < 0.5, "the same with smallest = 0.1: the share is ", faint, ", expected less than 0.5");
}

}  // namespace
}  // namespace mesagrad::course
