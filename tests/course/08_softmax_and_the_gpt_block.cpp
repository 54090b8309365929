// Softmax and the GPT block
//
// In linear attention a score may be negative, and as large as it likes. Softmax makes shares of the scores:
//
//     out_t = Σ_{i <= t} p_ti v_i,      p_ti = exp(s_ti) / Σ_{j <= t} exp(s_tj),      s_ti = q_t·k_i/√K
//
// positive ones that add up to 1. What a token says is then a mean of what it has read. This attention is one
// half of the block that every GPT is made of; the other half is a small network, the MLP, that works on each
// token alone. In front of each stands a layer norm, which brings a token's numbers to mean 0 and variance 1.
//
// Read: nn/reference.h, nn/softmax_attention.h, nn/normalization.h, nn/activations.h; nn/attention_tiles.h
// from AttentionHead on; then Transformer::Block and its neighbours in nn/transformer.h;
// tasks/token_binding.h.
// Find out: what a gradient of shares looks like, and why nothing overflows although e^1000 does.
// To write: 8.1, 8.2 in nn/reference.cpp; 8.3, 8.4, 8.5 in nn/softmax_attention.cpp; 8.6 in
// nn/normalization.cpp; 8.7 in nn/activations.cpp; 8.8 in nn/transformer.h; 8.9 in tasks/token_binding.cpp.
// Hours: 8
// Unlocks: make tutorial-7
// Unlocks: make tutorial-8
// Withheld: tests/nn/softmax_attention_test.cpp
// Withheld: tests/nn/reference_test.cpp
// Withheld: tests/nn/naive_transformer.h
// Withheld: tests/nn/transformer_test.cpp
// Withheld: tests/nn/linear_transformer_test.cpp
// Withheld: tests/nn/positions_test.cpp
// Withheld: tests/nn/normalization_test.cpp
// Withheld: tests/nn/activations_test.cpp
// Withheld: tests/tasks/token_binding_test.cpp
//
// # The one derivation
//
// Shares p_i = e^{s_i}/Z, with Z = Σ_j e^{s_j}. A small change ds of the scores changes Z by Σ_j e^{s_j}
// ds_j, and so
//
//     dp_i = p_i ds_i - p_i Σ_j p_j ds_j.
//
// As a matrix this is dp = (P - p pᵀ) ds, where P has the p_i on its diagonal. With n scores it has n²
// entries, and nobody should ever make it, since all that a backward step needs is its product with a vector.
// Let g_i be the gradient of p_i. Then
//
//     dL = Σ_i g_i dp_i = Σ_i g_i p_i ds_i - (Σ_i g_i p_i) (Σ_j p_j ds_j)
//     ∂L/∂s_i = p_i (g_i - Σ_j p_j g_j)
//
// which takes one sum and one more pass. It says: a score should grow if its g is above the mean of all g,
// where the mean is taken with the shares themselves. These gradients add up to zero, as they must: a number
// added to all scores changes no share.
//
// That is also why nothing has to overflow. Take the largest score from all of them: the shares are the same,
// and no exponential is above 1.
//
// In attention g_ti = dout_t·v_i, because out_t = Σ_i p_ti v_i. And the mean of the g is
//
//     Σ_i p_ti g_ti = dout_t · Σ_i p_ti v_i = dout_t·out_t:
//
// it is there before any share has been computed again. The rest is as in linear attention.
//
// The block, with its two additions:
//
//     x ──┬─────────────────────(+)──┬───────────────(+)── clip ── x'
//         └─ norm ─ attention ───┘   └─ norm ─ MLP ───┘
//
// What flows from left to right is the residual stream. Norms stand beside it, never in it. So a gradient has
// a way back on which nothing is multiplied.
//
// To think about (nobody checks this):
// 1. A layer norm's gradient has the same two subtractions as a softmax's has one. Which changes of its input
// does a layer norm not see?
// 2. In linear attention a state took the place of all scores. Why is there none here, and what does a model
// that writes one token at a time have to keep?
//
// Hint 8.1: Scores of token t with all i <= t first, then their largest, then exponentials and their sum.
// Hint 8.1: Subtract the largest score before you take the exponential; divide by the sum at the end.
// Hint 8.1: p.push_back(dot(q, t, k, i) / root_of_key_size(k)) for i <= t; then std::exp(p_i - largest). The
// result's row t is the sum of p_i v_i, by `add`.
// Hint 8.2: For each t: the weights, then the mean of dout_t·v_i, then add_gradients for each i <= t.
// Hint 8.2: The gradient of a score is the last line of the derivation; do not forget the √K that divides
// scores.
// Hint 8.2: add_gradients(d, t, i, p_i, p_i (dout_t·v_i - mean)/√K, q, k, dout).
// Hint 8.3: First the definition: for each t, scores with i <= t, `exponentials`, and the sum of values.
// Hint 8.3: exponentials works on T or more numbers in place: find the largest of those up to t; replace each
// by exp((s - largest)·scale()); make those behind t zero, up to end; return {largest, 1/sum}.
// Hint 8.3: In forward: scores in a std::vector<real> of T numbers; row = exponentials(t, t + 1, scores);
// kept[2t] = row.largest, kept[2t + 1] = row.inverse_sum; out_t = row.inverse_sum Σ e_i v_i. The exponential
// of one number is exponential(broadcast(x))[0]; std::exp will do, too.
// Hint 8.4: First by the definition: for each t, scores, shares, and for each i <= t the three additions of
// 8.2.
// Hint 8.4: p_ti = kept[2t + 1]·exp((s_ti - kept[2t])·scale()), where s_ti = q_t·k_i is not yet divided by
// √K. The mean of dout_t·v_i is dot(t, out, dout).
// Hint 8.4: If add is false, set a gradient to zero once, before the first token; leave out those whose
// values are nullptr.
// Hint 8.5: T scores first. Number j of k_i stands at k[j·key_row + i], number j of v_i at v[j·value_row +
// i].
// Hint 8.5: Then exponentials(T - 1, T, scores), which needs padded(T) numbers of memory.
// Hint 8.5: out[j] = inverse_sum Σ_i scores[i] v[j·value_row + i].
// Hint 8.6: With x̂ = r(x - μ), what are the changes of μ and r when x changes? Standardized gives x̂ and r.
// Hint 8.6: With dx̂_j = scale_j dout_j: dx = r (dx̂ - mean(dx̂) - x̂ mean(dx̂ x̂)), where means are over the
// row.
// Hint 8.6: Loop over rows; x_hat(j)[0] is number j of a Standardized x_hat(from + row * D, D), x_hat.slope()
// its r. dscale_j = Σ dout_j x̂_j and dshift_j = Σ dout_j over rows. x.grad_part() says whether to add;
// scale.grad() is to be added to.
// Hint 8.7: Gate above has s, the share of x that passes. gelu is x·s.
// Hint 8.7: d(x s)/dx = s + x ds/dx, and for s = 1/(1 + e^{-w}) the slope is ds/dw = s(1 - s) = s·(e·s),
// where e is e^{-w}. What is dw/dx, for w = z (slope + cubic z²)?
// Hint 8.7: dw/dx = slope + 3 cubic z². Far out, use z (x limited to ±10), so that no infinity meets a zero.
// Hint 8.8: What stands there is a block of attention alone. x = x + attention(norm of x), then x = x +
// mlp(norm of x), then the clip.
// Hint 8.8: block.attention(tokens, positions, state); block.attention_norm, block.mlp_norm and block.mlp are
// optional: (*block.mlp)(x) calls it, if there is one.
// Hint 8.8: dropout(part, options.dropout, noise->seed, noise->first, site) if noise is not nullptr; site is
// a std::uint32_t. Positions are for b == 0 and Positions::keys alone; else give Tensor().
// Hint 8.9: Four loops: heads, sequences, tokens t, tokens s <= t.
// Hint 8.9: Head h of a row of q has the columns h·K to h·K + K - 1; token t of sequence b is row b·T + t.
// Hint 8.9: As softmax_weights in nn/reference.cpp; then map(t, s) += weight/B.
//
// Mistake 8.1: p.push_back(dot(q, t, k, i) / root_of_key_size(k)); ==> p.push_back(dot(q, t, k, i));
// Mistake 8.1: std::exp(weight - largest) ==> std::exp(weight)
// Mistake 8.1: weight /= sum ==> weight /= 1
// Mistake 8.1: i <= t; ++i) add( ==> i < t; ++i) add(
// Mistake 8.2: (dot(dout, t, v, i) - mean) ==> dot(dout, t, v, i)
// Mistake 8.2: / root_of_key_size(k), q, k, dout ==> , q, k, dout
// Mistake 8.2: d, t, i, p_i, p_i * ==> d, t, i, 1, p_i *
// Mistake 8.3: exponentials(i + r, end, scores + r * width) ==> exponentials(end - 1, end, scores + r * width)
// Mistake 8.3: exponential((s - largest) * scale()) ==> exponential(s * scale())
// Mistake 8.3: row_of(kept, i + r).inverse_sum ==> row_of(kept, i).inverse_sum
// Mistake 8.3: out + i * value_row; ==> out + i * V;
// Mistake 8.4: dot(t, out, dout), p + r * width ==> 0, p + r * width
// Mistake 8.4: (load(d + j) - mean) * scale() ==> (load(d + j) - mean)
// Mistake 8.4: row_of(kept, t), p + r * width ==> row_of(kept, r), p + r * width
// Mistake 8.4: dout_s, dv.values, value_row, dv.add ==> dout_s, dv.values, value_row, false
// Mistake 8.5: exponentials(T - 1, T, scores) ==> exponentials(T - 2, T, scores)
// Mistake 8.5: inverse_sum * mesagrad::dot ==> mesagrad::dot
// Mistake 8.6: dx_hat(j) - shifting - x_hat(j) * scaling ==> dx_hat(j) - x_hat(j) * scaling
// Mistake 8.6: return load(a + j) * load(dout + j); ==> return load(dout + j);
// Mistake 8.6: add_sums(shift, 1); ==> add_sums(shift, 0);
// Mistake 8.6: p < pieces; ++p ==> p < 1; ++p
// Mistake 8.7: x_i < -far ? Vector{} : x_i * Gate(x_i).s ==> x_i * Gate(x_i).s
// Mistake 8.7: 3 * cubic * z ==> cubic * z
// Mistake 8.7: each_vector(x.size(), dx, add, ==> each_vector(x.size(), dx, false,
// Mistake 8.8: 2 * b + site ==> b + site
// Mistake 8.8: normed(block.mlp_norm)), 1) ==> x), 1)
// Mistake 8.8: noise->seed, noise->first ==> noise->seed, 0
// Mistake 8.8: state == nullptr ? 0 : state->tokens ==> 0
// Mistake 8.9: / sum / static_cast<double>(B) ==> / sum
// Mistake 8.9: * width + h * K; ==> * width;
// Mistake 8.9: score / std::sqrt(static_cast<double>(K)) ==> score
#include <algorithm>
#include <cmath>

