// CHECK_FINITE=1 is read once, when the first operation runs: the test starts itself a second time.
#include "tests/catch.h"  // first, because it is precompiled

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "core/ops.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

constexpr real huge = std::numeric_limits<real>::max();

void overflow_in_a_result() {
  const Tensor a({2, 2}, {1, 2, huge, 3});
  static_cast<void>(real{2} * (a - a));
  static_cast<void>(a + a);
}

void overflow_in_a_gradient() {
  Tensor x({3}, real{0});
  x.requires_grad();
  Tape tape;
  const Tensor y = zero_channels(x, 0);  // dy = huge² where the last factor is not 0
  tape.backward(huge * (huge * y), Tensor({3}, {0, 1, 0}));
}

// Of a parameter, which is no operation's result: dw = aᵀ·dy, and dx is finite.
void overflow_in_a_parameter() {
  Tensor w({1, 1}, 1), x({1, 1}, 1);
  w.requires_grad();
  x.requires_grad();
  Tape tape;
  const Tensor a({1, 1}, std::sqrt(huge)), y = matmul(a * x, w);
  tape.backward(real{2} * y, Tensor({1, 1}, std::sqrt(huge)));
}

// Two finite parts whose sum is not: the first operation's step comes last.
void overflow_in_a_sum() {
  Tensor w({2}, 1);
  w.requires_grad();
  Tape tape;
  const Tensor first = clip(w, 5), second = w + Tensor({2}, 1);
  tape.backward(first + second, Tensor({2}, huge));
}

void nothing_wrong() {
  Tensor x({3}, real{2});
  x.requires_grad();
  Tape tape;
  tape.backward(sum(x * x));
}

// What this program prints when it runs one test with the given setting in its environment.
std::string output_of(const std::string& setting, const std::string& test) {
  const std::string command = setting + " '" + program() + "' '" + test + "' 2>&1";
  std::FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) output += static_cast<char>(c);
  pclose(pipe);
  return output;
}

bool has(const std::string& output, const char* part) {
  return output.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("what CHECK_FINITE says", "[.finite]") {  // hidden: it is run by the next one
  std::cout << "result: " << message_of(overflow_in_a_result) << '\n'
            << "gradient: " << message_of(overflow_in_a_gradient) << '\n'
            << "parameter: " << message_of(overflow_in_a_parameter) << '\n'
            << "sum: " << message_of(overflow_in_a_sum) << '\n'
            << "finite: " << message_of(nothing_wrong) << '\n';
}

TEST_CASE("CHECK_FINITE=1 names the first operation that overflows", "[finite][errors]") {
  const std::string on = output_of("CHECK_FINITE=1", "what CHECK_FINITE says");
  INFO(on);
  CHECK(has(on, "result: a + b: element 2 of its result, shape (2, 2), is inf\n"));
  CHECK(has(on, "gradient: zero_channels: element 1 of its gradient, shape (3), is inf\n"));
  CHECK(has(on, "parameter: matmul: element 0 of its argument's gradient, shape (1, 1), is inf\n"));
  CHECK(has(on, "sum: clip: element 0 of its argument's gradient, shape (2), is inf\n"));
  CHECK(has(on, "finite: nothing was thrown\n"));
  for (const char* setting : {"CHECK_FINITE=0", "CHECK_FINITE="}) {
    const std::string off = output_of(setting, "what CHECK_FINITE says");
    INFO(off);
    CHECK(has(off, "result: nothing was thrown\n"));
    CHECK(has(off, "gradient: nothing was thrown\n"));
    CHECK(has(off, "parameter: nothing was thrown\n"));
  }
  for (const std::string setting : {"true", "2", "01", " 1", "yes"}) {
    const std::string refused = output_of("CHECK_FINITE='" + setting + "'", "what CHECK_FINITE says");
    INFO(refused);
    for (const char* test : {"result", "gradient", "parameter", "finite"}) {
      CHECK(has(refused, text(test, ": CHECK_FINITE is '", setting, "'; it must be 1 or 0\n").c_str()));
    }
  }
}

}  // namespace mesagrad
