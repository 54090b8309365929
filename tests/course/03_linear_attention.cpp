// Linear attention
//
// Every token asks, and every token before it answers. Token t has a query q_t; each token i has a key k_i,
// which says what it is about, and a value v_i, which it has to tell. The scalar product of query and key,
// the score, says how much of the value token t takes:
//
//     out_t = Σ_{i <= t} (q_t·k_i) v_i
//
// No token sees a later one. Here you write this sum three times: as it is defined; as a layer of the
// library, with its backward step; and one token at a time, as a model must compute it that writes its own
// next token. All three are the same function. They differ in what they cost, and in what they have to
// remember.
//
// Read: nn/reference.h and nn/attention.h for the sums; nn/attention_tiles.h from AttentionHead on; for the
// last exercise nn/gated_mesa.h, to its first function, and nn/blocks.h.
// Find out: how long a sequence may get before the definition is too slow, and what takes its place.
// To write: 3.1, 3.2 in nn/reference.cpp; 3.3, 3.4 in nn/attention.cpp; 3.5 in nn/gated_linear_attention.cpp.
// (3.3 and 3.4 have points for being right and points for being fast.)
// Hours: 7
// Withheld: tests/nn/reference_test.cpp
// Withheld: tests/nn/attention_test.cpp
// Withheld: tests/nn/attention_state_test.cpp
// Withheld: tests/nn/gated_mesa_test.cpp
//
// # The one derivation
//
// For a sequence of T tokens the definition has T(T + 1)/2 scores: four times the work for twice the tokens.
// But a score is a number, and multiplication is associative. With values and keys as columns,
//
//     out_t = Σ_{i <= t} v_i (k_iᵀ q_t) = (Σ_{i <= t} v_i k_iᵀ) q_t = S_t q_t.
//
// q_t does not depend on i, so it leaves the sum. What remains is a matrix with V rows and K columns, which
// belongs to no query: and the next one follows from it by one addition,
//
//     S_t = S_{t-1} + v_t k_tᵀ,      S_{-1} = 0.
//
// S_t is a state: all that the tokens up to t can ever mean to a later query, in V·K numbers, after ten
// tokens as after ten million. The work for a token no longer depends on how many came before it. (Put any
// function around the score that is not linear, such as an exponential, and q_t cannot leave the sum.)
//
// The state is slow in another way: every token waits for the one before, and a product of a matrix and a
// vector loads a number for each multiplication. So the library mixes the two. Chunks of 64 tokens; the
// definition inside of a chunk, where a few matrix products do it, and the state for all that is farther
// away:
//
//        tokens i  0      64     128    192         inside of the chunks, on the diagonal: scores
//     tokens t   0 ┌──────┬──────┬──────┐
//                  │ \    │      │      │           S = 0
//               64 ├──────┼──────┼──────┤
//                  │  S   │ \    │      │           S = the pairs of chunk 0
//              128 ├──────┴──────┼──────┤
//                  │      S      │ \    │           S = the pairs of chunks 0 and 1
//              192 └─────────────┴──────┘
//
// Above the diagonal there is nothing: that is the future. Left of a block on the diagonal there are many
// scores that nobody computes, since S stands for all of them.
//
// Backwards it is the same picture, transposed. Of the three sums in reference.h, that for dq_t runs over
// i <= t: linear attention again, with other arguments. Those for dk_i and dv_i run over t >= i: they have a
// state too, which grows from the last token to the first.
//
// With gates, the state forgets: S_t = γ_t S_{t-1} + β_t v_t k_tᵀ. A token's share γ_{i+1}·...·γ_t of S_t is
// what is kept of it. Exercise 3.5 is about these; linear attention with a state to go on from is
// the case γ = β = 1.
//
// To think about (nobody checks this):
// 1. Lesson 1's learner of one gradient step predicts C_t (η s_t), with C_t = Σ s_i s_{i-1}ᵀ over i <= t. What are q, k and v, if it is to be one
// layer of linear attention?
// 2. A chunk may have 1 token, or T. What is each of the two? Why is 64 better than both?
//
// Hint 3.1: Two loops, t and i <= t, around one addition to row t of the result.
// Hint 3.1: Among the helpers above there is one for a scalar product of two rows, and one that adds a
// multiple of a row to another.
// Hint 3.1: add(out, t, dot(q, t, k, i), v, i). With gates the score is multiplied by kept(gates, t, i).
// Hint 3.2: What is the weight w_ti of linear attention, and what is the gradient of a weight? Both are
// scalar products of two rows, and reference.h names them.
// Hint 3.2: The same two loops as in 3.1; for each pair call add_gradients with w = q_t·k_i and ds =
// dout_t·v_i.
// Hint 3.2: In add_gradients: row t of d.q grows by ds k_i, row i of d.k by ds q_t, row i of d.v by w dout_t.
// Hint 3.3: First the definition, in three loops of pointers: token t's query is q + t * key_row, its output
// out + t * value_row. Set the output to zero before you add to it.
// Hint 3.3: Then speed: keep S (V·K numbers from Scratch::take or in a std::vector), add v_t k_tᵀ of each
// token, and read out_t = S q_t. That is linear, and full marks.
// Hint 3.3: The library's way, for each chunk: scores(...) of its queries and (transposed) keys, weighted_sum
// of its values with them, state.read for the queries, and at last state.take_in of keys and values. The
// order matters.
// Hint 3.4: First by the definition, as in 3.2: two loops over t and i <= t. If add is false, set the rows to
// zero first; leave out what is not wanted.
// Hint 3.4: dq_t = S_tᵀ dout_t with the state of the forward step. For the others let t run from T - 1 down,
// and carry N = Σ_{t >= i} dout_t q_tᵀ.
// Hint 3.4: dv_i = N k_i and dk_i = Nᵀ v_i, after token i has been added to N.
// Hint 3.5: In plain numbers: for all r and c, G(r, c) = decay·G(r, c) + beta·v_r·k_c, and then out_r += G(r, c)·q_c.
// Hint 3.5: v, k, q and out_t are arrays of Vectors, and a Vector is multiplied and added like a number. out_t is not
// zero when you begin.
// Hint 3.5: Two loops, over r < V and c < K, with Vector& g = G[r / 4 * columns + c / 4].row[r % 4].a[c % 4].
//
// Mistake 3.1: i <= t; ++i) add(out, t, dot(q, t, k, i), v, i) ==> i < t; ++i) add(out, t, dot(q, t, k, i), v, i)
// Mistake 3.1: dot(q, t, k, i), v, i); ==> dot(k, t, q, i), v, i);
// Mistake 3.1: kept(gates, t, i) * dot(q, t, k, i) ==> dot(q, t, k, i)
// Mistake 3.1: i <= t; ++i) add(out, t, dot(q, t, k, i), v, i) ==> i < q.rows(); ++i) add(out, t, dot(q, t, k, i), v, i)
// Mistake 3.2: add(d.k, i, ds, q, t); ==> add(d.k, i, w, q, t);
// Mistake 3.2: add(d.v, i, w, dout, t); ==> add(d.v, t, w, dout, i);
// Mistake 3.2: dot(q, t, k, i), dot(dout, t, v, i) ==> dot(dout, t, v, i), dot(q, t, k, i)
// Mistake 3.3: if (begin + n < T) state.take_in ==> if (false) state.take_in
// Mistake 3.3: state.read(n, q_c, out_c, value_row); ==> state.read(n, k_c, out_c, value_row);
// Mistake 3.3: A, v_c, out_c, value_row, false ==> A, v_c, out_c, V, false
// Mistake 3.3: const Panel A = scores(n, K, q_c, transposed(k_c, ==> const Panel A = scores(n, K, k_c, transposed(q_c,
// Mistake 3.5: const Four v_i = beta * four(v ==> const Four v_i = four(v
// Mistake 3.5: k_j.a[c], decay * g) ==> k_j.a[c], g)
// Mistake 3.5: sum.a[r] = multiply_add(g, q_j.a[c], sum.a[r]) ==> sum.a[r] = multiply_add(g, k_j.a[c], sum.a[r])
// Mistake 3.4: q_c, dk.values + key, key_row, dk.add ==> q_c, dk.values + key, key_row, false
// Mistake 3.4: if (for_q || for_k) A = ==> if (for_q) A =
// Mistake 3.4: dstate.take_in(n, q_later, dout_later); ==> if (later + n == T) dstate.take_in(n, q_later, dout_later);
// Mistake 3.4: state.read(n, dout_c, dq.values + key, key_row); ==> if (begin == 0) state.read(n, dout_c, dq.values, key_row);
#include <algorithm>
#include <chrono>
#include <cmath>

