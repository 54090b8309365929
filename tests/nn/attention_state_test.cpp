// Operations that are given a state go on from it.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/attention_state.h"

#include "core/norm.h"
#include "nn/gated_layers.h"
#include "nn/mesa.h"
#include "nn/softmax_attention.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

constexpr Index heads = 2;

// Of queries and keys (B, T, H·K), and values.
using Attend = Tensor (*)(const Tensor& q, const Tensor& k, const Tensor& v, AttentionState* state);
struct Operation {
  const char* name;
  Attend attend;
};

Tensor gates(const Tensor& q, double value) {
  return Tensor({q.dim(0), q.dim(1), heads}, static_cast<real>(value));
}

const std::vector<Operation> operations = {
    {"gated_linear_attention",  // which is what linear attention goes on with
     [](const Tensor& q, const Tensor& k, const Tensor& v, AttentionState* state) {
       return causal_linear_attention(q, k, v, heads, state);
     }},
    {"causal_softmax_attention",
     [](const Tensor& q, const Tensor& k, const Tensor& v, AttentionState* state) {
       return causal_softmax_attention(q, k, v, heads, state);
     }},
    {"preconditioned_queries",
     [](const Tensor& q, const Tensor& k, const Tensor&, AttentionState* state) {
       return preconditioned_queries(q, k, Tensor({heads}, 2), heads, state);
     }},
    {"gated_linear_attention",
     [](const Tensor& q, const Tensor& k, const Tensor& v, AttentionState* state) {
       return gated_linear_attention(q, k, v, gates(q, -0.3), gates(q, 0.7), heads, state);
     }},
    {"gated_delta_rule",
     [](const Tensor& q, const Tensor& k, const Tensor& v, AttentionState* state) {
       return gated_delta_rule(q, safe_unit_length(k, heads), v, gates(q, -0.3), gates(q, 0.7), heads, state);
     }},
    {"gated_preconditioned_queries",
     [](const Tensor& q, const Tensor& k, const Tensor&, AttentionState* state) {
       return gated_preconditioned_queries(q, k, gates(q, -0.3), gates(q, 0.7), Tensor({q.dim(2)}, 1), heads,
                                           {}, state);
     }}};

// One sequence's tokens begin .. end - 1.
Tensor part(const Tensor& x, Index begin, Index end) {
  const Index n = x.dim(2);
  return Tensor({1, end - begin, n},
                std::span<const real>(x.data() + begin * n, static_cast<std::size_t>((end - begin) * n)));
}

}  // namespace

TEST_CASE("operations go on from a state as if there had been no break", "[decoder]") {
  constexpr Index T = 70;
  const Tensor q = random_tensor({1, T, heads * 5}, 1), k = random_tensor({1, T, heads * 5}, 2),
               v = random_tensor({1, T, heads * 3}, 3);
  for (const Operation& operation : operations) {
    INFO(operation.name);
    const Tensor expected = operation.attend(q, k, v, nullptr);
    const double size = norm(expected.data(), expected.size()), tolerance = 20 * epsilon * size;
    AttentionState state;
    Index begin = 0;
    for (const Index end : {Index{0}, Index{7}, Index{7}, Index{8}, T}) {  // some pieces are empty
      const Tensor result =
          operation.attend(part(q, begin, end), part(k, begin, end), part(v, begin, end), &state);
      state.tokens += end - begin;
      CHECK(largest_difference(numbers_of(result), numbers_of(part(expected, begin, end))) < tolerance);
      begin = end;
    }
  }
}

TEST_CASE("operations read no memory of a state before they write it", "[decoder]") {
  const Tensor q = random_tensor({2, 9, heads * 5}, 1), v = random_tensor({2, 9, heads * 3}, 3);
  for (const Operation& operation : operations) {
    INFO(operation.name);
    const auto twice = [&](const std::vector<Tensor>& x) {
      AttentionState state;
      operation.attend(x[0], x[0], x[1], &state);
      state.tokens = x[0].dim(1);
      const Tensor result = operation.attend(x[0], x[0], x[1], &state);
      for (const Tensor& kept : {state.keys, state.values}) CHECK((!kept.defined() || slack_intact(kept)));
      return numbers_of(result);
    };
    const std::vector<real> expected = twice({q, v});
    Arena used;
    fill_with_nan(used);
    const Arena::Scope scope(used);
    CHECK(twice({q, v}) == expected);
  }
}

TEST_CASE("operations refuse the states of others, and gradients through a state", "[decoder][errors]") {
  const Tensor x = random_tensor({2, 3, 8}, 1), weight = x.copy().requires_grad();
  for (const Operation& operation : operations) {
    AttentionState state;
    {
      Tape tape;
      CHECK(lacks([&] { operation.attend(weight, x, x, &state); },
                  {operation.name, "a state passes no gradient on"}) == "");
    }
    operation.attend(weight, x, x, &state);  // without a tape there is no gradient
    AttentionState foreign{.tokens = 3, .keys = Tensor({1}), .values = Tensor({1})};
    CHECK(lacks([&] { operation.attend(x, x, x, &foreign); },
                {operation.name, "the state's shape is (1)"}) == "");
  }
}

}  // namespace mesagrad
