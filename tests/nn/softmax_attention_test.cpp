// Causal softmax attention against the sums of its formula, its gradients against the definition.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/softmax_attention.h"

#include "core/ops.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

struct Sizes {
  Index B, T, H, K, V;
};

std::ostream& operator<<(std::ostream& out, const Sizes& s) {
  return out << "B " << s.B << ", T " << s.T << ", H " << s.H << ", K " << s.K << ", V " << s.V;
}

struct Arguments {
  Tensor q, k, v, dout;

  explicit Arguments(const Sizes& s)
      : q(random_tensor({s.B, s.T, s.H * s.K}, 1)),
        k(random_tensor({s.B, s.T, s.H * s.K}, 2)),
        v(random_tensor({s.B, s.T, s.H * s.V}, 3)),
        dout(random_tensor({s.B, s.T, s.H * s.V}, 4)) {}
};

// The sums of the formula, in double and without cleverness.
struct Oracle {
  std::vector<double> out, dq, dk, dv;

  Oracle(const Sizes& s, const Arguments& x)
      : out(count(x.v)), dq(count(x.q)), dk(count(x.q)), dv(count(x.v)) {
    const double scale = 1 / std::sqrt(static_cast<double>(std::max<Index>(s.K, 1)));
    for (Index b = 0; b < s.B; ++b)
      for (Index h = 0; h < s.H; ++h)
        for (Index t = 0; t < s.T; ++t) {
          const auto key = [&](Index token, Index j) { return at(b, token, h, j, s.K, s); };
          const auto value = [&](Index token, Index j) { return at(b, token, h, j, s.V, s); };
          const std::size_t seen = static_cast<std::size_t>(t) + 1;
          std::vector<double> p(seen), dp(seen);
          for (std::size_t i = 0; i < seen; ++i) {
            const Index token = static_cast<Index>(i);
            for (Index m = 0; m < s.K; ++m) p[i] += number(x.q, key(t, m)) * number(x.k, key(token, m));
            for (Index n = 0; n < s.V; ++n)
              dp[i] += number(x.dout, value(t, n)) * number(x.v, value(token, n));
            p[i] *= scale;
          }
          const double largest = *std::max_element(p.begin(), p.end());
          double sum = 0, mean = 0;
          for (double& e : p) sum += e = std::exp(e - largest);
          for (double& e : p) e /= sum;
          for (std::size_t i = 0; i < seen; ++i) mean += p[i] * dp[i];
          for (std::size_t i = 0; i < seen; ++i) {
            const Index token = static_cast<Index>(i);
            const double ds = p[i] * (dp[i] - mean) * scale;
            for (Index n = 0; n < s.V; ++n) {
              out[value(t, n)] += p[i] * number(x.v, value(token, n));
              dv[value(token, n)] += p[i] * number(x.dout, value(t, n));
            }
            for (Index m = 0; m < s.K; ++m) {
              dq[key(t, m)] += ds * number(x.k, key(token, m));
              dk[key(token, m)] += ds * number(x.q, key(t, m));
            }
          }
        }
  }

 private:
  static std::size_t count(const Tensor& x) { return static_cast<std::size_t>(x.size()); }
  static double number(const Tensor& x, std::size_t i) {
    return static_cast<double>(x[static_cast<Index>(i)]);
  }
  static std::size_t at(Index b, Index token, Index h, Index j, Index size, const Sizes& s) {
    return static_cast<std::size_t>(((b * s.T + token) * s.H + h) * size + j);
  }
};

// The largest error, as a multiple of what rounding may do. `size` is that of the arguments: sums may be
// small where their terms cancel.
double error_of(const std::vector<real>& numbers, const std::vector<double>& exact, double size,
                const Sizes& s) {
  double largest = size;
  for (const double number : exact) largest = std::max(largest, std::abs(number));
  return largest_difference(numbers, exact) / (static_cast<double>(s.T + s.K + s.V + 10) * epsilon * largest);
}

