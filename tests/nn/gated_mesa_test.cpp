// Attention that forgets, against its definition.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/gated_mesa.h"

#include "core/elementary.h"
#include "nn/gated_delta.h"
#include "nn/gated_mesa_forms.h"
#include "nn/gates.h"
#include "nn/linear_transformer.h"
#include "nn/reference.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

struct Sizes {
  Index B, T, H, K, V;
};
std::ostream& operator<<(std::ostream& out, const Sizes& s) {
  return out << "B " << s.B << ", T " << s.T << ", H " << s.H << ", K " << s.K << ", V " << s.V;
}

// What makes the solutions hard: some γ, β, keys or queries are zero.
enum class Adversity { none, no_past, no_weight, no_key, no_query };
const std::vector<Adversity> adversities = {Adversity::none, Adversity::no_past, Adversity::no_weight,
                                            Adversity::no_key, Adversity::no_query};

struct Arguments {
  Tensor q, k, v, log_decay, strength, penalty;

  explicit Arguments(const Sizes& s, Adversity adversity = Adversity::none)
      : q(random_tensor({s.B, s.T, s.H * s.K}, 1)), k(random_tensor({s.B, s.T, s.H * s.K}, 2, 0.7)),
        v(random_tensor({s.B, s.T, s.H * s.V}, 3)), log_decay({s.B, s.T, s.H}), strength({s.B, s.T, s.H}),
        penalty({s.H * s.K}) {
    Random random(4, stream::test_data);
    const auto fill = [&](const Tensor& x, double low, double high) {
      for (Index i = 0; i < x.size(); ++i) x[i] = static_cast<real>(random.uniform(low, high));
    };
    fill(log_decay, -0.8, -0.01);
    fill(strength, 0.05, 0.95);
    fill(penalty, 0.3, 1.2);
    const auto zero_some = [](const Tensor& x, real zero) {  // two of three tokens
      for (Index i = 0; i < x.size(); ++i) {
        if (i / x.dim(2) % 3 != 1) x[i] = zero;
      }
    };
    if (adversity == Adversity::no_past) zero_some(log_decay, -std::numeric_limits<real>::infinity());
    if (adversity == Adversity::no_weight) zero_some(strength, 0);
    if (adversity == Adversity::no_key) zero_some(k, 0);
    if (adversity == Adversity::no_query) zero_some(q, 0);
  }
  std::vector<Tensor> of_linear() const { return {q, k, v, log_decay, strength}; }
  std::vector<Tensor> of_queries() const { return {q, k, log_decay, strength, penalty}; }
};

auto linear(Index heads) {
  return [=](const std::vector<Tensor>& x) {
    return gated_linear_attention(x[0], x[1], x[2], x[3], x[4], heads);
  };
}
auto delta(Index heads) {
  return [=](const std::vector<Tensor>& x) { return gated_delta_rule(x[0], x[1], x[2], x[3], x[4], heads); };
}
auto queries(Index heads, Index steps = MesaSolver::exact) {
  return [=](const std::vector<Tensor>& x) {
    return gated_preconditioned_queries(x[0], x[1], x[2], x[3], x[4], heads, {steps});
  };
}

std::vector<reference::TokenGate> gates_of(const Arguments& x, Index b, Index h, Index heads) {
  const Matrix log_decay = reference::head_of(x.log_decay, b, h, heads),
               strength = reference::head_of(x.strength, b, h, heads);
  std::vector<reference::TokenGate> gates;
  for (Index t = 0; t < log_decay.rows(); ++t) {
    gates.push_back({exponential(std::clamp(log_decay(t, 0), least_log_decay, 0.0)), strength(t, 0)});
  }
  return gates;
}

// The largest difference from the reference.
double error_of(const Tensor& result, const Sizes& s,
                const std::function<Matrix(Index b, Index h)>& exact_of_head) {
  double largest = 0;
  for (Index b = 0; b < s.B; ++b) {
    for (Index h = 0; h < s.H; ++h) {
      const Matrix ours = reference::head_of(result, b, h, s.H), exact = exact_of_head(b, h);
      largest = std::max(largest, largest_difference(ours.values(), exact.values()));
    }
  }
  return largest;
}

