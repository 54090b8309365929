#include "tests/catch.h"  // first, because it is precompiled

#include "tests/nn/attention_battery.h"

namespace mesagrad {
namespace {

using Sizes = AttentionSizes;
using Arguments = AttentionArguments;

std::vector<Tensor> three(const Sizes& s) {
  const Arguments x(s);
  return {x.q, x.k, x.v};
}

// The kind as a function of {q, k, v}.
auto of(const AttentionKind& kind, Index heads) {
  return [attend = kind.attend, heads](const std::vector<Tensor>& x) {
    return attend(x[0], x[1], x[2], heads);
  };
}

// The largest error, relative to these sizes.
double error_of(const Matrix& ours, const Matrix& exact, const Matrix& sizes) {
  double largest = 0;
  for (std::size_t i = 0; i < ours.values().size(); ++i) {
    const double error = std::abs(ours.values()[i] - exact.values()[i]);
    if (std::isnan(error)) return std::numeric_limits<double>::infinity();
    if (error > 0) largest = std::max(largest, error / sizes.values()[i]);
  }
  return largest;
}

void check_many_sizes(const AttentionKind& kind) {
  for (const Index T : {0, 1, 2, 7, 8, 9, 50, 63, 64, 65, 130}) {
    for (const Index H : {1, 2, 3, 4}) {
      check_formula(kind, {1, T, H, 10, 16});
      check_formula(kind, {2, T, H, 20, 20});
    }
    for (const Index size : {1, 10, 16, 33}) {
      check_formula(kind, {1, T, 2, size, 20});
      check_formula(kind, {1, T, 1, 20, size});
    }
    check_formula(kind, {0, T, 2, 3, 5});
    check_formula(kind, {1, T, 2, 0, 3});
    check_formula(kind, {1, T, 2, 3, 0});
  }
  for (const Index T : {128, 192, 200}) {  // pieces of 64 tokens: whole ones, and a short last one
    check_formula(kind, {1, T, 1, 33, 16});
    check_formula(kind, {2, T, 2, 5, 20});
    check_formula(kind, {1, T, 3, 1, 1});
  }
  check_formula(kind, {7, 9, 3, 16, 33});
}

void check_gradients_by_definition(const AttentionKind& kind) {
  for (const Sizes& s : std::initializer_list<Sizes>{
           {2, 9, 2, 3, 4}, {1, 1, 3, 2, 1}, {1, 17, 1, 9, 2}, {2, 8, 4, 1, 3}, {1, 67, 1, 2, 1}}) {
    INFO(s);
    check_gradient(of(kind, s.H), three(s));
  }
}

// Small parts of long sums, which float can't tell apart.
void check_gradients_through_many_pieces(const AttentionKind& kind) {
  if constexpr (!in_double) return;
  for (const Sizes& s : std::initializer_list<Sizes>{
           {1, 65, 2, 3, 2}, {1, 128, 1, 2, 3}, {1, 140, 2, 1, 1}, {2, 200, 1, 3, 2}, {1, 200, 2, 1, 1}}) {
    INFO(s);
    const auto attend = of(kind, s.H);
    check_gradient(attend, three(s));
    check_gradient([&](const auto& x) { return attend({x[0], x[0], x[1]}); },
                   {random_tensor({s.B, s.T, s.H * 2}, 1), random_tensor({s.B, s.T, s.H}, 2)});
  }
}

void check_several_roles(const AttentionKind& kind) {
  for (const Sizes& s : std::initializer_list<Sizes>{{2, 9, 2, 3, 3}, {1, 67, 1, 2, 2}}) {
    INFO(s);
    const auto attend = of(kind, s.H);
    const std::vector<Tensor> x = three(s);
    check_gradient([=](const auto& y) { return attend({y[0], y[1], y[1]}); }, {x[0], x[1]});
    check_gradient([=](const auto& y) { return attend({y[0], y[0], y[1]}); }, {x[0], x[1]});
    check_gradient([=](const auto& y) { return attend({y[0], y[1], y[0]}); }, {x[0], x[1]});
    check_gradient([=](const auto& y) { return attend({y[0], y[0], y[0]}); }, {x[0]});
    check_gradient([=](const auto& y) { return attend(y) + attend({y[2], y[0], y[1]}); }, x);
  }
}

void check_causality(const AttentionKind& kind) {
  const Sizes s{2, 135, 2, 5, 3};
  const auto attend = of(kind, s.H);
  const std::vector<real> before = numbers_of(attend(three(s)));
  for (const Index changed : {1, 2, 7, 8, 9, 20, 63, 64, 65, 69, 127, 128, 134}) {
    INFO("token " << changed);
    const std::vector<Tensor> x = three(s);
    for (const Tensor& tensor : x) {
      const Index width = tensor.dim(-1);
      for (Index b = 0; b < s.B; ++b) {
        std::fill_n(tensor.data() + (b * s.T + changed) * width, width, real{1234.5});
      }
    }
    const std::vector<real> after = numbers_of(attend(x));
    bool earlier_same = true, itself_changed = true;
    for (std::size_t i = 0; i < before.size(); ++i) {
      const Index token = static_cast<Index>(i) / (s.H * s.V) % s.T;
      if (token < changed) earlier_same &= before[i] == after[i];
      if (token == changed) itself_changed &= before[i] != after[i];
    }
    CHECK(earlier_same);
    CHECK(itself_changed);
  }
}

void check_independence_of_earlier_calls(const AttentionKind& kind) {
  Arguments nan({1, 140, 1, 33, 33});
  for (Tensor* tensor : {&nan.q, &nan.k, &nan.v}) {
    std::fill_n(tensor->data(), tensor->size(), std::numeric_limits<real>::quiet_NaN());
    tensor->requires_grad();
  }
  for (const Index T : {1, 5, 64, 69, 200}) {
    const Sizes s{1, T, 1, 5, 3};
    {
      Tape tape;
      tape.backward(kind.attend(nan.q, nan.k, nan.v, 1), nan.dout);
    }
    check_formula(kind, s);
    check_memory(of(kind, s.H), three(s));
  }
}

void check_thread_counts(const AttentionKind& kind) {
  for (const Sizes& s : std::initializer_list<Sizes>{{5, 65, 3, 10, 16}, {1, 200, 2, 33, 20}}) {
    INFO(s);
    check_threads(of(kind, s.H), three(s));
  }
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const AttentionSizes& s) {
  return out << "B " << s.B << ", T " << s.T << ", H " << s.H << ", K " << s.K << ", V " << s.V;
}

AttentionArguments::AttentionArguments(const AttentionSizes& s)
    : heads(s.H),
      q(random_tensor({s.B, s.T, s.H * s.K}, 1)),
      k(random_tensor({s.B, s.T, s.H * s.K}, 2)),
      v(random_tensor({s.B, s.T, s.H * s.V}, 3)),
      dout(random_tensor({s.B, s.T, s.H * s.V}, 4)) {}

Matrix largest_of(const Matrix& m, double size) {
  for (const double number : m.values()) size = std::max(size, std::abs(number));
  return Matrix(m.rows(), m.columns(), size);
}

void check_formula(const AttentionKind& kind, AttentionArguments x) {
  INFO("q and k " << x.q.shape() << ", v " << x.v.shape() << ", " << x.heads << " heads");
  for (Tensor* tensor : {&x.q, &x.k, &x.v}) tensor->requires_grad();
  Tape tape;
  const Tensor out = kind.attend(x.q, x.k, x.v, x.heads);
  REQUIRE(out.shape() == x.v.shape());
  tape.backward(out, x.dout);
  const auto gradient = [](const Tensor& tensor) { return Tensor(tensor.shape(), gradient_of(tensor)); };
  const Tensor dq = gradient(x.q), dk = gradient(x.k), dv = gradient(x.v);
  double result_error = 0, q_error = 0, k_error = 0, v_error = 0;
  for (Index b = 0; b < out.dim(0); ++b) {
    for (Index h = 0; h < x.heads; ++h) {
      const auto head = [&](const Tensor& all) { return reference::head_of(all, b, h, x.heads); };
      const HeadArguments one = {head(x.q), head(x.k), head(x.v), head(x.dout)};
      const HeadResults exact = kind.exact(one), sizes = kind.sizes(one, exact);
      result_error = std::max(result_error, error_of(head(out), exact.out, sizes.out));
      q_error = std::max(q_error, error_of(head(dq), exact.d.q, sizes.d.q));
      k_error = std::max(k_error, error_of(head(dk), exact.d.k, sizes.d.k));
      v_error = std::max(v_error, error_of(head(dv), exact.d.v, sizes.d.v));
    }
  }
  const Index K = x.q.dim(2) / x.heads, V = x.v.dim(2) / x.heads;
  const double rounding = static_cast<double>(out.dim(1) + K + V + kind.more_steps) * epsilon;
  CHECK(result_error / rounding <= 1);
  CHECK(q_error / rounding <= 1);
  CHECK(k_error / rounding <= 1);
  CHECK(v_error / rounding <= 1);
}

void check_formula(const AttentionKind& kind, const AttentionSizes& s) { check_formula(kind, Arguments(s)); }

void check_attention(const AttentionKind& kind) {
  SECTION("it and its gradients equal the sums of the formula") { check_many_sizes(kind); }
  SECTION("its gradients agree with the definition") { check_gradients_by_definition(kind); }
  SECTION("so do gradients through many pieces") { check_gradients_through_many_pieces(kind); }
  SECTION("one tensor can have several roles") { check_several_roles(kind); }
  SECTION("it adds to the gradients that are there") {
    check_added_gradients(of(kind, 2), three({2, 70, 2, 3, 3}));
  }
  SECTION("only those get a gradient who ask for one") {
    check_wanted_gradients(of(kind, 2), three({2, 140, 2, 3, 4}));
  }
  SECTION("a token never sees those after it") { check_causality(kind); }
  SECTION("what an earlier call left in memory does not matter") {
    check_independence_of_earlier_calls(kind);
  }
  SECTION("the bits are the same on any number of threads") { check_thread_counts(kind); }
}

void check_attention_errors(const char* op, const AttentionKind& kind) {
  const auto complaint = [&](const Shape& q, const Shape& k, const Shape& v, Index heads, const char* part) {
    const std::string shapes = text("q ", q, ", k ", k, ", v ", v);
    return lacks([&] { kind.attend(Tensor(q), Tensor(k), Tensor(v), heads); }, {op, shapes.c_str(), part});
  };
  const Shape good{2, 5, 12};
  CHECK(complaint({2, 5, 8}, good, good, 2, "expected q and k") == "");
  CHECK(complaint({5, 12}, {5, 12}, {5, 12}, 2, "expected q and k") == "");
  CHECK(complaint(good, good, {5, 12}, 2, "expected q and k") == "");
  CHECK(complaint(good, good, {3, 5, 12}, 2, "other sequences or tokens") == "");
  CHECK(complaint(good, good, {2, 4, 12}, 2, "other sequences or tokens") == "");
  CHECK(complaint(good, good, good, 5, "5 heads do not divide") == "");
  CHECK(complaint(good, good, {2, 5, 8}, 3, "3 heads do not divide") == "");
  CHECK(complaint({2, 5, 8}, {2, 5, 8}, good, 3, "3 heads do not divide") == "");
  CHECK(complaint(good, good, good, 0, "0 heads") == "");
  CHECK(complaint(good, good, good, -2, "-2 heads") == "");
}

}  // namespace mesagrad
