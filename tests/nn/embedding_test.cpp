// Embeddings: rows forward, and a gradient of used rows only, which is the whole one.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/embedding.h"

#include "nn/training.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

struct Model {
  Embedding embedding;
  Parameters parameters() { return embedding.parameters("embedding"); }
};

const Tensor ids({2, 3}, {real{4}, real{0}, real{4}, real{1}, real{4}, real{0}});

}  // namespace

TEST_CASE("an embedding is a row for each id, and its gradient adds rows up", "[embedding]") {
  const Tensor table = random_tensor({5, 3}, 1);
  const Tensor out = Embedding{table}(ids);
  REQUIRE(out.shape() == Shape({2, 3, 3}));
  for (Index i = 0; i < 6; ++i) {
    for (Index j = 0; j < 3; ++j) CHECK(out[i * 3 + j] == table[static_cast<Index>(ids[i]) * 3 + j]);
  }
  check_operation([](const auto& x) { return Embedding{x[0]}(ids); }, {table});
  CHECK(Embedding{table}(Tensor({2, 0})).shape() == Shape({2, 0, 3}));
}

TEST_CASE("a training keeps the gradient of used rows alone, with the same result", "[embedding]") {
  const Tensor cotangent = random_tensor({2, 3, 3}, 2);
  const auto loss_of = [&](const Model& model, const Tensor& some, const Tensor& weights) {
    return sum(model.embedding(some) * weights);
  };
  Model whole{{random_tensor({5, 3}, 1).requires_grad()}}, apart = snapshot(whole);
  apart.embedding.table.requires_grad();
  {
    Tape tape;
    tape.backward(loss_of(whole, ids, cotangent));
  }
  Training training(apart, 2, 3);
  for (int repeated = 0; repeated < 2; ++repeated) {
    training([&](const Model& part, Index first, Index count) {
      CHECK(part.embedding.apart != nullptr);
      const auto cut = [&](const Tensor& x, Index size, const Shape& shape) {
        const auto numbers = static_cast<std::size_t>(count * size);
        return Tensor(shape, std::span<const real>(x.data() + first * size, numbers));
      };
      return loss_of(part, cut(ids, 3, {count, 3}), cut(cotangent, 9, {count, 3, 3}));
    });
    CHECK(largest_difference(gradient_of(apart.embedding.table), gradient_of(whole.embedding.table)) <
          10 * epsilon);
  }
  CHECK(apart.embedding.apart == nullptr);
}

TEST_CASE("ids that are none are refused", "[embedding][errors]") {
  const Embedding embedding{random_tensor({5, 3}, 1)};
  for (const double bad : {-1.0, 5.0, 1.5, std::nan(""), 1e30}) {
    CHECK(lacks([&] { embedding(Tensor({1, 1}, static_cast<real>(bad))); }, {"embedding: id", "0 to 4"}) == "");
  }
  CHECK(lacks([&] { embedding(Tensor({3})); }, {"embedding", "(3)", "(B, T)"}) == "");
  CHECK(lacks([&] { Embedding{}(ids); }, {"embedding"}) == "");
}

}  // namespace mesagrad
