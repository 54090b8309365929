#include "tasks/forgetting.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/norm.h"

namespace mesagrad {

Shape SwitchingDynamics::shape() const {
  const auto is_size = [](double x) { return x >= 0 && std::isfinite(x); };
  check(dimension > 0 && tokens >= 4, "switching dynamics: ", tokens, " tokens of dimension ", dimension,
        "; there must be at least four");
  check(is_size(noise) && is_size(range), "switching dynamics: noise ", noise, ", range ", range,
        "; none may be negative or infinite");
  return {tokens + 1, dimension};
}

SwitchingDynamics::Sequence SwitchingDynamics::sample(Random random) const {
  shape();
  const Index d = dimension, quarter = tokens / 4;
  const Matrix systems[] = {random_orthogonal(d, random), random_orthogonal(d, random)};
  const auto extra = static_cast<Index>(random.uniform() * static_cast<double>(2 * quarter));
  Sequence sequence{quarter + extra, Matrix(tokens + 1, d)};
  Matrix& s = sequence.states;
  for (Index i = 0; i < d; ++i) s(0, i) = random.uniform(-range, range);
  for (Index t = 0; t < tokens; ++t) {
    const Matrix& W = systems[t >= sequence.switched];
    for (Index i = 0; i < d; ++i) {
      double next = noise * random.normal();
      for (Index j = 0; j < d; ++j) next += W(i, j) * s(t, j);
      s(t + 1, i) = next;
    }
  }
  return sequence;
}

Batch SwitchingDynamics::batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const {
  shape();
  const Index d = dimension, T = tokens, width = 3 * d + 1;
  Batch result{Tensor({count, T, width}), Tensor({count, T, d})};
  for (Index b = 0; b < count; ++b) {
    const Sequence sequence = sample(Random(seed, stream, static_cast<std::uint64_t>(first + b)));
    for (Index t = 0; t < T; ++t) {
      real *token = result.inputs.data() + (b * T + t) * width,
           *label = result.labels.data() + (b * T + t) * d;
      for (Index i = 0; i < d; ++i) {
        token[d + i] = static_cast<real>(sequence.states(t, i));
        if (t > 0) token[2 * d + i] = static_cast<real>(sequence.states(t - 1, i));
        label[i] = static_cast<real>(sequence.states(t + 1, i));
      }
      if (cue && t == sequence.switched + 1) token[3 * d] = 1;
    }
  }
  return result;
}

namespace {

double dot(Index n, const double* a, const double* b) {
  double sum = 0;
  for (Index j = 0; j < n; ++j) sum += a[j] * b[j];
  return sum;
}

void scale(Matrix& a, double factor) {
  for (double& x : a.values()) x *= factor;
}

// a += u vᵀ
void add_outer(Matrix& a, const std::vector<double>& u, const double* v) {
  for (Index i = 0; i < a.rows(); ++i) {
    for (Index j = 0; j < a.columns(); ++j) a(i, j) += u[static_cast<std::size_t>(i)] * v[j];
  }
}

}  // namespace

Index losses_of_memory(const Memory& memory, const SwitchingDynamics::Sequence& sequence, double* out) {
  const bool solves = memory.kind == Memory::Kind::least_squares;
  check(memory.decay >= 0 && memory.decay <= 1 && memory.strength >= 0 && (!solves || memory.penalty > 0),
        "memory: decay ", memory.decay, ", strength ", memory.strength, ", penalty ", memory.penalty);
  const Matrix& s = sequence.states;
  const Index T = s.rows() - 1, d = s.columns();
  Matrix unit(T, d), Phi(d, d), H(d, d);
  for (Index t = 0; t < T; ++t) {
    const double length = std::max(norm(s.row(t), d), 1e-300);
    for (Index j = 0; j < d; ++j) unit(t, j) = s(t, j) / length;
  }
  Index resets = 0, emptied = 0;  // how often Φ was emptied, and with which token
  std::vector<double> write(static_cast<std::size_t>(d));
  for (Index t = 0; t < T; ++t) {
    if (t > 0) {  // the pair that ends with s_t
      const double* k = unit.row(t - 1);
      const bool surprised = memory.forget == Memory::Forget::on_surprise && t - emptied > d + 1 &&
                             4 * out[t - 1] > dot(d, s.row(t), s.row(t));
      const bool told = memory.forget == Memory::Forget::at_switch && t == sequence.switched + 1;
      const double decay = surprised || told ? 0 : memory.decay;
      if (surprised || told) {
        ++resets;
        emptied = t;
      }
      scale(Phi, decay);
      for (Index i = 0; i < d; ++i) {
        const double old = memory.kind == Memory::Kind::delta ? dot(d, Phi.row(i), k) : 0;
        write[static_cast<std::size_t>(i)] = memory.strength * (s(t, i) - old);
      }
      add_outer(Phi, write, k);
      if (solves) {
        scale(H, decay);
        for (Index i = 0; i < d; ++i) write[static_cast<std::size_t>(i)] = memory.strength * k[i];
        add_outer(H, write, k);
      }
    }
    Matrix q(d, 1);
    for (Index j = 0; j < d; ++j) q(j, 0) = unit(t, j);
    if (solves) {
      Matrix A = H;
      for (Index j = 0; j < d; ++j) A(j, j) += memory.penalty;
      q = cholesky_solve(A, q);
    }
    out[t] = 0;
    for (Index i = 0; i < d; ++i) {
      const double error = memory.scale * dot(d, Phi.row(i), q.values().data()) - s(t + 1, i);
      out[t] += error * error / 2;
    }
  }
  return resets;
}

Forgetting forgetting_of(const SwitchingDynamics& task, std::uint64_t seed, std::uint32_t stream,
                         const std::vector<double>& losses) {
  const Index T = task.tokens, d = task.dimension, quarter = T / 4;
  const Index sequences = std::ssize(losses) / T;
  check(sequences > 0 && sequences * T == std::ssize(losses) && 2 * d < quarter,
        "forgetting_of: ", losses.size(), " losses of sequences of ", T, " tokens, of dimension ", d,
        "; 2d must be less than a quarter of T");
  const LossCurve all = summarize(losses, T);
  Forgetting result;
  result.mean = all.total();
  result.standard_error = all.standard_error();
  result.around.resize(static_cast<std::size_t>(2 * quarter));
  const double share = 1 / static_cast<double>(sequences);
  for (Index b = 0; b < sequences; ++b) {
    const Index n = task.sample(Random(seed, stream, static_cast<std::uint64_t>(b))).switched;
    const double* at = losses.data() + b * T + n;
    result.before += share * at[-1];
    result.at += share * at[0];
    result.after += share * at[d];
    result.later += share * at[2 * d];
    for (Index i = 0; i < 2 * quarter; ++i) {
      result.around[static_cast<std::size_t>(i)] += share * at[i - quarter];
    }
  }
  return result;
}

Forgetting forgetting_of(const SwitchingDynamics& task, std::uint64_t seed, std::uint32_t stream,
                         Index sequences, const Memory& memory) {
  const Index T = task.tokens;
  std::vector<double> losses(static_cast<std::size_t>(sequences * T)),
      resets(static_cast<std::size_t>(sequences));
  parallel_for(sequences, [&](Index b) {
    const auto sequence = task.sample(Random(seed, stream, static_cast<std::uint64_t>(b)));
    resets[static_cast<std::size_t>(b)] =
        static_cast<double>(losses_of_memory(memory, sequence, losses.data() + b * T));
  });
  Forgetting result = forgetting_of(task, seed, stream, losses);
  result.resets = std::accumulate(resets.begin(), resets.end(), 0.0) / static_cast<double>(sequences);
  return result;
}

}  // namespace mesagrad
