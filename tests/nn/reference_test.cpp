// The plain references, against numbers worked out by hand, their gradients against the definition.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/reference.h"

#include <array>

#include "tests/helpers.h"

namespace mesagrad {
namespace {

Matrix matrix(Index rows, Index columns, const std::vector<double>& values) {
  Matrix result(rows, columns);
  std::copy(values.begin(), values.end(), result.values().begin());
  return result;
}

void check_equal(const Matrix& a, const std::vector<double>& expected) {
  REQUIRE(a.values().size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(std::abs(a.values()[i] - expected[i]) < 1e-14);
}

Matrix random_matrix(Index rows, Index columns, std::uint64_t seed) {
  return matrix_of(random_tensor({rows, columns}, seed));
}

// The gradient of Σ dout·f, as `gradient` says it, is that of the central differences in every number of x.
template <class F>
void check_slopes(const F& f, const Matrix& x, const Matrix& dout, const Matrix& gradient) {
  REQUIRE(gradient.values().size() == x.values().size());
  const double step = 1e-5;
  for (std::size_t i = 0; i < x.values().size(); ++i) {
    Matrix above = x, below = x;
    above.values()[i] += step;
    below.values()[i] -= step;
    const Matrix high = f(above), low = f(below);
    double slope = 0;
    for (std::size_t j = 0; j < dout.values().size(); ++j) {
      slope += dout.values()[j] * (high.values()[j] - low.values()[j]) / (2 * step);
    }
    CHECK(std::abs(gradient.values()[i] - slope) < 1e-8);
  }
}

// Two tokens, K = 2, V = 1.
const Matrix q = matrix(2, 2, {1, 2, 3, 4}), k = matrix(2, 2, {1, 0, 1, 1}), v = matrix(2, 1, {5, 7});

}  // namespace

TEST_CASE("references, by hand", "[reference]") {
  check_equal(reference::linear_attention(q, k, v), {5, 3 * 5 + 7 * 7});
  const double p = 1 / (1 + std::exp(4 / std::sqrt(2.0)));  // of scores 3 and 7
  check_equal(reference::softmax_attention(q, k, v), {5, p * 5 + (1 - p) * 7});
  // λ = 1: H_0 = diag(2, 1), H_1 = (3 1; 1 2) with the inverse (2 -1; -1 3)/5.
  check_equal(reference::preconditioned_queries(q, k, 1), {0.5, 2, 2.0 / 5, 9.0 / 5});
  check_equal(reference::softmax_attention(matrix(1, 1, {1e200}), matrix(1, 1, {1e100}), matrix(1, 1, {3})),
              {3});
}

TEST_CASE("the references' gradients agree with the definition", "[reference]") {
  namespace ref = reference;
  const Matrix Q = random_matrix(5, 3, 1), K = random_matrix(5, 3, 2), V = random_matrix(5, 2, 3);
  const Matrix dout = random_matrix(5, 2, 4), dx = random_matrix(5, 3, 5);
  const auto check_attention = [&](const auto& f, const auto& gradients) {
    const ref::AttentionGradients d = gradients(Q, K, V, dout);
    check_slopes([&](const Matrix& x) { return f(x, K, V); }, Q, dout, d.q);
    check_slopes([&](const Matrix& x) { return f(Q, x, V); }, K, dout, d.k);
    check_slopes([&](const Matrix& x) { return f(Q, K, x); }, V, dout, d.v);
  };
  check_attention(ref::linear_attention, ref::linear_attention_gradients);
  check_attention(ref::softmax_attention, ref::softmax_attention_gradients);

  const double lambda = 0.7;
  const ref::QueryGradients d = ref::preconditioned_query_gradients(Q, K, lambda, dx);
  check_slopes([&](const Matrix& x) { return ref::preconditioned_queries(x, K, lambda); }, Q, dx, d.q);
  check_slopes([&](const Matrix& x) { return ref::preconditioned_queries(Q, x, lambda); }, K, dx, d.k);
  check_slopes([&](const Matrix& x) { return ref::preconditioned_queries(Q, K, x(0, 0)); },
               Matrix(1, 1, lambda), dx, Matrix(1, 1, d.lambda));
}

TEST_CASE("a head of a tensor", "[reference]") {
  const Tensor x = random_tensor({2, 3, 8}, 1);
  const Matrix head = reference::head_of(x, 1, 3, 4);
  REQUIRE((head.rows() == 3 && head.columns() == 2));
  for (Index t = 0; t < 3; ++t) {
    for (Index j = 0; j < 2; ++j) CHECK(head(t, j) == static_cast<double>(x[(3 + t) * 8 + 6 + j]));
  }
}

TEST_CASE("references refuse shapes that do not fit", "[reference][errors]") {
  const Matrix other(3, 2);
  for (const auto f : {reference::linear_attention, reference::softmax_attention}) {
    CHECK(lacks([&] { f(q, other, v); }, {"reference::", "do not fit"}) == "");
    CHECK(lacks([&] { f(q, k, other); }, {"reference::", "do not fit"}) == "");
  }
  CHECK(lacks([&] { reference::preconditioned_queries(q, other, 1); }, {"reference::", "do not fit"}) == "");
  for (const auto f : {reference::linear_attention_gradients, reference::softmax_attention_gradients}) {
    CHECK(lacks([&] { f(q, other, v, v); }, {"gradients: queries", "do not fit"}) == "");
    CHECK(lacks([&] { f(q, k, v, other); }, {"gradients: results", "do not fit"}) == "");
  }
  const auto wrong_gradient = [&] { reference::preconditioned_query_gradients(q, k, 1, other); };
  CHECK(lacks(wrong_gradient, {"reference::", "do not fit"}) == "");
  for (const std::array<Index, 3>& bad : {std::array<Index, 3>{2, 0, 1}, {0, 2, 2}, {0, 0, 3}, {-1, 0, 1}}) {
    CHECK(lacks([&] { reference::head_of(Tensor({2, 3, 8}), bad[0], bad[1], bad[2]); },
                {"reference::head_of"}) == "");
  }
}

}  // namespace mesagrad
