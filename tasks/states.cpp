#include "tasks/states.h"

namespace mesagrad {
namespace {

// Tokens (B, T, D) for states (B, T + 1, d): write(to, s_t, s_{t-1} or nullptr at t = 0) writes each of them,
// as so many groups of d channels.
template <class Write>
Tensor each_token(const char* op, const Tensor& states, Index groups, const Write& write) {
  check(states.shape().rank() == 3 && states.dim(1) >= 1, op, ": states ", states.shape(),
        " should be (B, T + 1, d)");
  const Index steps = states.dim(1), d = states.dim(2);
  const Tensor tokens = Tensor::uninitialized({states.dim(0), steps - 1, groups * d});
  real* to = tokens.data();
  for (Index b = 0; b < states.dim(0); ++b) {
    for (Index t = 0; t + 1 < steps; ++t, to += groups * d) {
      const real* s = states.data() + (b * steps + t) * d;
      write(to, s, t > 0 ? s - d : nullptr);
    }
  }
  return tokens;
}

}  // namespace

Tensor next_states(const Tensor& states) {
  return each_token("next_states", states, 1, [&](real* to, const real* s, const real*) {
    const Index d = states.dim(2);
    std::copy_n(s + d, d, to);
  });
}

Tensor current_states(const Tensor& states) {
  return each_token("current_states", states, 1, [&](real* to, const real* s, const real*) {
    std::copy_n(s, states.dim(2), to);
  });
}

Tensor constructed_tokens(const Tensor& states) {
  return each_token("constructed_tokens", states, 4, [&](real* to, const real* s, const real* previous) {
    const Index d = states.dim(2);
    std::fill_n(to, 4 * d, real{0});
    std::copy_n(s, d, to + d);
    std::copy_n(s, d, to + 2 * d);
    if (previous != nullptr) std::copy_n(previous, d, to + 3 * d);
  });
}

}  // namespace mesagrad
