// Reading weights
//
// A layer of attention is four matrices of numbers. Here you write an algorithm into them by hand, and then
// read one out of weights that somebody else made: first by looking at the right products, then by keeping
// one number of each hundred. Lesson 3 does this to a layer that training has made. It comes with this
// assignment's solution, and after it you can run it.
//
// Read: tasks/proposition_2.h as far as Proposition 1; tasks/compression.h; the comment of SelfAttention in
// nn/self_attention.h, and its sizes. Tokens are the constructed ones of tasks/states.h. Where a token is a
// row x, x W is a row times a matrix.
// Find out: how gradient descent looks in weights, and in how many other weights the same algorithm hides.
// What can be averaged of two models, and what can't.
// To write: 5.1, 5.2 in tasks/proposition_2.cpp; 5.3, 5.4, 5.5, 5.6, 5.7 in tasks/compression.cpp.
// Hours: 5
// Unlocks: make tutorial-3
// Withheld: tests/tasks/compression_test.cpp
// Withheld: tests/tasks/proposition_2_test.cpp
// Withheld: tutorials/03_one_layer_is_one_step/lesson.cpp
// Withheld: tutorials/03_one_layer_is_one_step/measure.h
//
// # The one derivation
//
// A layer of linear attention adds to token x_t, for each of its heads, with the columns of W_q, W_k and
// W_v and the rows of W_o that this head owns,
//
//     Σ_{i≤t} (x_t W_q · x_i W_k) x_i W_v W_o
//
// The scalar product of two rows is the first times the second transposed:
//
//     x_t W_q · x_i W_k = x_t (W_q W_kᵀ) x_iᵀ
//
// so the head knows W_q and W_k through their product alone, and W_v and W_o through theirs. Put W_q M in
// the place of W_q and W_k M⁻ᵀ in the place of W_k, for any M that has an inverse: M cancels, and nothing
// that the layer says will change. To read a head is to read two products, QK and VO, both (D, D).
//
// Our tokens have four groups of d channels, [0, s_t, s_t, s_{t-1}]; count them 0, 1, 2, 3. Cut QK into
// blocks of d by d, QK_ab. If each block is a number c_ab times the identity, then
//
//     x_t QK x_iᵀ = Σ_{a,b} c_ab (group a of x_t · group b of x_i)
//
// and the head is two tables of sixteen numbers. Gradient descent, η Σ_i s_i (s_{i-1} · s_t), has one in
// each:
//
//                       key reads                               the value goes to
//     query reads    0   1   2   3              value reads    0   1   2   3
//          0         .   .   .   .                   0         .   .   .   .
//          1         .   .   .   .                   1         .   .   .   .
//          2  s_t    .   .   .   1                   2  s_i    η   .   .   .
//          3         .   .   .   .                   3         .   .   .   .
//                              s_{i-1}                    prediction
//
// This is Proposition 1. In a trained layer nobody knows which head does it, or whether they share it. But
// heads are added: the factor of s_i (s_{i-1} · s_t) in the prediction is the sum over the heads of these
// two numbers' products, and that is the layer's own step size. (Exercise 5.5. What else stands in the
// tables says what else the layer does.)
//
// Last, [A B] [C D]ᵀ = A Cᵀ + B Dᵀ: matrices side by side add up their products. Exercise 5.7 lives on it.
//
// To think about (nobody checks this):
// 1. With d = 1 a head of key size 1 has four numbers in W_q and four in W_k. How many numbers does it take
// to say all that can be read of them? Which tables of sixteen can't be written by such a head at all?
// 2. Two models of the same training, from two seeds, do the same to all tokens. Why is the model whose
// weights are the averages of theirs no good? Is the one with averaged products?
//
// Hint 5.1: Each head is d ones in each of wq, wk, wv, on a diagonal, and d times the step in wo. The rows
// of wq, wk and wv are channels of the token; so are the columns of wo.
// Hint 5.1: For channel i of head h let column = h·d + i. In wq a one stands at row query·d + i of this
// column, in wv at row value·d + i, in wk at row 3·d + i; in wo the step stands in row `column`, at column
// output·d + i.
// Hint 5.1: Numbers of a tensor are counted row by row: wq(row, column) is block.wq[row * heads * d +
// column], and wo(row, column) is block.wo[row * 4 * d + column]. The step becomes a number of the tensor
// by static_cast<real>.
// Hint 5.2: The likeness of what is asked for, of which two vectors is it? What is copied, and where to?
// Hint 5.2: The key is the last group, s_{i-1}, whatever you say. The query is s_t, the value s_i, and the
// prediction appears in group 0.
// Hint 5.2: s_t stands in two groups; take the third, number 2, for the query, as for the value. Call
// transformer_of with one head and one layer that is {query, value, output, step}.
// Hint 5.3: In the sum over k only those columns of wq and wk take part that the head owns. How many are
// these, and where do they begin?
// Hint 5.3: K columns, from head·K on. head_product multiplies a by b as they are seen: of wk you need the
// transpose, of wo you need the rows.
// Hint 5.3: rows_of(q.data(), q.dim(1)) is wq, and columns_of(k.data(), k.dim(1)) is wkᵀ. For VO both are
// rows_of, each with its own width. The loops: i and j below D, k from head·K to (head + 1)·K - 1.
// Hint 5.4: Block (i, j) begins at row i·d and column j·d.
// Hint 5.4: Its diagonal has the numbers product(i·d + k, j·d + k), k = 0 .. d - 1.
// Hint 5.4: Add each of them, divided by d, to scalars(i, j): three loops.
// Hint 5.5: Which number of each table? Look at the picture.
// Hint 5.5: For each head take block_scalars of both its products, with this d.
// Hint 5.5: Add qk(2, 3) * vo(2, 0) for all heads of model.blocks[0].attention.
// Hint 5.6: If W_k is the identity, W_q W_kᵀ is W_q. So make it so, and write the product that you want
// into W_q.
// Hint 5.6: For each block and head: qk and vo are the block_scalars of the model's products; row r, column
// c of the new product is qk(r / d, c / d) if r % d = c % d, and else 0. The same for vo in W_v, with W_o
// the identity.
// Hint 5.6: to = result.blocks[b].attention has the key size D: head h owns the columns h·D .. h·D + D - 1
// of wq, wk, wv, each of them heads·D wide, and such rows of wo, D wide. Write to.wk[k * heads * D + h * D
// + k] = 1 and to.wo[(h * D + k) * D + k] = 1 for all k, and the products in the same places of wq and wv.
// Hint 5.7: Half of one product and half of the other, added: the last line of the derivation says how.
// Hint 5.7: The new key size is the sum of both. copy_head puts one head into part of another: call it for
// a from offset 0 on, and for b from a's key size on, with the factor ½. Multiply only one factor of each
// product by it.
// Hint 5.7: In copy_head, column h·K + k of from.wq (K its own key size) goes to column h·L + offset + k of
// to.wq (L the other one), for all D rows; wk and wv likewise; rows of wo likewise. Times `factor`: wq and
// wv. Begin with Transformer result = empty_like(a, the sum) and return it.
//
// Mistake 5.1: (3 * d + i) * heads ==> (2 * d + i) * heads
// Mistake 5.1: ++column) ==> column = i + 1)
// Mistake 5.1: static_cast<real>(head.step) ==> 1
// Mistake 5.1: head.output * d + i ==> head.output + i
// Mistake 5.2: .query = 2, .value = 2 ==> .query = 2, .value = 3
// Mistake 5.2: .query = 2 ==> .query = 1
// Mistake 5.2: .step = eta ==> .step = -eta
// Mistake 5.3: columns_of(k.data(), width) ==> columns_of(q.data(), width)
// Mistake 5.3: k = head * K; k < (head + 1) * K ==> k = 0; k < shape[1]
// Mistake 5.3: rows_of(o.data(), o.dim(1)) ==> columns_of(o.data(), v.dim(1))
// Mistake 5.4: / static_cast<double>(d) ==> / 1
// Mistake 5.4: product(i * d + k, j * d + k) ==> product(j * d + k, i * d + k)
// Mistake 5.4: j * d + k) ==> j * d)
// Mistake 5.5: eta += ==> eta =
// Mistake 5.5: vo(2, 0) ==> vo(3, 0)
// Mistake 5.5: qk(2, 3) ==> qk(3, 2)
// Mistake 5.6: qk(g, k / d) ==> qk(k / d, g)
// Mistake 5.6: g * d + k % d ==> g * d
// Mistake 5.6: model.blocks[b].attention, h), d); ==> model.blocks[0].attention, h), d);
// Mistake 5.6: static_cast<real>(vo(g, k / d)) ==> static_cast<real>(vo(g, k / d)) / 2
// Mistake 5.7: real{0.5} ==> real{1}
// Mistake 5.7: factor * from.wv ==> from.wv
// Mistake 5.7: h * L + offset + k ==> h * L + k
#include <limits>

