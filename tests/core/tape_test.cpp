// The tape: what it records, how it replays, and who owns what.
#include "tests/catch.h"  // first, because it is precompiled

#include <memory>
#include <thread>

#include "core/ops.h"
#include "core/tape.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

Tensor parameter(const Shape& shape, std::initializer_list<real> values) {
  Tensor result(shape, values);
  return result.requires_grad();
}

}  // namespace

TEST_CASE("a tensor used twice gets both parts", "[tape]") {
  Tensor a({}, 1);
  a.requires_grad();
  Tape tape;
  const Tensor b = a + a;
  const Tensor c = b + b;
  tape.backward(c);
  CHECK(c.item() == 4);
  CHECK(a.grad()[0] == 4);
  CHECK(b.grad()[0] == 2);
  CHECK(c.grad()[0] == 1);
}

TEST_CASE("a result used early and late waits for both users", "[tape]") {
  const Tensor a = parameter({2}, {2, 3});
  Tape tape;
  const Tensor b = a * a;          // b = a²
  const Tensor c = b * a;          // c = a³
  const Tensor d = c * b + b + a;  // d = a⁵ + a² + a
  tape.backward(sum(d));
  CHECK(gradient_of(a) == std::vector<real>{5 * 16 + 4 + 1, 5 * 81 + 6 + 1});
}

TEST_CASE("any cotangent can start the way back", "[tape]") {
  const Tensor a = parameter({3}, {1, 2, 3});
  Tape tape;
  const Tensor b = a * a;
  tape.backward(b, Tensor({3}, {10, 0, -1}));
  CHECK(gradient_of(a) == std::vector<real>{20, 0, -6});
}

TEST_CASE("a tape can be replayed once", "[tape]") {
  const Tensor a = parameter({}, {3});
  Tape tape;
  const Tensor b = a * a;
  tape.backward(b);
  CHECK(lacks([&] { tape.backward(b); }, {"backward", "replayed before"}) == "");
  CHECK(a.grad()[0] == 6);
}

TEST_CASE("a loss must be one number", "[tape]") {
  const Tensor a = parameter({2, 3}, {1, 2, 3, 4, 5, 6});
  Tape tape;
  const Tensor b = a + a;
  CHECK(lacks([&] { tape.backward(b); }, {"backward", "(2, 3)", "6 numbers"}) == "");
  CHECK(lacks([&] { tape.backward(b, Tensor({3, 2})); }, {"backward", "(2, 3)", "(3, 2)"}) == "");
  tape.backward(sum(b));  // a refused loss leaves the tape as it was
  CHECK(gradient_of(a) == std::vector<real>(6, real{2}));
}

TEST_CASE("a loss must come from this tape", "[tape]") {
  const Tensor a = parameter({}, {3});
  Tensor old;
  {
    Tape tape;
    old = a * a;
  }
  Tape tape;
  const Tensor outside = a + a;
  {
    Tape inner;
    const Tensor mine = a * a;
    CHECK(lacks([&] { inner.backward(outside); }, {"backward", "not computed on this tape"}) == "");
    CHECK(lacks([&] { tape.backward(mine); }, {"backward", "not computed on this tape"}) == "");
  }
  CHECK(lacks([&] { tape.backward(old); }, {"backward", "not computed on this tape"}) == "");
  CHECK(lacks([&] { tape.backward(a); }, {"backward", "not computed on this tape"}) == "");
  const Tensor constant({}, 1);
  CHECK(lacks([&] { tape.backward(constant + constant); }, {"backward", "does not depend"}) == "");
  CHECK(gradient_of(a) == std::vector<real>{0});
}

TEST_CASE("without a tape nothing is recorded", "[tape]") {
  const Tensor a = parameter({2}, {1, 2});
  CHECK(Tape::current() == nullptr);
  const Tensor b = a * a;
  CHECK(numbers_of(b) == std::vector<real>{1, 4});
  CHECK_FALSE(b.has_grad());
}

TEST_CASE("what needs no gradient gets none", "[tape]") {
  const Tensor x({2}, {1, 2});
  const Tensor w = parameter({2}, {3, 4});
  Tape tape;
  const Tensor y = x * x;
  CHECK_FALSE(y.has_grad());
  const Tensor z = y * w;
  CHECK(z.has_grad());
  tape.backward(sum(z));
  CHECK_FALSE(x.has_grad());
  CHECK(gradient_of(w) == std::vector<real>{1, 4});
}

TEST_CASE("nested tapes record apart", "[tape]") {
  const Tensor a = parameter({}, {2});
  Tape outer;
  CHECK(Tape::current() == &outer);
  const Tensor before = a * a;
  {
    Tape inner;
    CHECK(Tape::current() == &inner);
    inner.backward(real{10} * a);
    CHECK(a.grad()[0] == 10);
  }
  CHECK(Tape::current() == &outer);
  a.zero_grad();
  outer.backward(before + a);
  CHECK(a.grad()[0] == 5);
}