Matrix exact_queries(const Arguments& x, Index b, Index h, Index heads) {
  const Index K = x.penalty.size() / heads;
  std::vector<double> penalty;
  for (Index j = 0; j < K; ++j) penalty.push_back(static_cast<double>(x.penalty[h * K + j]));
  return reference::gated_preconditioned_queries(reference::head_of(x.q, b, h, heads),
                                                 reference::head_of(x.k, b, h, heads),
                                                 gates_of(x, b, h, heads), penalty);
}

const std::vector<Sizes> all_sizes = {{1, 1, 1, 1, 1}, {2, 5, 2, 3, 2}, {1, 9, 3, 5, 7}, {3, 7, 1, 17, 4},
                                      {1, 40, 1, 8, 8}, {1, 3, 2, 64, 3}, {2, 97, 5, 6, 4}, {1, 64, 3, 4, 9}};
constexpr double tolerance = in_double ? 1e-12 : 2e-5;

bool all_finite(const std::vector<real>& numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [](real x) { return std::isfinite(x); });
}

}  // namespace

TEST_CASE("gated linear attention is the sum that defines it", "[gated]") {
  for (const Sizes& s : all_sizes) {
    for (const Adversity adversity : adversities) {
      INFO(s << ", adversity " << static_cast<int>(adversity));
      const Arguments x(s, adversity);
      CHECK(error_of(linear(s.H)(x.of_linear()), s, [&](Index b, Index h) {
              return reference::gated_linear_attention(
                  reference::head_of(x.q, b, h, s.H), reference::head_of(x.k, b, h, s.H),
                  reference::head_of(x.v, b, h, s.H), gates_of(x, b, h, s.H));
            }) < tolerance);
    }
  }
}

TEST_CASE("the gated delta rule writes what its definition writes", "[gated]") {
  for (const Sizes& s : all_sizes) {
    for (const Adversity adversity : adversities) {
      INFO(s << ", adversity " << static_cast<int>(adversity));
      Arguments x(s, adversity);
      x.k = safe_unit_length(x.k, s.H);  // longer ones write ever larger errors
      CHECK(error_of(delta(s.H)(x.of_linear()), s, [&](Index b, Index h) {
              return reference::gated_delta_rule(
                  reference::head_of(x.q, b, h, s.H), reference::head_of(x.k, b, h, s.H),
                  reference::head_of(x.v, b, h, s.H), gates_of(x, b, h, s.H));
            }) < tolerance);
    }
  }
}

TEST_CASE("gated preconditioned queries solve the weighted normal equations at every token", "[gated]") {
  for (const Sizes& s : all_sizes) {
    for (const Adversity adversity : adversities) {
      INFO(s << ", adversity " << static_cast<int>(adversity));
      const Arguments x(s, adversity);
      const auto exact = [&](Index b, Index h) { return exact_queries(x, b, h, s.H); };
      CHECK(error_of(queries(s.H)(x.of_queries()), s, exact) < tolerance);
      CHECK(error_of(queries(s.H, MesaSolver::converged)(x.of_queries()), s, exact) < 1e-4);
    }
  }
}

TEST_CASE("sizes of zero are no trouble to gated layers", "[gated]") {
  for (const Sizes& s :
       {Sizes{0, 3, 2, 2, 2}, Sizes{2, 0, 2, 2, 2}, Sizes{2, 3, 2, 0, 2}, Sizes{2, 3, 2, 2, 0}}) {
    INFO(s);
    const Arguments x(s);
    CHECK(linear(s.H)(x.of_linear()).shape() == x.v.shape());
    CHECK(delta(s.H)(x.of_linear()).shape() == x.v.shape());
    CHECK(queries(s.H)(x.of_queries()).shape() == x.q.shape());
    CHECK(numbers_of(linear(2)(x.of_linear())) == std::vector<real>(static_cast<std::size_t>(x.v.size())));
  }
}

TEST_CASE("gradients of gated layers agree with the definition in every element", "[gated]") {
  for (const Sizes& s : {Sizes{2, 5, 2, 3, 2}, Sizes{1, 9, 1, 2, 4}, Sizes{1, 68, 1, 2, 1}}) {
    for (const Adversity adversity : adversities) {
      INFO(s << ", adversity " << static_cast<int>(adversity));
      Arguments x(s, adversity);
      if (adversity == Adversity::no_past) {  // a limited decay has no derivative to compare with
        for (Index i = 0; i < x.log_decay.size(); ++i) x.log_decay[i] = std::max<real>(x.log_decay[i], -19);
      }
      check_gradient(linear(s.H), x.of_linear());
      check_gradient(delta(s.H), x.of_linear());
      // (The exact solver takes a step to β < 0 for a rounding error, which it repairs.)
      const bool whole = adversity != Adversity::no_weight;
      if (whole) check_gradient(queries(s.H), x.of_queries());
      if (!whole || in_double) check_gradient(queries(s.H, 2 * s.K), x.of_queries());
    }
  }
}

