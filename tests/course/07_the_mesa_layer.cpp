// The mesa-layer
//
// Linear attention remembers pairs of keys and values in a sum, and one step of gradient descent is all that
// it can make of them. The mesa-layer makes the best of them: at every token it fits a matrix to all pairs so
// far, by least squares, and predicts with it. A naive layer would build a matrix and solve a system for each
// token, and keep all of that for the way back. You write the naive layer first, with its gradient; then the
// recursion that never solves anything, with a backward step that keeps almost nothing; then a solver that
// needs no matrix.
//
// Read: nn/mesa.h; then nn/reference.h, which has the definitions of exercises 7.2 and 7.3.
// Read: the comments of nn/mesa.cpp, and those of nn/mesa_solver.h for the last exercise.
// Find out: why the layer needs no inverse, although every second formula has one. What a new token costs, if
// there are K numbers in a key. Why the way back needs none of the matrices R_t of the way forward.
// To write: 7.1 in core/ops.cpp; 7.2, 7.3 in nn/reference.cpp; 7.4 in tasks/time_reversal.h; 7.5, 7.6 in
// nn/mesa.cpp; 7.7 in nn/mesa_solver.h.
// Hours: 8
// Unlocks: make tutorial-6, up to the step that times softmax attention, which is assignment 8
// Withheld: tests/nn/reference_test.cpp
// Withheld: tests/nn/mesa_test.cpp
// Withheld: tests/tasks/time_reversal_test.cpp
//
// # The one derivation
//
// It has three short parts. Let H be symmetric and positive definite, and suppose that you know R = H⁻¹. A
// new key k makes H + k kᵀ of H. What is the new R? Ask for less: given any x, what is the y with
//
//     (H + k kᵀ) y = x ?
//
// Move the second term to the right, H y = x - k (k·y), and apply R. With u = R k
//
//     y = R x - u (k·y)
//
// Here the number k·y is not known yet. But take the product of the whole line with k: as R is symmetric, k·R
// x = u·x, so k·y = u·x - (k·u)(k·y), and with δ = 1 + k·u
//
//     k·y = (u·x)/δ        hence   y = R x - u (u·x)/δ       for every x, so   R_new = R - u uᵀ/δ.
//
// This is the formula of Sherman and Morrison. A change of rank one in H is a change of rank one in R, and
// costs K² multiplications, where solving a system costs K³. It starts from no keys at all, H_0 = I/λ and R_0
// = λI:
//
//                k_1             k_2             k_3
//                 |               |               |
//     R_0 = λI --(-)---> R_1 ----(-)---> R_2 ----(-)---> R_3        each (-) takes u uᵀ/δ away
//                         |               |               |
//                      R_1 q_1         R_2 q_2         R_3 q_3       the results x_1, x_2, x_3
//
// Second, how does R change if H changes by dH? Differentiate H R = I, which is true whatever H is:
//
//     dH R + H dR = 0       hence   dR = -R dH R.
//
// Third, let x_t = R_t q_t, and let p_t be the gradient of the loss L in x_t. Then
//
//     dL = Σ_t p_t·dx_t = Σ_t p_t·(R_t dq_t - R_t dH_t x_t) = Σ_t y_t·dq_t - Σ_t y_t·(dH_t x_t)
//
// with y_t = R_t p_t: the same systems, with p_t in the place of q_t. The first sum says that the gradient in
// q_t is y_t. In the second, H_t = Σ_{i<=t} k_i k_iᵀ + I/λ, so dH_t = Σ_{i<=t} (dk_i k_iᵀ + k_i dk_iᵀ) - I
// dλ/λ². Put that in, and sort by dk_i, where each t >= i has a part, and by dλ:
//
//     gradient in k_i:  -Σ_{t>=i} (y_t x_tᵀ + x_t y_tᵀ) k_i          in λ:  Σ_t (y_t·x_t)/λ²
//
// All that the loss needs to know of the solver is what it solved: x_t and y_t. How x_t was found, by
// elimination, by a recursion or by guessing, does not matter. Gradients of this kind are called implicit.
//
// To think about (nobody checks this):
// 1. Suppose a conjugate gradient solver stopped early, and x_t is not R_t q_t but near it. Are the implicit
// gradients those of what was computed?
// 2. R_t = R_{t-1} - u uᵀ/δ can be run backwards, from R_t to R_{t-1}; the paper does that on the way back.
// What happens to its digits where λ‖k‖² is large?
//
// Hint 7.1: 1 + eˣ = eˣ (1 + e⁻ˣ). For which x do you take which side? Look at relu above it for the frame.
// Hint 7.1: log(1 + eˣ) = max(x, 0) + log(1 + e^-|x|): no exponent is ever positive. Its slope is 1/(1 +
// e⁻ˣ).
// Hint 7.1: each_element({&x}, f) makes out; in the note on the tape, add_to_grad(x, f) with f(i) = dout_i/(1
// + exponential(-x_i)); return out. If e⁻ˣ is infinite, the quotient is 0, and right.
// Hint 7.2: H grows by one outer product a token; it need not be built anew. cholesky_solve (linalg.h)
// solves.
// Hint 7.2: cholesky_solve wants a matrix with one column for q_t, and gives one back, which is row t of the
// result.
// Hint 7.2: Where pairs fade, each token has another weight for each pair: build the matrix anew for every
// token, from Λ on the diagonal and kept(gates, t, i) k_i k_iᵀ for all i <= t.
// Hint 7.3: y is what 7.2 makes of dx in the place of q; it is the gradient of q, too.
// Hint 7.3: Go from the last token to the first with a matrix M = Σ (y_t x_tᵀ + x_t y_tᵀ): at token i it has
// all t >= i, and dk_i = -M k_i.
// Hint 7.3: QueryGradients d = {y, Matrix(T, K), 0}; in the loop over t, downwards, add y_t·x_t/λ² to
// d.lambda, then y(t,i) x(t,j) + x(t,i) y(t,j) to M(i,j), then subtract M(i,j) k(t,j) from d.k(t,i).
// Hint 7.4: The derivation's last formula, with three helpers at the end of the class.
// Hint 7.4: u is times(R_, key); k·u is dot(u, key), where key = k + t * K points to K numbers.
// Hint 7.4: add_outer(matrix, factor, u, u) with the factor -1/(1 + k·u), a Number.
// Hint 7.5: Read `Vector` as a number: +, -, * and / and 1 + v do what they do to numbers. Then it is 7.4
// once more, and y = R x.
// Hint 7.5: For each token: read k and x; u_i = Σ_j R_ij k_j; δ = 1 + dot(K, k, u); R_ij -= u_i u_j/δ for all
// i and j; y_i = Σ_j R_ij x_j; take_y(t, y). R is row-major: R[i * K + j].
// Hint 7.5: Start sums at Vector{}, which is zero. Where a lane's δ is below 1 by rounding, its 1/δ should be
// 0: const Vector inverse = delta < 1 ? Vector{} : (1 + 0 * delta) / delta;
// Hint 7.6: It is 7.3 once more: d_t[i] is y_t there, and q[i] is x_t, which has been read for you.
// Hint 7.6: sum += (d_t[j]/λ)·(q[j]/λ) for all j. Then `continue` if dk.values is nullptr: nobody wants it.
// Hint 7.6: problems.read(keys, t, k); M[i * K + j] += d_t[i] q[j] + q[i] d_t[j]; g[i] = -Σ_j M[i * K + j]
// k[j]; problems.write(dk, t, g).
// Hint 7.7: The header has the step in one line. multiply(p, y) makes y = A p. `square` is r·r, always.
// Hint 7.7: Leave the loop after p·y if it is not positive or not finite. Keep the old r·r before you make
// the new.
// Hint 7.7: add_multiple(K, alpha, p, x) and (K, -alpha, y, r); p[j] = r[j] + new/old·p[j]. x has been set to
// 0, r and p to q, and x gets its unit back behind your code.
//
// Mistake 7.1: log_one_plus(exponential(-std::abs(x_i))) ==> log_one_plus(exponential(x_i)) - (x_i > 0) * x_i
// Mistake 7.1: log_one_plus(exponential(-std::abs(x_i))) ==> logarithm(1 + exponential(-std::abs(x_i)))
// Mistake 7.1: exponential(-static_cast<double>(from[i])) ==> exponential(static_cast<double>(from[i]))
// Mistake 7.2: H(i, i) = 1 / lambda; ==> H(i, i) = lambda;
// Mistake 7.2: A(j, j) = penalty.at ==> A(j, j) = 1 / penalty.at
// Mistake 7.2: kept(gates, t, i) * k(i, j) ==> kept(gates, t, t) * k(i, j)
// Mistake 7.3: (lambda * lambda) ==> lambda
// Mistake 7.3: y(t, i) * x(t, j) + x(t, i) * y(t, j) ==> 2 * y(t, i) * x(t, j)
// Mistake 7.3: d.k(t, i) -= ==> d.k(t, i) +=
// Mistake 7.4: Number(-1) / (1 + ==> Number(-1) / (
// Mistake 7.4: Number(-1) / (1 + ==> Number(1) / (1 +
// Mistake 7.5: 1 + dot(K, k, u) ==> 1 - dot(K, k, u)
// Mistake 7.5: multiply_add(-u[j], f, Rx[j]) ==> multiply_add(u[j], f, Rx[j])
// Mistake 7.5: multiply_add(-s[i], s[j], R[i * K + j]) ==> R[i * K + j]
// Mistake 7.6: d_t[j] * inverse_lambda, q[j] * inverse_lambda ==> d_t[j] * inverse_lambda, q[j]
// Mistake 7.6: if (dk.values == nullptr) continue; ==> continue;
// Mistake 7.6: multiply_add(q[i], d_t[j], M[i * K + j]) ==> multiply_add(d_t[i], q[j], M[i * K + j])
// Mistake 7.7: square / before ==> before / square
// Mistake 7.7: s < steps && square > enough ==> s <= steps && square > enough
// Mistake 7.7: s < steps && square > enough ==> s < steps && enough > 0
// Mistake 7.7: !(curvature > 0) || !std::isfinite(curvature) ==> curvature == 0
#include <cmath>

