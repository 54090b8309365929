// Positions against their formula.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/positions.h"

#include "tests/nn/naive_transformer.h"

namespace mesagrad {
namespace {

const std::vector<Shape> shapes = {{1, 1, 1}, {2, 3, 1}, {2, 5, 10}, {1, 4, 16}, {3, 2, 33}, {2, 2, 40},
                                   {0, 3, 4}, {2, 0, 4}, {2, 3, 0}};

}  // namespace

TEST_CASE("the table holds sines and cosines of ever slower clocks", "[positions]") {
  for (const Index D : {0, 1, 2, 3, 10, 16, 33, 40}) {
    for (const Index T : {0, 1, 7, 200}) {
      INFO("T " << T << ", D " << D);
      const Tensor table = sinusoidal_table(T, D);
      CHECK(table.shape() == Shape({T, D}));
      std::vector<double> exact;
      for (Index p = 0; p < T; ++p) {
        for (Index j = 0; j < D; ++j) exact.push_back(naive_position(p, j, D));
      }
      CHECK(largest_difference(numbers_of(table), exact) < 2 * epsilon + 1e-12);
    }
  }
}

TEST_CASE("a shorter table is the beginning of a longer one", "[positions]") {
  const std::vector<real> longer = numbers_of(sinusoidal_table(50, 10));
  const std::vector<real> shorter = numbers_of(sinusoidal_table(20, 10));
  CHECK(std::equal(shorter.begin(), shorter.end(), longer.begin()));
}

TEST_CASE("positions stand behind every token, or are added to it", "[positions]") {
  for (const Shape& shape : shapes) {
    const Index B = shape[0], T = shape[1], D = shape[2];
    for (const Index P : {Index{0}, Index{1}, Index{10}, D}) {
      for (const Index more : {0, 3}) {  // the first rows of a table that goes on
        INFO(shape << ", P " << P << ", " << more << " more positions");
        const Tensor x = random_tensor(shape, 1), table = random_tensor({T + more, P}, 2);
        std::vector<real> behind, added;
        for (Index b = 0; b < B; ++b) {
          for (Index t = 0; t < T; ++t) {
            for (Index j = 0; j < D; ++j) behind.push_back(x[(b * T + t) * D + j]);
            for (Index j = 0; j < P; ++j) behind.push_back(table[t * P + j]);
            for (Index j = 0; j < D && P == D; ++j) {
              added.push_back(x[(b * T + t) * D + j] + table[t * P + j]);
            }
          }
        }
        const Tensor y = concatenate_positions(x, table);
        CHECK(y.shape() == Shape({B, T, D + P}));
        CHECK(numbers_of(y) == behind);
        check_operation([&](const auto& in) { return concatenate_positions(in[0], table); }, {x});
        if (P != D) continue;
        const Tensor z = add_positions(x, table);
        check_operation([](const auto& in) { return add_positions(in[0], in[1]); }, {x, table});
        CHECK(z.shape() == shape);
        CHECK(numbers_of(z) == added);
        check_operation([&](const auto& in) { return add_positions(in[0], table); }, {x});
      }
    }
  }
}

TEST_CASE("every token can be the one before it", "[positions]") {
  for (const Shape& shape : shapes) {
    INFO(shape);
    const Index T = shape[1], D = shape[2];
    const Tensor x = random_tensor(shape, 1), y = tokens_before(x);
    std::vector<real> before;
    for (Index i = 0; i < x.size(); ++i) before.push_back(i / D % T == 0 ? 0 : x[i - D]);
    CHECK(y.shape() == shape);
    CHECK(numbers_of(y) == before);
    check_operation([](const auto& in) { return tokens_before(in[0]); }, {x});
    check_operation([](const auto& in) { return tokens_before(in[0]) * in[0]; }, {x});  // x is used twice
  }
  const Tensor x = random_tensor({2, 3, 4}, 1), first = random_tensor({2, 1, 4}, 2);
  const Tensor with_first = tokens_before(x, first);
  for (Index b = 0; b < 2; ++b) {
    for (Index j = 0; j < 4; ++j) {
      CHECK(with_first[b * 12 + j] == first[b * 4 + j]);
      CHECK(with_first[b * 12 + 4 + j] == x[b * 12 + j]);
      CHECK(last_token(x)[b * 4 + j] == x[b * 12 + 8 + j]);
    }
  }
  const Tensor bad({1, 3, 1});
  bad[0] = std::numeric_limits<real>::quiet_NaN();
  bad[2] = std::numeric_limits<real>::infinity();
  const Tensor after = tokens_before(bad);
  CHECK((after[0] == 0 && std::isnan(after[1]) && after[2] == 0));  // the last token comes before none
}

TEST_CASE("positions are the same on any number of threads", "[positions]") {
  const Tensor x = random_tensor({31, 101, 40}, 1), table = random_tensor({101, 40}, 2);
  check_threads([&](const auto& in) { return concatenate_positions(in[0], table); }, {x});
  check_threads([&](const auto& in) { return add_positions(in[0], table); }, {x});
  check_threads([](const auto& in) { return tokens_before(in[0]); }, {x});
}

TEST_CASE("positions that do not fit are refused", "[positions][errors]") {
  const Tensor x({2, 3, 4}), flat({6, 4});
  using Op = Tensor (*)(const Tensor&, const Tensor&);
  for (const auto& [name, function] :
       {std::pair<const char*, Op>{"concatenate_positions", concatenate_positions},
        std::pair<const char*, Op>{"add_positions", add_positions}}) {
    const auto message = [op = function](const Tensor& a, const Tensor& b) {
      return message_of([&] { op(a, b); });
    };
    CHECK(message(flat, flat) == text(name, ": x (6, 4), table (6, 4): expected x (B, T, D) and a matrix"));
    CHECK(message(x, x) == text(name, ": x (2, 3, 4), table (2, 3, 4): expected x (B, T, D) and a matrix"));
    CHECK(message(x, Tensor()) == text(name, ": x (2, 3, 4), table (): expected x (B, T, D) and a matrix"));
    CHECK(message(x, Tensor({2, 4})) ==
          text(name, ": x (2, 3, 4) has 3 tokens, the table (2, 4) only 2 positions"));
  }
  CHECK(message_of([&] { add_positions(x, Tensor({3, 5})); }) ==
        "add_positions: x (2, 3, 4) and table (3, 5) differ in their last dimension");
  CHECK(message_of([&] { tokens_before(x, x); }) ==
        "tokens_before: x (2, 3, 4) and the token before it (2, 3, 4)");
  CHECK(message_of([&] { last_token(Tensor({2, 0, 4})); }) ==
        "last_token: x (2, 0, 4): expected (B, T, D), T > 0");
  CHECK(message_of([&] { tokens_before(flat); }) == "tokens_before: x (6, 4): expected (B, T, D)");
  CHECK(message_of([] { sinusoidal_table(-1, 4); }) == "shape: dimension 0 is -1, it can't be negative");
}

}  // namespace mesagrad
