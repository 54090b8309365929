// What is done across the numbers of a vector, for registers of every size.
#include "tests/catch.h"  // first, because it is precompiled

#include "core/simd.h"
#include "tests/helpers.h"

namespace mesagrad {

TEST_CASE("numbers of a vector, moved and summed up", "[simd]") {
  Vector x = {};
  for (Index j = 0; j < lanes; ++j) x[j] = static_cast<real>((j * 7 + 3) % lanes);
  const Vector sum = over_lanes(x, [](Vector a, Vector b) { return a + b; });
  const Vector largest = over_lanes(x, [](Vector a, Vector b) { return a > b ? a : b; });
  for (Index j = 0; j < lanes; ++j) {
    CHECK(sum[j] == static_cast<real>(lanes * (lanes - 1) / 2));
    CHECK(largest[j] == static_cast<real>(lanes - 1));
  }
  for (Index count = 0; count <= lanes; ++count) {
    const Vector some = first(count, x, -1);
    for (Index j = 0; j < lanes; ++j) CHECK(some[j] == (j < count ? x[j] : -1));
  }
}

TEST_CASE("the first numbers of a vector are stored or added, and no others touched", "[simd]") {
  for (const bool add : {false, true}) {
    for (Index count = 0; count <= lanes; ++count) {
      Vector x;
      for (Index j = 0; j < lanes; ++j) x[j] = static_cast<real>(j + 1);
      std::vector<real> to(static_cast<std::size_t>(lanes) + 1, -7), expected = to;
      for (std::size_t j = 0; j < static_cast<std::size_t>(count); ++j) {
        expected[j] = static_cast<real>(j + 1) + (add ? expected[j] : 0);
      }
      store_first(count, x, to.data(), add);
      CHECK(to == expected);
    }
  }
}

TEST_CASE("a square of vectors is transposed", "[simd]") {
  Vector row[lanes];
  for (Index i = 0; i < lanes; ++i) {
    for (Index j = 0; j < lanes; ++j) row[i][j] = static_cast<real>(100 * i + j);
  }
  transpose(row);
  for (Index i = 0; i < lanes; ++i) {
    for (Index j = 0; j < lanes; ++j) CHECK(row[i][j] == static_cast<real>(100 * j + i));
  }
}

}  // namespace mesagrad
