#include "nn/gated_mesa_forms.h"

#include <algorithm>
#include <vector>

#include "core/elementary.h"
#include "core/parallel.h"
#include "nn/gated_mesa.h"
#include "nn/mesa_solver.h"

namespace mesagrad {
namespace {

// One head of one sequence, and where it is in its chunk.
class Chunks {
 public:
  Chunks(Index K, Index V, Index chunk, const real* penalty)
      : K_(K), V_(V), penalty_(penalty), H_(numbers(K * K)), G_(numbers(V * K)), since_(numbers(chunk)),
        W_(numbers(chunk * chunk)), r_(numbers(K)), p_(numbers(K)), y_(numbers(K)), x_(numbers(K)) {}

  // Rows of C tokens: q, k with `stride` numbers from one to the next, v and out with `v_stride`.
  void operator()(Index C, const real* q, const real* k, Index stride, const real* v, real* out,
                  Index v_stride, const real* log_decay, const real* strength, Index gate_stride,
                  Index steps) {
    weigh(C, log_decay, strength, gate_stride);
    for (Index t = 0; t < C; ++t) {
      const real* w = W_.data() + t * C;
      const real since = since_[static_cast<std::size_t>(t)];
      const auto product = [&](const real* p, real* y) {
        for (Index j = 0; j < K_; ++j) y[j] = 0;
        for (Index i = 0; i < K_; ++i) add_multiple(K_, since * p[i], H_.data() + i * K_, y);
        for (Index i = 0; i <= t; ++i) add_multiple(K_, w[i] * dot(K_, p, k + i * stride), k + i * stride, y);
        for (Index j = 0; j < K_; ++j) y[j] += penalty_[j] * p[j];
      };
      conjugate_gradients(K_, steps, product, q + t * stride, x_.data(), r_.data(), p_.data(), y_.data());
      real* o = out + t * v_stride;
      for (Index j = 0; j < V_; ++j) o[j] = since * dot(K_, x_.data(), G_.data() + j * K_);
      for (Index i = 0; i <= t; ++i)
        add_multiple(V_, w[i] * dot(K_, x_.data(), k + i * stride), v + i * v_stride, o);
    }
    const real all = since_[static_cast<std::size_t>(C - 1)];
    for (real& h : H_) h *= all;
    for (real& g : G_) g *= all;
    for (Index i = 0; i < C; ++i) {
      const real *k_i = k + i * stride, *v_i = v + i * v_stride,
                 w = W_[static_cast<std::size_t>((C - 1) * C + i)];
      for (Index j = 0; j < K_; ++j) add_multiple(K_, w * k_i[j], k_i, H_.data() + j * K_);
      for (Index j = 0; j < V_; ++j) add_multiple(K_, w * v_i[j], k_i, G_.data() + j * K_);
    }
  }

 private:
  static std::vector<real> numbers(Index n) { return std::vector<real>(static_cast<std::size_t>(n)); }

  // e^{c_t} and W. The sums c are of this chunk alone, so that their differences keep their digits, and
  // differences are only taken for i <= t, where none is above 0: e to the others could be infinite, and
  // infinity times a mask of 0 is no number.
  void weigh(Index C, const real* log_decay, const real* strength, Index stride) {
    std::vector<double> c(static_cast<std::size_t>(C));
    double sum = 0;
    for (Index t = 0; t < C; ++t) {
      const auto n = static_cast<std::size_t>(t);
      c[n] = sum += std::clamp(static_cast<double>(log_decay[t * stride]), least_log_decay, 0.0);
      since_[n] = static_cast<real>(exponential(sum));
      for (Index i = 0; i <= t; ++i) {
        W_[static_cast<std::size_t>(t * C + i)] =
            static_cast<real>(exponential(c[n] - c[static_cast<std::size_t>(i)])) * strength[i * stride];
      }
    }
  }

  Index K_, V_;
  const real* penalty_;
  std::vector<real> H_, G_, since_, W_, r_, p_, y_, x_;
};

}  // namespace

Tensor chunked_gated_mesa(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& log_decay,
                          const Tensor& strength, const Tensor& penalty, Index heads, Index chunk,
                          Index steps) {
  const auto shapes = [&] {
    return text("chunked_gated_mesa: q ", q.shape(), ", k ", k.shape(), ", v ", v.shape(), ", penalty ",
                penalty.shape(), ", gates ", log_decay.shape(), " and ", strength.shape());
  };
  check(heads > 0 && q.shape().rank() == 3 && q.shape() == k.shape() && v.shape().rank() == 3 &&
            q.dim(2) % heads == 0 && v.dim(2) % heads == 0 && v.rows() == q.rows() && v.dim(1) == q.dim(1) &&
            penalty.shape() == Shape{q.dim(2)} && log_decay.shape() == Shape({q.dim(0), q.dim(1), heads}) &&
            strength.shape() == log_decay.shape(),
        shapes, ", and ", heads, " heads do not fit");
  check(chunk > 0 && steps >= 0, "chunked_gated_mesa: chunks of ", chunk, " tokens, ", steps, " steps");
  const Index T = q.dim(1), K = q.dim(2) / heads, V = v.dim(2) / heads;
  const Tensor out(v.shape());
  parallel_for(q.dim(0) * heads, [&](Index problem) {
    const Index b = problem / heads, h = problem % heads;
    Chunks chunks(K, V, std::min(chunk, T), penalty.data() + h * K);
    for (Index t = 0; t < T; t += chunk) {
      const Index row = b * T + t, keys = row * heads * K + h * K, values = row * heads * V + h * V,
                  gates = row * heads + h;
      chunks(std::min(chunk, T - t), q.data() + keys, k.data() + keys, heads * K, v.data() + values,
             out.data() + values, heads * V, log_decay.data() + gates, strength.data() + gates, heads, steps);
    }
  });
  return out;
}

}  // namespace mesagrad
