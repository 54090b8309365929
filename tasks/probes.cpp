#include "tasks/probes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/norm.h"

namespace mesagrad {
namespace {

void check_states(const char* op, const Tensor& states) {
  check(states.shape().rank() == 3 && states.dim(1) >= 1, op, ": states ", states.shape(),
        " should be (N, T + 1, d)");
}

// Rows n = sequences[0], sequences[1], .. of x[:, t, :], x (N, T, D).
Matrix at_position(const Tensor& x, Index t, const std::vector<Index>& sequences) {
  const Index T = x.dim(1), D = x.dim(2);
  Matrix result(static_cast<Index>(sequences.size()), D);
  double* to = result.values().data();
  for (const Index n : sequences) to = std::copy_n(x.data() + (n * T + t) * D, D, to);
  return result;
}

void check_streams(const char* op, const std::vector<Tensor>& streams, const Tensor& targets) {
  check(targets.shape().rank() == 3, op, ": targets ", targets.shape(), " should be (N, T, d)");
  const Index N = targets.dim(0), T = targets.dim(1);
  for (const Tensor& stream : streams) {
    check(stream.shape().rank() == 3 && stream.dim(0) == N && stream.dim(1) == T, op, ": stream ",
          stream.shape(), " does not fit targets ", targets.shape());
  }
}

// What the best linear map from a (N, D) to y (N, d) leaves of y.
Matrix left_by_best_map(const Matrix& a, const Matrix& y, double smallest = 0) {
  const double rounding = static_cast<double>(y.rows()) * std::numeric_limits<real>::epsilon();
  // exercise 6.4: (the first of two pieces) least_squares (core/linalg.h) finds the map, with
  //    max(smallest, rounding) as its tolerance
  Matrix error = multiply(a, least_squares(a, y, std::max(smallest, rounding)));
  for (std::size_t i = 0; i < y.values().size(); ++i) error.values()[i] -= y.values()[i];
  return error;
  // end 6.4
}

// The columns of a (N, D), less their means.
Matrix centred(Matrix a) {
  for (Index j = 0; j < a.columns(); ++j) {
    double mean = 0;
    for (Index n = 0; n < a.rows(); ++n) mean += a(n, j) / static_cast<double>(a.rows());
    for (Index n = 0; n < a.rows(); ++n) a(n, j) -= mean;
  }
  return a;
}

double squared_norm(const Matrix& a) {
  const double norm = frobenius_norm(a);
  return norm * norm;
}

}  // namespace

Tensor preconditioned_states(const Tensor& states, const ApplyInverse& inverse, double ridge) {
  check_states("preconditioned_states", states);
  check(ridge > 0, "preconditioned_states: the ridge is ", ridge, ", it must be positive");
  const Index N = states.dim(0), T = states.dim(1) - 1, d = states.dim(2);
  Tensor result = Tensor::uninitialized({N, T, d});
  parallel_for(N, [&](Index n) {
    // exercise 6.3: for t = 0 .. T - 1 write inverse(A_t, s_t) to result[n, t, :]. This A_t (see the header)
    //    starts as the ridge times I, and knows s_0 .. s_{t-1}. Refuse, by check(condition, "what is wrong"), an
    //    inverse of more or fewer than d numbers.
    Matrix A(d, d);
    for (Index i = 0; i < d; ++i) A(i, i) = ridge;
    for (Index t = 0; t < T; ++t) {
      const real* state = states.data() + (n * (T + 1) + t) * d;
      const std::vector<double> s(state, state + d);
      const std::vector<double> x = inverse(A, s);
      check(std::ssize(x) == d, "preconditioned_states: the inverse makes ", x.size(), " numbers of ", d);
      std::transform(x.begin(), x.end(), result.data() + (n * T + t) * d,
                     [](double value) { return static_cast<real>(value); });
      for (Index i = 0; i < d; ++i) {  // after it was used: A_t knows s_0 .. s_{t-1}
        for (Index j = 0; j < d; ++j) A(i, j) += static_cast<double>(state[i]) * state[j];
      }
    }
    // end 6.3
  });
  return result;
}

Matrix without_outliers(const Tensor& x) {
  check(x.shape().rank() == 3, "without_outliers: x ", x.shape(), " should be (N, T, d)");
  const Index N = x.dim(0), T = x.dim(1), d = x.dim(2);
  Matrix norms(N, T), chosen(N, T);
  for (Index row = 0; row < N * T; ++row) norms(row / T, row % T) = norm(x.data() + row * d, d);
  for (Index t = 0; t < T; ++t) {
    double mean = 0;
    for (Index n = 0; n < N; ++n) mean += norms(n, t) / static_cast<double>(N);
    const double distance = norm_of(N, [&](Index n) { return norms(n, t) - mean; });
    const double bound = mean + 2 * distance / std::sqrt(static_cast<double>(N));
    for (Index n = 0; n < N; ++n) chosen(n, t) = norms(n, t) <= bound ? 1 : 0;
  }
  return chosen;
}

Matrix linear_probe(const std::vector<Tensor>& streams, const Tensor& targets, const Matrix& chosen) {
  check_streams("linear_probe", streams, targets);
  const Index N = targets.dim(0), T = targets.dim(1);
  const bool all = chosen.values().empty();
  check(all || (chosen.rows() == N && chosen.columns() == T), "linear_probe: chosen ",
        shape_of(chosen), " does not fit targets ", targets.shape());
  Matrix losses(static_cast<Index>(streams.size()), T);
  parallel_for(T, [&](Index t) {
    std::vector<Index> sequences;
    for (Index n = 0; n < N; ++n) {
      if (all || chosen(n, t) != 0) sequences.push_back(n);
    }
    check(!sequences.empty(), "linear_probe: no sequence is left at position ", t);
    // exercise 6.4: (the second) losses(l, t) of each stream l, over these sequences
    const auto count = static_cast<double>(sequences.size());
    const Matrix y = at_position(targets, t, sequences);
    for (Index l = 0; l < losses.rows(); ++l) {
      const Matrix a = at_position(streams[static_cast<std::size_t>(l)], t, sequences);
      losses(l, t) = squared_norm(left_by_best_map(a, y)) / (2 * count);
    }
    // end 6.4
  });
  return losses;
}

std::vector<double> variance_explained(const std::vector<Tensor>& streams, const Tensor& targets, Index t,
                                       double smallest) {
  check_streams("variance_explained", streams, targets);
  const Index N = targets.dim(0), d = targets.dim(2);
  check(t >= 0 && t < targets.dim(1), "variance_explained: position ", t, " of targets ", targets.shape());
  std::vector<Index> all(static_cast<std::size_t>(N));
  std::iota(all.begin(), all.end(), Index{0});
  const Matrix y = centred(at_position(targets, t, all));
  const auto length = [&](const Matrix& a, Index j) { return norm_of(N, [&](Index n) { return a(n, j); }); };
  for (Index j = 0; j < d; ++j) {
    check(length(y, j) > 0, "variance_explained: component ", j, " is the same in all sequences at position ",
          t);
  }
  std::vector<double> result(streams.size());
  parallel_for(std::ssize(streams), [&](Index l) {
    const auto i = static_cast<std::size_t>(l);
    // exercise 6.5: result[i] is R² of stream l. A bias does what `centred` does.
    const Matrix error = left_by_best_map(centred(at_position(streams[i], t, all)), y, smallest);
    for (Index j = 0; j < d; ++j) {
      const double left = length(error, j) / length(y, j);
      result[i] += (1 - left * left) / static_cast<double>(d);
    }
    // end 6.5
  });
  return result;
}

}  // namespace mesagrad
