// Features of keys, and outputs of unit length, around linear attention and the mesa-layer.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/mixer.h"

#include "nn/reference.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

constexpr Index H = 2, K = 3, T = 6;

Matrix with_unit_rows(Matrix x, double length = 1) {
  for (Index t = 0; t < x.rows(); ++t) {
    double square = 0;
    for (Index j = 0; j < x.columns(); ++j) square += x(t, j) * x(t, j);
    for (Index j = 0; j < x.columns(); ++j) x(t, j) *= length / std::sqrt(square);
  }
  return x;
}

// Head h of sequence b, as attention sees it.
Matrix seen(const KeyFeatures& features, const Tensor& k, Index b, Index h) {
  const Matrix x = reference::head_of(features.dpfp > 0 ? dpfp(k, H, features.dpfp) : k, b, h, H);
  return features.unit_keys ? with_unit_rows(x) : x;
}

template <class Kind>
void check_kind(Kind kind, const KeyFeatures& features) {
  INFO("features" << features.name());
  kind.features = features;
  kind.start(H);
  const Tensor q = random_tensor({2, T, H * K}, 1), k = random_tensor({2, T, H * K}, 2),
               v = random_tensor({2, T, H * K}, 3);
  const Tensor out = kind(q, k, v, H);
  for (Index b = 0; b < 2; ++b) {
    for (Index h = 0; h < H; ++h) {
      Matrix queries = seen(features, q, b, h);
      const Matrix keys = seen(features, k, b, h);
      if constexpr (std::is_same_v<Kind, MesaLayer>) {
        queries = reference::preconditioned_queries(queries, keys, 1);
      }
      Matrix expected = reference::linear_attention(queries, keys, reference::head_of(v, b, h, H));
      if (features.unit_outputs) expected = with_unit_rows(expected, std::sqrt(double{K}));
      const Matrix ours = reference::head_of(out, b, h, H);
      CHECK(largest_difference(ours.values(), expected.values()) < 1e4 * epsilon);
    }
  }
  check_operation([=](const auto& x) { return kind(x[0], x[1], x[2], H); }, {q, k, v});
}

}  // namespace

TEST_CASE("attention of features is that of other keys", "[key_features]") {
  for (const KeyFeatures& features : std::initializer_list<KeyFeatures>{
           {}, {.dpfp = 1}, {.dpfp = 3}, {.unit_keys = true}, {.dpfp = 2, .unit_keys = true},
           {.unit_outputs = true}, {.unit_keys = true, .unit_outputs = true}}) {
    check_kind(LinearAttention{}, features);
    check_kind(MesaLayer{}, features);
  }
}

TEST_CASE("features have names that tell them apart", "[key_features]") {
  const KeyFeatures all{.dpfp = 3, .unit_keys = true, .unit_outputs = true};
  CHECK(LinearAttention{}.name() == "linear");
  CHECK(LinearAttention{.features = all}.name() == "linear of order 3 of unit keys to unit outputs");
  CHECK(MesaLayer{.features = {.dpfp = 1}}.name() == "mesa of order 1");
}

}  // namespace mesagrad