#include "nn/mesa.h"
#include "nn/mesa_solver.h"
#include "nn/reference.h"
#include "tasks/time_reversal.h"
#include "tests/course/check.h"

namespace mesagrad::course {
namespace {

// Σ_{i<=t} weight(t, i) k_i (k_i·x_t) + Λ x_t, which for the right x is q, row by row.
Matrix normal_equations(const Matrix& k, const Matrix& x, const std::vector<double>& diagonal,
                        const std::function<double(Index t, Index i)>& weight) {
  Matrix result(x.rows(), x.columns());
  for (Index t = 0; t < x.rows(); ++t) {
    for (Index j = 0; j < x.columns(); ++j) result(t, j) = diagonal[static_cast<std::size_t>(j)] * x(t, j);
    for (Index i = 0; i <= t; ++i) {
      double alike = 0;
      for (Index j = 0; j < x.columns(); ++j) alike += k(i, j) * x(t, j);
      for (Index j = 0; j < x.columns(); ++j) result(t, j) += weight(t, i) * alike * k(i, j);
    }
  }
  return result;
}

Matrix normal_equations(const Matrix& k, const Matrix& x, double lambda) {
  const std::vector<double> diagonal(static_cast<std::size_t>(k.columns()), 1 / lambda);
  return normal_equations(k, x, diagonal, [](Index, Index) { return 1.0; });
}

// The slopes of Σ dx·f(y) in all numbers of y, by differences.
Matrix slopes(const std::function<Matrix(const Matrix&)>& f, const Matrix& y, const Matrix& dx) {
  constexpr double step = 1e-5;
  Matrix result(y.rows(), y.columns());
  for (std::size_t n = 0; n < y.values().size(); ++n) {
    Matrix above = y, below = y;
    above.values()[n] += step;
    below.values()[n] -= step;
    const Matrix high = f(above), low = f(below);
    for (std::size_t m = 0; m < dx.values().size(); ++m)
      result.values()[n] += dx.values()[m] * (high.values()[m] - low.values()[m]) / (2 * step);
  }
  return result;
}

// Keys and queries of a few heads, with a λ for each.
struct Layer {
  Index B = random_size(2, 3, 1), T = 6, H = 3, K = random_size(4, 5, 2);
  Tensor q = random_tensor({B, T, H * K}, 1), k = random_tensor({B, T, H * K}, 2);
  Tensor lambda = Tensor({H}, {real(0.5), real(1.2), real(1.9)});
  Tensor operator()(AttentionState* state = nullptr) const {
    return preconditioned_queries(q, k, lambda, H, state);
  }
};

// Tokens first .. first + count - 1 of x (B, T, D).
Tensor tokens(const Tensor& x, Index first, Index count) {
  const Index B = x.dim(0), T = x.dim(1), D = x.dim(2);
  const Tensor result({B, count, D});
  for (Index b = 0; b < B; ++b) {
    for (Index n = 0; n < count * D; ++n) result[b * count * D + n] = x[(b * T + first) * D + n];
  }
  return result;
}

// Symmetric with eigenvalues of 0.5 and more, row-major; A p.
struct System {
  Index K = random_size(4, 6, 3);
  Matrix A = Matrix(K, K), q = random_matrix(K, 1, 4), x = Matrix(K, 1);
  int products = 0;
  System() {
    const Matrix half = random_matrix(K, K, 5);
    A = multiply(half, transpose(half));
    for (Index i = 0; i < K; ++i) A(i, i) += 0.5;
  }
  void solve(Index steps) {
    Matrix r(K, 1), p(K, 1), y(K, 1);
    std::vector<real> work(static_cast<std::size_t>(5 * K));
    real *to = work.data(), *from = to + K;
    for (Index i = 0; i < K; ++i) from[i] = static_cast<real>(q(i, 0));
    const auto multiply = [this](const real* vector, real* product) {
      ++products;
      for (Index i = 0; i < K; ++i) {
        double sum = 0;
        for (Index j = 0; j < K; ++j) sum += A(i, j) * static_cast<double>(vector[j]);
        product[i] = static_cast<real>(sum);
      }
    };
    conjugate_gradients(K, steps, multiply, from, to, to + 2 * K, to + 3 * K, to + 4 * K);
    for (Index i = 0; i < K; ++i) x(i, 0) = static_cast<double>(to[i]);
  }
};

EXERCISE("7.1", 2, "near 0 it is log(1 + eˣ)", "max(x, 0) + log(1 + e^-|x|): look at the signs.") {
  const Tensor x = random_tensor({3, 5}), expected({3, 5});
  for (Index i = 0; i < 15; ++i) expected[i] = std::log(1 + std::exp(x[i]));
  expect_equal("softplus", softplus(x), expected);
}

EXERCISE("7.1", 2, "far from 0 nothing overflows, and no digits are lost",
         "e to a large power is infinite; and 1 + e⁻⁴⁰ is 1, so that its logarithm is 0. See log_one_plus.") {
  const Tensor y = softplus(Tensor({4}, {-40, -300, 40, 1000}));
  expect_equal("softplus(-40)/e⁻⁴⁰", y[0] / std::exp(-40.0), 1);
  expect_equal("softplus(-300)/e⁻³⁰⁰", y[1] / std::exp(-300.0), 1);
  expect_equal("softplus(40)/40", y[2] / 40, 1);
  expect_equal("softplus(1000)/1000", y[3] / 1000, 1);
}

EXERCISE("7.1", 2, "its gradient is the slope, also far from 0",
         "The derivative of log(1 + eˣ) is eˣ/(1 + eˣ); divide both by eˣ.") {
  expect_gradient([](const auto& in) { return softplus(in[0]); }, {random_tensor({3, 5}, 1)}, {"x"});
  Tensor x({2}, {-1000, 1000});
  x.requires_grad();
  Tape tape;
  tape.backward(softplus(x), Tensor({2}, {3, 3}));
  expect_equal("dx at x = -1000, where dout = 3,", x.grad()[0], 0);
  expect_equal("dx at x = 1000, where dout = 3,", x.grad()[1], 3);
}

EXERCISE("7.2", 3, "every x_t solves the system of its token",
         "Has H_t the pair of token t itself, and I/λ on its diagonal?") {
  const Index K = random_size(3, 5);
  const Matrix q = random_matrix(7, K, 1), k = random_matrix(7, K, 2);
  for (const double lambda : {0.3, 2.0}) {
    expect_equal(text("with λ = ", lambda, ", H_t x_t "),
                 normal_equations(k, reference::preconditioned_queries(q, k, lambda), lambda), q);
  }
}

EXERCISE("7.2", 3, "where pairs fade, each counts what is left of it",
         "kept(gates, t, i) is the weight of pair i at token t; Λ itself is on the diagonal, not 1/Λ.") {
  const Matrix q = random_matrix(6, 3, 1), k = random_matrix(6, 3, 2);
  const std::vector<reference::TokenGate> gates = {{0.9, 0.5}, {0.3, 1.0}, {0.8, 0.7},
                                                   {0.6, 0.2}, {0.5, 0.9}, {0.7, 0.4}};
  const std::vector<double> penalty = {0.4, 1.5, 0.8};
  const auto weight = [&](Index t, Index i) {
    double left = gates[static_cast<std::size_t>(i)].strength;
    for (Index j = t; j > i; --j) left *= gates[static_cast<std::size_t>(j)].decay;
    return left;
  };
  const Matrix x = reference::gated_preconditioned_queries(q, k, gates, penalty);
  expect_equal("the matrix of token t times x_t ", normal_equations(k, x, penalty, weight), q);
}

EXERCISE("7.3", 3, "the gradients of queries and λ are those of differences",
         "y_t solves the system of token t with dx_t. H has 1/λ, whose derivative is -1/λ².") {
  const Matrix q = random_matrix(6, 3, 1), k = random_matrix(6, 3, 2), dx = random_matrix(6, 3, 3);
  const auto d = reference::preconditioned_query_gradients(q, k, 0.6, dx);
  const auto of_queries = [&](const Matrix& y) { return reference::preconditioned_queries(y, k, 0.6); };
  expect_equal("dq", d.q, slopes(of_queries, q, dx), 1e-6);
  const auto of_lambda = [&](const Matrix& y) { return reference::preconditioned_queries(q, k, y(0, 0)); };
  expect_equal("dλ", d.lambda, slopes(of_lambda, Matrix(1, 1, 0.6), dx)(0, 0), 1e-6);
}

EXERCISE("7.3", 4, "the gradient of keys is that of differences",
         "k_i is part of H_t for all t from i on, twice in each: k_i k_iᵀ has two factors.") {
  const Matrix q = random_matrix(6, 3, 1), k = random_matrix(6, 3, 2), dx = random_matrix(6, 3, 3);
  const auto d = reference::preconditioned_query_gradients(q, k, 0.6, dx);
  const auto of_keys = [&](const Matrix& y) { return reference::preconditioned_queries(q, y, 0.6); };
  expect_equal("dk", d.k, slopes(of_keys, k, dx), 1e-6);
}

EXERCISE("7.4", 3, "after all keys, R is the inverse of their sum", "R loses u uᵀ/(1 + k·u), with u = R k.") {
  const Index T = 6, K = random_size(2, 4);
  const Matrix k = random_matrix(T, K, 1), p = random_matrix(T, K, 2), q = random_matrix(T, K, 3);
  const TimeReversal<double> pass(T, K, q.row(0), k.row(0), p.row(0), 0.8);
  Matrix last(T, K), result(1, K), expected(1, K);  // the result of the last token is R_T p_T
  for (Index j = 0; j < K; ++j) {
    last(T - 1, j) = pass.dq[static_cast<std::size_t>((T - 1) * K + j)];
    expected(0, j) = p(T - 1, j);
  }
  const Matrix all = normal_equations(k, last, 0.8);
  for (Index j = 0; j < K; ++j) result(0, j) = all(T - 1, j);
  expect_equal("(Σ k kᵀ + I/λ) R p", result, expected, 1e-7);
}

EXERCISE("7.4", 2, "backwards from there, the paper's pass arrives at λI again",
         "Then each step forward must be the one that the steps back undo.") {
  const Index T = 5, K = 3;
  const Matrix k = random_matrix(T, K, 4), p = random_matrix(T, K, 5), q = random_matrix(T, K, 6);
  const TimeReversal<double> pass(T, K, q.row(0), k.row(0), p.row(0), 0.7);
  expect(pass.start_error < 1e-6, "the R_0 at the end differs from λI by ", pass.start_error, " of λ");
}

EXERCISE("7.5", 2, "with keys of one number, it is a division",
         "q̃_t = q_t/(Σ k² + 1/λ), with k_t in the sum.") {
  const Tensor queries({1, 3, 1}, {3, 4, -6}), keys({1, 3, 1}, {1, 2, -1});
  const Tensor x = preconditioned_queries(queries, keys, Tensor({1}, real(0.5)), 1);
  expect_equal("of queries 3, 4, -6 with keys 1, 2, -1 and λ = 0.5, the result", x,
               Tensor({1, 3, 1}, {real(1), real(4) / 7, real(-6) / 8}));
}

EXERCISE("7.5", 5, "every head of every sequence is the plain definition",
         "y_t is R_t x_t, where R_t has k_t already. Is R brought up to date before it is used?") {
  const Layer layer;
  const Tensor x = layer();
  for (Index b = 0; b < layer.B; ++b) {
    for (Index h = 0; h < layer.H; ++h) {
      const auto head = [&](const Tensor& of) { return reference::head_of(of, b, h, layer.H); };
      const auto lambda = static_cast<double>(layer.lambda[h]);
      expect_equal(text("in sequence ", b, " and head ", h, ", q̃"), head(x),
                   reference::preconditioned_queries(head(layer.q), head(layer.k), lambda));
    }
  }
}

EXERCISE("7.5", 2, "a sequence in two parts goes on from the R of the first",
         "In the end R must be R_T, with the last key too.") {
  Layer first, second;
  const Tensor whole = first();
  first.q = tokens(second.q, 0, 4), first.k = tokens(second.k, 0, 4);
  second.q = tokens(second.q, 4, 2), second.k = tokens(second.k, 4, 2);
  AttentionState state;
  expect_equal("the first four tokens", first(&state), tokens(whole, 0, 4));
  expect_equal("the two behind them", second(&state), tokens(whole, 4, 2));
}

EXERCISE("7.6", 3, "λ has its gradient, also where the keys want none",
         "dλ is Σ (d_t/λ)·(q̃_t/λ). If dk.values is nullptr, nothing may be written to it.") {
  const Layer layer;
  expect_gradient([&](const auto& in) { return preconditioned_queries(layer.q, layer.k, in[0], layer.H); },
                  {layer.lambda}, {"λ"});
}

EXERCISE("7.6", 5, "the gradients of queries and keys are those of differences",
         "M grows from the last token to the first, by two outer products a token; dk_t is -M k_t.") {
  const Layer layer;
  expect_gradient([&](const auto& in) { return preconditioned_queries(in[0], in[1], in[2], layer.H); },
                  {layer.q, layer.k, layer.lambda}, {"q", "k", "λ"});
}

EXERCISE("7.7", 3, "two steps find the best of all combinations of q and A q",
         "What is left, q - A x, must be orthogonal to q and A q: then no combination of them is better.") {
  System s;
  s.solve(2);
  expect(s.products == 2, "A was applied ", s.products, " times in two steps, expected 2");
  const Matrix Aq = multiply(s.A, s.q), Ax = multiply(s.A, s.x);
  double along_q = 0, along_Aq = 0, size = 0;
  for (Index i = 0; i < s.K; ++i) {
    along_q += (s.q(i, 0) - Ax(i, 0)) * s.q(i, 0);
    along_Aq += (s.q(i, 0) - Ax(i, 0)) * Aq(i, 0);
    size += std::abs(Aq(i, 0) * Aq(i, 0)) + std::abs(s.q(i, 0) * s.q(i, 0));
  }
  expect_equal("(q - A x)·q over the squares", along_q / size, 0);
  expect_equal("(q - A x)·A q over the squares", along_Aq / size, 0);
}

EXERCISE("7.7", 3, "as many steps as there are numbers solve the system",
         "p = r + (new r·r over old r·r) p. Which of the two is new?") {
  System s;
  s.solve(s.K);
  expect_equal("A x", multiply(s.A, s.x), s.q, 1e-4);
}

EXERCISE("7.7", 2, "they end when there is nothing left to do, and where A is not positive",
         "Look at r·r before each step, and at p·y before you divide by it.") {
  System s;
  for (Index i = 0; i < s.K; ++i) {
    for (Index j = 0; j < s.K; ++j) s.A(i, j) = i == j ? 2 : 0;
  }
  s.solve(10);
  expect(s.products == 1, "with A = 2I one step is enough, but A was applied ", s.products, " times");
  expect_equal("with A = 2I, A x", multiply(s.A, s.x), s.q);
  for (Index i = 0; i < s.K; ++i) s.A(i, i) = -1;
  s.solve(10);
  expect_equal("with A = -I, x", s.x, Matrix(s.K, 1));
}

}  // namespace
}  // namespace mesagrad::course
