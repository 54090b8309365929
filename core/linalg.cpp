#include "core/linalg.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "core/norm.h"

namespace mesagrad {
namespace {

void check_finite(const char* op, const char* name, const Matrix& a) {
  for (Index i = 0; i < a.rows(); ++i) {
    for (Index j = 0; j < a.columns(); ++j) {
      check(std::isfinite(a(i, j)), op, ": ", name, " ", shape_of(a), ": entry (", i, ", ", j, ") is ",
            a(i, j));
    }
  }
}

void check_system(const char* op, const Matrix& a, const Matrix& b) {
  check(a.rows() == a.columns(), op, ": A ", shape_of(a), " is not square");
  check(a.rows() == b.rows(), op, ": A ", shape_of(a), " and B ", shape_of(b),
        " have different numbers of rows");
  check_finite(op, "A", a);
  check_finite(op, "B", b);
}

// What rounding leaves, where exact arithmetic would leave 0, of numbers up to `largest` in a column of n.
double rounding(Index n, double largest) {
  return static_cast<double>(n) * std::numeric_limits<double>::epsilon() * largest;
}

// factor·A
Matrix operator*(double factor, Matrix a) {
  for (double& x : a.values()) x *= factor;
  return a;
}

// The power of two that makes A's largest entry about 1, so that no square is too large or too small.
double unit_of(const Matrix& a) {
  return scale_to_one(largest_of(std::ssize(a.values()), a.values().data()));
}

// X in R·X = B for an upper triangular R, from the last row up.
Matrix back_substitute(const Matrix& r, Matrix b) {
  for (Index i = r.rows() - 1; i >= 0; --i) {
    for (Index k = i + 1; k < r.rows(); ++k) {
      for (Index j = 0; j < b.columns(); ++j) b(i, j) -= r(i, k) * b(k, j);
    }
    for (Index j = 0; j < b.columns(); ++j) b(i, j) /= r(i, i);
  }
  return b;
}

}  // namespace

Matrix::Matrix(Index rows, Index columns, double value) : rows_(rows), columns_(columns) {
  check(rows >= 0 && columns >= 0, "matrix: the shape (", rows, ", ", columns, ") is negative");
  check(rows <= most_numbers / std::max<Index>(1, columns), "matrix: the shape (", rows, ", ", columns,
        ") is too large for any memory");
  values_.assign(static_cast<std::size_t>(rows * columns), value);
}

Matrix Matrix::identity(Index n) {
  Matrix result(n, n);
  for (Index i = 0; i < n; ++i) result(i, i) = 1;
  return result;
}

Matrix multiply(const Matrix& a, const Matrix& b) {
  check(a.columns() == b.rows(), "multiply: ", shape_of(a), " x ", shape_of(b),
        ": inner dimensions ", a.columns(), " and ", b.rows(), " differ");
  Matrix c(a.rows(), b.columns());
  for (Index i = 0; i < a.rows(); ++i) {
    for (Index k = 0; k < a.columns(); ++k) {
      for (Index j = 0; j < b.columns(); ++j) c(i, j) += a(i, k) * b(k, j);
    }
  }
  return c;
}

Matrix transpose(const Matrix& a) {
  Matrix result(a.columns(), a.rows());
  for (Index i = 0; i < a.rows(); ++i) {
    for (Index j = 0; j < a.columns(); ++j) result(j, i) = a(i, j);
  }
  return result;
}

double frobenius_norm(const Matrix& a) {
  return norm(a.values().data(), std::ssize(a.values()));
}

Matrix cholesky_solve(Matrix a, Matrix b) {
  check_system("cholesky_solve", a, b);
  const Index n = a.rows(), m = b.columns();
  // exercise 1.2: make the lower triangle of `a` the matrix L with L·Lᵀ = A, and then solve L·(Lᵀ·x) = b for
  //    each column of b. A pivot that is not above rounding(n, a(j, j)) of the matrix as it came is refused.
  for (Index j = 0; j < n; ++j) {  // the lower triangle of A becomes L, column by column
    const double smallest = rounding(n, std::abs(a(j, j)));
    for (Index k = 0; k < j; ++k) a(j, j) -= a(j, k) * a(j, k);
    check(a(j, j) > smallest, "cholesky_solve: A ", shape_of(a), " is not positive definite: pivot ", j,
          " is ", a(j, j));
    a(j, j) = std::sqrt(a(j, j));
    for (Index i = j + 1; i < n; ++i) {
      for (Index k = 0; k < j; ++k) a(i, j) -= a(i, k) * a(j, k);
      a(i, j) /= a(j, j);
    }
  }
  for (Index j = 0; j < m; ++j) {
    for (Index i = 0; i < n; ++i) {  // L·y = b
      for (Index k = 0; k < i; ++k) b(i, j) -= a(i, k) * b(k, j);
      b(i, j) /= a(i, i);
    }
    for (Index i = n - 1; i >= 0; --i) {  // Lᵀ·x = y
      for (Index k = i + 1; k < n; ++k) b(i, j) -= a(k, i) * b(k, j);
      b(i, j) /= a(i, i);
    }
  }
  // end 1.2
  return b;
}

Matrix lu_solve(Matrix a, Matrix b) {
  check_system("lu_solve", a, b);
  const Index n = a.rows();
  const Matrix columns = transpose(a);  // row j is column j of A
  for (Index j = 0; j < n; ++j) {
    Index pivot = j;  // the largest entry of the column keeps the multipliers below 1
    for (Index i = j + 1; i < n; ++i) {
      if (std::abs(a(i, j)) > std::abs(a(pivot, j))) pivot = i;
    }
    const double smallest = rounding(n, largest_of(n, columns.row(j)));
    check(std::abs(a(pivot, j)) > smallest, "lu_solve: A ", shape_of(a), " is singular: column ", j,
          " depends on those before it");
    if (pivot != j) {
      std::swap_ranges(a.row(j), a.row(j) + n, a.row(pivot));
      std::swap_ranges(b.row(j), b.row(j) + b.columns(), b.row(pivot));
    }
    for (Index i = j + 1; i < n; ++i) {
      const double factor = a(i, j) / a(j, j);
      for (Index k = j; k < n; ++k) a(i, k) -= factor * a(j, k);
      for (Index k = 0; k < b.columns(); ++k) b(i, k) -= factor * b(j, k);
    }
  }
  return back_substitute(a, std::move(b));
}

QR qr(const Matrix& a) {
  const Index m = a.rows(), n = a.columns();
  check(m >= n, "qr: A ", shape_of(a), " has more columns than rows");
  check_finite("qr", "A", a);
  const double unit = unit_of(a);
  Matrix r = unit * a;
  Matrix reflectors(n, m);  // row j: the unit vector v of reflection j, I - 2vvᵀ
  const auto reflect = [m](const double* v, Index from, Matrix& x) {
    for (Index j = 0; j < x.columns(); ++j) {
      double dot = 0;
      for (Index i = from; i < m; ++i) dot += v[i] * x(i, j);
      for (Index i = from; i < m; ++i) x(i, j) -= 2 * dot * v[i];
    }
  };
  for (Index j = 0; j < n; ++j) {
    double* v = reflectors.row(j);
    // Maps the rest x of column j to -sign(x_j)·||x||·e_j: the sign that adds, and does not cancel.
    for (Index i = j; i < m; ++i) v[i] = r(i, j);
    const double size = norm(v + j, m - j);
    v[j] += v[j] >= 0 ? size : -size;
    const double length = norm(v + j, m - j);
    if (length == 0) continue;  // the column is zero already
    for (Index i = j; i < m; ++i) v[i] /= length;
    reflect(v, j, r);
  }
  QR result{Matrix(m, n), Matrix(n, n)};
  for (Index j = 0; j < n; ++j) result.q(j, j) = 1;
  for (Index j = n - 1; j >= 0; --j) reflect(reflectors.row(j), j, result.q);
  for (Index i = 0; i < n; ++i) {  // signs: R's diagonal must not be negative
    const double sign = r(i, i) < 0 ? -1 : 1;
    for (Index j = i; j < n; ++j) result.r(i, j) = sign * r(i, j) / unit;
    for (Index k = 0; k < m; ++k) result.q(k, i) *= sign;
  }
  return result;
}

Matrix least_squares(const Matrix& a, const Matrix& b, double tolerance) {
  check(a.rows() == b.rows(), "least_squares: A ", shape_of(a), " and B ", shape_of(b),
        " have different numbers of rows");
  check(tolerance >= 0 && tolerance < 1, "least_squares: the tolerance is ", tolerance,
        ", it must be in [0, 1)");
  check_finite("least_squares", "A", a);
  check_finite("least_squares", "B", b);
  const double unit = unit_of(a);
  const Matrix scaled = unit * a;
  if (a.rows() > a.columns()) {  // A = Q·R: the same problem with R and Qᵀ·B
    const QR f = qr(scaled);
    return unit * least_squares(f.r, multiply(transpose(f.q), b), tolerance);
  }
  // One-sided Jacobi: rotate pairs of columns until all are orthogonal. Then A·V = U·Σ, and the
  // solution of smallest norm is V·Σ⁻¹·Uᵀ·B over the columns that are not (nearly) zero.
  const Index n = a.columns();
  Matrix u = transpose(scaled), v = Matrix::identity(n);  // row j of u: column j of A·V; of v: of V
  const auto dot = [&](Index p, Index q) {
    return std::inner_product(u.row(p), u.row(p) + u.columns(), u.row(q), 0.0);
  };
  const auto rotate = [](Matrix& m, Index p, Index q, double c, double s) {
    double *x = m.row(p), *y = m.row(q);
    for (Index i = 0; i < m.columns(); ++i) {
      const double rotated = c * x[i] - s * y[i];
      y[i] = s * x[i] + c * y[i];
      x[i] = rotated;
    }
  };
  bool rotated = true;
  for (int sweep = 0; rotated && sweep < 60; ++sweep) {  // about ten are enough
    rotated = false;
    for (Index p = 0; p < n; ++p) {
      for (Index q = p + 1; q < n; ++q) {
        const double pp = dot(p, p), qq = dot(q, q), pq = dot(p, q);
        if (!(std::abs(pq) > 1e-15 * std::sqrt(pp * qq)) || std::abs(pq) < 1e-290) continue;
        const double zeta = (qq - pp) / (2 * pq);
        const double t = (zeta >= 0 ? 1 : -1) / (std::abs(zeta) + std::sqrt(1 + zeta * zeta));
        const double c = 1 / std::sqrt(1 + t * t);
        rotate(u, p, q, c, c * t);
        rotate(v, p, q, c, c * t);
        rotated = true;
      }
    }
  }
  double largest = 0;
  for (Index j = 0; j < n; ++j) largest = std::max(largest, dot(j, j));
  Matrix x(n, b.columns());
  for (Index j = 0; j < n; ++j) {
    const double square = dot(j, j);
    if (square <= tolerance * tolerance * largest) continue;
    for (Index k = 0; k < b.columns(); ++k) {
      double projection = 0;
      for (Index i = 0; i < b.rows(); ++i) projection += u(j, i) * b(i, k);
      for (Index i = 0; i < n; ++i) x(i, k) += v(j, i) * projection / square;
    }
  }
  return unit * std::move(x);
}

Matrix random_normal(Index n, Random& random) {
  Matrix result(n, n);
  for (double& x : result.values()) x = random.normal();
  return result;
}

Matrix random_orthogonal(Index n, Random& random) { return qr(random_normal(n, random)).q; }

}  // namespace mesagrad