TEST_CASE("every thread has a tape of its own", "[tape]") {
  const Tensor a = parameter({}, {3});
  Tape mine;
  const Tensor b = a * a;
  Tensor theirs({}, 5);
  theirs.requires_grad();
  const Tape* at_start = &mine;
  std::thread other([&] {
    at_start = Tape::current();
    Tape tape;
    tape.backward(theirs * theirs);
  });
  other.join();
  CHECK(at_start == nullptr);
  CHECK(Tape::current() == &mine);
  mine.backward(b);
  CHECK(a.grad()[0] == 6);
  CHECK(theirs.grad()[0] == 10);
}

TEST_CASE("gradients add up over tapes until zero_grad", "[tape]") {
  const Tensor a = parameter({2}, {1, 2});
  const auto step = [&] {
    Tape tape;
    tape.backward(sum(a * a));
  };
  step();
  CHECK(gradient_of(a) == std::vector<real>{2, 4});
  step();
  CHECK(gradient_of(a) == std::vector<real>{4, 8});
  a.zero_grad();
  CHECK(gradient_of(a) == std::vector<real>{0, 0});
  a.zero_grad();
  step();
  CHECK(gradient_of(a) == std::vector<real>{2, 4});
}

TEST_CASE("a branch the loss does not depend on gets gradient zero", "[tape]") {
  const Tensor a = parameter({2}, {1, 2});
  const Tensor b = parameter({2}, {3, 4});
  Arena arena;
  fill_with_nan(arena);
  Tape tape(arena);
  const Tensor unused = a * b;
  const Tensor later = unused * unused;
  bool ran = false;
  const Tensor probe = Tape::output({2}, {&later});
  Tape::record("probe", probe, [&] { ran = true; });
  tape.backward(sum(a + a));
  CHECK(gradient_of(a) == std::vector<real>{2, 2});
  CHECK(gradient_of(b) == std::vector<real>{0, 0});
  CHECK(gradient_of(unused) == std::vector<real>{0, 0});
  CHECK_FALSE(ran);
}

TEST_CASE("reshaping between operations keeps the gradient's way", "[tape]") {
  const Tensor a = parameter({2, 2}, {1, 2, 3, 4});
  Tape tape;
  const Tensor b = (a * a).reshaped({4});
  tape.backward((b * Tensor({4}, {1, 10, 100, 1000})).reshaped({2, 2}), Tensor({2, 2}, 1));
  CHECK(gradient_of(a) == std::vector<real>{2, 40, 600, 8000});
}

TEST_CASE("a tensor that outlives its tape keeps its numbers", "[tape][arena]") {
  const Tensor a = parameter({3}, {1, 2, 3});
  auto arena = std::make_unique<Arena>();
  Tensor kept, own;
  {
    Tape tape(*arena);
    kept = a * a;
    tape.backward(sum(kept * kept));
  }
  {
    Tape tape;  // with an arena of its own
    own = a + a;
  }
  for (int step = 0; step < 5; ++step) {
    Tape tape(*arena);
    const Tensor noise = random_tensor({3}, 1).requires_grad();
    Tensor x = noise;
    for (int i = 0; i < 2000; ++i) x = x + noise;
    tape.backward(sum(x));
  }
  arena.reset();
  CHECK(numbers_of(kept) == std::vector<real>{1, 4, 9});
  CHECK(gradient_of(kept) == std::vector<real>{2, 8, 18});
  CHECK(numbers_of(own) == std::vector<real>{2, 4, 6});
}

TEST_CASE("steps after the first use the same memory", "[tape][arena]") {
  if (sanitized) return;  // there every piece is a block of its own
  const Tensor w = random_tensor({40, 40}, 1).requires_grad();
  const Tensor x = random_tensor({40, 40}, 2);
  Arena arena;
  std::size_t capacity = 0;
  const real* place = nullptr;
  for (int step = 0; step < 6; ++step) {
    {
      Tape tape(arena);
      const Tensor first = matmul(x, w);
      if (step == 1) place = first.data();
      if (step > 1) CHECK(first.data() == place);
      Tensor y = first;
      for (int i = 0; i < 100; ++i) y = y + first;  // more than one block in the first step
      tape.backward(sum(y));
      if (step == 0) capacity = arena.capacity();
      CHECK(arena.capacity() == capacity);
    }
    CHECK(arena.capacity() == capacity);
    w.zero_grad();
  }
  CHECK(capacity > std::size_t{100} * 1600 * sizeof(real));
}

TEST_CASE("a step in used memory gives the same bits", "[tape][arena]") {
  const Tensor a = parameter({2}, {1, 2});
  Arena arena;
  fill_with_nan(arena);
  Tape tape(arena);
  const Tensor b = a + a;
  CHECK(b.has_grad());
  CHECK(gradient_of(b) == std::vector<real>{0, 0});
  tape.backward(sum(b * b));
  CHECK(gradient_of(a) == std::vector<real>{8, 16});
}

TEST_CASE("the tape destroys its closures", "[tape]") {
  const Tensor a = parameter({}, {1});
  const auto held = std::make_shared<int>(7);
  {
    Tape tape;
    const Tensor out = Tape::output({}, {&a});
    Tape::record("hold", out, [held] {});
    CHECK(held.use_count() == 2);
  }
  CHECK(held.use_count() == 1);
}

}  // namespace mesagrad
