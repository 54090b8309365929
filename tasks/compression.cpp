#include "tasks/compression.h"

#include "core/gemm.h"

namespace mesagrad {
namespace {

// A model of the same depth, width and heads with zero weights of another key size.
Transformer empty_like(const Transformer& model, Index key_size) {
  Transformer::Options options = model.options;
  options.key_size = key_size;
  options.init_deviation = 0;
  return Transformer(options, 0);
}

// Writes head h of `from`, with both its products times `factor`, into head h of `to`, whose key size is
// larger: there it takes the columns (of wo, the rows) from number `offset` of that head on.
void copy_head(const SelfAttention& from, const SelfAttention& to, Index h, Index offset, real factor) {
  // exercise 5.7: one head after another in one of them. Which factors get `factor`?
  const Index D = from.wq.dim(0), K = from.wq.dim(1) / from.heads, L = to.wq.dim(1) / to.heads;
  for (Index i = 0; i < D; ++i) {
    for (Index k = 0; k < K; ++k) {
      const Index source = h * K + k, target = h * L + offset + k;
      to.wq[i * to.wq.dim(1) + target] = factor * from.wq[i * from.wq.dim(1) + source];
      to.wk[i * to.wk.dim(1) + target] = from.wk[i * from.wk.dim(1) + source];
      to.wv[i * to.wv.dim(1) + target] = factor * from.wv[i * from.wv.dim(1) + source];
      to.wo[target * D + i] = from.wo[source * D + i];
    }
  }
  // end 5.7
}

void check_head(const char* op, const Tensor& first, const Tensor& second, Index heads, Index head) {
  check(head >= 0 && head < heads, op, ": there is no head ", head, ", only ", heads);
  check(first.shape().rank() == 2 && second.shape().rank() == 2, op, ": weights ", first.shape(), " and ",
        second.shape(), " are not matrices");
  check(first.dim(1) % heads == 0, op, ": ", heads, " heads do not divide the columns of ", first.shape());
}

// A·B over the inner indices of one head, A (D, H·K) and B (H·K, D).
Matrix head_product(const Shape& shape, MatrixView a, MatrixView b, Index heads, Index head) {
  const Index D = shape[0], K = shape[1] / heads;
  Matrix product(D, D);
  // exercise 5.3: sums over the inner indices k that the head owns, of a(i, k)·b(k, j), in double
  for (Index i = 0; i < D; ++i) {
    for (Index k = head * K; k < (head + 1) * K; ++k) {
      for (Index j = 0; j < D; ++j) product(i, j) += static_cast<double>(a(i, k)) * b(k, j);
    }
  }
  // end 5.3
  return product;
}

}  // namespace

Matrix query_key_product(const SelfAttention& block, Index head) {
  const Tensor &q = block.wq, &k = block.wk;
  check_head("query_key_product", q, k, block.heads, head);
  check(q.shape() == k.shape(), "query_key_product: wq ", q.shape(), " and wk ", k.shape(),
        " differ in shape");
  // exercise 5.3: a MatrixView (core/gemm.h) shows numbers as a matrix, or as its transpose
  const Index width = q.dim(1);
  return head_product(q.shape(), rows_of(q.data(), width), columns_of(k.data(), width), block.heads, head);
  // end 5.3
}

Matrix value_output_product(const SelfAttention& block, Index head) {
  const Tensor &v = block.wv, &o = block.wo;
  check_head("value_output_product", v, o, block.heads, head);
  check(o.shape() == Shape({v.dim(1), v.dim(0)}), "value_output_product: wv ", v.shape(), " and wo ",
        o.shape(), " are not each other's transpose in shape");
  // exercise 5.3: the same for Wv·Wo
  return head_product(v.shape(), rows_of(v.data(), v.dim(1)), rows_of(o.data(), o.dim(1)), block.heads, head);
  // end 5.3
}

Matrix block_scalars(const Matrix& product, Index d) {
  check(d > 0 && product.rows() % d == 0 && product.rows() == product.columns(),
        "block_scalars: a ", shape_of(product), " matrix has no blocks of ", d);
  const Index groups = product.rows() / d;
  Matrix scalars(groups, groups);
  // exercise 5.4: the mean of the diagonal of block (i, j), for all i and j
  for (Index i = 0; i < groups; ++i) {
    for (Index j = 0; j < groups; ++j) {
      for (Index k = 0; k < d; ++k) {
        scalars(i, j) += product(i * d + k, j * d + k) / static_cast<double>(d);
      }
    }
  }
  // end 5.4
  return scalars;
}

Transformer compress(const Transformer& model, Index d) {
  const Index D = model.options.width;
  check(D % 4 == 0 && D / 4 == d, "compress: the width ", D, " is not four groups of ", d);
  Transformer result = empty_like(model, D);
  // exercise 5.6: write weights into the result whose products are scalars times identities. Its heads have
  //    the key size D, so that a product can stand in one of its two factors.
  for (std::size_t b = 0; b < model.blocks.size(); ++b) {
    const SelfAttention& to = result.blocks[b].attention;
    const Index inner = to.wq.dim(1);
    for (Index h = 0; h < to.heads; ++h) {
      const Matrix qk = block_scalars(query_key_product(model.blocks[b].attention, h), d);
      const Matrix vo = block_scalars(value_output_product(model.blocks[b].attention, h), d);
      for (Index k = 0; k < D; ++k) {  // Wk = Wo = I, so that Wq and Wv are the products
        to.wk[k * inner + h * D + k] = 1;
        to.wo[(h * D + k) * D + k] = 1;
        for (Index g = 0; g < 4; ++g) {
          const Index row = g * d + k % d;
          to.wq[row * inner + h * D + k] = static_cast<real>(qk(g, k / d));
          to.wv[row * inner + h * D + k] = static_cast<real>(vo(g, k / d));
        }
      }
    }
  }
  // end 5.6
  return result;
}

Transformer interpolate(const Transformer& a, const Transformer& b) {
  check(a.options.width == b.options.width && a.options.heads == b.options.heads &&
            a.blocks.size() == b.blocks.size() && a.options.clip == b.options.clip &&
            a.options.masked_channels == b.options.masked_channels,
        "interpolate: the models differ in more than their weights and key size");
  // exercise 5.7: a model of another key size (see empty_like), with both models' heads in it
  // [½Wq_a ½Wq_b]·[Wk_a Wk_b]ᵀ = ½QK_a + ½QK_b, and the same for VO: side by side means added up.
  Transformer result = empty_like(a, a.options.key_size + b.options.key_size);
  for (std::size_t n = 0; n < a.blocks.size(); ++n) {
    for (Index h = 0; h < a.options.heads; ++h) {
      copy_head(a.blocks[n].attention, result.blocks[n].attention, h, 0, real{0.5});
      copy_head(b.blocks[n].attention, result.blocks[n].attention, h, a.options.key_size, real{0.5});
    }
  }
  return result;
  // end 5.7
}

double effective_step_size(const Transformer& model, Index d) {
  check(d > 0, "effective_step_size: the dimension is ", d, ", it must be positive");
  const Index width = Shape({4, d}).size();
  check(model.blocks.size() == 1 && model.options.width == width,
        "effective_step_size: defined for one layer of width ", width, ", not for ",
        model.blocks.size(), " of width ", model.options.width);
  double eta = 0;
  // exercise 5.5: the sum over the heads. Groups are counted from 0: [0, s_t, s_t, s_{t-1}].
  for (Index h = 0; h < model.options.heads; ++h) {
    const Matrix qk = block_scalars(query_key_product(model.blocks[0].attention, h), d);
    const Matrix vo = block_scalars(value_output_product(model.blocks[0].attention, h), d);
    eta += qk(2, 3) * vo(2, 0);
  }
  // end 5.5
  return eta;
}

}  // namespace mesagrad
