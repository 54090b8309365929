// Dense linear algebra: residuals, defining properties, known solutions, errors.
#include "tests/catch.h"  // first, because it is precompiled

#include "core/linalg.h"

#include "tests/helpers.h"

namespace mesagrad {
namespace {

Matrix random_matrix(Index rows, Index columns, std::uint64_t seed) {
  Matrix result(rows, columns);
  Random random(seed, stream::test_data, static_cast<std::uint64_t>(rows * 1000 + columns));
  for (double& x : result.values()) x = random.normal();
  return result;
}

Matrix matrix(Index rows, Index columns, std::initializer_list<double> values) {
  Matrix result(rows, columns);
  REQUIRE(result.values().size() == values.size());
  std::copy(values.begin(), values.end(), result.values().begin());
  return result;
}

double difference(const Matrix& a, const Matrix& b) {
  const bool same_shape = a.rows() == b.rows() && a.columns() == b.columns();
  return same_shape ? largest_difference(a.values(), b.values())
                    : std::numeric_limits<double>::infinity();
}

// A·X - B, relative to what rounding makes of A·X.
double residual(const Matrix& a, const Matrix& x, const Matrix& b) {
  const double size = frobenius_norm(a) * frobenius_norm(x) + frobenius_norm(b);
  return size == 0 ? 0 : difference(multiply(a, x), b) / size;
}

void check_qr(const Matrix& a) {
  INFO("A (" << a.rows() << ", " << a.columns() << ")");
  const auto [q, r] = qr(a);
  const Index n = a.columns();
  CHECK((q.rows() == a.rows() && q.columns() == n && r.rows() == n && r.columns() == n));
  CHECK(difference(multiply(transpose(q), q), Matrix::identity(n)) < 1e-13);
  CHECK(difference(multiply(q, r), a) < 1e-14 * (1 + frobenius_norm(a)));
  for (Index i = 0; i < n; ++i) {
    CHECK(r(i, i) >= 0);
    for (Index j = 0; j < i; ++j) CHECK(r(i, j) == 0);
  }
}

}  // namespace

TEST_CASE("qr of entries near the largest number", "[linalg]") {
  Matrix a(2, 1, 1.5e308);
  const QR f = qr(a);
  CHECK(std::abs(f.q(0, 0) - std::sqrt(0.5)) < 1e-15);
  CHECK(std::abs(f.q(1, 0) - std::sqrt(0.5)) < 1e-15);
}

TEST_CASE("matrices multiply, transpose and have a norm", "[linalg]") {
  const Matrix a = matrix(2, 3, {1, 2, 3, 4, 5, 6}), b = matrix(3, 2, {1, 0, 2, -1, 0, 3});
  CHECK(difference(multiply(a, b), matrix(2, 2, {5, 7, 14, 13})) == 0);
  CHECK(difference(transpose(a), matrix(3, 2, {1, 4, 2, 5, 3, 6})) == 0);
  CHECK(difference(multiply(a, Matrix::identity(3)), a) == 0);
  CHECK(frobenius_norm(matrix(1, 2, {3, -4})) == 5);
  CHECK(difference(multiply(Matrix(2, 0), Matrix(0, 3)), Matrix(2, 3)) == 0);
  CHECK(a.row(1)[2] == 6);
  CHECK(Matrix(2, 2, 7)(1, 0) == 7);
  CHECK(lacks([&] { return multiply(a, a); }, {"multiply", "(2, 3) x (2, 3)", "3 and 2"}) == "");
  CHECK(lacks([] { return Matrix(2, -1); }, {"matrix", "(2, -1)", "negative"}) == "");
}

TEST_CASE("cholesky_solve and lu_solve solve random systems", "[linalg]") {
  for (Index n = 1; n <= 20; ++n) {
    for (const Index m : {1, 3}) {
      INFO("n = " << n << ", m = " << m);
      const Matrix g = random_matrix(n, n + 3, 1), b = random_matrix(n, m, 2);
      const Matrix positive = multiply(g, transpose(g)), any = random_matrix(n, n, 3);
      CHECK(residual(positive, cholesky_solve(positive, b), b) < 1e-14);
      CHECK(residual(positive, lu_solve(positive, b), b) < 1e-14);
      CHECK(residual(any, lu_solve(any, b), b) < 1e-14);
    }
  }
  CHECK(lu_solve(Matrix(0, 0), Matrix(0, 2)).columns() == 2);
  CHECK(cholesky_solve(Matrix(0, 0), Matrix(0, 2)).columns() == 2);
}

TEST_CASE("lu_solve exchanges rows where the pivot is zero or small", "[linalg]") {
  const Matrix a = matrix(3, 3, {0, 2, 1, 3, 0, 0, 0, 0, 4});
  const Matrix x = matrix(3, 2, {1, 0, 2, -1, -3, 5});
  CHECK(difference(lu_solve(a, multiply(a, x)), x) < 1e-15);
  const Matrix tiny = matrix(2, 2, {1e-20, 1, 1, 1});  // x ≈ (1, 1); without exchanges (0, 1)
  CHECK(difference(lu_solve(tiny, matrix(2, 1, {1, 2})), matrix(2, 1, {1, 1})) < 1e-15);
}

TEST_CASE("systems without a solution are refused", "[linalg][errors]") {
  const Matrix b(2, 1, 1);
  const Matrix singular = matrix(2, 2, {1, 2, 2, 4}), indefinite = matrix(2, 2, {1, 2, 2, 1});
  CHECK(lacks([&] { return lu_solve(singular, b); },
              {"lu_solve", "(2, 2)", "singular", "column 1"}) == "");
  CHECK(lacks([&] { return lu_solve(Matrix(3, 3), Matrix(3, 1, 1)); },
              {"lu_solve", "(3, 3)", "singular", "column 0"}) == "");
  CHECK(lacks([&] { return cholesky_solve(indefinite, b); },
              {"cholesky_solve", "(2, 2)", "not positive definite", "pivot 1 is -3"}) == "");
  CHECK(lacks([&] { return cholesky_solve(singular, b); },
              {"cholesky_solve", "not positive definite", "pivot 1 is 0"}) == "");
  Matrix broken = Matrix::identity(2);
  broken(0, 0) = std::numeric_limits<double>::quiet_NaN();
  CHECK(lacks([&] { return cholesky_solve(broken, b); }, {"cholesky_solve", "entry (0, 0) is nan"}) == "");
}

TEST_CASE("a pivot counts as zero if it is within rounding of it", "[linalg]") {
  // One pivot of this matrix is δ, in exact arithmetic and here. What rounding can leave is n·ε.
  const auto almost_singular = [](Index n, double delta, double scale) {
    Matrix a(n, n);
    for (Index i = 0; i < n; ++i) a(i, i) = scale;
    a(n - 1, n - 2) = a(n - 2, n - 1) = scale;
    a(n - 1, n - 1) = scale * (1 + delta);
    return a;
  };
  constexpr double precision = std::numeric_limits<double>::epsilon();
  for (const double scale : {1.0, 0x1p500, 0x1p-500}) {
    for (const Index n : {2, 5}) {
      INFO("n = " << n << ", scale " << scale);
      const double bound = static_cast<double>(n) * precision;
      const Matrix zero = almost_singular(n, bound, scale), b(n, 1, scale);
      CHECK(lacks([&] { lu_solve(zero, b); }, {"singular"}) == "");
      CHECK(lacks([&] { cholesky_solve(zero, b); }, {"not positive definite"}) == "");
      const Matrix small = almost_singular(n, bound + precision, scale);
      CHECK(lu_solve(small, b)(n - 1, 0) == 0);
      CHECK(cholesky_solve(small, b)(n - 1, 0) == 0);
    }
  }
  // Nothing is rounded here, however different the sizes are.
  const Matrix uneven = matrix(2, 2, {1, 0, 0, 0x1p-200}), one = matrix(2, 1, {1, 0x1p-200});
  CHECK(difference(lu_solve(uneven, one), Matrix(2, 1, 1)) == 0);
  CHECK(difference(cholesky_solve(uneven, one), Matrix(2, 1, 1)) == 0);
}

TEST_CASE("no square is too large or too small", "[linalg]") {
  const Matrix a = matrix(3, 2, {1, 1, 1, 2, 1, 3}), b = matrix(3, 1, {1, 2, 3}),
               square = random_matrix(4, 4, 1);
  const Matrix positive = multiply(square, transpose(square)), c = random_matrix(4, 2, 2);
  const auto times = [](double factor, Matrix x) {
    for (double& value : x.values()) value *= factor;
    return x;
  };
  for (const int exponent : {-980, -500, -3, 3, 500, 980}) {
    INFO("times 2^" << exponent);
    const double s = std::ldexp(1.0, exponent);
    CHECK(frobenius_norm(times(s, matrix(1, 2, {3, -4}))) == 5 * s);
    CHECK(difference(least_squares(times(s, a), times(s, b)), least_squares(a, b)) == 0);
    CHECK(difference(least_squares(times(s, a), b), times(1 / s, least_squares(a, b))) <= 1e-15 / s);
    CHECK(difference(least_squares(a, times(s, b)), times(s, least_squares(a, b))) <= 1e-15 * s);
    CHECK(difference(least_squares(times(s, square), times(s, c)), least_squares(square, c)) == 0);
    CHECK(difference(lu_solve(times(s, square), times(s, c)), lu_solve(square, c)) == 0);
    CHECK(difference(cholesky_solve(times(s, positive), times(s, c)), cholesky_solve(positive, c)) < 1e-12);
    const auto [q, r] = qr(times(s, square));
    CHECK(difference(q, qr(square).q) == 0);
    CHECK(difference(r, times(s, qr(square).r)) == 0);
  }
  CHECK(difference(least_squares(times(1e150, a), times(1e150, b)), matrix(2, 1, {0, 1})) < 1e-14);
  CHECK(frobenius_norm(matrix(1, 3, {0, 5e-324, 0})) == 5e-324);
  CHECK(frobenius_norm(matrix(1, 2, {1e308, 1e308})) == std::sqrt(2) * 1e308);
}

TEST_CASE("entries that are no numbers are named", "[linalg][errors]") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const double bad : {infinity, -infinity, std::numeric_limits<double>::quiet_NaN()}) {
    const std::string value = text("is ", bad);
    Matrix a = Matrix::identity(3), b(3, 2, 1);
    a(1, 2) = a(2, 1) = bad;
    const auto named = [&](const auto& f, const char* op, const char* where) {
      CHECK(lacks(f, {op, where, value.c_str()}) == "");
    };
    named([&] { cholesky_solve(a, b); }, "cholesky_solve", "A (3, 3): entry (1, 2)");
    named([&] { lu_solve(a, b); }, "lu_solve", "A (3, 3): entry (1, 2)");
    named([&] { qr(a); }, "qr", "A (3, 3): entry (1, 2)");
    named([&] { least_squares(a, b); }, "least_squares", "A (3, 3): entry (1, 2)");
    b(2, 0) = bad;
    const Matrix good = Matrix::identity(3);
    named([&] { cholesky_solve(good, b); }, "cholesky_solve", "B (3, 2): entry (2, 0)");
    named([&] { lu_solve(good, b); }, "lu_solve", "B (3, 2): entry (2, 0)");
    named([&] { least_squares(good, b); }, "least_squares", "B (3, 2): entry (2, 0)");
    Matrix tall(5, 2, 1);
    tall(4, 1) = bad;
    named([&] { least_squares(tall, Matrix(5, 1, 1)); }, "least_squares", "A (5, 2): entry (4, 1)");
    CHECK_FALSE(std::isfinite(frobenius_norm(tall)));
  }
}

