// Causal linear attention against the sums of its formula, its gradients against the definition.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/attention.h"

#include "tests/nn/attention_battery.h"

namespace mesagrad {
namespace {

HeadResults exact(const HeadArguments& x) {
  return {reference::linear_attention(x.q, x.k, x.v),
          reference::linear_attention_gradients(x.q, x.k, x.v, x.dout)};
}

// Results and gradients are sums of products: the sum of the sizes of their terms is that of absolute values.
HeadResults sizes(const HeadArguments& x, const HeadResults&) {
  return exact({absolute(x.q), absolute(x.k), absolute(x.v), absolute(x.dout)});
}

const AttentionKind linear{causal_linear_attention, exact, sizes, 3};

}  // namespace

TEST_CASE("linear attention", "[attention]") { check_attention(linear); }

TEST_CASE("linear attention says which shapes do not fit", "[attention][errors]") {
  check_attention_errors("causal_linear_attention", linear);
}

}  // namespace mesagrad
