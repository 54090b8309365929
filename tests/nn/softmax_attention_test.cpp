// Causal softmax attention against the sums of its formula, its gradients against the definition.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/softmax_attention.h"

#include "tests/nn/attention_battery.h"

namespace mesagrad {
namespace {

HeadResults exact(const HeadArguments& x) {
  return {reference::softmax_attention(x.q, x.k, x.v),
          reference::softmax_attention_gradients(x.q, x.k, x.v, x.dout)};
}

// Values are of size 1, queries and keys of this size.
AttentionKind softmax(double size = 1) {
  const auto sizes = [=](const HeadArguments&, const HeadResults& e) -> HeadResults {
    return {largest_of(e.out, 1), {largest_of(e.d.q, size), largest_of(e.d.k, size), largest_of(e.d.v, 1)}};
  };
  return {causal_softmax_attention, exact, sizes, 10};
}

}  // namespace

TEST_CASE("softmax attention", "[softmax_attention]") { check_attention(softmax()); }

TEST_CASE("the probabilities of softmax attention sum to 1", "[softmax_attention]") {
  for (const double size : {0.1, 1.0, 3.0, 30.0}) {
    for (const Index T : {1, 7, 50, 65, 200}) {
      const Tensor q = random_tensor({2, T, 40}, 1, size), k = random_tensor({2, T, 40}, 2, size);
      const Tensor out = causal_softmax_attention(q, k, Tensor({2, T, 6}, 1), 2);
      CHECK(largest_difference(numbers_of(out), std::vector<real>(static_cast<std::size_t>(12 * T), 1)) <
            (in_double ? 1e-14 : 1e-6));
    }
  }
}

TEST_CASE("softmax attention to equal scores is the mean of what was seen", "[softmax_attention]") {
  const AttentionSizes s{1, 100, 1, 3, 1};
  const AttentionArguments x(s);
  const Tensor out = causal_softmax_attention(Tensor({1, 100, 3}, 0), x.k, x.v, 1);
  double sum = 0;
  for (Index t = 0; t < s.T; ++t) {
    sum += static_cast<double>(x.v[t]);
    CHECK(std::abs(static_cast<double>(out[t]) - sum / static_cast<double>(t + 1)) < 10 * epsilon);
  }
}

// Keys are whole numbers, so that scores of ±10⁴ are exact, in float too.
TEST_CASE("softmax attention bears scores of 10000", "[softmax_attention]") {
  for (const Index T : {1, 9, 50, 140}) {
    const AttentionSizes s{1, T, 1, 1, 3};
    for (const double sign : {1.0, -1.0}) {
      AttentionArguments x(s);
      for (Index t = 0; t < T; ++t) {
        x.q[t] = static_cast<real>(100 * sign);
        x.k[t] = static_cast<real>((t * 37) % 201 - 100);  // T different numbers, from -100 to 100
      }
      check_formula(softmax(100), x);
    }
    AttentionArguments equal(s);  // all scores 10⁴, and all -10⁴
    for (const double sign : {1.0, -1.0}) {
      std::fill_n(equal.q.data(), T, static_cast<real>(100 * sign));
      std::fill_n(equal.k.data(), T, real{100});
      check_formula(softmax(100), equal);
    }
  }
}

TEST_CASE("softmax attention does not hide a NaN", "[softmax_attention]") {
  const AttentionSizes s{1, 30, 1, 3, 2};
  const AttentionArguments x(s);
  x.k[20 * s.K] = std::numeric_limits<real>::quiet_NaN();
  const Tensor out = causal_softmax_attention(x.q, x.k, x.v, s.H);
  for (Index t = 0; t < s.T; ++t) {
    for (Index n = 0; n < s.V; ++n) CHECK(std::isnan(out[t * s.V + n]) == (t >= 20));
  }
}

TEST_CASE("softmax attention says which shapes do not fit", "[softmax_attention][errors]") {
  check_attention_errors("causal_softmax_attention", softmax());
}

}  // namespace mesagrad
