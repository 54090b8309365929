// The training step that cuts its batch into shards.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/training.h"

#include <mutex>

#include "nn/linear_transformer.h"
#include "nn/loss.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

const LinearTransformer::Options small{.width = 8,
                                       .blocks = 2,
                                       .heads = 2,
                                       .key_size = 4,
                                       .clip = 4,
                                       .init_deviation = 0.1};

// Random tokens (B, T, 8) and labels (B, T, 2).
struct Data {
  Tensor tokens, labels;
  Data(Index batch, Index T, std::uint64_t seed = 1)
      : tokens(random_tensor({batch, T, 8}, seed)),
        labels(random_tensor({batch, T, 2}, seed + 1)) {}

  // The loss of count sequences, as a part of the whole batch's.
  Tensor loss(const LinearTransformer& model, Index first, Index count) const {
    return squared_error(model(part(tokens, first, count)), part(labels, first, count),
                         tokens.dim(0));
  }
  static Tensor part(const Tensor& x, Index first, Index count) {
    const Index size = x.dim(1) * x.dim(2);
    return Tensor({count, x.dim(1), x.dim(2)},
                  std::span<const real>(x.data() + first * size,
                                        static_cast<std::size_t>(count * size)));
  }
};

std::vector<std::vector<real>> gradients_of(LinearTransformer& model) {
  std::vector<std::vector<real>> all;
  for (const Parameter& p : model.parameters()) all.push_back(gradient_of(*p.tensor));
  return all;
}

// Losses of 100 updates, and the weights in the end.
std::pair<std::vector<double>, std::vector<std::vector<real>>> train(int thread_count) {
  const Threads threads(thread_count);
  LinearTransformer model(small, 1);
  AdamW optimizer(model.parameters(), {.decay = 0.1});
  Training training(model, 37, 10);
  std::vector<double> losses;
  for (std::uint64_t n = 0; n < 100; ++n) {
    const Data data(37, 10, n);
    losses.push_back(training(
        [&](const auto& m, Index first, Index count) { return data.loss(m, first, count); }));
    optimizer.step(1e-2);
  }
  std::vector<std::vector<real>> weights;
  for (const Parameter& p : model.parameters()) weights.push_back(numbers_of(*p.tensor));
  return {losses, weights};
}

}  // namespace

TEST_CASE("a step has the loss and gradient of one tape over the whole batch", "[training]") {
  for (const Index T : {7, 100, 300}) {  // passes of 28 sequences, of two, of one
    for (const Index batch : {1, 3, 15, 16, 17, 50, 100}) {
      if (batch * T > 5000) continue;
      INFO(batch << " sequences of " << T << " tokens");
      const Data data(batch, T);
      LinearTransformer model(small, 1), whole(small, 1);
      double expected = 0;
      {
        Tape tape;
        const Tensor loss = data.loss(whole, 0, batch);
        expected = loss.item();
        tape.backward(loss);
      }
      Training training(model, batch, T);
      const double loss = training(
          [&](const auto& m, Index first, Index count) { return data.loss(m, first, count); });
      CHECK(std::abs(loss - expected) < (in_double ? 1e-12 : 1e-6) * expected);
      const auto gradients = gradients_of(model), exact = gradients_of(whole);
      for (std::size_t n = 0; n < exact.size(); ++n) {
        double largest = 0;
        for (const real g : exact[n]) largest = std::max(largest, std::abs(static_cast<double>(g)));
        CHECK(largest > 0);
        CHECK(largest_difference(gradients[n], exact[n]) < (in_double ? 1e-12 : 1e-6) * largest);
      }
    }
  }
}

TEST_CASE("every sequence is in exactly one part", "[training]") {
  for (const Index T : {1, 70, 1000}) {
    for (const Index batch : {1, 2, 15, 16, 17, 31, 33, 100, 1000}) {
      INFO(batch << " sequences of " << T << " tokens");
      LinearTransformer model({.width = 1, .heads = 1, .key_size = 1}, 1);
      model.blocks[0].attention.wq[0] = 1;  // so that the loss counts sequences
      Training training(model, batch, T);
      std::vector<int> seen(static_cast<std::size_t>(batch));
      std::mutex mutex;
      bool small_parts = true;
      const double loss = training([&](const auto& m, Index first, Index count) {
        const std::scoped_lock lock(mutex);
        for (Index i = first; i < first + count; ++i) ++seen.at(static_cast<std::size_t>(i));
        // Four matrices of one column, and their gradients: a megabyte, if they were floats.
        small_parts &= count > 0 && count <= 16 && (count == 1 || count * T * 8 <= Index{1} << 18);
        return static_cast<real>(count) * sum(m.blocks[0].attention.wq);
      });
      CHECK(seen == std::vector<int>(seen.size(), 1));
      CHECK(small_parts);
      CHECK(loss == static_cast<double>(batch));
      CHECK(model.blocks[0].attention.wq.grad()[0] == static_cast<real>(batch));
    }
  }
}

