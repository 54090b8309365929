#include "nn/published_weights.h"

#include <algorithm>
#include <utility>

#include "nn/safetensors.h"

namespace mesagrad {
namespace {

// (K·H, D) with row k·H + h for number k of head h, to row h·K + k.
Tensor heads_first(const Tensor& w, Index heads) {
  const Index K = w.dim(0) / heads, D = w.dim(1);
  const Tensor result = Tensor::uninitialized(w.shape());
  for (Index h = 0; h < heads; ++h) {
    for (Index k = 0; k < K; ++k) {
      std::copy_n(w.data() + (k * heads + h) * D, D, result.data() + (h * K + k) * D);
    }
  }
  return result;
}

constexpr const char* queries = "self_attn.q_proj.kernel";
constexpr const char* lambdas = "self_attn.lambdas";
constexpr const char* widening = "linear_0.kernel";

// The tensors of a file. Each is taken out once, so that in the end only those are left that do not belong
// there.
class PublishedFile {
 public:
  explicit PublishedFile(const std::filesystem::path& path)
      : path_(path.string()), tensors_(load_safetensors(path).tensors) {}

  const std::string& path() const { return path_; }
  bool has(const std::string& name) const { return tensors_.contains(name); }

  // The shape of a matrix that says how large the model is.
  Shape matrix_shape(const std::string& name) const {
    check(has(name), path_, " has no tensor \"", name, "\"");
    const Shape shape = tensors_.at(name).shape();
    check(shape.rank() == 2, path_, ": tensor \"", name, "\" has shape ", shape, ", expected a matrix");
    return shape;
  }

  Tensor take(const std::string& name, const Shape& shape) {
    const auto found = tensors_.extract(name);
    check(!found.empty(), path_, " has no tensor \"", name, "\"");
    const Tensor& tensor = found.mapped();
    check(tensor.shape() == shape, path_, ": tensor \"", name, "\" has shape ", tensor.shape(),
          ", expected ", shape);
    return Tensor(tensor).requires_grad();
  }

  // Fills a block in; the file has `lambdas` for mesa-layers.
  void take(const std::string& prefix, Transformer::Block& block) {
    SelfAttention& layer = block.attention;
    const auto mesa = std::get_if<MesaLayer>(&layer.mixer);
    const std::string attention = prefix + "self_attn.";
    layer.wq = take(prefix + queries, layer.wq.shape());
    layer.wk = take(attention + (mesa ? "v_proj.kernel" : "k_proj.kernel"), layer.wk.shape());
    layer.wv = take(attention + (mesa ? "k_proj.kernel" : "v_proj.kernel"), layer.wv.shape());
    layer.wo = take(attention + "o_proj.kernel", layer.wo.shape());
    if (mesa) {
      layer.wo = heads_first(layer.wo, layer.heads).requires_grad();
      mesa->lambda = take(prefix + lambdas, mesa->lambda.shape());
      layer.unit_values = std::exchange(layer.unit_keys, false);
    }
    if (block.mlp) {
      block.mlp->w1 = take(prefix + widening, block.mlp->w1.shape());
      block.mlp->w2 = take(prefix + "linear_2.kernel", block.mlp->w2.shape());
    }
  }

  void check_empty() const {
    for (const auto& [name, tensor] : tensors_) {
      fail(path_, ": tensor \"", name, "\" of shape ", tensor.shape(), " is not part of the model");
    }
  }

 private:
  std::string path_;
  std::map<std::string, Tensor> tensors_;
};

std::string block_name(Index block) { return text("tf_block.blocklist_", block, "."); }

// Throws unless a matrix of this shape (width, H·K) makes the queries of H heads of key size K.
void check_heads(const PublishedFile& file, const Shape& matrix, Index heads, Index key_size) {
  check(heads > 0 && key_size > 0 && matrix[1] % heads == 0 && matrix[1] / heads == key_size, file.path(),
        ": its queries have ", matrix[1], " columns, which are not ", heads, " heads of key size ", key_size);
}

}  // namespace

LinearTransformer load_published_linear_transformer(const std::filesystem::path& path,
                                                    LinearTransformer::Options options) {
  PublishedFile file(path);
  const Shape matrix = file.matrix_shape(block_name(0) + queries);
  options.width = matrix[0];
  check_heads(file, matrix, options.heads, options.key_size);
  if (file.has(block_name(0) + lambdas)) options.kind = MesaLayer{};
  options.blocks = 0;
  while (file.has(block_name(options.blocks) + queries)) ++options.blocks;
  LinearTransformer model(options, 0);
  Index b = 0;
  for (Transformer::Block& block : model.blocks) file.take(block_name(b++), block);
  file.check_empty();
  return model;
}

Transformer load_published_transformer(const std::filesystem::path& path, Transformer::Options options) {
  PublishedFile file(path);
  const Shape input = file.matrix_shape("input_layer.kernel"),
              output = file.matrix_shape("output_layer.kernel");
  options.inputs = input[0];
  options.width = input[1];
  options.outputs = output[1];
  options.positions = Transformer::Positions::keys;
  const std::string first = "hybrid_block.";
  check_heads(file, file.matrix_shape(first + queries), options.heads, options.key_size);
  options.mlp = file.has(first + widening) ? file.matrix_shape(first + widening)[1] : 0;
  options.blocks = {SoftmaxAttention{}};
  for (Index b = 0; file.has(block_name(b) + queries); ++b) {
    const bool mesa = file.has(block_name(b) + lambdas);
    if (mesa) options.blocks.emplace_back(MesaLayer{});
    else options.blocks.emplace_back(SoftmaxAttention{});
  }
  Transformer model(options, 0);
  model.embedding = file.take("input_layer.kernel", model.embedding.shape());
  model.readout = file.take("output_layer.kernel", model.readout.shape());
  for (std::size_t b = 0; b < model.blocks.size(); ++b) {
    file.take(b == 0 ? first : block_name(static_cast<Index>(b) - 1), model.blocks[b]);
  }
  file.check_empty();
  return model;
}

}  // namespace mesagrad
