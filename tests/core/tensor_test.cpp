// Shapes, tensors, and the memory they come from.
#include "tests/catch.h"  // first, because it is precompiled

#include <cstring>

#include "core/tensor.h"
#include "tests/helpers.h"

namespace mesagrad {

TEST_CASE("a shape knows its rank, dimensions and size", "[tensor]") {
  const Shape shape({2, 3, 5});
  CHECK(shape.rank() == 3);
  CHECK(shape.size() == 30);
  CHECK(shape[0] == 2);
  CHECK(shape[2] == 5);
  CHECK(shape[-1] == 5);
  CHECK(shape[-3] == 2);
  CHECK(Shape().rank() == 0);
  CHECK(Shape().size() == 1);
  CHECK(Shape({0}).size() == 0);
  CHECK(Shape({4, 0, 7}).size() == 0);
  CHECK(Shape({1, 1, 1, 1}).size() == 1);
  CHECK(shape.with_last(7) == Shape({2, 3, 7}));
  const std::vector<Index> dims = {6, 1};
  CHECK(Shape(std::span<const Index>(dims)) == Shape({6, 1}));
}

TEST_CASE("shapes are equal if rank and all dimensions are", "[tensor]") {
  CHECK(Shape({2, 3}) == Shape({2, 3}));
  CHECK_FALSE(Shape({2, 3}) == Shape({3, 2}));
  CHECK_FALSE(Shape({3}) == Shape({3, 1}));
  CHECK_FALSE(Shape({3}) == Shape({3, 0}));  // the unused dimensions are zeros
  CHECK_FALSE(Shape() == Shape({1}));
}

TEST_CASE("a shape prints as people write it", "[tensor]") {
  CHECK(text(Shape({256, 50, 40})) == "(256, 50, 40)");
  CHECK(text(Shape({7})) == "(7)");
  CHECK(text(Shape()) == "()");
}

TEST_CASE("a shape has at most four dimensions, none negative", "[tensor]") {
  CHECK(Shape({1, 2, 3, 4}).rank() == 4);
  CHECK(lacks([] { return Shape({1, 2, 3, 4, 5}); }, {"shape", "5 dimensions", "at most 4"}) == "");
  CHECK(lacks([] { return Shape({3, -2}); }, {"shape", "dimension 1 is -2"}) == "");
  CHECK(lacks([] { return Shape({3, 4})[2]; }, {"(3, 4)", "no axis 2"}) == "");
  CHECK(lacks([] { return Shape({3, 4})[-3]; }, {"(3, 4)", "no axis -3"}) == "");
  CHECK(lacks([] { return Shape()[-1]; }, {"()", "no axis -1"}) == "");
  CHECK(lacks([] { return Shape().with_last(3); }, {"()", "no last dimension"}) == "");
}

TEST_CASE("a tensor holds what it was given", "[tensor]") {
  const Tensor filled({2, 3}, real{1.5});
  CHECK(numbers_of(filled) == std::vector<real>(6, real{1.5}));
  CHECK(numbers_of(Tensor({4})) == std::vector<real>(4, real{0}));
  const Tensor listed({2, 2}, {1, 2, 3, 4});
  CHECK(numbers_of(listed) == std::vector<real>{1, 2, 3, 4});
  CHECK(listed.dim(0) == 2);
  CHECK(listed.dim(-1) == 2);
  CHECK(listed[2] == 3);
  CHECK(Tensor({2, 3, 4}).rows() == 6);
  CHECK(Tensor({5}).rows() == 1);
}

TEST_CASE("the count of values must fit the shape", "[tensor]") {
  CHECK(lacks([] { return Tensor({2, 3}, {1, 2, 3, 4, 5}); },
              {"tensor", "(2, 3)", "needs 6", "not 5"}) == "");
  CHECK(lacks([] { return Tensor({0}, {1, 2}); }, {"(0)", "needs 0", "not 2"}) == "");
}

TEST_CASE("item is the number of a one-element tensor", "[tensor]") {
  CHECK(Tensor({}, real{2}).item() == 2);
  CHECK(Tensor({1, 1}, real{3}).item() == 3);
  CHECK(lacks([] { return Tensor({3, 2}).item(); }, {"item", "(3, 2)", "6 numbers"}) == "");
  CHECK(lacks([] { return Tensor({2, 0}).item(); }, {"item", "(2, 0)", "0 numbers"}) == "");
  CHECK(lacks([] { return Tensor().item(); }, {"item"}) == "");
}

TEST_CASE("sizes 0 and 1 are tensors like others", "[tensor]") {
  Tensor nothing({3, 0});
  CHECK(nothing.defined());
  CHECK(nothing.size() == 0);
  CHECK(nothing.requires_grad().has_grad());
  CHECK(gradient_of(nothing).empty());
  CHECK(nothing.reshaped({0, 7}).shape() == Shape({0, 7}));
  CHECK(Tensor({1, 1, 1}).rows() == 1);
  CHECK_FALSE(Tensor().defined());
  CHECK(Tensor().size() == 0);
  CHECK(lacks([] { return Tensor().requires_grad(); }, {"requires_grad", "empty"}) == "");
}

TEST_CASE("a copy shares its numbers and gradient", "[tensor]") {
  Tensor a({2}, {1, 2});
  const Tensor before = a;
  a.requires_grad();
  const Tensor after = a;
  before[1] = 9;
  CHECK(a[1] == 9);
  a.grad()[0] = 5;
  CHECK(after.grad()[0] == 5);
  CHECK_FALSE(before.has_grad());  // only copies made later share the gradient
}

TEST_CASE("copy() has numbers of its own and no gradient", "[tensor]") {
  Tensor a({1, 2}, {1, 2});
  a.requires_grad();
  const Tensor b = a.copy();
  CHECK(b.shape() == a.shape());
  CHECK_FALSE(b.has_grad());
  a[0] = 9;
  CHECK(numbers_of(b) == std::vector<real>{1, 2});
  CHECK(Tensor({0, 3}).copy().shape() == Shape({0, 3}));
}

TEST_CASE("reshaped shares numbers and gradient", "[tensor]") {
  Tensor a({2, 3}, {1, 2, 3, 4, 5, 6});
  a.requires_grad();
  const Tensor b = a.reshaped({3, 1, 2});
  CHECK(b.shape() == Shape({3, 1, 2}));
  CHECK(b.data() == a.data());
  CHECK(b.grad() == a.grad());
  CHECK(a.shape() == Shape({2, 3}));
  CHECK(Tensor({1}, real{4}).reshaped({}).item() == 4);
  CHECK(lacks([&] { return a.reshaped({4, 2}); },
              {"reshaped", "(2, 3)", "6 numbers", "(4, 2)", "8"}) == "");
}

TEST_CASE("a gradient is zero until something is added", "[tensor]") {
  Tensor a({3});
  CHECK(lacks([&] { return a.grad(); }, {"grad", "(3)", "requires_grad"}) == "");
  CHECK(lacks([&] { return a.zero_grad(); }, {"grad", "(3)", "requires_grad"}) == "");
  a.requires_grad();
  CHECK_FALSE(a.grad_has_part());
  CHECK(gradient_of(a) == std::vector<real>{0, 0, 0});
  CHECK(a.grad_has_part());
  a.grad()[1] = 7;
  CHECK(gradient_of(a) == std::vector<real>{0, 7, 0});
  a.zero_grad();
  CHECK_FALSE(a.grad_has_part());
  CHECK(gradient_of(a) == std::vector<real>{0, 0, 0});
}

TEST_CASE("the first part of a gradient overwrites, the next one adds", "[tensor]") {
  Tensor a({3});
  a.requires_grad();
  CHECK_FALSE(a.grad_part().add);
  CHECK(a.grad_part().add);
  a.zero_grad();
  CHECK_FALSE(a.grad_part().add);
}

TEST_CASE("behind a tensor's numbers, and its gradient's, lies NaN", "[tensor]") {
  Arena arena;
  const Arena::Scope scope(arena);
  for (const Index size : {0, 1, 5, 16, 1000}) {
    Tensor x({size}, 1);
    x.requires_grad();
    std::fill_n(x.grad(), size, real{1});
    CHECK(slack_intact(x));
    CHECK(std::isnan(x[size]));
    CHECK(std::isnan(x.grad()[size + 192 / static_cast<Index>(sizeof(real)) - 1]));
    for (real* values : {x.data(), x.grad()}) {
      values[size] = 0;
      CHECK_FALSE(slack_intact(x));
      std::fill_n(reinterpret_cast<std::byte*>(values + size), sizeof(real), slack_byte);
      CHECK(slack_intact(x));
    }
  }
}

TEST_CASE("an arena's pieces are aligned and do not overlap", "[arena]") {
  Arena arena;
  std::vector<std::shared_ptr<std::byte>> pieces;
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < 300; ++i) {
    const std::size_t size = i * i * 7 % 5000 + (i % 50 == 49 ? 400000 : 0);
    pieces.push_back(arena.allocate(size));
    sizes.push_back(size);
    CHECK(reinterpret_cast<std::uintptr_t>(pieces.back().get()) % 64 == 0);
    std::memset(pieces.back().get(), static_cast<int>(i % 251), size);
  }
  bool intact = true;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    for (std::size_t k = 0; k < sizes[i]; ++k) intact &= pieces[i].get()[k] == std::byte(i % 251);
  }
  CHECK(intact);
}

