// Every function of core with arguments that no model has: it gives what the mathematics says, or throws
// an Error that names it.
#include "tests/catch.h"  // first, because it is precompiled

#include <new>

#include "core/gemm.h"
#include "core/linalg.h"
#include "tests/odd_arguments.h"

namespace mesagrad {
namespace {

constexpr Index power = Index{1} << 32;  // times itself it is 0, to a machine

// Whether f says that it lacks memory. (The sanitizer ends a program that asks for so much.)
template <class F>
bool out_of_memory(const F& f) {
  if (sanitized) return true;
  try {
    f();
  } catch (const std::bad_alloc&) {
    return true;
  }
  return false;
}

}  // namespace

TEST_CASE("sizes that no memory holds", "[tensor][errors]") {
  CHECK(lacks([] { Tensor({power, power}); }, {"shape", "(4294967296, 4294967296)", "too large"}) == "");
  for (const Shape& empty :
       {Shape({0, power, power}), Shape({power, power, 0}), Shape({huge, huge, huge, 0})}) {
    CHECK(empty.size() == 0);
    CHECK(Tensor(empty).size() == 0);
  }
  CHECK(lacks([] { Shape({huge}); }, {"shape", text("(", huge, ")").c_str(), "too large"}) == "");
  CHECK(lacks([] { Shape({2, huge / 2, 1}); }, {"too large"}) == "");
  CHECK(lacks([] { Shape({huge, huge, huge, huge}); }, {"too large"}) == "");
  CHECK(lacks([] { Shape({2, 3}).with_last(huge); }, {"too large"}) == "");
  CHECK(lacks([] { Shape({2, 3}).with_last(-1); }, {"shape", "dimension 1 is -1"}) == "");
  CHECK(Shape({most_numbers}).size() == most_numbers);
  CHECK(lacks([] { Shape({most_numbers + 1}); }, {"too large"}) == "");
  CHECK(lacks([] { Tensor({2}).reshaped({power, power}); }, {"too large"}) == "");
  CHECK(lacks([] { Tensor({power, power}, {1, 2}); }, {"too large"}) == "");
  CHECK(lacks([] { matmul(Tensor({power, 0}), Tensor({0, power})); }, {"too large"}) == "");
  CHECK(matmul(Tensor({most_numbers, 0}), Tensor({0, 0})).size() == 0);
  CHECK(lacks([] { Matrix(power, power); }, {"matrix", "(4294967296, 4294967296)", "too large"}) == "");
  CHECK(lacks([] { Matrix(huge, 1); }, {"matrix", "too large"}) == "");
  CHECK(lacks([] { Matrix::identity(power); }, {"matrix", "too large"}) == "");
  CHECK(lacks([] { multiply(Matrix(power, 0), Matrix(0, power)); }, {"matrix", "too large"}) == "");
  CHECK(lacks([] { Matrix(huge, 0); }, {"matrix", "too large"}) == "");
}

TEST_CASE("more memory than there is", "[tensor][errors]") {
  CHECK(out_of_memory([] { Tensor::uninitialized({most_numbers}); }));
  CHECK(out_of_memory([] { Tensor({power, power / 32}); }));
  CHECK(out_of_memory([] { Matrix(1, most_numbers); }));
  CHECK(out_of_memory([] {
    Arena arena;
    const Arena::Scope scope(arena);
    Tensor::uninitialized({most_numbers});
  }));
  for (const std::size_t bytes :
       {std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max() / 2}) {
    CHECK(out_of_memory([=] { Arena().allocate(bytes); }));
    CHECK(out_of_memory([=] {
      Arena arena;
      arena.allocate(1);
      arena.allocate(bytes);
    }));
  }
}

TEST_CASE("every operation refuses an empty tensor", "[ops][errors]") {
  const Tensor none, one({}, 1), row({3}, 1), matrix({2, 3}, 1);
  const auto refuses = [](const char* op, const auto& f) { CHECK(lacks(f, {op}) == ""); };
  refuses("a + b", [&] { none + none; });
  refuses("a + b", [&] { one + none; });
  refuses("a - b", [&] { none - one; });
  refuses("a * b", [&] { none * one; });
  refuses("a * b", [&] { one * none; });
  refuses("factor * x", [&] { real{2} * none; });
  refuses("scale", [&] { scale(none, one); });
  refuses("scale", [&] { scale(one, none); });
  refuses("sum", [&] { sum(none); });
  refuses("matmul", [&] { matmul(none, matrix); });
  refuses("matmul", [&] { matmul(row, none); });
  refuses("clip", [&] { clip(none, 1); });
  refuses("softplus", [&] { softplus(none); });
  refuses("zero_channels", [&] { zero_channels(none, 0); });
  refuses("zero_channels", [&] { zero_channels(one, 0); });
  refuses("copy", [&] { none.copy(); });
  refuses("reshaped", [&] { none.reshaped({0}); });
  refuses("item", [&] { none.item(); });
  refuses("grad", [&] { none.grad(); });
  refuses("grad", [&] { none.zero_grad(); });
  refuses("requires_grad", [] { Tensor().requires_grad(); });
  refuses("shape ()", [&] { none.dim(0); });
  refuses("shape ()", [&] { none.rows(); });

  Tape tape;
  Tensor x({}, 1);
  x.requires_grad();
  const Tensor y = x + x;
  refuses("backward", [&] { tape.backward(none); });
  refuses("backward", [&] { tape.backward(none, none); });
  refuses("backward", [&] { tape.backward(y, none); });
  refuses("backward", [&] { tape.backward(none, one); });
  tape.backward(y);
  CHECK(x.grad()[0] == 2);
  const auto f = [](const std::vector<Tensor>&) { return Tensor(); };
  refuses("requires_grad", [&] { check_gradients(f, {none}); });
  CHECK(message_of([&] { check_gradients(f, {one}); }) != "nothing was thrown");
}

TEST_CASE("operations on nothing give nothing, and zeros", "[ops]") {
  for (const Shape& shape : {Shape({0}), Shape({3, 0}), Shape({0, 3}), Shape({0, 0, 0, 0})}) {
    const Tensor x = Tensor(shape).requires_grad(), factor = Tensor({}, 2).requires_grad();
    const Index K = shape[-1];
    const Tensor w = Tensor({K, 2}, 1).requires_grad();
    Tape tape;
    CHECK(sum(x).item() == 0);
    for (const Tensor& y : {x + x, x - x, x * x, real{2} * x, scale(x, factor), clip(x, 1), softplus(x),
                            zero_channels(x, 0), zero_channels(x, K)}) {
      CHECK(y.shape() == shape);
    }
    const Tensor product = matmul(x, w);
    CHECK(product.shape() == shape.with_last(2));
    CHECK(numbers_of(product) == std::vector<real>(static_cast<std::size_t>(product.size())));
    tape.backward(sum(scale(x, factor)) + sum(product));
    CHECK(factor.grad()[0] == 0);
    CHECK(gradient_of(w) == std::vector<real>(static_cast<std::size_t>(w.size())));
  }
}

TEST_CASE("gemm of sizes that are not positive", "[gemm]") {
  const std::vector<real> a(100, 1), b(200, 1);
  for (const Index M : {-1, 0, 2}) {
    for (const Index N : {-1, 0, 2}) {
      for (const Index K : {-1, 0, 2}) {
        for (const bool add : {false, true}) {
          std::vector<real> c(4, 5), expected = c;
          gemm(M, N, K, rows_of(a.data(), 2), rows_of(b.data(), 2), c.data(), 2, add);
          if (M == 2 && N == 2) expected.assign(4, (add ? real{5} : real{0}) + (K == 2 ? real{2} : real{0}));
          CHECK(c == expected);
        }
      }
    }
  }
  gemm(huge, 0, 0, rows_of(a.data(), 2), rows_of(b.data(), 2), nullptr, 2, false);
}

TEST_CASE("linear algebra without rows or columns", "[linalg]") {
  const Matrix none;
  CHECK(multiply(none, none).values().empty());
  CHECK(transpose(Matrix(0, 3)).rows() == 3);
  CHECK(frobenius_norm(none) == 0);
  CHECK(cholesky_solve(none, none).values().empty());
  CHECK(lu_solve(none, Matrix(0, 3)).columns() == 3);
  CHECK(qr(none).q.values().empty());
  CHECK(qr(Matrix(3, 0)).r.values().empty());
  CHECK(least_squares(none, none).values().empty());
  for (const auto& [m, n, k] : {std::array<Index, 3>{0, 3, 2}, {3, 0, 2}, {2, 3, 0}, {3, 2, 0}, {0, 0, 2}}) {
    const Matrix x = least_squares(Matrix(m, n, 1), Matrix(m, k, 1));
    CHECK((x.rows() == n && x.columns() == k && frobenius_norm(x) == 0));
  }
  Random random(1, stream::test_data);
  CHECK(random_orthogonal(0, random).values().empty());
  CHECK(lacks([&] { random_orthogonal(-1, random); }, {"matrix", "(-1, -1)"}) == "");
  CHECK(lacks([] { Matrix::identity(-2); }, {"matrix", "(-2, -2)"}) == "");
  CHECK(lacks([] { qr(Matrix(0, 3)); }, {"qr", "(0, 3)"}) == "");
  CHECK(lacks([&] { cholesky_solve(none, Matrix(1, 1)); }, {"cholesky_solve", "(0, 0)", "(1, 1)"}) == "");
  for (const double tolerance : {-1.0, 1.0, std::nan("")}) {
    CHECK(lacks([&] { least_squares(none, none, tolerance); }, {"least_squares", "tolerance"}) == "");
  }
}

}  // namespace mesagrad
