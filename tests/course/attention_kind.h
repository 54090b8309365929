// Checks of a kind of attention against its reference: for assignments 3 and 8.
#pragma once
#include <algorithm>
#include <string>

#include "nn/reference.h"
#include "tests/course/check.h"

namespace mesagrad::course {

// Of B sequences of T tokens, with H heads; dout is the gradient of the result.
struct AttentionArguments {
  Index heads;
  Tensor q, k, v, dout;
  AttentionArguments(Index B, Index T, Index H, Index K, Index V)
      : heads(H),
        q(random_tensor({B, T, H * K}, 1)),
        k(random_tensor({B, T, H * K}, 2)),
        v(random_tensor({B, T, H * V}, 3)),
        dout(random_tensor({B, T, H * V}, 4)) {}
};

// f(where, head) for each head of each sequence, where head(x) is that part of x.
template <class F>
void each_head(const Tensor& x, Index heads, const F& f) {
  for (Index b = 0; b < x.dim(0); ++b) {
    for (Index h = 0; h < heads; ++h) {
      f(text("sequence ", b, ", head ", h, ": "),
        [=](const Tensor& of) { return reference::head_of(of, b, h, heads); });
    }
  }
}

inline Tensor tensor_of(const Shape& shape, const real* values) {
  return Tensor(shape, std::span<const real>(values, static_cast<std::size_t>(shape.size())));
}

// Tokens `from` .. `to` - 1 of x (B, T, D).
inline Tensor tokens_of(const Tensor& x, Index from, Index to) {
  const Index B = x.dim(0), T = x.dim(1), D = x.dim(2);
  const Tensor result({B, to - from, D});
  for (Index b = 0; b < B; ++b)
    std::copy_n(x.data() + (b * T + from) * D, (to - from) * D, result.data() + b * (to - from) * D);
  return result;
}

// Memory is handed out as it was left: what is not written has these numbers afterwards.
inline void leave_traces(std::initializer_list<const Tensor*> of_their_sizes) {
  std::vector<Tensor> left;
  for (const Tensor* x : of_their_sizes) {
    for (int n = 0; n < 64; ++n) left.emplace_back(x->shape(), real{7});
  }
}

struct AttentionKind {
  Tensor (*attend)(const Tensor& q, const Tensor& k, const Tensor& v, Index heads);
  Matrix (*out_of)(const Matrix& q, const Matrix& k, const Matrix& v);
  reference::AttentionGradients (*gradients_of)(const Matrix& q, const Matrix& k, const Matrix& v,
                                                const Matrix& dout);

  Tensor out(const AttentionArguments& x) const { return attend(x.q, x.k, x.v, x.heads); }

  void expect_reference(const AttentionArguments& x) const {
    leave_traces({&x.q, &x.k, &x.v});
    const Tensor result = out(x);
    each_head(result, x.heads, [&](const std::string& where, const auto& head) {
      expect_equal(where + "out", head(result), out_of(head(x.q), head(x.k), head(x.v)));
    });
  }

  // By differences.
  void expect_slopes(const AttentionArguments& x) const {
    const auto f = [&](const std::vector<Tensor>& y) { return attend(y[0], y[1], y[2], x.heads); };
    expect_gradient(f, {x.q, x.k, x.v}, {"q", "k", "v"});
  }

  // Of q, k and v; or of one of them alone, the 0th, 1st or 2nd, when the others have no gradient.
  static constexpr int all = -1;
  void expect_reference_gradients(AttentionArguments x, int wanted = all) const {
    Tensor* inputs[] = {&x.q, &x.k, &x.v};
    for (int n = 0; n < 3; ++n)
      if (wanted == all || wanted == n) inputs[n]->requires_grad();
    Tape tape;
    const Tensor result = out(x);
    leave_traces({&x.q, &x.k, &x.v});
    tape.backward(result, x.dout);
    each_head(x.q, x.heads, [&](const std::string& where, const auto& head) {
      const reference::AttentionGradients d = gradients_of(head(x.q), head(x.k), head(x.v), head(x.dout));
      const Matrix* expected[] = {&d.q, &d.k, &d.v};
      for (int n = 0; n < 3; ++n) {
        const char* names[] = {"dq", "dk", "dv"};
        const Tensor& input = *inputs[n];
        if (!input.has_grad()) continue;
        expect_equal(text(where, wanted == all ? "" : "when nothing else has a gradient, ", names[n]),
                     head(tensor_of(input.shape(), input.grad())), *expected[n]);
      }
    });
  }
};

}  // namespace mesagrad::course
