// Gated layers cut sequences into pieces and solve many side by side: who is in the neighbouring lane must
// not matter.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/gated_pieces.h"

#include "nn/gated_mesa.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

struct Sizes {
  Index B, T, H, K;
  Index row(Index b, Index t, Index h) const { return (b * T + t) * H + h; }
};

// q, k, v, log_decay, strength, penalty
std::vector<Tensor> arguments(const Sizes& s) {
  std::vector<Tensor> x;
  for (std::uint64_t n = 1; n <= 3; ++n) x.push_back(random_tensor({s.B, s.T, s.H * s.K}, n, 0.7));
  for (std::uint64_t n = 4; n <= 5; ++n) x.push_back(random_tensor({s.B, s.T, s.H}, n));
  x.push_back(random_tensor({s.H * s.K}, 6));
  for (Index i = 0; i < x[3].size(); ++i) {
    x[3][i] = -std::abs(x[3][i]);
    x[4][i] = std::abs(x[4][i]);
  }
  for (Index i = 0; i < x[5].size(); ++i) x[5][i] = real(0.3) + std::abs(x[5][i]);
  return x;
}

Tensor solved(const std::vector<Tensor>& x, Index heads) {
  return gated_preconditioned_queries(x[0], x[1], x[3], x[4], x[5], heads);
}
Tensor attended(const std::vector<Tensor>& x, Index heads) {
  return gated_linear_attention(x[0], x[1], x[2], x[3], x[4], heads);
}
const std::vector<Tensor (*)(const std::vector<Tensor>&, Index)> operations = {solved, attended};

// The arguments of sequence b, head h alone.
std::vector<Tensor> part(const std::vector<Tensor>& all, const Sizes& s, Index b, Index h) {
  std::vector<Tensor> result;
  for (std::size_t i = 0; i < 5; ++i) {
    const Index n = all[i].dim(2) / s.H;
    Tensor& to = result.emplace_back(Tensor({1, s.T, n}));
    for (Index t = 0; t < s.T; ++t) std::copy_n(all[i].data() + s.row(b, t, h) * n, n, to.data() + t * n);
  }
  result.emplace_back(Tensor({s.K}));
  std::copy_n(all[5].data() + h * s.K, s.K, result.back().data());
  return result;
}

// Is the first number of token t, head h, sequence b none exactly where is_none(b, t, h) says?
template <class IsNone>
bool none_where(const std::vector<real>& numbers, const Sizes& s, const IsNone& is_none) {
  for (Index b = 0; b < s.B; ++b) {
    for (Index t = 0; t < s.T; ++t) {
      for (Index h = 0; h < s.H; ++h) {
        const real x = numbers[static_cast<std::size_t>(s.row(b, t, h) * s.K)];
        if (std::isnan(x) != is_none(b, t, h)) return false;
      }
    }
  }
  return true;
}

}  // namespace

TEST_CASE("a head computes the same bits alone as among others", "[gated]") {
  for (const Sizes& s : {Sizes{3, 70, 2, 6}, Sizes{2, 33, 5, 17}}) {
    const std::vector<Tensor> x = arguments(s);
    for (const auto& operation : operations) {
      const Tensor all = operation(x, s.H);
      bool same = true;
      for (Index b = 0; b < s.B; ++b) {
        for (Index h = 0; h < s.H; ++h) {
          const Tensor one = operation(part(x, s, b, h), 1);
          for (Index t = 0; t < s.T; ++t) {
            same = same && std::equal(one.data() + t * s.K, one.data() + (t + 1) * s.K,
                                      all.data() + s.row(b, t, h) * s.K);
          }
        }
      }
      CHECK(same);
    }
  }
}

TEST_CASE("sums that are kept go on where they ended", "[gated]") {
  const Sizes s{2, 77, 3, 5};
  const std::vector<Tensor> x = arguments(s);
  const Tensor decays = decays_of(x[3]), whole({s.B, s.H, s.K, s.K}), parts({s.B, s.H, s.K, s.K});
  const auto sums = [&](const Tensor& k, const Tensor& q, const Tensor& decay, const Tensor& beta,
                        const Tensor& kept) {
    sums_before({s.B, decay.dim(1), s.H}, {k.data(), s.K, q.data(), s.K}, decay, beta, kept);
  };
  sums(x[1], x[0], decays, x[4], whole);
  const auto tokens = [&](const Tensor& from, Index first, Index count) {
    Tensor to({s.B, count, from.dim(2)});
    for (Index b = 0; b < s.B; ++b) {
      std::copy_n(from.data() + (b * s.T + first) * from.dim(2), count * from.dim(2),
                  to.data() + b * count * from.dim(2));
    }
    return to;
  };
  for (const auto& [first, count] : {std::pair<Index, Index>{0, 1}, {1, 0}, {1, 40}, {41, 36}}) {
    sums(tokens(x[1], first, count), tokens(x[0], first, count), tokens(decays, first, count),
         tokens(x[4], first, count), parts);
  }
  CHECK(largest_difference(numbers_of(whole), numbers_of(parts)) < (in_double ? 1e-14 : 1e-5));
  CHECK(std::abs(whole[0]) > 0);
}

TEST_CASE("a token that is no number spoils later tokens of its own head alone", "[gated]") {
  const Sizes s{2, 70, 3, 5};
  const real none = std::numeric_limits<real>::quiet_NaN();
  for (const Index at : {Index{0}, Index{31}, Index{32}, Index{40}, Index{69}}) {
    INFO("token " << at);
    const std::vector<Tensor> x = arguments(s);
    for (const auto& operation : operations) {
      // A gradient that is none goes back to the keys of earlier tokens.
      std::vector<Tensor> inputs = x;
      for (Tensor& input : inputs) input.requires_grad();
      Tape tape;
      const Tensor out = operation(inputs, s.H), cotangent = random_tensor(out.shape(), 9);
      cotangent[s.row(1, at, 2) * s.K] = none;
      tape.backward(out, cotangent);
      CHECK(none_where(gradient_of(inputs[1]), s,
                       [&](Index b, Index t, Index h) { return b == 1 && h == 2 && t <= at; }));
    }
    for (Index j = 0; j < s.K; ++j) x[1][s.row(1, at, 2) * s.K + j] = none;
    for (const auto& operation : operations) {
      CHECK(none_where(numbers_of(operation(x, s.H)), s,
                       [&](Index b, Index t, Index h) { return b == 1 && h == 2 && t >= at; }));
    }
  }
}

}  // namespace mesagrad
