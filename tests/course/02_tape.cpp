// Tape
//
// A model has thousands of numbers, and training asks for the derivative of one loss with respect to each of
// them. Nobody derives that by hand. A tape does: every operation computes its result at once and leaves a
// note that says how to pass derivatives back through it, and the notes are read from the last to the first.
// You write the reading, and the notes of six operations that every model here is made of.
//
// Read: core/tape.h; then `requires_grad` to `zero_grad` in core/tensor.h, and core/elementwise.h.
// Read: operator+ and operator- in core/ops.cpp, which are whole: two models for all that you write.
// Read: the first two steps of lesson 2, where a whole tape for single numbers has thirty lines.
// Find out: why a backward step adds to a gradient and never sets it. Why no sorting is needed to know which
// note comes next. What a tensor without a gradient costs on the way back.
// To write: 2.1 in core/tape.cpp; 2.2, 2.3, 2.4, 2.5, 2.6, 2.7 in core/ops.cpp.
// Hours: 6
// Unlocks: the first three steps of lesson 2 (the others need assignments 3 and 4)
// Withheld: tests/core/ops_test.cpp
//
// # The one derivation
//
// Let L be the loss, and write dx for all derivatives ∂L/∂x_i of one tensor x: dx has the shape of x. An
// operation y = f(x) stands somewhere between x and L:
//
//     x ---> f ---> y ---> ... ---> L         forward: numbers
//     dx <-- fᵀ <-- dy <-- ... <--- 1         backward: derivatives of L
//
// A small change δx of x changes y by δy, to first order by δy = J δx with J_ij = ∂y_i/∂x_j. And it changes L
// by
//
//     δL = Σ_i dy_i δy_i = Σ_i dy_i Σ_j J_ij δx_j = Σ_j ( Σ_i J_ij dy_i ) δx_j
//
// What stands in the brackets is dx_j, for it is what δx_j is multiplied by. So dx = Jᵀ dy. No operation ever
// makes the matrix J: y may have a million numbers, and x too. It writes down what Jᵀ does to dy, and that is
// mostly as short as f itself. For out = a + b the J of each argument is 1, so da = dout and db = dout.
//
// The way to find a backward step is always the same: change the argument a little, see by what the result
// changes, put that into δL = Σ dout · δout, and sort by the numbers of the argument. For a product of
// matrices, out = A·B with A (M, K) and B (K, N), a change δA changes out by δA·B. So
//
//     δL = Σ_mn dout_mn Σ_k δA_mk B_kn = Σ_mk δA_mk ( Σ_n dout_mn B_kn )     hence  dA = dout·Bᵀ
//     δL = Σ_mn dout_mn Σ_k A_mk δB_kn = Σ_kn δB_kn ( Σ_m A_mk dout_mn )     hence  dB = Aᵀ·dout
//
// The shapes are a test of it: dout is (M, N), and dA must be (M, K) again.
//
// If x goes to several places, its change reaches L by each of them, and the changes of L add up:
//
//              .--> f --> y --.
//     x -------|              |---> L         dx = Jᵀ_f dy + Jᵀ_g dz
//              '--> g --> z --'
//
// That sum is nowhere written as a sum. Each of the two notes adds its part to what dx holds when it is read.
//
// To think about (nobody checks this):
// 1. You could also go forward: from δx to δy and on to δL, with J in the place of Jᵀ. What does that cost
// for a loss of 10,000 weights, and when would it be the better way?
// 2. The backward step of a * b reads the numbers of a and b, that of a + b does not. What follows for the
// memory that a long program needs, and what would go wrong if somebody wrote into a between forward and
// backward?
//
// Hint 2.1: Two loops: one over the numbers of `out`, one over the entries.
// Hint 2.1: last_ is the newest entry; from each, `previous` leads to the one before, and nullptr ends it.
// Hint 2.1: Add cotangent[i] to out.grad()[i]; run(*entry) if entry->out.grad_has_part().
// Hint 2.2: Look at operator+. What must be other than there, forward and in the two lines that pass on?
// Hint 2.2: A change of a_i changes out_i by b_i times that. add_to_grad adds any f(i).
// Hint 2.2: da_i += dout_i·b_i and db_i += dout_i·a_i: add_to_grad twice, with out.grad() and data().
// Hint 2.3: x has its part as in `real * tensor`, just above. The factor reaches L by every out_i.
// Hint 2.3: df = Σ_i dout_i·x_i, one number, to be added to factor.grad()[0].
// Hint 2.3: Name both arguments to each_element. Call factor.grad() only if factor.has_grad().
// Hint 2.4: What Tape::output gives you holds no number yet, not even a zero.
// Hint 2.4: Every x_i has the same part in out. What is dx_i then?
// Hint 2.4: Sum into a double, write it to out[0]; on the way back, add_to_grad of out.grad()[0] for every i.
// Hint 2.5: Two products, by gemm or by loops. core/gemm.h has a transposed view of the same numbers.
// Hint 2.5: dA is (M, K), a sum over N; dB is (K, N), a sum over M. gemm takes rows, columns, length.
// Hint 2.5: da = a.grad_part(): if (da.values) gemm(M, K, N, dout, Bᵀ, da.values, K, da.add).
// Hint 2.6: Do the derivation once more, with δout = δA·Bᵀ and δout = A·δBᵀ.
// Hint 2.6: dA = dout·B. dB has the shape (N, K) of b, and is the transpose of Aᵀ·dout.
// Hint 2.6: dB = doutᵀ·A: gemm(N, K, M, columns_of(out.grad(), N), rows_of(a.data(), K), ...).
// Hint 2.7: Look at relu, just above: it chooses too.
// Hint 2.7: Where x_i was cut, a small change of it changes nothing.
// Hint 2.7: Forward bound, -bound or x_i; backward dout_i if -bound < x_i < bound, else 0.
//
// Mistake 2.1: grad[i] += cotangent[i] ==> grad[i] += 1
// Mistake 2.1: continue; ==> break;
// Mistake 2.1: !entry->out.grad_has_part() ==> false
// Mistake 2.1: run(*entry); ==> run(*entry); break;
// Mistake 2.2: return x[i] * y[i]; ==> return x[i] + y[i];
// Mistake 2.2: return dout[i] * y[i]; ==> return dout[i];
// Mistake 2.2: add_to_grad(b, ==> add_to_grad(a,
// Mistake 2.2: each_element({&a, &b}, ==> each_element({&a},
// Mistake 2.3: * x[i]; ==> * out[i];
// Mistake 2.3: factor.grad()[0] += ==> factor.grad()[0] =
// Mistake 2.3: !factor.has_grad() ==> false
// Mistake 2.3: pass_on(out, x, f); ==> pass_on(out, x);
// Mistake 2.4: double total = 0; ==> double total = out[0];
// Mistake 2.4: return d; ==> return d / 2;
// Mistake 2.4: i < x.size() ==> i + 1 < x.size()
// Mistake 2.5: columns_of(b.data(), N) ==> columns_of(b.data(), K)
// Mistake 2.5: da.values, K, da.add ==> da.values, K, false
// Mistake 2.5: db.values, N, db.add ==> db.values, N, true
// Mistake 2.5: if (da.values) ==> if (db.values)
// Mistake 2.6: rows_of(b.data(), K) ==> columns_of(b.data(), N)
// Mistake 2.6: columns_of(d, N) ==> rows_of(d, N)
// Mistake 2.6: db.values, K, db.add ==> db.values, K, true
// Mistake 2.7: x_i < -bound ? -bound ==> x_i < -bound ? bound
// Mistake 2.7: from[i] > -bound && from[i] < bound ==> from[i] < bound
// Mistake 2.7: ? dout[i] : real{0} ==> ? dout[i] : dout[i]
#include <algorithm>
#include <limits>