#include "nn/attention.h"
#include "nn/gated_mesa.h"
#include "nn/reference.h"
#include "tests/course/attention_kind.h"
#include "tests/course/check.h"

namespace mesagrad::course {
namespace {

using reference::AttentionGradients;
using reference::TokenGate;

const AttentionKind linear{causal_linear_attention, reference::linear_attention,
                           reference::linear_attention_gradients};

std::vector<TokenGate> gates_of(Index T) {
  std::vector<TokenGate> gates;
  for (Index t = 0; t < T; ++t) {
    const double x = static_cast<double>(random_size(1, 9, static_cast<int>(t)));
    gates.push_back({0.1 * x, 2 - 0.2 * x});
  }
  return gates;
}

// The same for each head of each sequence: logarithms of the decays, and the strengths.
std::pair<Tensor, Tensor> gate_tensors(const std::vector<TokenGate>& gates, Index B, Index H) {
  const Index T = std::ssize(gates);
  const Tensor log_decay({B, T, H}), strength({B, T, H});
  for (Index i = 0; i < log_decay.size(); ++i) {
    const TokenGate& gate = gates[static_cast<std::size_t>(i / H % T)];
    log_decay[i] = static_cast<real>(std::log(gate.decay));
    strength[i] = static_cast<real>(gate.strength);
  }
  return {log_decay, strength};
}

// Other programs can lengthen a time, but not shorten it: of many rounds the shortest counts. (The processor's
// time would not be lengthened, but some systems count it in steps longer than what is measured here.) Linear
// work grows 4-fold from 256 tokens to 1024, the definition 16-fold: 8 is a factor of 2 from both. `seconds`
// runs what it measures once before, so that memory is there.
void expect_linear_growth(const std::string& what, const std::function<double(Index T)>& seconds) {
  constexpr int at_least = 5, at_most = 100;
  double few = HUGE_VAL, many = HUGE_VAL, all = 0;
  for (int round = 0; round < at_most && (round < at_least || (many >= 8 * few && all < 0.3)); ++round) {
    for (int i = 0; i < 3; ++i) few = std::min(few, seconds(256));
    const double one = seconds(1024);
    many = std::min(many, one);
    all += one;
  }
  expect(many < 8 * few, what, ": 1024 tokens took ", std::round(many / few),
         " times as long as 256; the definition takes ",
         "16 times or more, a state 4 times, and less than 8 is asked for");
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

EXERCISE("3.1", 2, "a token takes of each value as much as its query agrees with the key",
         "The score is q_t·k_i, with the query of the token that asks; each token sees itself, i = t.") {
  Matrix q(2, 2), k(2, 2), v(2, 1);
  q(0, 0) = 1, q(0, 1) = 2, q(1, 0) = 3, q(1, 1) = 4;
  k(0, 0) = 2, k(1, 0) = 1, k(1, 1) = 1;
  v(0, 0) = 5, v(1, 0) = 7;
  const Matrix out = reference::linear_attention(q, k, v);
  expect_equal("with the score 2 and the value 5, out of token 0", out(0, 0), 2 * 5);
  expect_equal("with the scores 6 and 7 and the values 5 and 7, out of token 1", out(1, 0), 6 * 5 + 7 * 7);
}

EXERCISE("3.1", 2, "no token sees the future, each sees itself", "The inner loop runs over i <= t.") {
  const Index T = 6, t = random_size(1, 4);
  const Matrix q = random_matrix(T, 3, 1), k = random_matrix(T, 3, 2), v = random_matrix(T, 2, 3);
  Matrix other = v;
  other(t, 0) += 1;
  const Matrix before = reference::linear_attention(q, k, v),
               after = reference::linear_attention(q, k, other);
  for (Index i = 0; i < t; ++i)
    expect(before(i, 0) == after(i, 0), "token ", i, " changed when the value of token ", t, " did");
  for (Index i = t; i < T; ++i)
    expect(before(i, 0) != after(i, 0), "token ", i, " did not change when the value of token ", t, " did");
}

EXERCISE("3.1", 2, "with gates, a score counts as much as is kept of its token",
         "`kept` above has the decays and the strength; multiply the score by it.") {
  const Matrix q(3, 1, 1.0), k(3, 1, 1.0), v(3, 1, 1.0);
  const std::vector<TokenGate> gates = {{0.9, 1}, {0.5, 2}, {0.25, 3}};
  const Matrix out = reference::gated_linear_attention(q, k, v, gates);
  expect_equal("out of token 0, which counts 1,", out(0, 0), 1);
  expect_equal("out of token 1, which counts 2 and keeps half of what was,", out(1, 0), 2.5);
  expect_equal("out of token 2, which counts 3 and keeps a quarter,", out(2, 0), 3 + 2.5 / 4);
}

// What a small change of each argument does to Σ dout·out, and what the gradients say.
void expect_slopes(const std::string& name, const Matrix& x, const Matrix& gradient, const Matrix& dout,
                   const std::function<Matrix(const Matrix&)>& out_of) {
  Matrix slopes(x.rows(), x.columns());
  for (std::size_t i = 0; i < x.values().size(); ++i) {
    Matrix above = x, below = x;  // out is linear in each number: differences are exact, for any step
    above.values()[i] += 1;
    below.values()[i] -= 1;
    const Matrix high = out_of(above), low = out_of(below);
    for (std::size_t j = 0; j < dout.values().size(); ++j)
      slopes.values()[i] += dout.values()[j] * (high.values()[j] - low.values()[j]) / 2;
  }
  expect_equal(name, gradient, slopes);
}

EXERCISE("3.2", 3, "dq is the gradient of the queries",
         "Row t of dq collects ds_ti k_i of all tokens i <= t.") {
  const Matrix q = random_matrix(5, 3, 1), k = random_matrix(5, 3, 2), v = random_matrix(5, 2, 3),
               dout = random_matrix(5, 2, 4);
  expect_slopes("dq", q, reference::linear_attention_gradients(q, k, v, dout).q, dout,
                [&](const Matrix& x) { return reference::linear_attention(x, k, v); });
}

EXERCISE("3.2", 3, "dk and dv are the gradients of keys and values",
         "Row i of dk and dv collects from later tokens t >= i, and from its own.") {
  const Matrix q = random_matrix(5, 3, 1), k = random_matrix(5, 3, 2), v = random_matrix(5, 2, 3),
               dout = random_matrix(5, 2, 4);
  const AttentionGradients d = reference::linear_attention_gradients(q, k, v, dout);
  expect_slopes("dk", k, d.k, dout, [&](const Matrix& x) { return reference::linear_attention(q, x, v); });
  expect_slopes("dv", v, d.v, dout, [&](const Matrix& x) { return reference::linear_attention(q, k, x); });
}

EXERCISE(
    "3.3", 3, "one head of a short sequence is what the reference says",
    "`out` holds anything before: write it, do not add to it. Queries and keys have K numbers, values and "
    "results V.") {
  linear.expect_reference({1, random_size(5, 9), 1, 3, 2});
}

EXERCISE("3.3", 2, "each head of each sequence has numbers of its own",
         "From one token to the next are key_row numbers in q and k, value_row in v and out; not K and V.") {
  linear.expect_reference({2, 5, 3, 2, 4});
}

EXERCISE("3.3", 3, "a long sequence is no different",
         "What is carried from one chunk to the next, and when?") {
  linear.expect_reference({1, random_size(193, 200), 2, 3, 2});
}

EXERCISE(
    "3.4", 4, "the gradients are those of the definition, and are added where something is already",
    "`add` says for each of the three whether to add to what is there, or to write over it. i = t counts.") {
  const AttentionArguments x(2, random_size(4, 7), 2, 2, 3);
  linear.expect_slopes(x);
  linear.expect_reference_gradients(x);
}

EXERCISE("3.4", 3, "long sequences have the gradients of the reference",
         "A key of the first chunk is read by all later ones, not by the next one alone.") {
  linear.expect_reference_gradients({1, random_size(193, 200), 2, 3, 2});
}

EXERCISE("3.4", 2, "what needs no gradient costs the others nothing",
         "A gradient that is not wanted has the values nullptr: look before you write. Where `add` is false, "
         "write "
         "over what is there.") {
  for (const int wanted : {0, 1, 2})
    linear.expect_reference_gradients({1, random_size(70, 75), 1, 2, 2}, wanted);
}

EXERCISE(
    "3.5", 3, "with gates, one token after another is what the reference says",
    "First the state decays, then the token is added, then it is read. out_t is not zero when you begin.") {
  const AttentionArguments x(2, 7, 2, 3, 2);
  const std::vector<TokenGate> gates = gates_of(7);
  const auto [log_decay, strength] = gate_tensors(gates, 2, 2);
  const Tensor out = gated_linear_attention(x.q, x.k, x.v, log_decay, strength, 2);
  each_head(out, 2, [&](const std::string& where, const auto& of) {
    expect_equal(where + "out", of(out), reference::gated_linear_attention(of(x.q), of(x.k), of(x.v), gates));
  });
}

EXERCISE("3.5", 3, "in pieces, with a state, linear attention says what it says at once",
         "G begins as the state that the tokens before left; is it read before it is changed?") {
  const Index T = 9, middle = random_size(1, 7);
  const AttentionArguments x(2, T, 2, 3, 2);
  const Tensor at_once = linear.out(x);
  AttentionState state;
  for (const auto& [from, to] : {std::pair<Index, Index>{0, middle}, {middle, middle + 1}, {middle + 1, T}}) {
    const Tensor piece = causal_linear_attention(tokens_of(x.q, from, to), tokens_of(x.k, from, to),
                                                 tokens_of(x.v, from, to), 2, &state);
    expect_equal(text("tokens ", from, " to ", to - 1, ": out"), piece, tokens_of(at_once, from, to));
  }
  expect(state.values.shape() == Shape({2, 2, 2, 3}), "the state has the shape ", state.values.shape());
  double sum = 0;  // number (1, 2) of Σ v_i k_iᵀ, of sequence 1 and head 0
  for (Index i = 0; i < T; ++i) sum += x.v[(T + i) * 4 + 1] * x.k[(T + i) * 6 + 2];
  expect_equal("number (1, 0, 1, 2) of the state", state.values[2 * 6 + 1 * 3 + 2], sum);
}

EXERCISE("3.3", 5, "twice as many tokens take twice as long",
         "No token may look at all before it: carry a state, from token to token or from chunk to chunk.") {
  expect_linear_growth("the forward step", [](Index T) {
    const AttentionArguments x(1, T, 1, 8, 8);
    linear.out(x);
    const double start = seconds_now();
    linear.out(x);
    return seconds_now() - start;
  });
}

EXERCISE("3.4", 5, "backwards, too, twice as many tokens take twice as long",
         "dq has the state of the forward step; dk and dv have one that grows from the last token on.") {
  expect_linear_growth("the backward step", [](Index T) {
    AttentionArguments x(1, T, 1, 8, 8);
    for (Tensor* one : {&x.q, &x.k, &x.v}) one->requires_grad();
    double start = 0;
    for (int run = 0; run < 2; ++run) {
      Tape tape;
      const Tensor out = linear.out(x);
      start = seconds_now();
      tape.backward(out, x.dout);
    }
    return seconds_now() - start;
  });
}

}  // namespace
}  // namespace mesagrad::course
