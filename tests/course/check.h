// Checks of exercises: small, all or nothing, and they say what differs, where and by how much.
//
//     EXERCISE("3.1", 6, "no token sees the future", "The inner loop may end at T where it should end at t.") {
//       expect_equal("out", causal_linear_attention(q, k, v, 2), expected);
//     }
//
// is a check worth 6 points, with what usually causes its failure. It fails if it throws anything.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/linalg.h"
#include "core/ops.h"
#include "core/tape.h"

namespace mesagrad::course {

struct Check {
  std::string exercise;
  int points;
  std::string name, cause;
  void (*run)();
};

std::vector<Check>& checks();  // in the order of the file
struct Registered {
  explicit Registered(const Check& check) { checks().push_back(check); }
};

#define MESAGRAD_JOIN_(a, b) a##b
#define MESAGRAD_JOIN(a, b) MESAGRAD_JOIN_(a, b)
#define EXERCISE(exercise, points, name, cause)                                                          \
  static void MESAGRAD_JOIN(check_, __LINE__)();                                                         \
  static const ::mesagrad::course::Registered MESAGRAD_JOIN(registered_, __LINE__)(                      \
      {exercise, points, name, cause, &MESAGRAD_JOIN(check_, __LINE__)});                                \
  static void MESAGRAD_JOIN(check_, __LINE__)()

// All random numbers of a run follow from this one: TEST_SEED in the environment, or 1.
std::uint64_t test_seed();

// Independent normal numbers; `number` tells one from another. Also whole numbers from low to high.
Tensor random_tensor(const Shape& shape, int number = 0);
Matrix random_matrix(Index rows, Index columns, int number = 0);
Index random_size(Index low, Index high, int number = 0);

// Throws Error unless it holds: the pieces, one after another.
template <class... Pieces>
void expect(bool holds, const Pieces&... pieces) {
  check(holds, pieces...);
}

// Throws Error unless each number is within `tolerance` times (1 + the largest of those expected); says
// which is farthest, by its index: "dA(2, 3) is 1.5, expected 0.75: twice as large".
void expect_equal(const std::string& what, double is, double expected, double tolerance = 1e-9);
void expect_equal(const std::string& what, const Tensor& is, const Tensor& expected, double tolerance = 1e-9);
void expect_equal(const std::string& what, const Matrix& is, const Matrix& expected, double tolerance = 1e-9);

// The gradient of f in all its inputs is that of differences; `names` are theirs.
void expect_gradient(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                     const std::vector<Tensor>& inputs, const std::vector<std::string>& names,
                     double tolerance = 1e-6);

// Throws Error unless f throws one.
void expect_refused(const std::string& what, const std::function<void()>& f);

}  // namespace mesagrad::course
