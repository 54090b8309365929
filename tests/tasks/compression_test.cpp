// Reading a trained model: products, scalars, and models rebuilt from them.
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/compression.h"
#include "tasks/proposition_2.h"

#include "tests/helpers.h"

namespace mesagrad {
namespace {

LinearTransformer random_model(Index d, Index heads, Index key_size, std::uint64_t seed) {
  return LinearTransformer({.width = 4 * d,
                            .blocks = 2,
                            .heads = heads,
                            .key_size = key_size,
                            .clip = real{1.5},
                            .init_deviation = 0.2},
                           seed);
}

// Element (i, j) of Wq_h·Wk_hᵀ and of Wv_h·Wo_h, straight from the tensors.
double naive_query_key(const SelfAttention& block, Index h, Index i, Index j) {
  const Index width = block.wq.dim(1), K = width / block.heads;
  double sum = 0;
  for (Index k = 0; k < K; ++k) {
    sum += static_cast<double>(block.wq[i * width + h * K + k]) * block.wk[j * width + h * K + k];
  }
  return sum;
}

double naive_value_output(const SelfAttention& block, Index h, Index i, Index j) {
  const Index D = block.wv.dim(0), width = block.wv.dim(1), K = width / block.heads;
  double sum = 0;
  for (Index k = 0; k < K; ++k) {
    sum += static_cast<double>(block.wv[i * width + h * K + k]) * block.wo[(h * K + k) * D + j];
  }
  return sum;
}

// Both products of all heads of all blocks, one after another.
std::vector<double> products_of(const Transformer& model) {
  std::vector<double> all;
  for (const Transformer::Block& whole : model.blocks) {
    const SelfAttention& block = whole.attention;
    for (Index h = 0; h < block.heads; ++h) {
      for (const Matrix& m : {query_key_product(block, h), value_output_product(block, h)}) {
        all.insert(all.end(), m.values().begin(), m.values().end());
      }
    }
  }
  return all;
}

// A model whose products are scalars times the identity in each block: every weight matrix is a
// small random matrix with each number replaced by itself times the (d, d) identity.
LinearTransformer model_of_scalars(Index d, Index heads) {
  const Index m = 3;  // key size 3d
  LinearTransformer model = random_model(d, heads, m * d, 1);
  std::uint64_t seed = 100;
  for (const Parameter& p : model.parameters()) {
    const Index rows = p.tensor->dim(0), columns = p.tensor->dim(1);
    const Tensor scalars = random_tensor({rows / d, columns / d}, ++seed, 0.4);
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < columns; ++j) {
        (*p.tensor)[i * columns + j] =
            i % d == j % d ? scalars[i / d * (columns / d) + j / d] : real{0};
      }
    }
  }
  return model;
}

std::vector<real> outputs(const Transformer& model) {
  return numbers_of(model(random_tensor({2, 7, model.options.width}, 50)));
}

constexpr double tolerance = 1e3 * epsilon;

}  // namespace

TEST_CASE("the products of a head are those of its columns", "[compression]") {
  const Transformer model = random_model(2, 3, 5, 1);
  for (const Transformer::Block& whole : model.blocks) {
    const SelfAttention& block = whole.attention;
    for (Index h = 0; h < 3; ++h) {
      const Matrix qk = query_key_product(block, h), vo = value_output_product(block, h);
      REQUIRE((qk.rows() == 8 && qk.columns() == 8 && vo.rows() == 8 && vo.columns() == 8));
      for (Index i = 0; i < 8; ++i) {
        for (Index j = 0; j < 8; ++j) {
          CHECK(std::abs(qk(i, j) - naive_query_key(block, h, i, j)) < 1e-14);
          CHECK(std::abs(vo(i, j) - naive_value_output(block, h, i, j)) < 1e-14);
        }
      }
    }
  }
}