TEST_CASE("a step changes gradients only, and replaces those of the step before", "[training]") {
  const Data data(20, 10), other(20, 10, 77);
  LinearTransformer model(small, 1), untouched(small, 1);
  Training training(model, 20, 10);
  const auto run = [&](const Data& d) {
    training([&](const auto& m, Index first, Index count) { return d.loss(m, first, count); });
    return gradients_of(model);
  };
  for (const Parameter& p : model.parameters()) std::fill_n(p.tensor->grad(), 3, real{5});
  const auto first = run(data);
  const auto second = run(other);
  CHECK(first != second);
  CHECK(run(data) == first);
  for (std::size_t n = 0; n < 8; ++n) {
    CHECK(numbers_of(*model.parameters()[n].tensor) ==
          numbers_of(*untouched.parameters()[n].tensor));
  }
}

TEST_CASE("training has the same bits on any number of threads", "[training]") {
  const auto [losses, weights] = train(1);
  CHECK(losses.back() < losses.front());
  for (const int threads : {2, 3, 5}) {
    INFO(threads << " threads");
    const auto [other_losses, other_weights] = train(threads);
    CHECK(other_losses == losses);
    CHECK(other_weights == weights);
  }
}

TEST_CASE("an error in a part of the batch reaches the caller", "[training][errors]") {
  const Data data(40, 10);
  for (const int count : {1, 3}) {
    const Threads threads(count);
    LinearTransformer model(small, 1), fresh(small, 1);
    Training training(model, 40, 10), expected(fresh, 40, 10);
    const auto loss_of = [&](const auto& m, Index first, Index parts) {
      return data.loss(m, first, parts);
    };
    const auto failing = [&](const auto& m, Index first, Index parts) {
      const Tensor loss = loss_of(m, first, parts);
      check(first + parts < 40, "the last sequence is spoilt");
      return loss;
    };
    CHECK(message_of([&] { training(failing); }) == "the last sequence is spoilt");
    CHECK(Tape::current() == nullptr);
    CHECK(training(loss_of) == expected(loss_of));  // and the next step is a good one
    CHECK(gradients_of(model) == gradients_of(fresh));
  }
}

TEST_CASE("training refuses an empty batch", "[training][errors]") {
  LinearTransformer model(small, 1);
  using Step = Training<LinearTransformer>;
  CHECK(lacks([&] { Step(model, 0, 5); }, {"training", "batch of 0", "of 5 tokens"}) == "");
  CHECK(lacks([&] { Step(model, 5, 0); }, {"training", "batch of 5", "of 0 tokens"}) == "");
  CHECK(lacks([&] { Step(model, -1, 5); }, {"training", "batch of -1", "positive"}) == "");
  const Index huge = std::numeric_limits<Index>::max();
  CHECK(lacks([&] { Step(model, huge, 5); }, {"training", text(huge).c_str(), "too large"}) == "");
}

TEST_CASE("training refuses a model whose parameters are not what they were", "[training][errors]") {
  const Data data(5, 10);
  const auto loss_of = [&](const auto& m, Index first, Index count) { return data.loss(m, first, count); };
  LinearTransformer model(small, 1);
  Training training(model, 5, 10);
  training(loss_of);
  Tensor& w = model.blocks[1].attention.wv;
  const Tensor before = w;
  for (const Tensor& now :
       {random_tensor(w.shape(), 1).requires_grad(), Tensor({3}).requires_grad(), Tensor()}) {
    w = now;
    CHECK(lacks([&] { training(loss_of); }, {"training", "blocks.1.wv", "no longer"}) == "");
  }
  w = before;
  training(loss_of);
  w = model.blocks[0].attention.wv;
  using Step = Training<LinearTransformer>;
  CHECK(lacks([&] { Step(model, 5, 10); }, {"training", "blocks.0.wv and blocks.1.wv"}) == "");
  w = before.copy();
  CHECK(lacks([&] { Step(model, 5, 10); }, {"training", "blocks.1.wv", "no gradient"}) == "");
}

}  // namespace mesagrad
