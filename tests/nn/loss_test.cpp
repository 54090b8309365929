// The squared error, against a loop in double precision.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/loss.h"

#include <numeric>

#include "tests/helpers.h"

namespace mesagrad {
namespace {

double at(const Tensor& x, Index i) { return static_cast<double>(x[i]); }

std::vector<Index> all_of(Index T) {
  std::vector<Index> positions(static_cast<std::size_t>(T));
  std::iota(positions.begin(), positions.end(), 0);
  return positions;
}

// Of each sequence and position that counts.
std::vector<double> naive_losses(const Tensor& f, const Tensor& y, const std::vector<Index>& positions) {
  std::vector<double> losses;
  for (Index b = 0; b < y.dim(0); ++b) {
    for (const Index t : positions) {
      double sum = 0;
      for (Index j = 0; j < y.dim(2); ++j) {
        const double prediction = at(f, (b * y.dim(1) + t) * f.dim(2) + j);
        sum += std::pow(prediction - at(y, (b * y.dim(1) + t) * y.dim(2) + j), 2) / 2;
      }
      losses.push_back(sum);
    }
  }
  return losses;
}

double naive_loss(const Tensor& f, const Tensor& y, Index sequences, const std::vector<Index>& positions) {
  const std::vector<double> losses = naive_losses(f, y, positions);
  return std::accumulate(losses.begin(), losses.end(), 0.0) /
         static_cast<double>(sequences * std::ssize(positions));
}

}  // namespace

TEST_CASE("the loss is half the squared error per sequence and position that counts", "[loss]") {
  const Index T = 5;
  for (const Index d : {0, 1, 3, 4}) {
    for (const std::vector<Index>& positions :
         {std::vector<Index>{}, all_of(T), {0}, {T - 1}, {1, 3}, {0, 2, 4}}) {
      const Tensor f = random_tensor({3, T, 4}, 1), y = random_tensor({3, T, d}, 2);
      INFO("d " << d << ", positions that count " << positions.size());
      const auto& counted = positions.empty() ? all_of(T) : positions;
      CHECK(squared_error(f, y, 0, positions).shape() == Shape());
      const double mean = squared_error(f, y, 0, positions).item();
      const double part = squared_error(f, y, 12, positions).item();
      CHECK(std::abs(mean - naive_loss(f, y, 3, counted)) < 10 * epsilon);
      CHECK(std::abs(part - naive_loss(f, y, 12, counted)) < 10 * epsilon);
      check_gradient([=](const auto& x) { return squared_error(x[0], y, 0, positions); }, {f});
      check_gradient([=](const auto& x) { return squared_error(x[0] + x[0], y, 12, positions); }, {f});
      const auto twice = [=](const auto& x) {
        return squared_error(x[0], y, 0, positions) + squared_error(x[0], y, 7);
      };
      check_gradient(twice, {f});
      const std::vector<double> expected = naive_losses(f, y, counted);
      std::vector<double> losses(expected.size() + 1, -1);
      squared_errors(f, y, losses.data(), positions);
      CHECK(losses.back() == -1);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(std::abs(losses[i] - expected[i]) < 1e-14 * (1 + expected[i]));
      }
    }
  }
}

TEST_CASE("the loss has a gradient in the predicted channels alone", "[loss]") {
  Tensor f = random_tensor({1, 2, 3}, 1);
  const Tensor y = random_tensor({1, 2, 2}, 2);
  f.requires_grad();
  Arena dirty;
  fill_with_nan(dirty);
  Tape tape(dirty);
  const Tensor copy = real{1} * f;
  tape.backward(squared_error(copy, y));
  for (const Tensor& x : {copy, f}) {
    for (Index t = 0; t < 2; ++t) {
      for (Index j = 0; j < 2; ++j) {
        const double expected = (at(f, t * 3 + j) - at(y, t * 2 + j)) / 2;
        CHECK(std::abs(x.grad()[t * 3 + j] - expected) < 4 * epsilon);
      }
      CHECK(x.grad()[t * 3 + 2] == 0);
    }
  }
}

TEST_CASE("the losses of a batch's parts add up to the batch's loss", "[loss]") {
  const Tensor f = random_tensor({5, 4, 3}, 1), y = random_tensor({5, 4, 2}, 2);
  double sum = 0;
  for (Index b = 0; b < 5; ++b) {
    const Tensor f_b({1, 4, 3}, std::span<const real>(f.data() + b * 12, 12));
    const Tensor y_b({1, 4, 2}, std::span<const real>(y.data() + b * 8, 8));
    sum += squared_error(f_b, y_b, 5).item();
  }
  CHECK(std::abs(sum - squared_error(f, y).item()) < 10 * epsilon);
}

TEST_CASE("the loss says which shapes do not fit", "[loss][errors]") {
  const auto complaint = [](const Shape& f, const Shape& y) {
    const std::string fs = text("output ", f), ys = text("labels ", y);
    return lacks([&] { squared_error(Tensor(f), Tensor(y)); },
                 {"squared_error", fs.c_str(), ys.c_str(), "d <= D"});
  };
  CHECK(complaint({2, 3, 4}, {2, 3, 5}) == "");
  CHECK(complaint({2, 3, 4}, {1, 3, 4}) == "");
  CHECK(complaint({2, 3, 4}, {2, 4, 4}) == "");
  CHECK(complaint({6, 4}, {2, 3, 4}) == "");
  CHECK(complaint({2, 3, 4}, {6, 4}) == "");
}

TEST_CASE("positions that count rise, and are there", "[loss][errors]") {
  const Tensor f({2, 3, 4}), y({2, 3, 4});
  std::vector<double> losses(6);
  for (const std::vector<Index>& wrong : {std::vector<Index>{3}, {-1}, {0, 0}, {2, 1}, {0, 1, 2, 3}}) {
    CHECK(lacks([&] { squared_error(f, y, 0, wrong); }, {"squared_error", "position", "0 to 2"}) == "");
    CHECK(lacks([&] { squared_errors(f, y, losses.data(), wrong); }, {"squared_errors", "position"}) == "");
  }
}

}  // namespace mesagrad
