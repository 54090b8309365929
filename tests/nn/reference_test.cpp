// The plain references, against numbers worked out by hand.
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

// Two tokens, K = 2, V = 1.
const Matrix q = matrix(2, 2, {1, 2, 3, 4}), k = matrix(2, 2, {1, 0, 1, 1}), v = matrix(2, 1, {5, 7});

}  // namespace

TEST_CASE("references, by hand", "[reference]") {
  check_equal(reference::linear_attention(q, k, v), {5, 3 * 5 + 7 * 7});
  const double p = 1 / (1 + std::exp(4 / std::sqrt(2.0)));  // of scores 3 and 7
  check_equal(reference::softmax_attention(q, k, v), {5, p * 5 + (1 - p) * 7});
  // λ = 1: H_0 = diag(2, 1), H_1 = (3 1; 1 2) with the inverse (2 -1; -1 3)/5.
  check_equal(reference::preconditioned_queries(q, k, 1), {0.5, 2, 2.0 / 5, 9.0 / 5});
  check_equal(reference::softmax_attention(matrix(1, 1, {1e200}), matrix(1, 1, {1e100}), matrix(1, 1, {3})), {3});
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
  for (const std::array<Index, 3>& bad : {std::array<Index, 3>{2, 0, 1}, {0, 2, 2}, {0, 0, 3}, {-1, 0, 1}}) {
    CHECK(lacks([&] { reference::head_of(Tensor({2, 3, 8}), bad[0], bad[1], bad[2]); },
                {"reference::head_of"}) == "");
  }
}

}  // namespace mesagrad
