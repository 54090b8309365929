#include "nn/published_weights.h"

#include <algorithm>

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

  // Fills a layer in; the file has `lambdas` for mesa-layers.
  void take(const std::string& prefix, SelfAttention& layer) {
    const auto mesa = std::get_if<MesaLayer>(&layer.mixer);
    layer.wq = take(prefix + "q_proj.kernel", layer.wq.shape());
    layer.wk = take(prefix + (mesa ? "v_proj.kernel" : "k_proj.kernel"), layer.wk.shape());
    layer.wv = take(prefix + (mesa ? "k_proj.kernel" : "v_proj.kernel"), layer.wv.shape());
    layer.wo = take(prefix + "o_proj.kernel", layer.wo.shape());
    if (mesa == nullptr) return;
    layer.wo = heads_first(layer.wo, layer.heads).requires_grad();
    mesa->lambda = take(prefix + "lambdas", mesa->lambda.shape());
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

std::string block_name(Index block) { return text("tf_block.blocklist_", block, ".self_attn."); }

// K, when a matrix of this shape (width, H·K) makes the queries of H heads.
Index key_size(const PublishedFile& file, const Shape& queries, Index heads) {
  check(heads > 0 && queries[1] % heads == 0, file.path(), ": ", heads, " heads do not divide the ",
        queries[1], " columns of its queries");
  return queries[1] / heads;
}

}  // namespace

LinearTransformer load_published_linear_transformer(const std::filesystem::path& path,
                                                    LinearTransformer::Options options) {
  PublishedFile file(path);
  const Shape queries = file.matrix_shape(block_name(0) + "q_proj.kernel");
  options.width = queries[0];
  options.key_size = key_size(file, queries, options.heads);
  if (file.has(block_name(0) + "lambdas")) options.kind = MesaLayer{};
  options.blocks = 0;
  while (file.has(block_name(options.blocks) + "q_proj.kernel")) ++options.blocks;
  LinearTransformer model(options, 0);
  Index b = 0;
  for (Transformer::Block& block : model.blocks) file.take(block_name(b++), block.attention);
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
  const std::string first = "hybrid_block.self_attn.";
  options.key_size = key_size(file, file.matrix_shape(first + "q_proj.kernel"), options.heads);
  options.blocks = {SoftmaxAttention{}};
  for (Index b = 0; file.has(block_name(b) + "q_proj.kernel"); ++b) {
    const bool mesa = file.has(block_name(b) + "lambdas");
    options.blocks.push_back(mesa ? Mixer(MesaLayer{}) : SoftmaxAttention{});
  }
  Transformer model(options, 0);
  model.embedding = file.take("input_layer.kernel", model.embedding.shape());
  model.readout = file.take("output_layer.kernel", model.readout.shape());
  for (std::size_t b = 0; b < model.blocks.size(); ++b) {
    file.take(b == 0 ? first : block_name(static_cast<Index>(b) - 1), model.blocks[b].attention);
  }
  file.check_empty();
  return model;
}

}  // namespace mesagrad
