// Matrix products against the plain one of core/linalg.h.
#include "tests/catch.h"  // first, because it is precompiled

#include "core/gemm.h"

#include "core/tile.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

constexpr real nan = std::numeric_limits<real>::quiet_NaN();
constexpr real mark = -12345;  // what the padding of C holds

// A (rows, columns) matrix in a buffer of its own. Its lines are `padding` numbers longer than they
// need to be. The padding holds NaN, and so does what lies before and after: who uses it gets NaN.
// Without padding only `slack` numbers come after, for the address sanitizer to see who reads on.
class Guarded {
 public:
  Guarded(Index rows, Index columns, bool transposed, Index padding, Index slack = 0)
      : transposed_(transposed), width_((transposed ? rows : columns) + padding) {
    const Index lines = transposed ? columns : rows;
    const Index after = padding > 0 ? margin : slack;
    numbers_.assign(static_cast<std::size_t>(margin + lines * width_ + after), nan);
    rows_ = rows;
    columns_ = columns;
  }
  void fill(const std::function<double()>& next) {
    for (Index i = 0; i < rows_; ++i) {
      for (Index j = 0; j < columns_; ++j) {
        const Index place = transposed_ ? j * width_ + i : i * width_ + j;
        numbers_[static_cast<std::size_t>(margin + place)] = static_cast<real>(next());
      }
    }
  }
  MatrixView view() const {
    const real* data = numbers_.data() + margin;
    return transposed_ ? columns_of(data, width_) : rows_of(data, width_);
  }

 private:
  static constexpr Index margin = 64;
  bool transposed_;
  Index rows_, columns_, width_;
  std::vector<real> numbers_;
};

// A (rows, columns) matrix somewhere in memory, in double.
Matrix matrix_of(Index rows, Index columns, MatrixView view) {
  Matrix result(rows, columns);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) result(i, j) = static_cast<double>(view(i, j));
  }
  return result;
}

// One product of small whole numbers: all sums are exact, so every bit of C must be right.
struct Product {
  Index M, N, K;
  bool a_transposed = false, b_transposed = false, add = false;
  Index a_padding = 0, b_padding = 0, c_padding = 0;
};

std::ostream& operator<<(std::ostream& out, const Product& p) {
  return out << p.M << " x " << p.K << (p.a_transposed ? "ᵀ" : "") << " times " << p.K << " x "
             << p.N << (p.b_transposed ? "ᵀ" : "") << (p.add ? ", added" : "") << ", paddings "
             << p.a_padding << ' ' << p.b_padding << ' ' << p.c_padding;
}

bool exact(const Product& p, Random& random) {
  const auto whole = [&] { return std::floor(random.uniform(-8, 9)); };
  Guarded a(p.M, p.K, p.a_transposed, p.a_padding, tensor_slack / sizeof(real)),
      b(p.K, p.N, p.b_transposed, p.b_padding, tensor_slack / sizeof(real));
  a.fill(whole);
  b.fill(whole);
  const Index ldc = p.N + p.c_padding;
  const Matrix product = multiply(matrix_of(p.M, p.K, a.view()), matrix_of(p.K, p.N, b.view()));
  std::vector<real> c(static_cast<std::size_t>(p.M * ldc), mark), expected = c;
  for (Index i = 0; i < p.M; ++i) {
    for (Index j = 0; j < p.N; ++j) {
      const auto place = static_cast<std::size_t>(i * ldc + j);
      const double before = p.add ? whole() : 0;
      c[place] = p.add ? static_cast<real>(before) : nan;
      expected[place] = static_cast<real>(before + product(i, j));
    }
  }
  gemm(p.M, p.N, p.K, a.view(), b.view(), c.data(), ldc, p.add);
  return c == expected;
}

}  // namespace

TEST_CASE("products of all sizes and transpositions are exact", "[gemm]") {
  const std::vector<Index> sizes = {0,  1,  2,  7,  8,  9,  15, 16, 17, 31,
                                    32, 33, 47, 48, 49, 50, 64, 80, 97};
  Random random(1, stream::test_data);
  const auto any_size = [&] {
    return sizes[static_cast<std::size_t>(random.uniform(0, static_cast<double>(sizes.size())))];
  };
  const Threads guard(1);  // thousands of short loops: on a busy machine they'd wait for each other
  const auto padding = [&] { return static_cast<Index>(std::max(0.0, random.uniform(-6, 6))); };
  for (int trial = 0; trial < 500; ++trial) {
    const Index M = any_size(), N = any_size(), K = any_size();
    for (int kind = 0; kind < 8; ++kind) {
      const Product p = {M, N, K, (kind & 1) != 0, (kind & 2) != 0, (kind & 4) != 0,
                         padding(), padding(), padding()};
      INFO(p);
      REQUIRE(exact(p, random));
    }
  }
}

