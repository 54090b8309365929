// What the tests of every floor share. Include tests/catch.h before this.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

#include "core/gradcheck.h"
#include "core/linalg.h"
#include "core/ops.h"
#include "core/parallel.h"
#include "core/random.h"
#include "core/tape.h"
#include "core/tensor.h"

namespace mesagrad {

constexpr bool in_double = sizeof(real) == sizeof(double);
constexpr double epsilon = std::numeric_limits<real>::epsilon();

// What check_gradients may report for a correct backward step.
constexpr double gradient_tolerance = in_double ? 1e-7 : 2e-2;

// Independent normal numbers.
inline Tensor random_tensor(const Shape& shape, std::uint64_t seed, double deviation = 1) {
  const Tensor result(shape);
  Random random(seed, stream::test_data);
  for (Index i = 0; i < result.size(); ++i) {
    result[i] = static_cast<real>(deviation * random.normal());
  }
  return result;
}

inline std::vector<real> numbers_of(const Tensor& x) { return {x.data(), x.data() + x.size()}; }
inline std::vector<real> gradient_of(const Tensor& x) { return {x.grad(), x.grad() + x.size()}; }

// The numbers of x (..., D) in double, a row for every D of them.
inline Matrix matrix_of(const Tensor& x) {
  const Index columns = x.dim(-1);
  Matrix result(x.shape().with_last(1).size(), columns);
  std::copy_n(x.data(), x.size(), result.values().begin());
  return result;
}

inline Matrix absolute(Matrix a) {
  for (double& x : a.values()) x = std::abs(x);
  return a;
}

// The largest |a_i - b_i|; infinite if the sizes differ or a number is NaN.
template <class A, class B>
double largest_difference(const A& a, const B& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (decltype(a.size()) i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (std::isnan(difference)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, difference);
  }
  return largest;
}

// Nothing has been written behind the end of the tensor's numbers, or behind those of its gradient.
inline bool slack_intact(const Tensor& x) {
  const auto intact = [&](const real* values) {
    const auto* slack = reinterpret_cast<const std::byte*>(values + x.size());
    return std::all_of(slack, slack + tensor_slack, [](std::byte b) { return b == slack_byte; });
  };
  return intact(x.data()) && (!x.grad_has_part() || intact(x.grad()));
}

// f, with a look behind the end of its inputs and its result.
inline std::function<Tensor(const std::vector<Tensor>&)> watched(
    const std::function<Tensor(const std::vector<Tensor>&)>& f) {
  return [=](const std::vector<Tensor>& inputs) {
    const Tensor out = f(inputs);
    check(slack_intact(out) && std::all_of(inputs.begin(), inputs.end(), slack_intact),
          "a write behind the end of a tensor, forwards");
    return out;
  };
}

// The message of the Error that f throws.
template <class F>
std::string message_of(const F& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

// Empty if f throws an Error whose message has all `parts`, else what is missing: CHECK(... == "").
template <class F>
std::string lacks(const F& f, std::initializer_list<const char*> parts) {
  const std::string message = message_of(f);
  for (const char* part : parts) {
    if (message.find(part) == std::string::npos) return text("'", part, "' in: ", message);
  }
  return "";
}

// The gradient of f agrees with the definition in every element of every input.
inline void check_gradient(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                           const std::vector<Tensor>& inputs) {
  const GradCheck result = check_gradients(watched(f), inputs);
  INFO(result.report());
  CHECK(result.error < gradient_tolerance);
}

// The result of f and then the gradients of its inputs, all computed in this arena.
inline std::vector<real> result_and_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                                              std::vector<Tensor> inputs, Arena& arena) {
  for (Tensor& x : inputs) x.requires_grad();
  Tape tape(arena);
  const Tensor out = watched(f)(inputs);
  std::vector<real> all = numbers_of(out);
  tape.backward(out, random_tensor(out.shape(), 9));
  check(slack_intact(out) && std::all_of(inputs.begin(), inputs.end(), slack_intact),
        "a write behind the end of a tensor, backwards");
  for (const Tensor& x : inputs) {
    for (const real g : gradient_of(x)) all.push_back(g);
  }
  return all;
}

// An arena whose memory holds NaN: who reads before he writes gives himself away.
inline void fill_with_nan(Arena& arena) {
  Tape tape(arena);
  const Index count = 1 << 15;
  const Tensor garbage = Tape::output({count}, {});
  std::fill_n(garbage.data(), count, std::numeric_limits<real>::quiet_NaN());
}

// Sets the number of threads, and restores it.
class Threads {
 public:
  explicit Threads(int count) : before_(omp_get_max_threads()) { omp_set_num_threads(count); }
  ~Threads() { omp_set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

// It reads no memory before it writes it, and writes none behind the end of a tensor.
inline void check_memory(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                         const std::vector<Tensor>& inputs) {
  Arena fresh, used;
  fill_with_nan(used);
  CHECK(result_and_gradients(f, inputs, used) == result_and_gradients(f, inputs, fresh));
}

// What every operation owes to the others: its gradient is right, and added to what its inputs hold
// already; and it keeps to its memory.
inline void check_operation(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                            const std::vector<Tensor>& inputs) {
  check_gradient(f, inputs);
  check_gradient([&](const auto& x) { return f(x) + real{2} * f(x); }, inputs);
  check_memory(f, inputs);
}

// The gradients of those inputs that want one, all of which hold `before` at first; the others get none.
inline std::vector<std::vector<real>> gradients_of(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                                                   std::vector<Tensor> inputs,
                                                   const std::vector<bool>& wanted, real before = 0) {
  for (std::size_t n = 0; n < inputs.size(); ++n) {
    if (!wanted[n]) continue;
    inputs[n].requires_grad();
    if (before != 0) std::fill_n(inputs[n].grad(), inputs[n].size(), before);
  }
  Tape tape;
  const Tensor out = f(inputs);
  tape.backward(out, random_tensor(out.shape(), 9));
  std::vector<std::vector<real>> all;
  for (const Tensor& x : inputs) all.push_back(x.has_grad() ? gradient_of(x) : std::vector<real>());
  return all;
}

// Inputs that want no gradient get none, and change nothing of the others'.
inline void check_wanted_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                                   const std::vector<Tensor>& inputs) {
  const std::size_t count = inputs.size();
  const auto whole = gradients_of(f, inputs, std::vector<bool>(count, true));
  for (std::size_t bits = 1; bits < std::size_t{1} << count; ++bits) {
    INFO("wanted: the inputs with bits in " << bits);
    std::vector<bool> wanted;
    for (std::size_t n = 0; n < count; ++n) wanted.push_back(bits >> n & 1);
    const auto some = gradients_of(f, inputs, wanted);
    for (std::size_t n = 0; n < count; ++n) CHECK(some[n] == (wanted[n] ? whole[n] : std::vector<real>()));
  }
  CHECK_FALSE(f(inputs).has_grad());
}

// Gradients are added to what is there, but for rounding.
inline void check_added_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                                  const std::vector<Tensor>& inputs) {
  const std::vector<bool> all(inputs.size(), true);
  const real before = 3;
  const auto added = gradients_of(f, inputs, all, before);
  auto expected = gradients_of(f, inputs, all);
  for (std::size_t n = 0; n < inputs.size(); ++n) {
    double size = 0;
    for (real& g : expected[n]) size = std::max(size, std::abs(static_cast<double>(g += before)));
    CHECK(largest_difference(added[n], expected[n]) < 4 * epsilon * size);
  }
}

// The same bits on 1, 2, 3 and 5 threads.
inline void check_threads(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                          const std::vector<Tensor>& inputs) {
  const auto run = [&](int threads) {
    const Threads guard(threads);
    Arena arena;
    return result_and_gradients(f, inputs, arena);
  };
  const std::vector<real> one = run(1);
  for (const int threads : {2, 3, 5}) CHECK(run(threads) == one);
}

// The path of the running program.
inline std::string program() {
#ifdef __APPLE__
  char path[4096];
  std::uint32_t size = sizeof path;
  return _NSGetExecutablePath(path, &size) == 0 ? path : "";
#else
  return std::filesystem::read_symlink("/proc/self/exe").string();
#endif
}

}  // namespace mesagrad
