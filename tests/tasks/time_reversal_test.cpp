// The paper's backward pass of the mesa-layer against the library's.
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/time_reversal.h"

#include "nn/mesa.h"
#include "tests/helpers.h"

namespace mesagrad {

TEST_CASE("the paper's time-reversed backward pass agrees, until keys are long", "[time_reversal]") {
  const Index T = 50, K = 20;
  const Tensor dresult = random_tensor({1, T, K}, 3);
  Tensor q = random_tensor({1, T, K}, 1), lambda({1}, 1);
  const auto keys_of_length = [=](double length) {
    return random_tensor({1, T, K}, 2, length / std::sqrt(static_cast<double>(K)));
  };
  const auto reversal = [&](double length, double lambda_value) {
    const Tensor k = keys_of_length(length);
    return TimeReversal<real>(T, K, q.data(), k.data(), dresult.data(), static_cast<real>(lambda_value));
  };
  Tensor k = keys_of_length(1);
  for (Tensor* x : {&q, &k, &lambda}) x->requires_grad();
  Tape tape;
  tape.backward(preconditioned_queries(q, k, lambda, 1), dresult);
  const auto near = reversal(1, 1);
  const double tolerance = in_double ? 1e-11 : 1e-3;
  CHECK(largest_difference(near.dq, gradient_of(q)) < tolerance);
  CHECK(largest_difference(near.dk, gradient_of(k)) < 10 * tolerance);
  CHECK(std::abs(static_cast<double>(near.dlambda - lambda.grad()[0])) < 10 * tolerance);
  CHECK(near.start_error < 1000 * epsilon);
  CHECK(reversal(10, 4).start_error > 1000 * near.start_error);
  if (!in_double) CHECK(reversal(10, 4).start_error > 1e-3);
}

}  // namespace mesagrad
