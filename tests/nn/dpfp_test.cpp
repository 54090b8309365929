// DPFP features against their definition.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/dpfp.h"

#include "tests/helpers.h"

namespace mesagrad {

TEST_CASE("dpfp multiplies numbers of the two halves some places apart", "[dpfp]") {
  for (const Index heads : {1, 3}) {
    for (const Index K : {1, 2, 5, 16}) {
      for (const Index n : {1, 2, 3, 7}) {
        const Tensor x = random_tensor({2, 4, heads * K}, 1);
        const Tensor out = dpfp(x, heads, n);
        REQUIRE(out.shape() == Shape({2, 4, heads * 2 * K * n}));
        for (Index row = 0; row < 8 * heads; ++row) {
          const auto r = [&](Index i) {
            const Index place = (i % (2 * K) + 2 * K) % (2 * K);
            const real number = x[row * K + place % K];
            return std::max(real{0}, place < K ? number : -number);
          };
          for (Index f = 0; f < 2 * K * n; ++f) {
            const Index i = f % (2 * K), j = f / (2 * K) + 1;
            CHECK(out[row * 2 * K * n + f] == r(i) * r(i - j));
          }
        }
      }
    }
  }
}

TEST_CASE("dpfp's gradient agrees with differences", "[dpfp]") {
  for (const Index n : {1, 3, 5}) {
    const auto f = [n](const auto& x) { return dpfp(x[0], 2, n); };
    check_operation(f, {random_tensor({2, 3, 6}, 1)});
    check_threads(f, {random_tensor({50, 40, 40}, 1)});
  }
}

TEST_CASE("dpfp refuses what has no features", "[dpfp][errors]") {
  CHECK(lacks([] { dpfp(Tensor({2, 5}), 2, 1); }, {"dpfp", "2 heads do not divide", "(2, 5)"}) == "");
  CHECK(lacks([] { dpfp(Tensor({2, 4}), 0, 1); }, {"dpfp", "0 heads"}) == "");
  CHECK(lacks([] { dpfp(Tensor({2, 4}), 2, 0); }, {"dpfp", "order is 0"}) == "");
  CHECK(lacks([] { dpfp(Tensor(), 2, 1); }, {"dpfp"}) == "");
  CHECK(dpfp(Tensor({0, 4}), 2, 3).shape() == Shape({0, 24}));
}

}  // namespace mesagrad