TEST_CASE("the products are all that a head computes with", "[compression]") {
  const Transformer model = random_model(2, 2, 4, 1);
  Transformer other = snapshot(model);
  for (const Transformer::Block& whole : other.blocks) {  // Wq M and Wk M⁻¹, for a diagonal M
    const SelfAttention& block = whole.attention;
    for (Index i = 0; i < block.wq.size(); ++i) {
      const auto scale = static_cast<real>(1 << i % block.wq.dim(1) % 4);
      block.wq[i] *= scale;
      block.wk[i] /= scale;
    }
  }
  CHECK(largest_difference(products_of(other), products_of(model)) == 0);
  CHECK(largest_difference(outputs(other), outputs(model)) < tolerance);
}

TEST_CASE("a block's scalar is the mean of its diagonal", "[compression]") {
  Matrix product(6, 6);
  for (Index i = 0; i < 6; ++i) {
    for (Index j = 0; j < 6; ++j) product(i, j) = static_cast<double>(10 * i + j);
  }
  const Matrix two = block_scalars(product, 3), three = block_scalars(product, 2);
  REQUIRE((two.rows() == 2 && two.columns() == 2 && three.rows() == 3));
  CHECK(std::abs(two(0, 0) - 11) < 1e-13);  // 0, 11, 22
  CHECK(std::abs(two(0, 1) - 14) < 1e-13);  // 3, 14, 25
  CHECK(std::abs(two(1, 0) - 41) < 1e-13);  // 30, 41, 52
  CHECK(std::abs(three(2, 1) - 47.5) < 1e-13);  // 42, 53
  CHECK(largest_difference(block_scalars(product, 1).values(), product.values()) == 0);
}

TEST_CASE("compression loses nothing of a model made of scalars", "[compression]") {
  for (const Index d : {1, 3}) {
    const Transformer model = model_of_scalars(d, 2), small = compress(model, d);
    CHECK(largest_difference(products_of(small), products_of(model)) < tolerance);
    CHECK(largest_difference(outputs(small), outputs(model)) < tolerance);
    CHECK(small.options.key_size == 4 * d);
    CHECK(small.options.clip == model.options.clip);
    CHECK(small.blocks[0].attention.wq.shape() == Shape({4 * d, 2 * 4 * d}));
    CHECK(small.blocks[0].attention.wo.shape() == Shape({2 * 4 * d, 4 * d}));
  }
}

TEST_CASE("compression keeps the scalars and nothing else", "[compression]") {
  const Index d = 3;
  const Transformer model = random_model(d, 2, 5, 1), small = compress(model, d);
  CHECK(largest_difference(outputs(small), outputs(model)) > 1e-3);
  for (std::size_t b = 0; b < 2; ++b) {
    for (Index h = 0; h < 2; ++h) {
      for (const auto& product_of : {query_key_product, value_output_product}) {
        const Matrix scalars = block_scalars(product_of(model.blocks[b].attention, h), d);
        const Matrix product = product_of(small.blocks[b].attention, h);
        for (Index i = 0; i < 4 * d; ++i) {
          for (Index j = 0; j < 4 * d; ++j) {
            const double expected = i % d == j % d ? scalars(i / d, j / d) : 0;
            CHECK(std::abs(product(i, j) - expected) < tolerance);
          }
        }
      }
    }
  }
  CHECK(largest_difference(outputs(compress(small, d)), outputs(small)) < tolerance);
}

TEST_CASE("compression and interpolation keep the clip and the mask", "[compression]") {
  LinearTransformer model = model_of_scalars(2, 1);
  model.options.masked_channels = 3;
  model.options.clip = real{0.5};
  CHECK(largest_difference(outputs(compress(model, 2)), outputs(model)) < tolerance);
  CHECK(largest_difference(outputs(interpolate(model, model)), outputs(model)) < tolerance);
}

TEST_CASE("between a model and itself lies the model", "[compression]") {
  const Transformer a = random_model(2, 3, 5, 1);
  CHECK(largest_difference(outputs(interpolate(a, a)), outputs(a)) < tolerance);
}

