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
// The file knows D, the number of blocks and whether they are mesa-layers; heads, key size, masked channels
// and the clip are taken from `options`. The weights have gradients.
// Throws Error if the file can't be read, lacks a tensor, has one that is none of these or of a shape
// that does not fit, or if its matrices are not those of so many heads of this key size.
LinearTransformer load_published_linear_transformer(const std::filesystem::path& path,
                                                    LinearTransformer::Options options);

// A Transformer of raw observations. Its first block is of softmax attention and stands apart:
//
//     input_layer.kernel     (inputs, D)
//     output_layer.kernel    (D, outputs)
//     hybrid_block.self_attn.{q,k}_proj.kernel   (2D, H·K): of the token, then its position
//     hybrid_block.self_attn.{v,o}_proj.kernel   as above
//
// and the others, of softmax attention or mesa-layers, are the blocks 0, 1, ... of above. Blocks with an MLP
// have, beside self_attn, its two matrices:
//
//     linear_0.kernel   (D, M)
//     linear_2.kernel   (M, D)
//
// The file knows M too. Heads, key size, clip, the longest sequence and whether blocks but the first have
// queries and keys of length 1 are taken from `options`. In the authors' code what is brought to length 1
// goes by its name, k_proj: in mesa-layers these are our values, and our keys stay as they are.
// Throws as above.
Transformer load_published_transformer(const std::filesystem::path& path, Transformer::Options options);

}  // namespace mesagrad
