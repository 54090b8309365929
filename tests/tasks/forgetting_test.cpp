// Systems that are exchanged on the way, and predictors that forget.
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/forgetting.h"

#include "core/elementary.h"
#include "nn/reference.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

const SwitchingDynamics small = {.dimension = 3, .tokens = 40};

std::vector<double> losses(const Memory& memory, const SwitchingDynamics::Sequence& sequence) {
  std::vector<double> out(static_cast<std::size_t>(sequence.states.rows() - 1));
  losses_of_memory(memory, sequence, out.data());
  return out;
}

// What the library's gated attention would lose on a sequence, from its definition.
std::vector<double> by_reference(const Memory& memory, const Matrix& states) {
  const Index T = states.rows() - 1, d = states.columns();
  Matrix keys(T, d), values(T, d), asked(T, d);
  std::vector<reference::TokenGate> gates(static_cast<std::size_t>(T), {memory.decay, memory.strength});
  for (Index t = 0; t < T; ++t) {
    double now = 0, before = 0;
    for (Index j = 0; j < d; ++j) {
      now += states(t, j) * states(t, j);
      before += t == 0 ? 0 : states(t - 1, j) * states(t - 1, j);
    }
    for (Index j = 0; j < d; ++j) {
      asked(t, j) = states(t, j) / std::sqrt(now);
      if (t == 0) continue;
      keys(t, j) = states(t - 1, j) / std::sqrt(before);
      values(t, j) = states(t, j);
    }
  }
  if (memory.kind == Memory::Kind::least_squares) {
    asked = reference::gated_preconditioned_queries(
        asked, keys, gates, std::vector<double>(static_cast<std::size_t>(d), memory.penalty));
  }
  const Matrix said = reference::gated_linear_attention(asked, keys, values, gates);
  std::vector<double> result(static_cast<std::size_t>(T));
  for (Index t = 0; t < T; ++t) {
    for (Index j = 0; j < d; ++j) {
      const double error = memory.scale * said(t, j) - states(t + 1, j);
      result[static_cast<std::size_t>(t)] += error * error / 2;
    }
  }
  return result;
}

}  // namespace

TEST_CASE("a switching system follows one matrix up to the switch, and another one from there",
          "[forgetting]") {
  SwitchingDynamics task = small;
  task.noise = 0;
  Index least = task.tokens, most = 0;
  for (std::uint64_t number = 0; number < 200; ++number) {
    const auto [n, s] = task.sample(Random(1, stream::test_data, number));
    least = std::min(least, n);
    most = std::max(most, n);
    // d + 1 states in a row tell W; it then predicts the others of its part
    const auto fits = [&, &states = s](Index from, Index to) {
      Matrix X(3, 3), Y(3, 3);
      for (Index i = 0; i < 3; ++i) {
        for (Index j = 0; j < 3; ++j) {
          X(i, j) = states(from + i, j);
          Y(i, j) = states(from + i + 1, j);
        }
      }
      const Matrix W = lu_solve(X, Y);  // x W = y for rows
      double largest = 0;
      for (Index t = from; t < to; ++t) {
        for (Index j = 0; j < 3; ++j) {
          double said = 0;
          for (Index k = 0; k < 3; ++k) said += states(t, k) * W(k, j);
          largest = std::max(largest, std::abs(said - states(t + 1, j)));
        }
      }
      return largest;
    };
    if (number < 5) {
      CHECK(fits(0, n) < 1e-6);
      CHECK(fits(n, task.tokens) < 1e-6);
      CHECK(fits(0, n + 1) > 1e-3);
    }
  }
  CHECK(least == 10);
  CHECK(most == 29);
}

TEST_CASE("tokens of a switching system: states, the ones before, and the cue", "[forgetting]") {
  SwitchingDynamics task = small;
  const Index width = 10;
  for (const bool cue : {false, true}) {
    task.cue = cue;
    const Batch batch = task.batch(1, stream::test_data, 4, 2);
    CHECK(batch.inputs.shape() == Shape{2, 40, width});
    const auto sequence = task.sample(Random(1, stream::test_data, 5));
    for (Index t = 0; t < task.tokens; ++t) {
      const real* token = batch.inputs.data() + (task.tokens + t) * width;
      for (Index j = 0; j < 3; ++j) {
        CHECK(token[j] == 0);
        CHECK(token[3 + j] == static_cast<real>(sequence.states(t, j)));
        CHECK(token[6 + j] == (t == 0 ? 0 : static_cast<real>(sequence.states(t - 1, j))));
        CHECK(batch.labels[(task.tokens + t) * 3 + j] == static_cast<real>(sequence.states(t + 1, j)));
      }
      CHECK(token[9] == (cue && t == sequence.switched + 1 ? 1 : 0));
    }
  }
}