#include "nn/reference.h"
#include "nn/softmax_attention.h"
#include "nn/transformer.h"
#include "tasks/token_binding.h"
#include "tests/course/attention_kind.h"
#include "tests/course/check.h"

namespace mesagrad::course {
namespace {

using reference::AttentionGradients;

Matrix row_of(const std::vector<double>& numbers) {
  Matrix row(1, std::ssize(numbers));
  std::copy(numbers.begin(), numbers.end(), row.row(0));
  return row;
}

EXERCISE("8.1", 2, "the weights are shares: of scores divided by √K, and they add up to 1",
         "A share is an exponential over the sum of them; scores are divided by √K first.") {
  Matrix q(2, 2), k(2, 2), v(2, 1);
  q(0, 0) = 1, q(0, 1) = 2, q(1, 0) = 3, q(1, 1) = 4;
  k(0, 0) = 1, k(1, 0) = 1, k(1, 1) = 1;
  v(0, 0) = 5, v(1, 0) = 7;
  const Matrix out = reference::softmax_attention(q, k, v);
  expect_equal("out of token 0, which sees itself alone,", out(0, 0), 5);
  const double p = 1 / (1 + std::exp(4 / std::sqrt(2.0)));
  expect_equal("out of token 1, with the scores 3/√2 and 7/√2 and the values 5 and 7,", out(1, 0),
               p * 5 + (1 - p) * 7);
}

EXERCISE("8.1", 2, "scores may be as large as numbers get", "Subtract the largest score first.") {
  Matrix q(2, 1, 1e200), k(2, 1, 1e100), v(2, 1);
  k(1, 0) = -1e100;
  v(0, 0) = 3, v(1, 0) = 4;
  const Matrix out = reference::softmax_attention(q, k, v);
  expect_equal("out of token 0, with the score 1e300,", out(0, 0), 3);
  expect_equal("out of token 1, with the scores 1e300 and -1e300,", out(1, 0), 3);
}

EXERCISE("8.1", 1, "no token sees the future", "Shares of token t are those of the tokens i <= t.") {
  const Index T = 6, t = random_size(1, 5);
  const Matrix q = random_matrix(T, 3, 1), k = random_matrix(T, 3, 2), v = random_matrix(T, 2, 3);
  Matrix other = k;
  other(t, 0) += 1;
  const Matrix before = reference::softmax_attention(q, k, v),
               after = reference::softmax_attention(q, other, v);
  for (Index i = 0; i < t; ++i)
    expect(before(i, 0) == after(i, 0), "token ", i, " changed when the key of token ", t, " did");
  expect(before(t, 0) != after(t, 0), "token ", t, " did not change when its key did");
}

// What differences say of x, for Σ dout·out.
void expect_slopes(const std::string& name, const Matrix& x, const Matrix& gradient, const Matrix& dout,
                   const std::function<Matrix(const Matrix&)>& out_of) {
  constexpr double step = 1e-5;
  Matrix slopes(x.rows(), x.columns());
  for (std::size_t i = 0; i < x.values().size(); ++i) {
    Matrix above = x, below = x;
    above.values()[i] += step;
    below.values()[i] -= step;
    const Matrix high = out_of(above), low = out_of(below);
    for (std::size_t j = 0; j < dout.values().size(); ++j)
      slopes.values()[i] += dout.values()[j] * (high.values()[j] - low.values()[j]) / (2 * step);
  }
  expect_equal(name, gradient, slopes, 1e-6);
}

EXERCISE("8.2", 3, "the gradients are those of differences",
         "The gradient of a score is p (g - the mean of g)/√K.") {
  const Matrix q = random_matrix(5, 3, 1), k = random_matrix(5, 3, 2), v = random_matrix(5, 2, 3),
               dout = random_matrix(5, 2, 4);
  const AttentionGradients d = reference::softmax_attention_gradients(q, k, v, dout);
  expect_slopes("dv", v, d.v, dout, [&](const Matrix& x) { return reference::softmax_attention(q, k, x); });
  expect_slopes("dq", q, d.q, dout, [&](const Matrix& x) { return reference::softmax_attention(x, k, v); });
  expect_slopes("dk", k, d.k, dout, [&](const Matrix& x) { return reference::softmax_attention(q, x, v); });
}

EXERCISE("8.2", 2, "keys that move together change nothing, so their gradients add up to zero",
         "The mean of g is taken with the shares p, over the tokens i <= t.") {
  const Matrix q = random_matrix(7, 3, 1), k = random_matrix(7, 3, 2), v = random_matrix(7, 2, 3),
               dout = random_matrix(7, 2, 4);
  const Matrix dk = reference::softmax_attention_gradients(q, k, v, dout).k;
  std::vector<double> sums(3);
  double largest = 0;
  for (Index i = 0; i < 7; ++i) {
    for (Index j = 0; j < 3; ++j) {
      sums[static_cast<std::size_t>(j)] += dk(i, j);
      largest = std::max(largest, std::abs(dk(i, j)));
    }
  }
  expect(largest > 0, "all of dk is zero");
  expect_equal("the sum of all rows of dk, at ", row_of(sums), Matrix(1, 3));
}

const AttentionKind softmax{causal_softmax_attention, reference::softmax_attention,
                            reference::softmax_attention_gradients};

EXERCISE("8.3", 2, "one head of one sequence is what the reference says",
         "Zero shares for the tokens behind t; a sum over all of those up to t.") {
  softmax.expect_reference({1, random_size(5, 20), 1, 3, 2});
}

EXERCISE("8.3", 2, "each head of each sequence has numbers of its own, in long sequences too",
         "From one token to the next are key_row numbers in q and k, value_row in v and out.") {
  softmax.expect_reference({2, 5, 3, 2, 4});
  softmax.expect_reference({1, random_size(130, 140), 2, 3, 2});
}

EXERCISE("8.3", 2, "large scores are as good as small ones", "No exponential may be above 1.") {
  AttentionArguments x(1, 12, 1, 3, 2);
  for (Index i = 0; i < x.q.size(); ++i) x.q[i] *= 1000000;
  softmax.expect_reference(x);
}

EXERCISE("8.4", 3, "the gradients are those of the definition, and are added where something is already",
         "`add` says for each of the three whether to add to what is there.") {
  softmax.expect_slopes({2, random_size(4, 7), 2, 2, 3});
}

EXERCISE("8.4", 3, "long sequences have the gradients of the reference",
         "Is the row that was kept that of token t?") {
  softmax.expect_reference_gradients({1, random_size(130, 140), 2, 3, 2});
}

EXERCISE("8.4", 2, "what needs no gradient costs the others nothing",
         "A gradient that is not wanted has the values nullptr: look before you write.") {
  for (const int wanted : {0, 1, 2})
    softmax.expect_reference_gradients({1, random_size(5, 9), 1, 2, 2}, wanted);
}

EXERCISE("8.5", 3, "one token at a time, the last token says what it says in the whole sequence",
         "In a cache a channel is a row: the next token is the next number, the next channel a row away.") {
  const Index T = 11, first = random_size(1, 4);
  const AttentionArguments x(2, T, 2, 3, 2);
  const Tensor at_once = softmax.out(x);
  AttentionState state;
  for (Index from = 0, to = first; from < T; from = to, to = from + 1) {
    const Tensor piece = causal_softmax_attention(tokens_of(x.q, from, to), tokens_of(x.k, from, to),
                                                  tokens_of(x.v, from, to), 2, &state);
    state.tokens = to;
    expect_equal(text("tokens ", from, " to ", to - 1, ": out"), piece, tokens_of(at_once, from, to));
  }
}

EXERCISE("8.6", 3, "a layer norm's input has its gradient",
         "μ and σ change with x, too: two means are subtracted.") {
  const Tensor scale = random_tensor({5}, 2), shift = random_tensor({5}, 3);
  expect_gradient([&](const std::vector<Tensor>& y) { return layer_norm(y[0], scale, shift); },
                  {random_tensor({2, 3, 5}, 1)}, {"x"});
}

EXERCISE("8.6", 2, "so have scale and shift, which all rows share",
         "Their gradients are sums over all rows.") {
  const Tensor x = random_tensor({random_size(300, 310), 3}, 1);
  expect_gradient([&](const std::vector<Tensor>& y) { return layer_norm(x, y[0], y[1]); },
                  {random_tensor({3}, 2), random_tensor({3}, 3)}, {"scale", "shift"});
  expect_gradient([&](const std::vector<Tensor>& y) { return layer_norm(x, y[0]); }, {random_tensor({3}, 2)},
                  {"scale"});
}

EXERCISE("8.7", 2, "gelu lets a share of each number pass, that of x and of -x together all of it",
         "gelu is x·s; and below -10 it is 0, however far.") {
  const Tensor x = random_tensor({13}), y = gelu(x), mirrored = gelu(real{-1} * x);
  expect_equal("gelu(x) - gelu(-x) ", y - mirrored, x);
  const Tensor special({5}, std::initializer_list<real>{0, 1, 30, -30, -1e38f});
  const Tensor expected({5}, std::initializer_list<real>{0, static_cast<real>(0.8411919906082768), 30, 0, 0});
  expect_equal("gelu of 0, 1, 30, -30 and -1e38, at ", gelu(special), expected);
}

EXERCISE("8.7", 3, "gelu has its slope", "Both factors of x·s depend on x; w = 2u has a cube in it.") {
  expect_gradient([](const std::vector<Tensor>& y) { return gelu(y[0]); }, {random_tensor({13})}, {"x"});
  Tensor x({3}, std::initializer_list<real>{0, 40, -40});
  x.requires_grad();
  Tape tape;
  tape.backward(gelu(x), Tensor({3}, 1));
  expect_equal("the slope at 0, 40 and -40, at ", tensor_of({3}, x.grad()),
               Tensor({3}, std::initializer_list<real>{static_cast<real>(0.5), 1, 0}));
}

// Two blocks of width 6, of which attention or MLP, if left out, add zeros.
struct Parts {
  bool attention = true, mlp = true;
};
Transformer model_of(Parts parts, Transformer::Options options = {}) {
  options.inputs = options.outputs = 4;
  options.width = 6;
  options.blocks.assign(2, SoftmaxAttention{});
  options.heads = 2;
  options.key_size = 3;
  options.mlp = 5;
  options.layer_norm = true;
  options.tokens = 12;
  options.init_deviation = 0.5;
  Transformer model(options, test_seed());
  for (Transformer::Block& block : model.blocks) {
    if (!parts.attention) std::fill_n(block.attention.wo.data(), block.attention.wo.size(), real{0});
    if (!parts.mlp) std::fill_n(block.mlp->w2.data(), block.mlp->w2.size(), real{0});
  }
  return model;
}
const Parts attention_alone{true, false}, mlp_alone{false, true}, neither{false, false};

Tensor stream() { return random_tensor({2, 5, 6}, 1); }

EXERCISE("8.8", 3, "attention adds to the stream, then the MLP adds to what came of that",
         "Both are additions; the MLP reads the stream after attention.") {
  for (const std::size_t b : {0u, 1u}) {
    expect_equal(text("what block ", b, ", which adds nothing, makes of x, "),
                 model_of(neither).after_block(b, stream()), stream());
    expect_equal(text("what block ", b, " makes of x, "), model_of({}).after_block(b, stream()),
                 model_of(mlp_alone).after_block(b, model_of(attention_alone).after_block(b, stream())));
  }
}

EXERCISE("8.8", 2, "what both add is made of a norm of the stream",
         "A norm does not know how large its row is.") {
  const Tensor x = real{1000} * stream();
  for (const Parts parts : {attention_alone, mlp_alone}) {
    const Transformer model = model_of(parts);
    const Tensor added = model.after_block(1, x) - x;
    expect(std::any_of(added.data(), added.data() + added.size(), [](real y) { return std::abs(y) > 0.01; }),
           parts.mlp ? "the MLP" : "attention", " adds next to nothing");
    const Tensor larger = real{3} * x + Tensor(x.shape(), 100);
    expect_equal(text("what ", parts.mlp ? "the MLP" : "attention", " adds to 3x + 100 "),
                 model.after_block(1, larger) - larger, added, 1e-5);
  }
}

EXERCISE("8.8", 1, "the clip comes last, and what a block does not have is skipped",
         "A clip of 0 is none; norms and MLP are optional: look before you call them.") {
  Transformer::Options options;
  options.clip = static_cast<real>(0.7);
  expect_equal("with clip = 0.7, what the block makes of x, ", model_of({}, options).after_block(0, stream()),
               clip(model_of({}).after_block(0, stream()), options.clip));
  Transformer bare = model_of({});
  Transformer::Block& block = bare.blocks[1];
  block.attention_norm.reset(), block.mlp_norm.reset(), block.mlp.reset();
  const Tensor normed = layer_norm(stream());  // which a norm leaves as it is
  expect_equal("what a block of attention alone makes of x, ", bare.after_block(1, normed),
               model_of(attention_alone).after_block(1, normed), 1e-4);
}

// 1 where dropout left something of what block b adds, 0 where not.
std::vector<int> kept_by_dropout(Parts parts, std::size_t b, const Transformer::Noise& noise) {
  Transformer::Options options;
  options.dropout = 0.4;
  const Transformer model = model_of(parts, options);
  const Tensor x = stream(), all = model.after_block(b, x) - x, some = model.after_block(b, x, &noise) - x;
  std::vector<int> kept;
  for (Index i = 0; i < x.size(); ++i) {
    const double share = some[i] / all[i];
    const bool is_kept = std::abs(some[i]) > 1e-12;
    expect(!is_kept || std::abs(share * 0.6 - 1) < 1e-6, "number ", i, " of what is added in block ", b,
           " is ", share, " times that without dropout; expected 0 or 1/0.6");
    kept.push_back(is_kept ? 1 : 0);
  }
  return kept;
}

EXERCISE("8.8", 1, "with noise, dropout takes from what is added, and each time something else",
         "Sites: 2b for attention of block b, 2b + 1 for its MLP. The stream itself is never dropped.") {
  std::vector<std::vector<int>> seen;
  const auto look = [&](Parts parts, std::size_t b, const Transformer::Noise& noise, const char* cause) {
    const std::vector<int> kept = kept_by_dropout(parts, b, noise);
    const auto count = std::count(kept.begin(), kept.end(), 1);
    expect(count > 0 && count < std::ssize(kept), "dropout left ", count, " of ", kept.size(), " numbers");
    for (const auto& other : seen) expect(kept != other, "two additions lose the same numbers: ", cause);
    seen.push_back(kept);
  };
  const std::uint64_t seed = test_seed();
  for (const std::size_t b : {0u, 1u}) {
    for (const Parts parts : {attention_alone, mlp_alone}) look(parts, b, {seed, 7}, "their sites are equal");
  }
  look(mlp_alone, 1, {seed, 9}, "the number of the first sequence counts for nothing");
  look(mlp_alone, 1, {seed + 1, 7}, "the seed counts for nothing");
}

EXERCISE("8.8", 2, "piece by piece, with a state, a block makes what it makes of the whole",
         "Attention gets the state, and block 0 the positions behind those that the state has read.") {
  const Transformer model = model_of({});
  const Index middle = random_size(1, 3);
  for (const std::size_t b : {0u, 1u}) {
    const Tensor x = stream(), at_once = model.after_block(b, x);
    AttentionState state;
    for (const auto& [from, to] : {std::pair<Index, Index>{0, middle}, {middle, 5}}) {
      expect_equal(text("what block ", b, " makes of tokens ", from, " to ", to - 1, ", "),
                   model.after_block(b, tokens_of(x, from, to), nullptr, &state),
                   tokens_of(at_once, from, to));
    }
  }
}

EXERCISE("8.9", 2, "a head's map is how it weighs values",
         "Columns h·K to h·K + K - 1 of queries and keys are head h's.") {
  const SelfAttention layer = model_of({}).blocks[1].attention;
  const Tensor x = random_tensor({1, 3, 6}, 1);  // 3 tokens, and 3 numbers in each head
  const auto [q, k] = layer.queries_and_keys(x);
  const Tensor v({1, 3, 6});  // value i says that it is i
  for (Index i = 0; i < 3; ++i) v[i * 6 + i] = v[i * 6 + 3 + i] = 1;
  const Tensor out = causal_softmax_attention(q, k, v, 2);
  const std::vector<Matrix> maps = attention_maps(layer, x);
  expect(maps.size() == 2, "there are ", maps.size(), " maps, expected one for each of 2 heads");
  for (Index h = 0; h < 2; ++h)
    expect_equal(text("map ", h, " "), maps[static_cast<std::size_t>(h)], reference::head_of(out, 0, h, 2));
}

EXERCISE("8.9", 2, "the map of many sequences is the mean of theirs", "Divide by the number of sequences.") {
  const SelfAttention layer = model_of({}).blocks[1].attention;
  const Tensor x = random_tensor({3, 5, 6}, 1);
  const std::vector<Matrix> maps = attention_maps(layer, x);
  for (std::size_t h = 0; h < 2; ++h) {
    Matrix mean(5, 5);
    for (Index b = 0; b < 3; ++b) {
      const Matrix one = attention_maps(layer, tensor_of({1, 5, 6}, x.data() + b * 30))[h];
      for (std::size_t i = 0; i < 25; ++i) mean.values()[i] += one.values()[i] / 3;
    }
    expect_equal(text("map ", h, " "), maps[h], mean);
  }
}

}  // namespace
}  // namespace mesagrad::course