#include "tasks/compression.h"
#include "tasks/in_context.h"
#include "tasks/proposition_2.h"
#include "tests/course/check.h"

namespace mesagrad::course {
namespace {

using Layers = std::vector<std::vector<GroupHead>>;

Matrix matrix_of(const Tensor& x) {
  Matrix result(x.size() / x.dim(-1), x.dim(-1));
  std::copy_n(x.data(), x.size(), result.values().begin());
  return result;
}

// What a layer with these heads makes of tokens (1, T, 4d), one sum after another.
Tensor by_sums(const Tensor& x, Index d, const std::vector<GroupHead>& heads) {
  const Tensor result = x.copy();
  const auto group = [&](Index t, Index number) { return x.data() + (t * 4 + number) * d; };
  for (Index t = 0; t < x.dim(1); ++t) {
    for (const GroupHead& head : heads) {
      for (Index i = 0; i <= t; ++i) {
        const auto value = [&](Index j) { return group(i, head.value)[j]; };
        real alike = 0;
        for (Index j = 0; j < d; ++j) alike += group(t, head.query)[j] * group(i, 3)[j];
        for (Index j = 0; j < d; ++j)
          result[(t * 4 + head.output) * d + j] += static_cast<real>(head.step) * alike * value(j);
      }
    }
  }
  return result;
}

// Attention with random weights.
SelfAttention random_layer(Index width, Index heads, Index key_size) {
  SelfAttention layer;
  layer.mixer = LinearAttention{};
  layer.heads = heads;
  layer.wq = random_tensor({width, heads * key_size}, 1);
  layer.wk = random_tensor({width, heads * key_size}, 2);
  layer.wv = random_tensor({width, heads * key_size}, 3);
  layer.wo = random_tensor({heads * key_size, width}, 4);
  return layer;
}

LinearTransformer random_model(Index d, Index key_size, int number = 0) {
  LinearTransformer model({.width = 4 * d,
                           .blocks = 2,
                           .heads = 2,
                           .key_size = key_size,
                           .clip = real{1.5},
                           .init_deviation = 0},
                          0);
  for (const Parameter& p : model.parameters()) {
    const Tensor numbers = random_tensor(p.tensor->shape(), ++number);
    for (Index i = 0; i < numbers.size(); ++i) (*p.tensor)[i] = static_cast<real>(0.3) * numbers[i];
  }
  return model;
}

EXERCISE("5.1", 5, "a head compares, copies and adds what it was told to",
         "Rows of wq, wk and wv are channels of the token, rows of wo are the head's.") {
  const Index d = random_size(2, 4);
  const Tensor x = random_tensor({1, 5, 4 * d});
  for (const GroupHead& head : {GroupHead{2, 2, 0, 0.5}, GroupHead{0, 1, 3, -0.25}, GroupHead{1, 3, 1, 2}}) {
    expect_equal(text("tokens after a head with the query ", head.query, ", the value ", head.value,
                      " and the output ", head.output, ": number "),
                 transformer_of(d, 1, {{head}})(x), by_sums(x, d, {head}));
  }
}

EXERCISE("5.1", 4, "heads of a layer are added, and layers follow one another",
         "Each head has columns of its own: the second one begins at column d.") {
  const Index d = random_size(1, 3);
  const Tensor x = random_tensor({1, 4, 4 * d}, 1);
  const Layers layers = {{{2, 3, 0, 0.5}, {0, 2, 1, 0.25}}, {{1, 2, 0, -0.5}, {3, 3, 3, 0.125}}};
  expect_equal("after one layer of two heads, number ", transformer_of(d, 2, {layers[0]})(x),
               by_sums(x, d, layers[0]));
  expect_equal("after two layers of two heads, number ", transformer_of(d, 2, layers)(x),
               by_sums(by_sums(x, d, layers[0]), d, layers[1]));
}

EXERCISE("5.2", 4, "the layer predicts what a step of gradient descent predicts",
         "The prediction is η Σ s_i (s_{i-1} · s_t): what is compared, what is copied, and where to?") {
  const Index d = random_size(2, 5, 1);
  const LinearDynamics task{.dimension = d, .tokens = 12};
  const Tensor x = task.batch(test_seed(), stream::analysis_data, 0, 1).inputs;
  for (Index i = 0; i < x.size(); ++i) {
    if (i % (4 * d) / d == 1) x[i] = 100;  // the second group is no business of this layer
  }
  const Tensor out = gradient_descent_transformer(d, 0.2)(x);
  const Matrix expected = gradient_step_predictor(0.2)(
      task.sample(Random(test_seed(), stream::analysis_data, 0)).states);
  for (Index t = 0; t < task.tokens; ++t) {
    for (Index j = 0; j < d; ++j)
      expect_equal(text("the prediction at t = ", t, ", number ", j), out[t * 4 * d + j], expected(t, j));
    for (Index j = d; j < 4 * d; ++j)
      expect(out[t * 4 * d + j] == x[t * 4 * d + j], "channel ", j, " of token ", t,
             " has changed; only the first group may, where the prediction appears");
  }
}

EXERCISE("5.3", 4, "x·QK·yᵀ is the query of x times the key of y", "Which columns does the head own?") {
  const Index width = random_size(3, 6, 2), K = random_size(2, 4, 3);
  const SelfAttention layer = random_layer(width, 3, K);
  const Tensor x = random_tensor({4, width}, 5), y = random_tensor({5, width}, 6);
  const Tensor queries = matmul(x, layer.wq), keys = matmul(y, layer.wk);
  for (Index h = 0; h < 3; ++h) {
    Matrix expected(4, 5);
    for (Index t = 0; t < 4; ++t) {
      for (Index i = 0; i < 5; ++i) {
        for (Index k = h * K; k < (h + 1) * K; ++k)
          expected(t, i) += queries[t * 3 * K + k] * keys[i * 3 * K + k];
      }
    }
    const Matrix qk = query_key_product(layer, h);
    expect(qk.rows() == width && qk.columns() == width, "QK is ", shape_of(qk), ", expected (", width, ", ",
           width, ")");
    expect_equal(text("head ", h, ": x·QK·yᵀ "),
                 multiply(multiply(matrix_of(x), qk), transpose(matrix_of(y))), expected);
  }
}

EXERCISE("5.3", 4, "the products of its heads are all that a layer computes with",
         "VO is W_v times W_o: nothing is transposed there, but the widths of the two differ.") {
  const Index width = random_size(3, 6, 4), T = 4;
  const SelfAttention layer = random_layer(width, 2, 3);
  const Tensor x = random_tensor({1, T, width}, 5);
  const Matrix tokens = matrix_of(x);
  Matrix sums(T, width);
  for (Index h = 0; h < 2; ++h) {
    const Matrix alike = multiply(multiply(tokens, query_key_product(layer, h)), transpose(tokens));
    const Matrix copied = multiply(tokens, value_output_product(layer, h));
    for (Index t = 0; t < T; ++t) {
      for (Index i = 0; i <= t; ++i) {
        for (Index j = 0; j < width; ++j) sums(t, j) += alike(t, i) * copied(i, j);
      }
    }
  }
  expect_equal("Σ_h Σ_i (x_t QK x_iᵀ) x_i VO ", sums, matrix_of(layer(x)));
}

EXERCISE("5.4", 4, "a block's scalar is the mean of its diagonal", "Where does block (i, j) begin?") {
  Matrix small(4, 4);
  for (Index i = 0; i < 4; ++i) {
    for (Index j = 0; j < 4; ++j) small(i, j) = static_cast<double>(10 * i + j);
  }
  const Matrix two = block_scalars(small, 2);
  expect(two.rows() == 2 && two.columns() == 2, "(4, 4) has ", shape_of(two), " blocks of 2, not (2, 2)");
  expect_equal("of the numbers 10i + j, the mean of 2 and 13", two(0, 1), 7.5);
  const Index d = random_size(2, 4, 5);
  const Matrix scalars = random_matrix(3, 3);
  Matrix product = random_matrix(3 * d, 3 * d, 1);
  for (Index i = 0; i < 3 * d; ++i) {
    for (Index j = i % d; j < 3 * d; j += d)  // what is added along a diagonal adds up to 0
      product(i, j) = scalars(i / d, j / d) + static_cast<double>(2 * (i % d) + 1 - d);
  }
  expect_equal(text("of blocks of ", d, ", the scalar "), block_scalars(product, d), scalars);
}

EXERCISE("5.5", 3, "the step size that was written can be read",
         "Look for the two numbers in the derivation's picture.") {
  const Index d = random_size(1, 5, 6);
  for (const double eta : {0.03, -0.5})
    expect_equal(text("of Proposition 1 with η = ", eta, ", the step size"),
                 effective_step_size(gradient_descent_transformer(d, eta), d), eta);
}

EXERCISE("5.5", 3, "heads share the step, and what compares or copies something else has no part in it",
         "Add up over the heads; the sign of a head's query says nothing by itself.") {
  const Index d = 2;
  const std::vector<GroupHead> heads = {{2, 2, 0, 0.5}, {3, 2, 0, 10}, {2, 3, 0, 20},
                                        {2, 2, 3, 40},  {1, 2, 0, 80}, {2, 2, 0, -0.125}};
  const LinearTransformer model = transformer_of(d, 6, {heads});
  const SelfAttention& layer = model.blocks[0].attention;
  for (Index i = 0; i < layer.wq.dim(0); ++i) {  // head 0 with two minus signs
    for (Index k = 0; k < d; ++k) {
      layer.wq[i * layer.wq.dim(1) + k] *= -1;
      layer.wv[i * layer.wq.dim(1) + k] *= -1;
    }
  }
  expect_equal("of steps 0.5 and -0.125, and of four heads that do something else, the step size",
               effective_step_size(model, d), 0.375);
}

EXERCISE("5.6", 5, "products become their blocks' scalars times identities, head by head",
         "Row g·d + k of a product of scalars has a number in column g'·d + k, for each of four g'.") {
  const Index d = random_size(2, 3, 7);
  const Transformer model = random_model(d, 3), small = compress(model, d);
  for (std::size_t b = 0; b < 2; ++b) {
    for (Index h = 0; h < 2; ++h) {
      for (const bool query : {true, false}) {
        const auto product_of = query ? query_key_product : value_output_product;
        const Matrix scalars = block_scalars(product_of(model.blocks[b].attention, h), d);
        Matrix expected(4 * d, 4 * d);
        for (Index i = 0; i < 4 * d; ++i) {
          for (Index j = i % d; j < 4 * d; j += d) expected(i, j) = scalars(i / d, j / d);
        }
        expect_equal(text("layer ", b, ", head ", h, ": ", query ? "QK " : "VO "),
                     product_of(small.blocks[b].attention, h), expected);
      }
    }
  }
}

EXERCISE("5.6", 4, "what was written as scalars is found again below noise",
         "Compress each head of each layer from its own products.") {
  const Index d = random_size(2, 3, 8);
  const Layers layers = {{{2, 2, 0, 0.25}, {2, 3, 1, -0.25}}, {{1, 2, 0, 0.5}, {0, 1, 3, 0.1}}};
  const LinearTransformer clean = transformer_of(d, 2, layers);
  LinearTransformer noisy = snapshot(clean);
  for (std::size_t b = 0; b < 2; ++b) {
    const SelfAttention& layer = noisy.blocks[b].attention;
    const Tensor noise = random_tensor(layer.wq.shape(), static_cast<int>(b));
    for (Index i = 0; i < noise.size(); ++i) {
      const Index row = i / noise.dim(1), column = i % noise.dim(1);
      if (row % d != column % d) layer.wq[i] += noise[i], layer.wv[i] -= noise[i];
    }
  }
  const Tensor x = random_tensor({2, 4, 4 * d}, 9);
  expect_equal("without the noise, token ", compress(noisy, d)(x), clean(x));
}

EXERCISE("5.7", 5, "the products of the model between are the averages of both models' products",
         "Side by side means added up; the second model's columns begin behind those of the first.") {
  const Transformer a = random_model(2, 3), b = random_model(2, 2, 20), middle = interpolate(a, b);
  for (std::size_t n = 0; n < 2; ++n) {
    for (Index h = 0; h < 2; ++h) {
      for (const bool query : {true, false}) {
        const auto product_of = query ? query_key_product : value_output_product;
        Matrix expected = product_of(a.blocks[n].attention, h);
        const Matrix other = product_of(b.blocks[n].attention, h);
        for (std::size_t i = 0; i < expected.values().size(); ++i)
          expected.values()[i] = (expected.values()[i] + other.values()[i]) / 2;
        expect_equal(text("layer ", n, ", head ", h, ": ", query ? "QK " : "VO "),
                     product_of(middle.blocks[n].attention, h), expected);
      }
    }
  }
}

EXERCISE("5.7", 3, "halfway between nothing and gradient descent is a quarter of a step",
         "Both products are halved, each of them once.") {
  const Index d = random_size(1, 3, 9);
  const Transformer written = gradient_descent_transformer(d, 0.4);
  const LinearTransformer nothing({.width = 4 * d,
                                   .heads = 1,
                                   .key_size = 2,
                                   .clip = std::numeric_limits<real>::infinity(),
                                   .init_deviation = 0},
                                  0);
  expect_equal("of η = 0.4 and nothing, the step size",
               effective_step_size(interpolate(written, nothing), d), 0.1);
  const Tensor x = random_tensor({1, 4, 4 * d});
  expect_equal("between a model and itself, token ", interpolate(written, written)(x), written(x));
}

}  // namespace
}  // namespace mesagrad::course
