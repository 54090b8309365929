// Small dense linear algebra in double precision, for baselines, analyses and data. Not differentiable.
// The solvers and qr throw if an entry is infinite or NaN; no square overflows or vanishes in silence.
#pragma once
#include <span>
#include <vector>

#include "core/error.h"
#include "core/random.h"
#include "core/real.h"

namespace mesagrad {

// A (rows, columns) matrix of doubles, row-major.
class Matrix {
 public:
  Matrix() = default;
  Matrix(Index rows, Index columns, double value = 0);  // throws if one is negative, or both too large
  static Matrix identity(Index n);

  Index rows() const { return rows_; }
  Index columns() const { return columns_; }
  double& operator()(Index i, Index j) { return values_[static_cast<std::size_t>(i * columns_ + j)]; }
  double operator()(Index i, Index j) const {
    return values_[static_cast<std::size_t>(i * columns_ + j)];
  }
  double* row(Index i) { return values_.data() + i * columns_; }
  const double* row(Index i) const { return values_.data() + i * columns_; }
  std::span<double> values() { return values_; }
  std::span<const double> values() const { return values_; }

 private:
  Index rows_ = 0, columns_ = 0;
  std::vector<double> values_;
};

// For error messages: (rows, columns).
inline auto shape_of(const Matrix& a) {
  return [&a] { return text("(", a.rows(), ", ", a.columns(), ")"); };
}

Matrix multiply(const Matrix& a, const Matrix& b);  // throws if the inner dimensions differ
Matrix transpose(const Matrix& a);
double frobenius_norm(const Matrix& a);  // sqrt(sum of squares)

// Solves A·X = B for a symmetric positive definite A (n, n) and B (n, m), by A = L·Lᵀ.
// Throws if A is not positive definite (up to rounding), or if the shapes do not fit.
Matrix cholesky_solve(Matrix a, Matrix b);

// Solves A·X = B for any invertible A (n, n), by elimination with row exchanges.
// Throws if A is singular (up to rounding), or if the shapes do not fit.
Matrix lu_solve(Matrix a, Matrix b);

// A = Q·R with orthonormal columns in Q (m, n) and upper triangular R (n, n) whose diagonal is not
// negative; m >= n, else it throws. By Householder reflections.
struct QR {
  Matrix q, r;
};
QR qr(const Matrix& a);

// The X (n, k) that minimizes ||A·X - B||, for A (m, n) and B (m, k): of all minimizers the one with
// the smallest norm. Directions in which A is smaller than `tolerance` times its largest singular
// value count as absent, and those that are 10^-150 times as large in any case.
Matrix least_squares(const Matrix& a, const Matrix& b, double tolerance = 1e-10);

// (n, n) independent normal numbers.
Matrix random_normal(Index n, Random& random);

// A random (n, n) orthogonal matrix, every one equally likely (the Haar measure): Q of a matrix of
// independent normals, with signs such that R's diagonal is positive.
Matrix random_orthogonal(Index n, Random& random);

}  // namespace mesagrad
