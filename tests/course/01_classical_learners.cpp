// Classical learners
//
// A sequence of states, each made from the one before by a matrix W that you are not told: s_{t+1} = W s_t. You
// see s_0 .. s_t and are asked for s_{t+1}. Lesson 1 is about this game; here you write its players. None of
// them learns anything before the game begins. All that they know they take from the sequence itself, from the
// pairs (s_{i-1}, s_i), i <= t, as later the Transformers will.
//
// Read: tasks/in_context.h, which has all definitions; then lesson 1.
// Find out: why the same few lines serve least squares and gradient descent. How many pairs are needed before
// a prediction can be right, and what the ridge does until then.
// To write: 1.1, 1.3, 1.4, 1.5, 1.6 in tasks/in_context.cpp; 1.2 in core/linalg.cpp.
// Hours: 5
// Unlocks: make tutorial-1
// Withheld: tests/tasks/in_context_test.cpp
// Withheld: tests/core/linalg_test.cpp
//
// # The one derivation
//
// Let Φ be the matrix that you believe in. On the pairs up to t it errs by
//
//     L(Φ) = ½ Σ_i ||s_i - Φ s_{i-1}||² + ½ λ ||Φ||²
//
// with a small λ > 0, the ridge, that keeps Φ from growing where the pairs say nothing. A change dΦ changes L by
//
//     dL = - Σ_i (s_i - Φ s_{i-1}) · (dΦ s_{i-1}) + λ Φ · dΦ
//
// where a dot between matrices is the sum of the products of their entries. As a · (dΦ b) = (a bᵀ) · dΦ, the
// gradient is
//
//     ∂L/∂Φ = Φ (Σ s_{i-1} s_{i-1}ᵀ + λI) - Σ s_i s_{i-1}ᵀ = Φ A_t - C_t.
//
// Two things follow. Where it is zero, Φ = C_t A_t⁻¹: least squares predicts C_t (A_t⁻¹ s_t). And one step of
// gradient descent with step size η, from Φ = 0, goes to Φ = η C_t, and predicts C_t (η s_t). The two differ in
// what stands in the place of A_t⁻¹ s_t, and in nothing else: that is what `ApplyInverse` is, and exercise 1.1
// is the part that all learners share.
//
// A_t is symmetric, and with its ridge positive definite. Such a matrix is L·Lᵀ for a triangular L (exercise
// 1.2), found column by column:
//
//     L_jj² = A_jj - Σ_{k<j} L_jk²        L_ij L_jj = A_ij - Σ_{k<j} L_ik L_jk   for i > j
//
// and a triangular system is solved from one end to the other.
//
// To think about (nobody checks this):
// 1. After how many pairs can least squares be right, in d dimensions, when there is no noise? What does one step
// of gradient descent lack, however many pairs it has seen?
// 2. Chebyshev's iteration never sees an eigenvalue of A. What must be true of all A_t of a task for one list of α
// and β to serve them all?
//
// Hint 1.1: Add the outer products of one pair at a time, and predict after each; no matrix is made anew.
// Hint 1.1: A is the sum of x_{i-1} x_{i-1}ᵀ, C that of s_i x_{i-1}ᵀ; add_outer does both. Pair t is made of row t - 1
// and row t of what you were given.
// Hint 1.1: prediction row t = product(C, inverse(A, row t of x)). If newest_pair is false, the pair to learn at t is
// t - 1. Return early from learning if i <= 0, or if there is a `teaches` that says false.
// Hint 1.2: L can overwrite the lower triangle of a: when column j is made, all that it needs is to its left.
// Hint 1.2: Three loops for L: over columns j, over rows i > j, over k < j. Test the pivot before its square root.
// Hint 1.2: Then for each column of b first downwards, b_i = (b_i - Σ_{k<i} L_ik b_k)/L_ii, and then upwards with
// Lᵀ_ik = L_ki.
// Hint 1.3: There is a function that solves A·X = B; a vector is a matrix with one column.
// Hint 1.3: Make a Matrix b(d, 1) of s; return the values of cholesky_solve(A, b) as a std::vector.
// Hint 1.3: Matrix::values() is a std::span; copy_of makes a vector of one.
// Hint 1.4: The prediction is η·C_t·s_t, and C_t is applied by predict_with.
// Hint 1.4: So return η·s.
// Hint 1.4: A copy of s, each of whose numbers is multiplied by eta.
// Hint 1.5: Keep three vectors: p, x, and the x before.
// Hint 1.5: In each step p loses α_k Â p, with the p of the step before; then x grows by p, and by β_k times the last
// change of x.
// Hint 1.5: Divide by the norm twice: in Â, and the result at the end.
// Hint 1.6: ½||y - ηp||² = ½||y||² - η p·y + ½ η² ||p||². Which three sums do you need?
// Hint 1.6: p is the prediction of gradient_step_predictor(1). Sum over all tokens, divide by their number.
// Hint 1.6: loss_curve(sequences, 3, ...) averages three numbers that you write for each sequence; divide by T.
//
// Mistake 1.1: i <= 0 || ==> i <= 1 ||
// Mistake 1.1: options.newest_pair ? t : t - 1 ==> t
// Mistake 1.1: A(i, i) = options.ridge ==> A(i, i) = 1
// Mistake 1.1: (options.teaches && !options.teaches(i)) ==> false
// Mistake 1.1: add_outer(C, s.row(i), x.row(i - 1)); ==> add_outer(C, x.row(i - 1), s.row(i));
// Mistake 1.2: a(j, j) -= a(j, k) * a(j, k) ==> a(j, j) -= a(j, k)
// Mistake 1.2: k = i + 1; k < n ==> k = i + 1; k < n - 1
// Mistake 1.2: a(j, j) > smallest ==> true
// Mistake 1.3: b.row(0)); ==> b.row(0)); b(0, 0) = 0;
// Mistake 1.4: value *= eta ==> value /= eta
// Mistake 1.5: alpha[k] / norm ==> alpha[k]
// Mistake 1.5: x[i] - before[i]) ==> before[i] - x[i])
// Mistake 1.5: value /= norm ==> value *= 1
// Mistake 1.6: sums.mean[2] / T} ==> sums.mean[2] / T / 2}
// Mistake 1.6: out[1] -= ==> out[1] +=
#include <cmath>