TEST_CASE("gated layers keep what operations owe each other", "[gated]") {
  const Sizes s{2, 5, 2, 3, 2};
  const Arguments x(s);
  check_operation(linear(s.H), x.of_linear());
  check_operation(delta(s.H), x.of_linear());
  check_wanted_gradients(delta(s.H), x.of_linear());
  check_added_gradients(delta(s.H), x.of_linear());
  check_operation(queries(s.H), x.of_queries());
  check_wanted_gradients(linear(s.H), x.of_linear());
  check_wanted_gradients(queries(s.H), x.of_queries());
  check_added_gradients(linear(s.H), x.of_linear());
  check_added_gradients(queries(s.H), x.of_queries());
  check_memory(queries(s.H, 3), x.of_queries());
}

TEST_CASE("gated layers compute the same bits on any number of threads", "[gated]") {
  const Sizes s{8, 30, 3, 12, 12};
  const Arguments x(s);
  check_threads(linear(s.H), x.of_linear());
  check_threads(delta(s.H), {x.q, safe_unit_length(x.k, s.H), x.v, x.log_decay, x.strength});
  check_threads(queries(s.H), x.of_queries());
  check_threads(queries(s.H, 4), x.of_queries());
}

TEST_CASE("no past, weight, key or query: results and gradients stay finite", "[gated]") {
  const Sizes s{2, 30, 2, 4, 4};
  for (const Adversity adversity : adversities) {
    for (const Index steps : {MesaSolver::exact, MesaSolver::converged, Index{0}, Index{2}}) {
      INFO("adversity " << static_cast<int>(adversity) << ", steps " << steps);
      const Arguments x(s, adversity);
      Arena arena;
      CHECK(all_finite(result_and_gradients(delta(s.H), x.of_linear(), arena)));
      CHECK(all_finite(result_and_gradients(linear(s.H), x.of_linear(), arena)));
      CHECK(all_finite(result_and_gradients(queries(s.H, steps), x.of_queries(), arena)));
    }
  }
}

TEST_CASE("a decay outside its bounds counts as the bound, and gets no gradient", "[gated]") {
  const Sizes s{1, 4, 1, 2, 2};
  Arguments x(s), bounded(s);
  x.log_decay[1] = real{0.5};
  bounded.log_decay[1] = 0;
  x.log_decay[2] = -30;
  bounded.log_decay[2] = static_cast<real>(least_log_decay);
  CHECK(numbers_of(linear(1)(x.of_linear())) == numbers_of(linear(1)(bounded.of_linear())));
  CHECK(numbers_of(queries(1)(x.of_queries())) == numbers_of(queries(1)(bounded.of_queries())));
  const auto gradient = gradients_of(queries(1), x.of_queries(), {false, false, true, false, false})[2];
  CHECK(gradient[1] == 0);
  CHECK(gradient[2] == 0);
  CHECK(gradient[3] != 0);
}

TEST_CASE("zero steps of conjugate gradients give zero, and one step goes along the query", "[gated]") {
  const Sizes s{1, 6, 1, 3, 3};
  const Arguments x(s);
  for (const real y : numbers_of(queries(1, 0)(x.of_queries()))) CHECK(y == 0);
  const Tensor one = queries(1, 1)(x.of_queries());
  for (Index t = 0; t < s.T; ++t) {
    const real factor = one[t * s.K] / x.q[t * s.K];
    for (Index j = 0; j < s.K; ++j) CHECK(one[t * s.K + j] == Approx(factor * x.q[t * s.K + j]));
  }
}