TEST_CASE("memories are gated linear attention and the gated mesa-layer", "[forgetting]") {
  const auto sequence = small.sample(Random(1, stream::test_data, 3));
  for (const double decay : {1.0, 0.8}) {
    for (const Memory::Kind kind : {Memory::Kind::sum, Memory::Kind::least_squares}) {
      const Memory memory{.kind = kind, .decay = decay, .strength = 0.7, .penalty = 0.2, .scale = 0.9};
      CHECK(largest_difference(losses(memory, sequence), by_reference(memory, sequence.states)) < 1e-10);
    }
  }
}

TEST_CASE("the delta rule with a strength of 1 says what was written last", "[forgetting]") {
  // One dimension: all keys are 1 or -1, so that the last pair is all there is to know.
  const SwitchingDynamics task = {.dimension = 1, .tokens = 12};
  const auto sequence = task.sample(Random(1, stream::test_data, 3));
  const Matrix& s = sequence.states;
  const std::vector<double> loss = losses({.kind = Memory::Kind::delta}, sequence);
  for (Index t = 1; t < 12; ++t) {
    const double sign = s(t, 0) * s(t - 1, 0) > 0 ? 1 : -1, error = sign * s(t, 0) - s(t + 1, 0);
    CHECK(loss[static_cast<std::size_t>(t)] == Approx(error * error / 2));
  }
}

TEST_CASE("who is told of the switch, or notices it, starts anew there", "[forgetting]") {
  const SwitchingDynamics task;
  for (std::uint64_t i = 0; i < 5; ++i) {
    const auto sequence = task.sample(Random(1, stream::test_data, i));
    // the rest of the sequence alone, after the switch
    SwitchingDynamics::Sequence rest{-9, Matrix(101 - sequence.switched, 10)};
    std::copy_n(sequence.states.row(sequence.switched), rest.states.values().size(),
                rest.states.values().data());
    const Memory plain{.penalty = 0.001};
    Memory told = plain, surprised = plain;
    told.forget = Memory::Forget::at_switch;
    surprised.forget = Memory::Forget::on_surprise;
    const std::vector<double> expected = losses(plain, rest), all = losses(told, sequence);
    CHECK(largest_difference(std::vector(all.end() - std::ssize(expected) + 1, all.end()),
                             std::vector(expected.begin() + 1, expected.end())) < 1e-10);
    std::vector<double> noticed(100);
    CHECK(losses_of_memory(surprised, sequence, noticed.data()) == 1);
    CHECK(noticed == all);
    CHECK(losses(plain, sequence) != all);
  }
}

TEST_CASE("losses are read off at each sequence's own switch", "[forgetting]") {
  const Index T = small.tokens, d = small.dimension;
  std::vector<double> made;
  for (std::uint64_t i = 0; i < 20; ++i) {
    const Index n = small.sample(Random(7, stream::test_data, i)).switched;
    for (Index t = 0; t < T; ++t) made.push_back(static_cast<double>(t - n));
  }
  const Forgetting result = forgetting_of(small, 7, stream::test_data, made);
  CHECK(result.before == Approx(-1));
  CHECK(result.at == Approx(0).margin(1e-12));
  CHECK(result.after == Approx(d));
  CHECK(result.later == Approx(2 * d));
  REQUIRE(result.around.size() == 20);
  CHECK(result.around.front() == Approx(-10));
  CHECK(result.around.back() == Approx(9));
}

TEST_CASE("switching dynamics refuse what makes no sense", "[forgetting][errors]") {
  CHECK(lacks([] { SwitchingDynamics{.tokens = 3}.shape(); }, {"3 tokens", "at least four"}) == "");
  CHECK(lacks([] { SwitchingDynamics{.noise = -1}.shape(); }, {"noise -1"}) == "");
  const auto sequence = small.sample(Random(1, stream::test_data, 3));
  CHECK(lacks([&] { losses({.decay = 1.5}, sequence); }, {"decay 1.5"}) == "");
  CHECK(lacks([&] { losses({.penalty = 0}, sequence); }, {"penalty 0"}) == "");
  CHECK(lacks([] { forgetting_of(small, 1, stream::test_data, std::vector<double>(41)); }, {"41 losses"}) ==
        "");
}

}  // namespace mesagrad