TEST_CASE("systems whose shapes do not fit are refused", "[linalg][errors]") {
  const Matrix wide(2, 3, 1), square = Matrix::identity(3), b(2, 4, 1);
  CHECK(lacks([&] { return lu_solve(wide, b); }, {"lu_solve", "(2, 3)", "not square"}) == "");
  CHECK(lacks([&] { return lu_solve(square, b); }, {"lu_solve", "(3, 3)", "(2, 4)", "rows"}) == "");
  CHECK(lacks([&] { return cholesky_solve(wide, b); },
              {"cholesky_solve", "(2, 3)", "not square"}) == "");
  CHECK(lacks([&] { return cholesky_solve(square, b); },
              {"cholesky_solve", "(3, 3)", "(2, 4)", "rows"}) == "");
  CHECK(lacks([&] { return qr(wide); }, {"qr", "(2, 3)", "more columns than rows"}) == "");
  CHECK(lacks([&] { return least_squares(square, b); },
              {"least_squares", "(3, 3)", "(2, 4)", "rows"}) == "");
}

TEST_CASE("qr has orthonormal columns and a triangle", "[linalg]") {
  for (const Index n : {1, 2, 3, 5, 8, 20}) {
    check_qr(random_matrix(n, n, 4));
    check_qr(random_matrix(n + 1, n, 5));
    check_qr(random_matrix(3 * n, n, 6));
  }
  check_qr(Matrix(4, 0));
  check_qr(Matrix::identity(3));
  check_qr(matrix(2, 2, {-1, 0, 0, -2}));
  check_qr(matrix(3, 2, {0, 0, 0, 0, 0, 0}));
  check_qr(matrix(3, 3, {0, 1, 2, 0, 3, 4, 0, 5, 6}));  // zero columns, first and last
  check_qr(matrix(3, 3, {1, 2, 0, 3, 4, 0, 5, 6, 0}));
  check_qr(matrix(3, 2, {1, 2, 2, 4, 3, 6}));  // the second column is twice the first
}

