// The weights that the paper's authors published, as models of this library.
#pragma once
#include <filesystem>

#include "nn/linear_transformer.h"
#include "nn/transformer.h"

namespace mesagrad {

// A safetensors file with D width, H heads, K key size names its matrices
//
//     tf_block.blocklist_N.self_attn.{q,k,v}_proj.kernel   (D, H·K): head h owns columns h·K .. h·K + K - 1
//     tf_block.blocklist_N.self_attn.o_proj.kernel         (H·K, D): and the rows of the same numbers
//
// for block N = 0, 1, ... Blocks that are mesa-layers have regularizers too, and differ in two ways from
// what one expects:
//
//     tf_block.blocklist_N.self_attn.lambdas               (H)
//     o_proj    number k of head h meets row k·H + h
//     v_proj    makes the inputs of the regression, which are our keys;
//     k_proj    makes its targets, our values
//
// The file knows D, K, the number of blocks and whether they are mesa-layers; the number of heads, the
// masked channels and the clip are taken from `options`. The weights have gradients.
// Throws Error if the file can't be read, lacks a tensor, has one that is none of these or of a shape
// that does not fit, or if the heads do not divide H·K.
LinearTransformer load_published_linear_transformer(const std::filesystem::path& path,
                                                    LinearTransformer::Options options);

// A Transformer of raw observations. Its first block is of softmax attention and stands apart:
//
//     input_layer.kernel     (inputs, D)
//     output_layer.kernel    (D, outputs)
//     hybrid_block.self_attn.{q,k}_proj.kernel   (2D, H·K): of the token, then its position
//     hybrid_block.self_attn.{v,o}_proj.kernel   as above
//
// and the others, of softmax attention or mesa-layers, are the blocks 0, 1, ... of above. Heads, clip and
// the longest sequence are taken from `options`. Throws as above.
Transformer load_published_transformer(const std::filesystem::path& path, Transformer::Options options);

}  // namespace mesagrad