#include "core/linalg.h"
#include "core/ops.h"
#include "tests/course/check.h"

namespace mesagrad::course {
namespace {

using Inputs = std::vector<Tensor>;

Tensor leaf(const Shape& shape, int number) { return random_tensor(shape, number).requires_grad(); }

Tensor gradient_of(const Tensor& x) {
  return Tensor(x.shape(), std::span<const real>(x.grad(), static_cast<std::size_t>(x.size())));
}

Matrix matrix_of(const Tensor& x) {
  Matrix result(x.rows(), x.dim(-1));
  std::copy_n(x.data(), x.size(), result.values().begin());
  return result;
}

// A tensor that only this tape's memory holds, 1·x: its gradient is a place not yet written.
Tensor inner(const Tensor& x) { return real{1} * x; }

// Memory that an earlier step has used. It left NaNs in it.
struct UsedMemory {
  Arena arena;
  UsedMemory() {
    Tape tape(arena);
    const Tensor left = Tape::output({4096}, {});
    std::fill_n(left.data(), left.size(), std::numeric_limits<real>::quiet_NaN());
  }
};

// An identity, which writes its name down when its backward step runs.
Tensor named(const Tensor& x, char name, std::string& log) {
  const Tensor out = inner(x);
  Tape::record("named", out, [x, name, &log] { log += name; });
  return out;
}

EXERCISE("2.1", 2, "a tensor used twice gets both parts", "Is every entry of the tape run, the oldest too?") {
  const Tensor a = leaf({3}, 0);
  Tape tape;
  const Tensor b = a + a, c = b + b - a;
  tape.backward(c, Tensor({3}, 1));
  expect_equal("with b = a + a and c = b + b - a, db", gradient_of(b), Tensor({3}, 2));
  expect_equal("with b = a + a and c = b + b - a, da", gradient_of(a), Tensor({3}, 3));
}

EXERCISE("2.1", 2, "the way back starts from the cotangent",
         "d(out) is the cotangent, number by number, and not 1.") {
  const Tensor a = leaf({2, 3}, 0), cotangent = random_tensor({2, 3}, 1);
  Tape tape;
  const Tensor out = real{3} * a;
  tape.backward(out, cotangent);
  expect_equal("d(out)", gradient_of(out), cotangent);
  expect_equal("with out = 3a, da", gradient_of(a), real{3} * cotangent);
}

EXERCISE("2.1", 3, "steps run from the last to the first, each once",
         "From an entry, `previous` leads to the one that was written down before it.") {
  const Tensor a = leaf({2}, 0);
  std::string log;
  Tape tape;
  const Tensor p = named(a, 'p', log), q = named(p, 'q', log), r = named(p + q, 'r', log);
  tape.backward(r, Tensor({2}, 1));
  expect(log == "rqp", "p, q and r were computed in this order; the steps that ran are, in order, \"", log,
         "\", expected \"rqp\"");
}

EXERCISE("2.1", 2, "what the loss does not depend on is left out",
         "Skip an entry to which nothing came back, and go on with the one before it.") {
  const Tensor a = leaf({2}, 0), b = leaf({2}, 1);
  std::string log;
  Tape tape;
  const Tensor used = a + b, unused = named(b, 'u', log), later = named(unused, 'v', log);
  tape.backward(used, Tensor({2}, 1));
  expect(log.empty(), "the loss depends on neither u nor v, but the steps \"", log, "\" ran");
  expect_equal("da of a + b, which is followed by unused results,", gradient_of(a), Tensor({2}, 1));
}

EXERCISE("2.2", 2, "the product is taken element by element", "out_i = a_i·b_i, of the shape of both.") {
  const Index n = random_size(2, 5);
  const Tensor a = random_tensor({n, 3}, 0), b = random_tensor({n, 3}, 1), out = a * b;
  expect(out.shape() == a.shape(), "the shape is ", out.shape(), ", expected ", a.shape());
  for (Index i = 0; i < a.size(); ++i) expect_equal(text("element ", i), out[i], a[i] * b[i]);
}

EXERCISE("2.2", 3, "each factor's gradient is dout times the other factor",
         "Add to both gradients; a product may be one of several users.") {
  const Index n = random_size(2, 5);
  const Inputs ab = {random_tensor({n, 3}, 0), random_tensor({n, 3}, 1)};
  expect_gradient([](const Inputs& x) { return x[0] * x[1]; }, ab, {"a in a * b", "b in a * b"});
  expect_gradient([](const Inputs& x) { return x[0] * x[1] + x[0]; }, ab,
                  {"a in a * b + a", "b in a * b + a"});
  expect_gradient([](const Inputs& x) { return x[0] * x[0]; }, {ab[0]}, {"a in a * a"});
}

EXERCISE("2.2", 2, "one factor may be without a gradient, be it the first or the second",
         "Tape::output wants to know all arguments; add_to_grad passes over those without a gradient.") {
  const Tensor data = random_tensor({4}, 0), weight = leaf({4}, 1);
  for (const bool first : {true, false}) {
    weight.zero_grad();
    Tape tape;
    const Tensor out = first ? weight * data : data * weight;
    expect(out.has_grad(), "a ", first ? "first" : "second", " factor has a gradient, the product has none");
    tape.backward(out, Tensor({4}, 1));
    expect_equal(text("d(weight) in ", first ? "weight * data" : "data * weight"), gradient_of(weight), data);
  }
}

EXERCISE("2.3", 2, "every element is multiplied",
         "out_i = factor[0]·x_i, whatever the shape of the factor.") {
  const Tensor x = random_tensor({2, 3, 2}, 0), factor = random_tensor({1, 1}, 1);
  expect_equal("scale(x, factor)", scale(x, factor), factor[0] * x);
}

EXERCISE("2.3", 4, "x and the factor have their gradients",
         "All elements of out depend on the factor: a sum, added.") {
  const Inputs in = {random_tensor({3, random_size(1, 5)}, 0), random_tensor({}, 1)};
  expect_gradient([](const Inputs& x) { return scale(x[0], x[1]); }, in, {"x", "the factor"});
  expect_gradient([](const Inputs& x) { return scale(x[0], x[1]) + scale(scale(x[0], x[1]), x[1]); }, in,
                  {"x, used twice", "the factor, used three times"});
  expect_gradient([](const Inputs& x) { return scale(x[0], x[0]); }, {in[1]}, {"x in scale(x, x)"});
}

EXERCISE("2.3", 2, "x or the factor may be without a gradient", "Ask has_grad() before you call grad().") {
  const Tensor x = random_tensor({3}, 0), factor = random_tensor({1}, 1);
  expect_gradient([&](const Inputs& in) { return scale(in[0], factor); }, {x.copy()},
                  {"x, with a constant factor"});
  expect_gradient([&](const Inputs& in) { return scale(x, in[0]); }, {factor.copy()},
                  {"the factor of a constant"});
}

EXERCISE("2.4", 2, "the sum has the shape of a single number", "Its shape is {}, not that of x.") {
  const Tensor out = sum(Tensor({2, 3}, {1, 2, 3, 4, 5, 6}));
  expect(out.shape() == Shape(), "the shape of the sum is ", out.shape(), ", expected ()");
  expect_equal("the sum of 1 to 6", out[0], 21);
  expect_equal("the sum of no numbers", sum(Tensor({0}))[0], 0);
}

EXERCISE("2.4", 1, "it starts at zero, in memory that was used before",
         "Tape::output leaves what was there.") {
  UsedMemory memory;
  Tape tape(memory.arena);
  expect_equal("the sum of (1, 2)", sum(Tensor({2}, {1, 2}))[0], 3);
}

EXERCISE("2.4", 3, "every element has the gradient of the sum",
         "dx_i is d(out), the same for all i, and is added.") {
  const Inputs in = {random_tensor({random_size(1, 4), 3}, 0)};
  expect_gradient([](const Inputs& x) { return sum(x[0]); }, in, {"x in sum(x)"});
  expect_gradient([](const Inputs& x) { return real{2} * sum(x[0]) + sum(x[0] * x[0]); }, in,
                  {"x in 2·sum(x) + sum(x * x)"});
}

// A change of one entry of A or B, from the definition of the product.
Matrix naive_gradient(const Matrix& a, const Matrix& b, const Matrix& dout, bool of_a, bool transposed) {
  Matrix result(of_a ? a.rows() : b.rows(), of_a ? a.columns() : b.columns());
  const Matrix right = transposed ? transpose(b) : b;
  for (Index i = 0; i < result.rows(); ++i) {
    for (Index j = 0; j < result.columns(); ++j) {
      Matrix unit(result.rows(), result.columns());
      unit(i, j) = 1;
      const Matrix moved = of_a ? multiply(unit, right) : multiply(a, transposed ? transpose(unit) : unit);
      for (std::size_t n = 0; n < moved.values().size(); ++n)
        result(i, j) += dout.values()[n] * moved.values()[n];
    }
  }
  return result;
}

struct Product {
  Tensor (*f)(const Tensor&, const Tensor&);
  bool transposed;
  Index K = random_size(2, 4), N = K + random_size(1, 2, 1), M = N + random_size(1, 2, 2);  // no two the same
  Tensor a = leaf({M, K}, 0);
  Tensor b = leaf(transposed ? Shape({N, K}) : Shape({K, N}), 1);
  Tensor dout = random_tensor({M, N}, 2);

