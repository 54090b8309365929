#include "tasks/token_binding.h"

#include <algorithm>
#include <cmath>

#include "core/elementary.h"
#include "core/norm.h"
#include "core/tape.h"
#include "tasks/probes.h"

namespace mesagrad {
namespace {

// x[:, t, :] of x (N, T, D), as (N, 1, D).
Tensor at_position(const Tensor& x, Index t) {
  const Index N = x.dim(0), T = x.dim(1), D = x.dim(2);
  const Tensor result({N, 1, D});
  for (Index n = 0; n < N; ++n) std::copy_n(x.data() + (n * T + t) * D, D, result.data() + n * D);
  return result;
}

void check_position(const char* op, const Tensor& x, Index t) {
  check(x.shape().rank() == 3 && t >= 0 && t < x.dim(1), op, ": position ", t, " of ", x.shape(),
        "; expected a tensor (B, T, D) and 0 <= t < T");
}

}  // namespace

std::vector<double> sensitivity(const std::function<Tensor(const Tensor&)>& f, const Tensor& x, Index t) {
  check_position("sensitivity", x, t);
  const Index B = x.dim(0), T = x.dim(1), d = x.dim(2);
  std::vector<double> result(static_cast<std::size_t>(T));
  Tensor input = x.copy();
  input.requires_grad();
  for (Index l = 0, D = 1; l < D; ++l) {
    Tape tape;
    const Tensor y = f(input);
    check_position("sensitivity", y, t);
    check(y.dim(0) == B && y.dim(1) == T && y.dim(2) > 0, "sensitivity: f makes ", y.shape(), " of ",
          x.shape());
    D = y.dim(2);
    const Tensor only_l(y.shape());  // ones at [b, t, l]
    for (Index b = 0; b < B; ++b) only_l[(b * T + t) * D + l] = 1;
    std::fill_n(input.grad(), input.size(), real{0});
    tape.backward(y, only_l);
    for (Index b = 0; b < B; ++b) {
      for (Index s = 0; s < T; ++s) {
        const double slope = norm(input.grad() + (b * T + s) * d, d);
        result[static_cast<std::size_t>(s)] += slope / static_cast<double>(B * D);
      }
    }
  }
  return result;
}

std::vector<double> by_steps_back(const std::vector<double>& S, Index t, Index back) {
  check(t < std::ssize(S) && back >= 0 && back < t, "by_steps_back: ", back, " steps back from position ", t,
        " of ", S.size(), ", and at least one more");
  std::vector<double> result;
  double older = 0;
  for (Index i = t; i >= 0; --i) {
    const double one = S[static_cast<std::size_t>(i)];
    if (i >= t - back) result.push_back(one);
    else older += one / static_cast<double>(t - back);
  }
  result.push_back(older);
  return result;
}

std::vector<double> token_probe(const Tensor& stream, const Tensor& states, Index t) {
  check_position("token_probe", stream, t);
  check_position("token_probe", states, t);
  const std::vector<Tensor> token = {at_position(stream, t)};
  std::vector<double> result;
  for (Index s = 0; s < states.dim(1); ++s) {
    const double half_squares = linear_probe(token, at_position(states, s))(0, 0);
    result.push_back(2 * half_squares / static_cast<double>(states.dim(2)));
  }
  return result;
}

std::vector<Matrix> attention_maps(const SelfAttention& layer, const Tensor& x, const Tensor& positions) {
  check(std::holds_alternative<SoftmaxAttention>(layer.mixer),
        "attention_maps: only softmax attention has weights that add up to 1");
  check_position("attention_maps", x, 0);
  const auto [q_of_all, k_of_all] = layer.queries_and_keys(x, positions);
  const Tensor &q = q_of_all, &k = k_of_all;  // lambdas cannot capture the names above
  const Index B = x.dim(0), T = x.dim(1), width = q.dim(-1);
  check(layer.heads > 0 && width > 0 && width % layer.heads == 0, "attention_maps: ", layer.heads,
        " heads do not divide queries ", q.shape());
  const Index K = width / layer.heads;
  std::vector<Matrix> result(static_cast<std::size_t>(layer.heads), Matrix(T, T));
  // exercise 8.9: map h is the mean over b of the weights that head h of sequence b makes of q and k
  std::vector<double> weight(static_cast<std::size_t>(T));
  for (Index h = 0; h < layer.heads; ++h) {
    Matrix& map = result[static_cast<std::size_t>(h)];
    for (Index b = 0; b < B; ++b) {
      for (Index t = 0; t < T; ++t) {
        const auto row = [&](const Tensor& of, Index token) {
          return of.data() + (b * T + token) * width + h * K;
        };
        const auto end = weight.begin() + t + 1;
        for (Index s = 0; s <= t; ++s) {
          double score = 0;
          for (Index j = 0; j < K; ++j) score += static_cast<double>(row(q, t)[j]) * row(k, s)[j];
          weight[static_cast<std::size_t>(s)] = score / std::sqrt(static_cast<double>(K));
        }
        const double largest = *std::max_element(weight.begin(), end);
        double sum = 0;
        for (auto w = weight.begin(); w != end; ++w) sum += *w = exponential(*w - largest);
        for (Index s = 0; s <= t; ++s)
          map(t, s) += weight[static_cast<std::size_t>(s)] / sum / static_cast<double>(B);
      }
    }
  }
  return result;
  // end 8.9
}

}  // namespace mesagrad