TEST_CASE("least squares satisfies the normal equations", "[linalg]") {
  const std::pair<Index, Index> sizes[] = {{1, 1}, {5, 2}, {8, 8}, {30, 7}, {4, 9}, {1, 6}};
  for (const auto& [m, n] : sizes) {
    INFO(m << " x " << n);
    const Matrix a = random_matrix(m, n, 7), b = random_matrix(m, 3, 8);
    const Matrix x = least_squares(a, b), at = transpose(a);
    CHECK((x.rows() == n && x.columns() == 3));
    CHECK(residual(multiply(at, a), x, multiply(at, b)) < 1e-13);
    if (m <= n) CHECK(residual(a, x, b) < 1e-13);
  }
}

TEST_CASE("of all minimizers least squares takes the smallest", "[linalg]") {
  // wide, of full rank: x = Aᵀ(AAᵀ)⁻¹b
  const Matrix wide = random_matrix(4, 9, 9), b = random_matrix(4, 2, 10);
  const Matrix smallest =
      multiply(transpose(wide), cholesky_solve(multiply(wide, transpose(wide)), b));
  CHECK(difference(least_squares(wide, b), smallest) < 1e-12);
  // rank r: A = F·G with F (m, r) and G (r, n), then A⁺ = Gᵀ(GGᵀ)⁻¹(FᵀF)⁻¹Fᵀ
  for (const auto& [m, n] : {std::pair<Index, Index>{10, 6}, {6, 6}, {5, 12}}) {
    INFO(m << " x " << n << " of rank 3");
    const Matrix f = random_matrix(m, 3, 11), g = random_matrix(3, n, 12);
    const Matrix c = random_matrix(m, 2, 13);
    const Matrix ft = transpose(f), gt = transpose(g);
    const Matrix coordinates = cholesky_solve(multiply(ft, f), multiply(ft, c));
    const Matrix expected = multiply(gt, cholesky_solve(multiply(g, gt), coordinates));
    CHECK(difference(least_squares(multiply(f, g), c), expected) < 1e-12);
  }
  const Matrix flat = matrix(2, 2, {1, 1, 1, 1});  // pseudo-inverse: a quarter everywhere
  CHECK(difference(least_squares(flat, matrix(2, 1, {2, 4})), Matrix(2, 1, 1.5)) < 1e-15);
  CHECK(difference(least_squares(Matrix(3, 2), Matrix(3, 1, 5)), Matrix(2, 1)) == 0);
}