TEST_CASE("an arena uses its memory again after a reset", "[arena]") {
  if (sanitized) return;  // there every piece is a block of its own
  Arena arena;
  CHECK(arena.capacity() == 0);
  const auto fill = [&] {
    for (int i = 0; i < 10; ++i) arena.allocate(100000);
  };
  fill();
  const std::size_t capacity = arena.capacity();
  CHECK(capacity >= 1000000);
  arena.reset();
  const std::byte* first = arena.allocate(1).get();
  for (int round = 0; round < 5; ++round) {
    arena.reset();
    CHECK(arena.allocate(100).get() == first);
    arena.reset();
    fill();
    CHECK(arena.capacity() == capacity);
  }
}

TEST_CASE("a piece outlives the reset and the arena", "[arena]") {
  std::shared_ptr<std::byte> piece;
  {
    Arena arena;
    piece = arena.allocate(1000);
    std::memset(piece.get(), 42, 1000);
    for (int round = 0; round < 3; ++round) {
      arena.reset();
      std::memset(arena.allocate(200000).get(), round, 200000);
    }
  }
  const auto intact = [](std::byte b) { return b == std::byte(42); };
  CHECK(std::all_of(piece.get(), piece.get() + 1000, intact));
}

TEST_CASE("inside a scope, tensors and their gradients come from the arena", "[arena]") {
  Arena outer, inner;
  const auto fill = [] { Tensor({1000}, 1).requires_grad(); };
  fill();
  CHECK(Arena::current() == nullptr);
  {
    const Arena::Scope outer_scope(outer);
    fill();
    const std::size_t capacity = outer.capacity();
    CHECK(capacity >= 2000 * sizeof(real));
    {
      const Arena::Scope inner_scope(inner);
      CHECK(Arena::current() == &inner);
      fill();
    }
    CHECK(Arena::current() == &outer);
    CHECK(outer.capacity() == capacity);
    CHECK(inner.capacity() >= 2000 * sizeof(real));
  }
  CHECK(Arena::current() == nullptr);
}

}  // namespace mesagrad