TEST_CASE("every width up to 130 is exact", "[gemm]") {
  Random random(2, stream::test_data);
  for (Index N = 1; N <= 130; ++N) {
    for (const bool transposed : {false, true}) {
      const Product p = {5 + N % 9, N, 3, transposed, transposed, N % 2 == 0, 0, 0, 1};
      INFO(p);
      REQUIRE(exact(p, random));
    }
  }
}

TEST_CASE("long sums, wide matrices and many rows are exact", "[gemm]") {
  Random random(3, stream::test_data);
  const std::vector<Product> shapes = {
      {9, 17, 191},    {9, 17, 192}, {9, 48, 193},  {16, 50, 383},  {7, 16, 384},  {1, 1, 385},
      {13, 33, 600},   {8, 48, 577}, {5, 511, 20},  {5, 512, 20},   {3, 600, 40},  {513, 100, 230},
      {1030, 97, 420}, {2100, 3, 2}, {1025, 50, 9}, {40, 80, 1000}, {1, 700, 200},
  };
  for (const Product& shape : shapes) {
    for (int kind = 0; kind < 8; ++kind) {
      Product p = shape;
      p.a_transposed = (kind & 1) != 0;
      p.b_transposed = (kind & 2) != 0;
      p.add = (kind & 4) != 0;
      p.c_padding = kind % 3;
      INFO(p);
      REQUIRE(exact(p, random));
    }
  }
}

TEST_CASE("sums of random numbers are as precise as their type", "[gemm]") {
  const Index M = 33, N = 50, K = 300;
  const Tensor a = random_tensor({M, K}, 1), b = random_tensor({K, N}, 2), c({M, N});
  gemm(M, N, K, rows_of(a.data(), K), rows_of(b.data(), N), c.data(), N, false);
  const Matrix exact = multiply(matrix_of(a), matrix_of(b));
  const Matrix sizes = multiply(absolute(matrix_of(a)), absolute(matrix_of(b)));
  double worst = 0;
  for (Index i = 0; i < M; ++i) {
    for (Index j = 0; j < N; ++j) worst = std::max(worst, std::abs(c[i * N + j] - exact(i, j)) / sizes(i, j));
  }
  CHECK(worst < 4 * epsilon);
}

TEST_CASE("products have the same bits on any number of threads", "[gemm]") {
  for (const Product& p :
       {Product{301, 77, 401}, Product{530, 110, 230}, Product{37, 640, 50}, Product{1300, 40, 80}}) {
    INFO(p);
    const Tensor a = random_tensor({p.M, p.K}, 1), b = random_tensor({p.K, p.N}, 2);
    const auto run = [&] {
      const Tensor c({p.M, p.N}, real{0.5});
      gemm(p.M, p.N, p.K, rows_of(a.data(), p.K), rows_of(b.data(), p.N), c.data(), p.N, true);
      const MatrixView at = columns_of(a.data(), p.M), bt = columns_of(b.data(), p.K);
      gemm(p.M, p.N, p.K, at, bt, c.data(), p.N, true);
      return numbers_of(c);
    };
    const std::vector<real> one = [&] {
      const Threads guard(1);
      return run();
    }();
    for (const int threads : {2, 3, 5}) {
      const Threads guard(threads);
      CHECK(run() == one);
      std::vector<std::vector<real>> nested(2);  // as in a training step's loop over shards
      parallel_for(2, [&](Index i) { nested[static_cast<std::size_t>(i)] = run(); });
      CHECK(nested[0] == one);
      CHECK(nested[1] == one);
    }
  }
}

TEST_CASE("tiles cover rows of any length", "[gemm]") {
  Random random(4, stream::test_data);
  for (const Index columns : {1, 7, 16, 17, 47, 48, 49, 64, 65, 100, 150}) {
    for (const Index rows : {1, 2, 3, 5, 7, 8, 9, 16, 23}) {
      const Index K = 11, width = padded(columns);
      const auto whole = [&] { return std::floor(random.uniform(-8, 9)); };
      Guarded a(rows, K, false, 2), b(K, columns, rows % 2 == 0, 1);
      a.fill(whole);
      b.fill(whole);
      std::vector<real> packed(static_cast<std::size_t>(K * width), nan);
      pack(K, columns, b.view(), packed.data());
      bool right = true;
      for (Index k = 0; k < K; ++k) {
        for (Index j = 0; j < width; ++j) {
          const real copied = packed[static_cast<std::size_t>(k * width + j)];
          right &= copied == (j < columns ? b.view()(k, j) : 0);
        }
      }
      CHECK(right);
      const Matrix product = multiply(matrix_of(rows, K, a.view()), matrix_of(K, columns, b.view()));
      std::vector<real> c(static_cast<std::size_t>(rows * (columns + 1)), mark), expected = c;
      for (Index i = 0; i < rows; ++i) {
        for (Index j = 0; j < columns; ++j) {
          expected[static_cast<std::size_t>(i * (columns + 1) + j)] = static_cast<real>(product(i, j));
        }
      }
      tiles(rows, K, a.view(), packed.data(), width, c.data(), columns + 1, columns, false);
      CHECK(c == expected);
    }
  }
}

}  // namespace mesagrad
