// What optimizers, clipping and schedules refuse.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/optimizer.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

// Everything that takes parameters, and the name that it has in messages.
void each_use(const std::function<void(const char*, const std::function<void(const Parameters&)>&)>& f) {
  f("clip_by_value", [](const Parameters& p) { clip_by_value(p, 1); });
  f("clip_by_norm", [](const Parameters& p) { clip_by_norm(p, 1); });
  f("zero_grad", [](const Parameters& p) { zero_grad(p); });
  f("SGD", [](const Parameters& p) { SGD(p, {}).step(0.1); });
  f("AdamW", [](const Parameters& p) { AdamW(p, {}).step(0.1); });
}

}  // namespace

TEST_CASE("AdamW refuses a gradient whose square is no number, and changes nothing", "[optimizer][errors]") {
  const real huge = in_double ? real(1e160) : real(1e21);
  for (const real g : {huge, -huge, std::numeric_limits<real>::infinity()}) {
    Tensor w({2}, {1, 2});
    w.requires_grad();
    AdamW optimizer({{"w", &w}}, {});
    w.grad()[1] = g;
    CHECK(lacks([&] { optimizer.step(0.1); }, {"AdamW", "w (2)", "too large"}) == "");
    CHECK((numbers_of(w) == std::vector<real>{1, 2} && optimizer.updates() == 0));
  }
}

TEST_CASE("clipping refuses a bound that is not positive", "[optimizer][errors]") {
  Tensor w({2}, 1);
  const Parameters parameters = {{"w", &w.requires_grad()}};
  for (const double bound : {0.0, -1.0, std::nan("")}) {
    CHECK(lacks([&] { clip_by_value(parameters, bound); }, {"clip_by_value", "positive"}) == "");
    CHECK(lacks([&] { clip_by_norm(parameters, bound); }, {"clip_by_norm", "positive"}) == "");
  }
}

TEST_CASE("parameters must be tensors with gradients, each once", "[optimizer][errors]") {
  each_use([](const char* op, const auto& use) {
    Tensor w({2, 3}, 1), v({2}, 1), none, no_gradient({5});
    w.requires_grad();
    v.requires_grad();
    CHECK(lacks([&] { use({{"w", &w}, {"v", &v}}); }, {"nothing was thrown"}) == "");
    CHECK(lacks([&] { use({}); }, {"nothing was thrown"}) == "");
    CHECK(lacks([&] { use({{"w", &w}, {"x", &none}}); }, {op, "parameter x", "empty tensor"}) == "");
    CHECK(lacks([&] { use({{"w", &w}, {"x", nullptr}}); }, {op, "parameter x", "empty tensor"}) == "");
    CHECK(lacks([&] { use({{"w", &w}, {"x", &no_gradient}}); }, {op, "x (5)", "no gradient"}) == "");
    CHECK(lacks([&] { use({{"w", &w}, {"v", &v}, {"x", &w}}); }, {op, "w and x", "the same"}) == "");
    Tensor other_handle = w;
    CHECK(lacks([&] { use({{"w", &w}, {"x", &other_handle}}); }, {op, "w and x", "the same"}) == "");
  });
}

TEST_CASE("an optimizer refuses to step other tensors than those it was made for", "[optimizer][errors]") {
  const auto refuses = [](const char* op, auto&& optimizer, Tensor& w, const Tensor& now) {
    const Tensor before = w;
    w = now;
    CHECK(lacks([&] { optimizer.step(0.1); }, {op, "w", "(2)", "no longer"}) == "");
    w = before;
    CHECK(w[0] == 1);
    optimizer.step(0.1);
    CHECK(w[0] < 1);
  };
  const auto ones = [] {
    Tensor w = Tensor({2}, 1).requires_grad();
    std::fill_n(w.grad(), 2, real{1});
    return w;
  };
  for (const Tensor& now : {Tensor({100000}, 1).requires_grad(), Tensor({2}, 1).requires_grad()}) {
    Tensor w = ones();
    refuses("AdamW", AdamW({{"w", &w}}, {}), w, now);
    w = ones();
    refuses("SGD", SGD({{"w", &w}}, {}), w, now);
    w = ones();
    refuses("AdamW", AdamW({{"w", &w}}, {}), w, w.reshaped({1, 2}));
  }
  Tensor w({2}, 1), v({3}, 1);  // a refused step changes nothing
  AdamW adam({{"w", &w.requires_grad()}, {"v", &v.requires_grad()}}, {});
  std::fill_n(w.grad(), 2, real{1});
  v = Tensor();
  CHECK(lacks([&] { adam.step(0.1); }, {"AdamW", "v", "empty tensor"}) == "");
  CHECK(w[0] == 1);
  CHECK(adam.updates() == 0);
}

TEST_CASE("settings that make no sense are refused", "[optimizer][errors]") {
  Tensor w({2}, 1);
  const Parameters p = {{"w", &w.requires_grad()}};
  const double nan = std::nan("");
  for (const double beta : {1.0, -0.1, 1.5, nan}) {
    CHECK(lacks([&] { AdamW(p, {.beta1 = beta}); }, {"AdamW", "beta1", "[0, 1)"}) == "");
    CHECK(lacks([&] { AdamW(p, {.beta2 = beta}); }, {"AdamW", "beta2", "[0, 1)"}) == "");
    CHECK(lacks([&] { SGD(p, {.momentum = beta}); }, {"SGD", "momentum", "[0, 1)"}) == "");
  }
  for (const double least : {0.0, -1e-8, in_double ? 0.0 : 1e-60, HUGE_VAL, nan})
    CHECK(lacks([&] { AdamW(p, {.epsilon = least}); }, {"AdamW", "epsilon", "positive"}) == "");
  for (const double decay : {-0.1, HUGE_VAL, nan})
    CHECK(lacks([&] { AdamW(p, {.decay = decay}); }, {"AdamW", "decay", "negative"}) == "");
  for (const double rate : {HUGE_VAL, -HUGE_VAL, nan}) {
    CHECK(lacks([&] { AdamW(p, {}).step(rate); }, {"AdamW", "rate", "finite"}) == "");
    CHECK(lacks([&] { SGD(p, {}).step(rate); }, {"SGD", "rate", "finite"}) == "");
  }
  CHECK(lacks([&] { AdamW(p, {}).set_updates(-5); }, {"AdamW", "-5 updates"}) == "");
  CHECK(lacks([] { WarmupCosine{}(-1); }, {"learning rate", "update -1"}) == "");
  CHECK(numbers_of(w) == std::vector<real>{1, 1});
}

}  // namespace mesagrad
