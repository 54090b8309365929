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

}  // namespace

LinearTransformer load_published_linear_transformer(const std::filesystem::path& path,
                                                    LinearTransformer::Options options) {
  std::map<std::string, Tensor> tensors = load_safetensors(path).tensors;
  const auto name = [](Index block, const char* matrix) {
    return text("tf_block.blocklist_", block, ".self_attn.", matrix);
  };
  const auto query = [&](Index block) { return name(block, "q_proj.kernel"); };
  check(tensors.contains(query(0)), path.string(), " has no tensor \"", query(0), "\"");
  const Shape first = tensors.at(query(0)).shape();
  check(first.rank() == 2, path.string(), ": tensor \"", query(0), "\" has shape ", first,
        ", expected (width, heads*key size)");
  const Index D = first[0], inner = first[1];
  check(options.heads > 0 && inner % options.heads == 0, path.string(), ": ", options.heads,
        " heads do not divide the ", inner, " columns of \"", query(0), "\"");

  // Takes a tensor out, so that in the end only those are left that do not belong here.
  const auto take = [&](const std::string& wanted, const Shape& shape) {
    const auto found = tensors.extract(wanted);
    check(!found.empty(), path.string(), " has no tensor \"", wanted, "\"");
    const Tensor& tensor = found.mapped();
    check(tensor.shape() == shape, path.string(), ": tensor \"", wanted, "\" has shape ",
          tensor.shape(), ", expected ", shape);
    return Tensor(tensor).requires_grad();
  };
  options.width = D;
  options.key_size = inner / options.heads;
  options.mesa = tensors.contains(name(0, "lambdas"));
  options.blocks = 0;
  while (tensors.contains(query(options.blocks))) ++options.blocks;
  LinearTransformer model(options, 0);
  for (Index b = 0; b < options.blocks; ++b) {
    SelfAttention& block = model.blocks[static_cast<std::size_t>(b)];
    block.wq = take(query(b), {D, inner});
    block.wk = take(name(b, options.mesa ? "v_proj.kernel" : "k_proj.kernel"), {D, inner});
    block.wv = take(name(b, options.mesa ? "k_proj.kernel" : "v_proj.kernel"), {D, inner});
    block.wo = take(name(b, "o_proj.kernel"), {inner, D});
    if (options.mesa) {
      block.wo = heads_first(block.wo, options.heads).requires_grad();
      block.lambda = take(name(b, "lambdas"), {options.heads});
    }
  }
  for (const auto& [other, tensor] : tensors) {
    fail(path.string(), ": tensor \"", other, "\" of shape ", tensor.shape(),
         " is not part of a linear Transformer of ", options.blocks, " blocks");
  }
  return model;
}

}  // namespace mesagrad