TEST_CASE("tolerance decides what counts as absent", "[linalg]") {
  const Matrix a = matrix(2, 2, {1, 0, 0, 1e-6}), b(2, 1, 1);
  CHECK(difference(least_squares(a, b), matrix(2, 1, {1, 1e6})) < 1e-8);
  CHECK(difference(least_squares(a, b, 1e-5), matrix(2, 1, {1, 0})) < 1e-15);
}

TEST_CASE("a random orthogonal matrix is orthogonal", "[linalg]") {
  Random random(1, stream::test_data);
  for (const Index n : {1, 2, 3, 10, 40}) {
    const Matrix w = random_orthogonal(n, random);
    CHECK(difference(multiply(transpose(w), w), Matrix::identity(n)) < 1e-13);
  }
}

TEST_CASE("random orthogonal matrices are evenly spread", "[linalg]") {
  // Under the Haar measure of O(3) the trace t has E t = 0, E t² = 1 and E t⁴ = 3, and half of the
  // determinants are -1. Bounds are 5 standard deviations of the mean.
  const int samples = 10000;
  const Index n = 3;
  Random random(2, stream::test_data);
  double mean = 0, square = 0, positive = 0, worst = 0;
  Matrix average(n, n);
  for (int s = 0; s < samples; ++s) {
    const Matrix w = random_orthogonal(n, random);
    const double t = w(0, 0) + w(1, 1) + w(2, 2);
    double determinant = 0;
    for (Index j = 0; j < n; ++j) {
      const Index k = (j + 1) % n, l = (j + 2) % n;
      determinant += w(0, j) * (w(1, k) * w(2, l) - w(1, l) * w(2, k));
    }
    worst = std::max(worst, std::abs(std::abs(determinant) - 1));
    mean += t / samples;
    square += t * t / samples;
    positive += (determinant > 0 ? 1.0 : 0.0) / samples;
    for (Index i = 0; i < n * n; ++i) average.row(0)[i] += w.row(0)[i] / samples;
  }
  const double root = std::sqrt(samples);
  CHECK(worst < 1e-12);
  CHECK(std::abs(mean) < 5 * 1 / root);
  CHECK(std::abs(square - 1) < 5 * std::sqrt(3.0 - 1) / root);
  CHECK(std::abs(positive - 0.5) < 5 * 0.5 / root);
  CHECK(difference(average, Matrix(n, n)) < 5 * std::sqrt(1.0 / 3) / root);  // E w² = 1/n
}

}  // namespace mesagrad