// The result and its gradients agree with the oracle.
void check_against_oracle(const Sizes& s, Arguments x, double size) {
  INFO(s);
  const Oracle exact(s, x);
  for (Tensor* tensor : {&x.q, &x.k, &x.v}) tensor->requires_grad();
  Tape tape;
  const Tensor out = causal_softmax_attention(x.q, x.k, x.v, s.H);
  CHECK(out.shape() == x.v.shape());
  CHECK(error_of(numbers_of(out), exact.out, 1, s) <= 1);
  tape.backward(out, x.dout);
  CHECK(error_of(gradient_of(x.q), exact.dq, size, s) <= 1);
  CHECK(error_of(gradient_of(x.k), exact.dk, size, s) <= 1);
  CHECK(error_of(gradient_of(x.v), exact.dv, 1, s) <= 1);
}

void check_against_oracle(const Sizes& s) { check_against_oracle(s, Arguments(s), 1); }

Tensor attend(const std::vector<Tensor>& x, Index heads) {
  return causal_softmax_attention(x[0], x[1], x[2], heads);
}

std::vector<Tensor> three(const Sizes& s) {
  const Arguments x(s);
  return {x.q, x.k, x.v};
}

}  // namespace

TEST_CASE("softmax attention and its gradients equal the sums of the formula", "[softmax]") {
  for (const Index T : {0, 1, 2, 7, 9, 50, 64, 65}) {
    for (const Index H : {1, 2, 3, 4}) {
      check_against_oracle({1, T, H, 10, 16});
      check_against_oracle({2, T, H, 20, 20});
    }
    for (const Index size : {1, 10, 16, 33}) {
      check_against_oracle({1, T, 2, size, 20});
      check_against_oracle({1, T, 1, 20, size});
    }
    check_against_oracle({0, T, 2, 3, 5});
    check_against_oracle({1, T, 2, 0, 3});
    check_against_oracle({1, T, 2, 3, 0});
  }
  for (const Index T : {128, 192, 200}) {  // stripes of 64: whole ones, and a short last one
    check_against_oracle({1, T, 1, 33, 16});
    check_against_oracle({2, T, 2, 5, 20});
    check_against_oracle({1, T, 3, 1, 1});
  }
  check_against_oracle({7, 9, 3, 16, 33});
}

TEST_CASE("the probabilities of softmax attention sum to 1", "[softmax]") {
  for (const double size : {0.1, 1.0, 3.0, 30.0}) {
    for (const Index T : {1, 7, 50, 65, 200}) {
      const Tensor q = random_tensor({2, T, 40}, 1, size), k = random_tensor({2, T, 40}, 2, size);
      const Tensor out = causal_softmax_attention(q, k, Tensor({2, T, 6}, 1), 2);
      CHECK(largest_difference(numbers_of(out), std::vector<real>(static_cast<std::size_t>(12 * T), 1)) <
            (in_double ? 1e-14 : 1e-6));
    }
  }
}

TEST_CASE("softmax attention to equal scores is the mean of what was seen", "[softmax]") {
  const Sizes s{1, 100, 1, 3, 1};
  const Arguments x(s);
  const Tensor out = causal_softmax_attention(Tensor({1, 100, 3}, 0), x.k, x.v, 1);
  double sum = 0;
  for (Index t = 0; t < s.T; ++t) {
    sum += static_cast<double>(x.v[t]);
    CHECK(std::abs(static_cast<double>(out[t]) - sum / static_cast<double>(t + 1)) < 10 * epsilon);
  }
}

// Keys are whole numbers, so that scores of ±10⁴ are exact, in float too.
TEST_CASE("softmax attention bears scores of 10000", "[softmax]") {
  for (const Index T : {1, 9, 50, 140}) {
    const Sizes s{1, T, 1, 1, 3};
    for (const double sign : {1.0, -1.0}) {
      Arguments x(s);
      for (Index t = 0; t < T; ++t) {
        x.q[t] = static_cast<real>(100 * sign);
        x.k[t] = static_cast<real>((t * 37) % 201 - 100);  // T different numbers, from -100 to 100
      }
      check_against_oracle(s, x, 100);
    }
    Arguments equal(s);  // all scores 10⁴, and all -10⁴
    for (const double sign : {1.0, -1.0}) {
      std::fill_n(equal.q.data(), T, static_cast<real>(100 * sign));
      std::fill_n(equal.k.data(), T, real{100});
      check_against_oracle(s, equal, 100);
    }
  }
}