#include "tasks/in_context.h"
#include "tests/course/check.h"

namespace mesagrad::course {
namespace {

// States that follow no rule, so that no two pairs agree.
Matrix states() { return random_matrix(9, 3); }

ApplyInverse nothing_at_all() {
  return [](const Matrix&, std::span<const double> s) { return std::vector<double>(s.begin(), s.end()); };
}

// Symmetric, positive definite.
Matrix positive(Index n, int number = 0) {
  const Matrix x = random_matrix(n, n + 2, number);
  Matrix a = multiply(x, transpose(x));
  for (Index i = 0; i < n; ++i) a(i, i) += 0.1;
  return a;
}

// Row t of the prediction C_t s_t, pair by pair as it is defined.
Matrix sums_of_pairs(const Matrix& s, Index lag, const std::function<bool(Index)>& teaches = {}) {
  Matrix result(s.rows() - 1, s.columns());
  for (Index t = 0; t < result.rows(); ++t) {
    for (Index i = 1; i <= t - lag; ++i) {
      if (teaches && !teaches(i)) continue;
      double alike = 0;
      for (Index j = 0; j < s.columns(); ++j) alike += s(i - 1, j) * s(t, j);
      for (Index j = 0; j < s.columns(); ++j) result(t, j) += alike * s(i, j);
    }
  }
  return result;
}

EXERCISE("1.1", 3, "the prediction is what the pairs say, in the place of the inverse its argument",
         "Is a pair its input first and its target second, in C = Σ s_i s_{i-1}ᵀ?") {
  const Matrix s = states();
  expect_equal("the prediction with A⁻¹s = s, ", predict_with(nothing_at_all())(s), sums_of_pairs(s, 0));
}

EXERCISE("1.1", 2, "no prediction sees its own label", "Row t of the prediction may use rows 0 .. t of the states.") {
  Matrix s = states();
  const Matrix before = predict_with(nothing_at_all())(s);
  const Index t = random_size(2, 6);
  for (Index j = 0; j < 3; ++j) s(t + 1, j) += 1;
  const Matrix after = predict_with(nothing_at_all())(s);
  for (Index row = 0; row <= t; ++row) {
    for (Index j = 0; j < 3; ++j)
      expect(before(row, j) == after(row, j), "prediction ", row, " changed when state ", t + 1, " did");
  }
}

EXERCISE("1.1", 3, "A is the sum over the same pairs, and the ridge", "A starts as λ·I, with the ridge of the options.") {
  const Matrix s = states();
  std::vector<Matrix> seen;
  const ApplyInverse spy = [&](const Matrix& A, std::span<const double> x) {
    seen.push_back(A);
    return std::vector<double>(x.begin(), x.end());
  };
  predict_with(spy, {.ridge = 0.25})(s);
  expect(std::ssize(seen) == 8, "the inverse was asked for ", seen.size(), " times, expected once for each of 8 tokens");
  Matrix A(3, 3);
  for (Index i = 0; i < 3; ++i) A(i, i) = 0.25;
  for (Index t = 0; t < 8; ++t) {
    for (Index i = 0; t > 0 && i < 3; ++i) {
      for (Index j = 0; j < 3; ++j) A(i, j) += s(t - 1, i) * s(t - 1, j);
    }
    expect_equal(text("A at token ", t, " "), seen[static_cast<std::size_t>(t)], A);
  }
}

EXERCISE("1.1", 2, "the newest pair, and pairs that teach nothing, are left out where the options say so",
         "With newest_pair = false the newest pair at token t is pair t - 1.") {
  const Matrix s = states();
  expect_equal("without the newest pair, the prediction ",
               predict_with(nothing_at_all(), {.newest_pair = false})(s), sums_of_pairs(s, 1));
  const auto even = [](Index i) { return i % 2 == 0; };
  expect_equal("with even pairs alone, the prediction ", predict_with(nothing_at_all(), {.teaches = even})(s),
               sums_of_pairs(s, 0, even));
}

EXERCISE("1.2", 6, "A·X is B again", "Which entries of L does a sum need, and are they made already?") {
  const Index n = random_size(4, 7);
  const Matrix a = positive(n), b = random_matrix(n, 3, 1);
  expect_equal("A·cholesky_solve(A, B) ", multiply(a, cholesky_solve(a, b)), b, 1e-8);
}

EXERCISE("1.2", 2, "what is not positive definite is refused", "Look at a pivot before you take its root.") {
  Matrix a = positive(3);
  a(2, 2) = -1;
  expect_refused("a matrix with a negative number on its diagonal", [&] { cholesky_solve(a, Matrix(3, 1)); });
  const Matrix ones(2, 2, 1.0);
  expect_refused("the singular matrix of ones", [&] { cholesky_solve(ones, Matrix(2, 1)); });
}

EXERCISE("1.3", 6, "least squares knows a system after as many pairs as it has dimensions",
         "C is applied by predict_with; here it is A⁻¹ alone.") {
  const LinearDynamics task{.dimension = 4, .tokens = 12};
  const auto sequence = task.sample(Random(test_seed(), stream::test_data, 3));
  const Matrix prediction = least_squares_predictor({.ridge = 1e-9})(sequence.states);
  const Matrix plain = predict_with([](const Matrix& A, std::span<const double> s) {
    Matrix b(A.rows(), 1);
    std::copy(s.begin(), s.end(), b.values().begin());
    const Matrix x = lu_solve(A, b);
    return std::vector<double>(x.values().begin(), x.values().end());
  }, {.ridge = 0.1})(sequence.states);
  expect_equal("the prediction with ridge .1, ", least_squares_predictor({.ridge = 0.1})(sequence.states), plain, 1e-8);
  for (Index j = 0; j < 4; ++j)
    expect_equal(text("prediction 11 without noise, number ", j), prediction(11, j), sequence.states(12, j), 0.05);
}

EXERCISE("1.4", 4, "one step of gradient descent is η times the sum over pairs", "A is of no use to it.") {
  const Matrix s = states();
  Matrix expected = sums_of_pairs(s, 0);
  for (double& x : expected.values()) x *= 0.3;
  expect_equal("the prediction with η = 0.3, ", gradient_step_predictor(0.3)(s), expected);
}

EXERCISE("1.5", 4, "the iteration is the one of the header, step by step",
         "p_k uses p_{k-1}; x_k uses p_k; and momentum the x_{k-1} and x_{k-2} before this step.") {
  const Matrix a = positive(3, 2);
  const Matrix start = random_matrix(3, 1, 3);
  const std::span<const double> s = start.values();
  const double norm = frobenius_norm(a), alpha[] = {0.7, 1.3, 0.4}, beta[] = {0, 0.5, 0.2};
  Matrix p = start, x = start, before = start;
  for (std::size_t k = 0; k <= 3; ++k) {
    const std::vector<double> is = chebyshev({alpha, alpha + k}, {beta, beta + k})(a, s);
    expect(is.size() == 3, "the result has ", is.size(), " numbers, expected 3");
    for (std::size_t i = 0; i < 3; ++i)
      expect_equal(text("after ", k, " steps, number ", i), is[i], x.values()[i] / norm);
    if (k == 3) break;
    const Matrix ap = multiply(a, p), last = x;
    for (std::size_t i = 0; i < 3; ++i) {
      p.values()[i] -= alpha[k] / norm * ap.values()[i];
      x.values()[i] += p.values()[i] + beta[k] * (last.values()[i] - before.values()[i]);
    }
    before = last;
  }
}

EXERCISE("1.5", 3, "many steps of the geometric series are the inverse", "Divide the result by the norm of A.") {
  const Matrix a = positive(2, 4), s = random_matrix(2, 1, 5), expected = lu_solve(a, s);
  const std::vector<double> is = neumann(20000)(a, s.values());
  for (std::size_t i = 0; i < 2; ++i) expect_equal(text("number ", i, " of A⁻¹s"), is[i], expected.values()[i], 1e-6);
}

EXERCISE("1.6", 5, "the parabola is the loss of every step size", "Halves: the loss is ½||y - ηp||².") {
  const LinearDynamics task{.dimension = 3, .tokens = 10};
  const StepSizeSearch search = search_step_size(task, test_seed(), stream::test_data, 40);
  for (const double eta : {0.0, 0.2, 1.5}) {
    const double measured =
        loss_curve(task, test_seed(), stream::test_data, 40, gradient_step_predictor(eta)).total();
    expect_equal(text("the parabola at η = ", eta), search.loss(eta), measured);
  }
}

}  // namespace
}  // namespace mesagrad::course