// Guards like "plus 10⁻⁵" in a solver are harmless for queries and fatal for gradients, which are small.
TEST_CASE("gradients of 1e-8 are as right as gradients of 1", "[gated]") {
  const Sizes s{1, 40, 1, 32, 32};
  const Arguments x(s);
  for (const Index steps : {MesaSolver::exact, MesaSolver::converged}) {
    const auto gradients = [&](double size) {
      std::vector<Tensor> inputs = x.of_queries();
      for (Tensor& input : inputs) input.requires_grad();
      Tape tape;
      const Tensor out = queries(1, steps)(inputs);
      tape.backward(out, random_tensor(out.shape(), 9, size));
      std::vector<double> all;
      for (const Tensor& input : inputs) {
        for (const real g : gradient_of(input)) all.push_back(static_cast<double>(g) / size);
      }
      return all;
    };
    const std::vector<double> large = gradients(1), small = gradients(1e-8);
    double scale = 0;
    for (const double g : large) scale = std::max(scale, std::abs(g));
    CHECK(largest_difference(large, small) < 1e-4 * scale);
  }
}

TEST_CASE("a solver that meets a matrix which is not positive stops, and stays finite", "[gated]") {
  const Sizes s{1, 20, 1, 4, 4};
  Arguments x(s);
  for (Index i = 0; i < x.strength.size(); ++i) x.strength[i] = -3;  // what rounding can do to H
  CHECK(all_finite(numbers_of(queries(1, MesaSolver::converged)(x.of_queries()))));
  CHECK(all_finite(numbers_of(queries(1)(x.of_queries()))));
}

TEST_CASE("queries that are no numbers have no answer, and spoil no other token's", "[gated]") {
  const Sizes s{1, 6, 1, 3, 3};
  Arguments x(s);
  x.q[2 * s.K + 1] = std::numeric_limits<real>::quiet_NaN();
  for (const Index steps : {MesaSolver::exact, MesaSolver::converged}) {
    const Tensor result = queries(1, steps)(x.of_queries());
    for (Index t = 0; t < s.T; ++t) CHECK(std::isnan(result[t * s.K]) == (t == 2));
  }
}

TEST_CASE("chunks of any length compute what the recursion does", "[gated]") {
  for (const Sizes& s : {Sizes{2, 37, 2, 5, 4}, Sizes{1, 130, 1, 16, 16}}) {
    for (const Adversity adversity : adversities) {
      Arguments x(s, adversity);  // unconverged steps multiply rounding errors, the more the longer keys are
      x.q = safe_unit_length(x.q, s.H);
      x.k = safe_unit_length(x.k, s.H);
      const Tensor recurrent = gated_linear_attention(queries(s.H, 10)(x.of_queries()), x.k, x.v, x.log_decay,
                                                      x.strength, s.H);
      for (const Index chunk : {Index{1}, Index{16}, Index{64}, s.T}) {
        INFO(s << ", adversity " << static_cast<int>(adversity) << ", chunk " << chunk);
        const Tensor chunked =
            chunked_gated_mesa(x.q, x.k, x.v, x.log_decay, x.strength, x.penalty, s.H, chunk, 10);
        CHECK(largest_difference(numbers_of(chunked), numbers_of(recurrent)) < (in_double ? 1e-7 : 2e-5));
      }
    }
  }
}

TEST_CASE("the small operations that gates are made of", "[gated]") {
  const Tensor x = random_tensor({2, 3, 6}, 1, 3), shift = random_tensor({6}, 2);
  check_operation([](const auto& a) { return sigmoid(a[0]); }, {x});
  check_operation([](const auto& a) { return log_sigmoid(a[0]); }, {x});
  check_operation([](const auto& a) { return add_to_rows(a[0], a[1]); }, {x, shift});
  check_wanted_gradients([](const auto& a) { return add_to_rows(a[0], a[1]); }, {x, shift});
  check_operation([](const auto& a) { return safe_unit_length(a[0], 2); }, {x});
  const Tensor extreme({4}, {-1000, -50, 50, 1000});
  CHECK(all_finite(numbers_of(sigmoid(extreme))));
  CHECK(log_sigmoid(extreme)[0] == -1000);
  CHECK(log_sigmoid(extreme)[3] == 0);
  CHECK(std::abs(sigmoid(Tensor({1}, 0))[0] - real{0.5}) == 0);
}