TEST_CASE("softmax attention does not hide a NaN", "[softmax]") {
  const Sizes s{1, 30, 1, 3, 2};
  const Arguments x(s);
  x.k[20 * s.K] = std::numeric_limits<real>::quiet_NaN();
  const Tensor out = causal_softmax_attention(x.q, x.k, x.v, s.H);
  for (Index t = 0; t < s.T; ++t) {
    for (Index n = 0; n < s.V; ++n) CHECK(std::isnan(out[t * s.V + n]) == (t >= 20));
  }
}

TEST_CASE("under a softmax, too, a token never sees those after it", "[softmax]") {
  const Sizes s{2, 135, 2, 5, 3};
  const Arguments x(s);
  const std::vector<real> before = numbers_of(causal_softmax_attention(x.q, x.k, x.v, s.H));
  for (const Index changed : {1, 2, 7, 8, 9, 20, 63, 64, 65, 69, 127, 128, 134}) {
    INFO("token " << changed);
    const Arguments y(s);
    for (const Tensor* tensor : {&y.q, &y.k, &y.v}) {
      const Index width = tensor->dim(-1);
      for (Index b = 0; b < s.B; ++b) {
        std::fill_n(tensor->data() + (b * s.T + changed) * width, width, real{1234.5});
      }
    }
    const std::vector<real> after = numbers_of(causal_softmax_attention(y.q, y.k, y.v, s.H));
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

TEST_CASE("the gradients of softmax attention agree with the definition", "[softmax][gradient]") {
  for (const Sizes& s : std::initializer_list<Sizes>{
           {2, 9, 2, 3, 4}, {1, 1, 3, 2, 1}, {1, 17, 1, 9, 2}, {2, 8, 4, 1, 3}, {1, 67, 1, 2, 1}}) {
    INFO(s);
    check_gradient([&](const auto& x) { return attend(x, s.H); }, three(s));
  }
}

TEST_CASE("gradients through many stripes agree with the definition", "[softmax][gradient]") {
  if constexpr (!in_double) return;  // small parts of long sums, which float can't tell apart
  for (const Sizes& s : std::initializer_list<Sizes>{
           {1, 65, 2, 3, 2}, {1, 128, 1, 2, 3}, {1, 140, 2, 1, 1}}) {
    INFO(s);
    check_gradient([&](const auto& x) { return attend(x, s.H); }, three(s));
    check_gradient([&](const auto& x) { return attend({x[0], x[0], x[1]}, s.H); },
                   {random_tensor({s.B, s.T, s.H * 2}, 1), random_tensor({s.B, s.T, s.H}, 2)});
  }
}

TEST_CASE("one tensor can have several roles in softmax attention", "[softmax][gradient]") {
  for (const Sizes& s : std::initializer_list<Sizes>{{2, 9, 2, 3, 3}, {1, 67, 1, 2, 2}}) {
    const Index H = s.H;
    INFO(s);
    const std::vector<Tensor> x = three(s);
    check_gradient([=](const auto& y) { return attend({y[0], y[1], y[1]}, H); }, {x[0], x[1]});
    check_gradient([=](const auto& y) { return attend({y[0], y[0], y[1]}, H); }, {x[0], x[1]});
    check_gradient([=](const auto& y) { return attend({y[0], y[1], y[0]}, H); }, {x[0], x[1]});
    check_gradient([=](const auto& y) { return attend({y[0], y[0], y[0]}, H); }, {x[0]});
    check_gradient([=](const auto& y) { return attend(y, H) + attend({y[2], y[0], y[1]}, H); }, x);
  }
}

TEST_CASE("softmax attention adds to the gradients that are there", "[softmax][gradient]") {
  const Sizes s{2, 70, 2, 3, 3};
  const std::vector<Tensor> x = three(s);
  const Arguments other(s);
  std::vector<std::vector<real>> first;
  for (const real before : {real{0}, real{3}}) {
    std::vector<Tensor> y = x;
    for (Tensor& tensor : y) {
      tensor.requires_grad();
      if (before != 0) std::fill_n(tensor.grad(), tensor.size(), before);
    }
    Tape tape;
    tape.backward(attend(y, s.H), other.dout);
    for (std::size_t n = 0; n < 3; ++n) {
      std::vector<real> gradient = gradient_of(y[n]);
      if (before == 0) first.push_back(gradient);
      for (real& number : gradient) number -= before;
      CHECK(largest_difference(gradient, first[n]) < 1e3 * epsilon);
    }
  }
}

TEST_CASE("only those get a gradient from softmax attention who ask for one", "[softmax][gradient]") {
  const Sizes s{2, 140, 2, 3, 4};
  Arguments all(s);
  for (Tensor* tensor : {&all.q, &all.k, &all.v}) tensor->requires_grad();
  Tape whole;
  whole.backward(causal_softmax_attention(all.q, all.k, all.v, s.H), all.dout);
  for (int wanted = 1; wanted < 8; ++wanted) {
    INFO("q " << (wanted & 1) << ", k " << (wanted >> 1 & 1) << ", v " << (wanted >> 2));
    Arguments x(s);
    if (wanted & 1) x.q.requires_grad();
    if (wanted & 2) x.k.requires_grad();
    if (wanted & 4) x.v.requires_grad();
    Tape tape;
    tape.backward(causal_softmax_attention(x.q, x.k, x.v, s.H), x.dout);
    CHECK(x.q.has_grad() == ((wanted & 1) != 0));
    if (x.q.has_grad()) CHECK(gradient_of(x.q) == gradient_of(all.q));
    if (x.k.has_grad()) CHECK(gradient_of(x.k) == gradient_of(all.k));
    if (x.v.has_grad()) CHECK(gradient_of(x.v) == gradient_of(all.v));
  }
  const Arguments none(s);
  CHECK_FALSE(causal_softmax_attention(none.q, none.k, none.v, s.H).has_grad());
}

TEST_CASE("what an earlier call left in memory does not matter to softmax attention", "[softmax]") {
  const Sizes large{1, 140, 1, 33, 33};
  Arguments nan(large);
  for (Tensor* tensor : {&nan.q, &nan.k, &nan.v}) {
    std::fill_n(tensor->data(), tensor->size(), std::numeric_limits<real>::quiet_NaN());
    tensor->requires_grad();
  }
  for (const Index T : {1, 5, 64, 69, 200}) {
    {
      Tape tape;
      tape.backward(causal_softmax_attention(nan.q, nan.k, nan.v, 1), nan.dout);
    }
    check_against_oracle({1, T, 1, 5, 3});
    const Sizes s{1, T, 1, 5, 3};
    Arguments x(s), y(s);
    Arena dirty;
    fill_with_nan(dirty);
    const auto gradients = [&](Arguments& z, Arena& arena) {
      Tape tape(arena);
      for (Tensor* tensor : {&z.q, &z.k, &z.v}) tensor->requires_grad();
      tape.backward(causal_softmax_attention(z.q, z.k, z.v, s.H), z.dout);
      return std::vector{gradient_of(z.q), gradient_of(z.k), gradient_of(z.v)};
    };
    Arena clean;
    CHECK(gradients(x, dirty) == gradients(y, clean));
  }
}

TEST_CASE("softmax attention has the same bits on any number of threads", "[softmax][threads]") {
  for (const Sizes& s : std::initializer_list<Sizes>{{5, 65, 3, 10, 16}, {1, 200, 2, 33, 20}}) {
    std::vector<std::vector<real>> first;
    for (const int count : {1, 2, 3, 5}) {
      INFO(s << ", " << count << " threads");
      const Threads threads(count);
      Arguments x(s);
      for (Tensor* tensor : {&x.q, &x.k, &x.v}) tensor->requires_grad();
      Tape tape;
      const Tensor out = causal_softmax_attention(x.q, x.k, x.v, s.H);
      tape.backward(out, x.dout);
      const std::vector all = {numbers_of(out), gradient_of(x.q), gradient_of(x.k),
                               gradient_of(x.v)};
      if (first.empty()) first = all;
      CHECK(all == first);
    }
  }
}

TEST_CASE("softmax attention says which shapes do not fit", "[softmax][errors]") {
  const auto complaint = [](const Shape& q, const Shape& k, const Shape& v, Index heads,
                            const char* part) {
    const std::string shapes = text("q ", q, ", k ", k, ", v ", v);
    return lacks([&] { causal_softmax_attention(Tensor(q), Tensor(k), Tensor(v), heads); },
                 {"causal_softmax_attention", shapes.c_str(), part});
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