  // dA and dB, when f has run on those two; in `memory`, and there on results of the tape itself.
  void expect_gradients(Arena& memory, const std::string& when) const {
    Tape tape(memory);
    const Tensor left = inner(a), right = inner(b);
    tape.backward(f(left, right), dout);
    for (const bool of_a : {true, false}) {
      expect_equal(text(when, of_a ? "dA" : "dB"), matrix_of(gradient_of(of_a ? left : right)),
                   naive_gradient(matrix_of(a), matrix_of(b), matrix_of(dout), of_a, transposed));
    }
  }

  // The same by differences, where the gradients hold something already, and where one has none.
  void expect_parts() const {
    expect_gradient([this](const Inputs& x) { return f(x[0], x[1]); }, {a.copy(), b.copy()}, {"A", "B"});
    const Tensor constant_a = a.copy(), constant_b = b.copy();
    expect_gradient([&](const Inputs& x) { return f(x[0], constant_b); }, {a.copy()}, {"A, as B has none,"});
    expect_gradient([&](const Inputs& x) { return f(constant_a, x[0]); }, {b.copy()}, {"B, as A has none,"});
    const Index n = random_size(2, 4, 3);
    expect_gradient([this](const Inputs& x) { return f(x[0], x[0]); }, {random_tensor({n, n}, 3)},
                    {"A, on both sides,"});
  }
};

EXERCISE("2.5", 4, "dA and dB are the two products of the derivation",
         "Write the shapes beside each product: dA is (M, K), dB is (K, N).") {
  Arena memory;
  Product{matmul, false}.expect_gradients(memory, "");
}

EXERCISE("2.5", 2, "both are added to what is there",
         "grad_part().add says whether the gradient holds a part.") {
  Product{matmul, false}.expect_parts();
  const Index K = random_size(4, 6);
  expect_gradient([](const Inputs& x) { return matmul(x[0], x[1]); },
                  {random_tensor({2, 2, K}, 4), random_tensor({K, 3}, 5)}, {"A (2, 2, K)", "B"});
}

EXERCISE("2.5", 2, "and nothing is added to what was never written",
         "Where grad_part().add is false, the memory holds anything; overwrite it.") {
  UsedMemory used;
  Product{matmul, false}.expect_gradients(used.arena, "in used memory, ");
}

EXERCISE("2.6", 3, "with B transposed, dA and dB have the shapes of a and b", "Both a and b end in K here.") {
  Arena memory;
  Product{matmul_transposed, true}.expect_gradients(memory, "");
}

EXERCISE("2.6", 2, "they are added to what is there, and only if it was written",
         "Where grad_part().add is false, overwrite; where it is true, add.") {
  Product{matmul_transposed, true}.expect_parts();
  UsedMemory used;
  Product{matmul_transposed, true}.expect_gradients(used.arena, "in used memory, ");
}

EXERCISE("2.7", 2, "every element is limited, from above and from below", "The lower limit is -bound.") {
  expect_equal("clip((-5, -1, 0, 1, 5), 2)", clip(Tensor({5}, {-5, -1, 0, 1, 5}), 2),
               Tensor({5}, {-2, -1, 0, 1, 2}));
  const Tensor x = random_tensor({random_size(20, 30)}, 0), y = clip(x, real{0.5});
  for (Index i = 0; i < x.size(); ++i) {
    expect(std::abs(y[i]) <= 0.5, "element ", i, " is ", y[i], ", outside of [-0.5, 0.5]");
    expect(std::abs(x[i]) > 0.5 || y[i] == x[i], "element ", i, " was ", x[i],
           ", within [-0.5, 0.5], and is ", y[i]);
  }
}

EXERCISE("2.7", 3, "the gradient passes where nothing was cut", "Does your choice see both ends?") {
  const Tensor x = Tensor({5}, {-5, -1, 0, 1, 5}).requires_grad(), dout = random_tensor({5}, 0);
  Tape tape;
  tape.backward(clip(x, 2), dout);
  expect_equal("dx of clip((-5, -1, 0, 1, 5), 2)", gradient_of(x),
               Tensor({5}, {0, dout[1], dout[2], dout[3], 0}));
}

EXERCISE("2.7", 1, "it is added to what the gradient holds", "add_to_grad, as ever.") {
  const Tensor x = random_tensor({12}, 0);
  for (Index i = 0; i < x.size(); ++i) {  // no difference should see both sides of the bound
    if (std::abs(std::abs(x[i]) - real{0.75}) < real{0.0625}) x[i] *= real{1.25};
  }
  expect_gradient([](const Inputs& in) { return clip(in[0], real{0.75}) * in[0]; }, {x}, {"x, used twice,"});
}

}  // namespace
}  // namespace mesagrad::course
