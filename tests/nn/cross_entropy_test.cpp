// The cross entropy, against its definition in double precision.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/cross_entropy.h"

#include "tests/helpers.h"
#include "tests/odd_arguments.h"

namespace mesagrad {
namespace {

// Whole numbers below V.
Tensor random_labels(Index B, Index T, Index V) {
  const Tensor labels({B, T});
  Random random(3, stream::test_data);
  const auto classes = static_cast<std::uint32_t>(V);
  for (Index i = 0; i < B * T; ++i) labels[i] = static_cast<real>(random.bits() % classes);
  return labels;
}

// p_v of row `row`, in double, straight from the definition but for the largest number.
std::vector<double> probabilities(const Tensor& logits, Index row) {
  const Index V = logits.dim(2);
  const std::vector<double> x(logits.data() + row * V, logits.data() + (row + 1) * V);
  const double largest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  std::vector<double> p;
  for (const double x_v : x) p.push_back(std::exp(x_v - largest)), sum += p.back();
  for (double& p_v : p) p_v /= sum;
  return p;
}

}  // namespace

TEST_CASE("the cross entropy and its gradient are those of the definition", "[cross_entropy]") {
  for (const Index V : {1, 2, 3, 31, 512, 513, 1500, 50257}) {
    for (const double size : {1.0, 30.0}) {
      INFO("V " << V << ", logits " << size);
      const Index B = 2, T = 3;
      Tensor logits = random_tensor({B, T, V}, 1, size);
      const Tensor labels = random_labels(B, T, V);
      logits.requires_grad();
      Tape tape;
      const Tensor loss = cross_entropy(logits, labels, 5);
      tape.backward(loss);
      std::vector<double> losses(6);
      cross_entropies(logits, labels, losses.data());
      double mean = 0;
      for (Index row = 0; row < 6; ++row) {
        const std::vector<double> p = probabilities(logits, row);
        const auto label = static_cast<std::size_t>(labels[row]);
        // A logit's own rounding is one of `size`.
        CHECK(std::abs(losses[static_cast<std::size_t>(row)] + std::log(p[label])) < 1e2 * epsilon * size);
        mean -= std::log(p[label]) / 15;
        double largest = 0;
        for (std::size_t v = 0; v < p.size(); ++v) {
          const double expected = (p[v] - (v == label ? 1 : 0)) / 15;
          largest = std::max(largest, std::abs(logits.grad()[row * V + static_cast<Index>(v)] - expected));
        }
        CHECK(largest < 1e2 * epsilon * size);
      }
      CHECK(std::abs(static_cast<double>(loss.item()) - mean) < 1e2 * epsilon * size);
    }
  }
}

TEST_CASE("the cross entropy's gradient agrees with differences", "[cross_entropy]") {
  for (const Index V : {2, 5, 33}) {
    const Tensor labels = random_labels(2, 3, V);
    check_operation([=](const auto& x) { return cross_entropy(x[0], labels); }, {random_tensor({2, 3, V}, 1)});
  }
}

TEST_CASE("the cross entropy of some positions is that of a batch of them alone", "[cross_entropy]") {
  const Index B = 2, T = 5, V = 33;
  const std::vector<Index> positions = {1, 4};
  Tensor logits = random_tensor({B, T, V}, 1), chosen({B, 2, V});
  const Tensor labels = random_labels(B, T, V), chosen_labels({B, 2});
  for (Index n = 0; n < 4; ++n) {
    const Index row = n / 2 * T + positions[static_cast<std::size_t>(n % 2)];
    std::copy_n(logits.data() + row * V, V, chosen.data() + n * V);
    chosen_labels[n] = labels[row];
  }
  logits.requires_grad();
  chosen.requires_grad();
  Tape tape;
  tape.backward(cross_entropy(logits, labels, 3, positions) + cross_entropy(chosen, chosen_labels, 3));
  std::vector<double> losses(4), expected(4);
  cross_entropies(logits, labels, losses.data(), positions);
  cross_entropies(chosen, chosen_labels, expected.data());
  CHECK(losses == expected);
  Index counted = 0;
  for (Index row = 0; row < B * T; ++row) {
    const bool counts = row % T == 1 || row % T == 4;
    for (Index v = 0; v < V; ++v) {
      CHECK(logits.grad()[row * V + v] == (counts ? chosen.grad()[counted * V + v] : 0));
    }
    counted += counts;
  }
  check_operation([=](const auto& x) { return cross_entropy(x[0], labels, 3, positions); },
                  {random_tensor({B, T, V}, 1)});
  const auto refused = [&](const std::vector<Index>& wrong) {
    refuses("positions that do must rise", [&] { cross_entropy(logits, labels, 3, wrong); });
    refuses("positions that do must rise", [&] { cross_entropies(logits, labels, losses.data(), wrong); });
  };
  refused({4, 1});
  refused({1, 1});
  refused({5});
  refused({-1});
}

TEST_CASE("the cross entropy of large logits is exact", "[cross_entropy]") {
  // Of two numbers 1 apart it is log(1 + e) or log(1 + 1/e), wherever they are.
  for (const double at : {-1e4, 0.0, 1e4}) {
    const auto x = static_cast<real>(at);
    Tensor logits({1, 2, 2}, {x, x + 1, x, x + 1});
    const Tensor labels({1, 2}, {real{0}, real{1}});
    std::vector<double> losses(2);
    cross_entropies(logits, labels, losses.data());
    CHECK(std::abs(losses[0] - std::log(1 + std::exp(1.0))) < 4 * epsilon);
    CHECK(std::abs(losses[1] - std::log(1 + std::exp(-1.0))) < 4 * epsilon);
    logits.requires_grad();
    Tape tape;
    tape.backward(cross_entropy(logits, labels));
    CHECK(std::abs(static_cast<double>(logits.grad()[0]) + 0.5 / (1 + std::exp(-1.0))) < 4 * epsilon);
  }
  const Tensor far({1, 1, 3}, {real{-1e4}, real{1e4}, real{0}});
  double loss = 0;
  cross_entropies(far, Tensor({1, 1}, {real{0}}), &loss);
  CHECK(loss == 2e4);
}

TEST_CASE("the cross entropy of parts adds up, on any number of threads", "[cross_entropy]") {
  const Tensor logits = random_tensor({4, 3, 3000}, 1), labels = random_labels(4, 3, 3000);
  check_threads([=](const auto& x) { return cross_entropy(x[0], labels); }, {logits});
  double sum = 0;
  for (Index b = 0; b < 4; ++b) {
    const Tensor part({1, 3, 3000}, std::span<const real>(logits.data() + b * 9000, 9000));
    const Tensor label({1, 3}, std::span<const real>(labels.data() + b * 3, 3));
    sum += static_cast<double>(cross_entropy(part, label, 4).item());
  }
  CHECK(std::abs(sum - static_cast<double>(cross_entropy(logits, labels).item())) < 20 * epsilon);
}

TEST_CASE("labels that are none are refused", "[cross_entropy][errors]") {
  const Tensor logits({1, 2, 3});
  for (const double bad : {-1.0, 3.0, 0.5, std::nan("")}) {
    const Tensor labels({1, 2}, {real{0}, static_cast<real>(bad)});
    CHECK(lacks([&] { cross_entropy(logits, labels); }, {"cross_entropy", "label", "0 to 2"}) == "");
  }
  CHECK(lacks([&] { cross_entropy(logits, Tensor({2, 1})); }, {"(1, 2, 3)", "(2, 1)"}) == "");
  CHECK(lacks([&] { cross_entropy(Tensor({0, 2, 3}), Tensor({0, 2})); }, {"no mean"}) == "");
  CHECK(lacks([&] { cross_entropy(Tensor({1, 0, 3}), Tensor({1, 0})); }, {"no mean"}) == "");
  CHECK(lacks([&] { cross_entropies(Tensor({1, 2, 0}), Tensor({1, 2}), nullptr); }, {"label"}) == "");
}

}  // namespace mesagrad