TEST_CASE("a key of zero passes a gradient on that is a thousand times as large, and no more", "[gated]") {
  const auto gradient = gradients_of([](const auto& a) { return safe_unit_length(a[0], 1); },
                                     {Tensor({1, 1, 3})}, {true})[0];
  const std::vector<real> cotangent = numbers_of(random_tensor({1, 1, 3}, 9));
  for (std::size_t j = 0; j < 3; ++j) CHECK(gradient[j] == Approx(1000 * cotangent[j]));
}

TEST_CASE("gated layers refuse what does not fit", "[gated][errors]") {
  const Sizes s{2, 3, 2, 4, 5};
  const Arguments x(s);
  const auto with = [&](std::size_t n, const Tensor& other, Index heads = 2) {
    return [=, &x] {
      std::vector<Tensor> inputs = x.of_queries();
      inputs[n] = other;
      queries(heads)(inputs);
    };
  };
  CHECK(lacks(with(0, x.v), {"q (2, 3, 10)", "k (2, 3, 8)"}) == "");
  CHECK(lacks(with(2, x.q), {"expected gates (2, 3, 2)"}) == "");
  CHECK(lacks(with(3, Tensor({2, 3, 4})), {"strength (2, 3, 4)"}) == "");
  CHECK(lacks(with(4, Tensor({4}, 1)), {"penalty (4)", "(8)"}) == "");
  CHECK(lacks(with(4, Tensor({8})), {"penalty 0 is 0", "positive"}) == "");
  CHECK(lacks(with(0, x.q, 3), {"H = 3"}) == "");
  CHECK(lacks([&] { queries(2, -3)(x.of_queries()); }, {"-3 steps"}) == "");
  CHECK(lacks([&] { gated_delta_rule(x.q, x.k, Tensor({2, 4, 10}), x.log_decay, x.strength, 2); },
              {"gated_delta_rule: v (2, 4, 10)"}) == "");
  CHECK(lacks([&] { gated_linear_attention(x.q, x.k, Tensor({2, 4, 10}), x.log_decay, x.strength, 2); },
              {"v (2, 4, 10)"}) == "");
  CHECK(lacks([&] { chunked_gated_mesa(x.q, x.k, x.v, x.log_decay, x.strength, x.penalty, 2, 0, 3); },
              {"chunks of 0"}) == "");
  const auto started = [](const auto& kind) {
    return [kind] {
      auto fresh = kind;
      fresh.start(2, 4, 3);
    };
  };
  CHECK(lacks(started(GatedMesaLayer{.floor = 1}), {"the floor is 1"}) == "");
  CHECK(lacks(started(GatedLinearAttention{.gates = {.first_decay = 1}}), {"the first decay is 1"}) == "");
  CHECK(lacks([&] { add_to_rows(x.q, x.penalty.reshaped({2, 4})); }, {"shift (2, 4)"}) == "");
  CHECK(lacks([&] { safe_unit_length(x.q, 3); }, {"3 heads"}) == "");
}

TEST_CASE("layers whose gates are made of the tokens", "[gated]") {
  for (const Mixer& kind : {Mixer(GatedMesaLayer{}), Mixer(GatedLinearAttention{}), Mixer(GatedDeltaRule{}),
                            Mixer(GatedMesaLayer{.gates = {.forgets = false}, .solver = {5}})}) {
    LinearTransformer model(
        {.width = 8, .blocks = 2, .heads = 2, .key_size = 3, .kind = kind, .init_deviation = 0.3}, 1);
    const Tensor x = random_tensor({2, 5, 8}, 1);
    CHECK(model(x).shape() == x.shape());
    std::vector<Tensor> inputs;
    for (const Parameter& p : model.parameters()) {
      if (p.name.find("weight") != std::string::npos) {  // zeros at the start
        std::copy_n(random_tensor(p.tensor->shape(), 5, 0.3).data(), p.tensor->size(), p.tensor->data());
      }
      if (p.name.starts_with("blocks.1")) inputs.push_back(p.tensor->copy());
    }
    const bool exact =
        !std::holds_alternative<GatedMesaLayer>(kind) || std::get<GatedMesaLayer>(kind).solver.steps < 0;
    if (!exact) continue;
    check_gradient([&](const std::vector<Tensor>& given) {
      LinearTransformer copy = model;
      std::size_t n = 0;
      for (const Parameter& p : copy.parameters()) {
        if (p.name.starts_with("blocks.1")) *p.tensor = given[n++];
      }
      return copy(x);
    }, inputs);
  }
}

}  // namespace mesagrad