TEST_CASE("interpolation averages the products", "[compression]") {
  const Transformer a = random_model(2, 3, 5, 1), b = random_model(2, 3, 2, 2);
  const Transformer middle = interpolate(a, b);
  const std::vector<double> of_a = products_of(a), of_b = products_of(b);
  std::vector<double> expected;
  for (std::size_t i = 0; i < of_a.size(); ++i) expected.push_back((of_a[i] + of_b[i]) / 2);
  CHECK(largest_difference(products_of(middle), expected) < tolerance);
  CHECK(middle.options.key_size == 7);
  CHECK(largest_difference(outputs(interpolate(b, a)), outputs(middle)) < tolerance);
}

TEST_CASE("new models share no weights with the old", "[compression]") {
  LinearTransformer a = model_of_scalars(2, 2);
  const Transformer small = compress(a, 2), middle = interpolate(a, a);
  const std::vector<real> small_before = outputs(small), middle_before = outputs(middle);
  for (const Parameter& p : a.parameters()) {
    std::fill_n(p.tensor->data(), p.tensor->size(), real{1});
  }
  CHECK(outputs(small) == small_before);
  CHECK(outputs(middle) == middle_before);
}

TEST_CASE("the step size can be read off the weights", "[compression]") {
  for (const Index d : {1, 3, 10}) {
    for (const double eta : {0.03, -0.5, 0.0}) {
      const Transformer model = gradient_descent_transformer(d, eta);
      const double rounded = static_cast<real>(eta);
      CHECK(std::abs(effective_step_size(model, d) - rounded) < 1e-15);
      CHECK(std::abs(effective_step_size(compress(model, d), d) - rounded) < 1e-15);
      const Transformer twice = gradient_descent_transformer(d, 2 * eta);
      const double between = effective_step_size(interpolate(model, twice), d);
      // Only the output is doubled: the query-key products of both are the same.
      CHECK(std::abs(between - 1.5 * rounded) < 1e-15);
    }
  }
}

TEST_CASE("heads of opposite sign make one step size together", "[compression]") {
  LinearTransformer model({.width = 4, .heads = 2, .key_size = 1, .init_deviation = 0}, 1);
  const SelfAttention& block = model.blocks[0].attention;  // width 4, d = 1, columns: one per head
  const auto set_head = [&](Index h, real query, real key, real value, real output) {
    block.wq[2 * 2 + h] = query;
    block.wk[3 * 2 + h] = key;
    block.wv[2 * 2 + h] = value;
    block.wo[h * 4 + 0] = output;
  };
  set_head(0, 2, 3, 5, 7);
  CHECK(effective_step_size(model, 1) == 210);
  set_head(1, -2, 1, 4, -1);
  CHECK(effective_step_size(model, 1) == 218);
}

TEST_CASE("models that do not fit are refused", "[compression][errors]") {
  const Transformer model = random_model(2, 2, 3, 1);
  CHECK(lacks([&] { compress(model, 3); }, {"compress", "width 8", "four groups of 3"}) == "");
  CHECK(lacks([&] { compress(model, 1); }, {"compress", "width 8", "four groups of 1"}) == "");
  CHECK(lacks([&] { effective_step_size(model, 2); },
              {"effective_step_size", "2 of width 8"}) == "");
  CHECK(lacks([&] { effective_step_size(gradient_descent_transformer(2, 1), 3); },
              {"effective_step_size", "width 12", "1 of width 8"}) == "");
  LinearTransformer shallow = random_model(2, 2, 3, 1);
  shallow.blocks.pop_back();
  const Transformer wider = random_model(3, 2, 3, 1), fewer_heads = random_model(2, 1, 3, 1);
  for (const Transformer& other : std::vector<Transformer>{wider, fewer_heads, shallow}) {
    CHECK(lacks([&] { interpolate(model, other); }, {"interpolate", "differ in more than"}) == "");
    CHECK(lacks([&] { interpolate(other, model); }, {"interpolate", "differ in more than"}) == "");
  }
}

}  // namespace mesagrad
