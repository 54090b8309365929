// The kinds of attention: what makes an output for each token of queries, keys and values.
//
// A kind is a type with its options, its parameters, and
//
//     name()                  what tells it, and its options, from others
//     start(heads)            makes its parameters; or start(heads, D, K)
//     parameters(prefix)      lists them
//     operator()(q, k, v, H)  (B, T, H·K), (B, T, H·K), (B, T, H·V) to (B, T, H·V);
//                             or operator()(q, k, v, H, x), with the layer's tokens (B, T, D) too;
//                             either may be given a state too, to go on from (nn/attention_state.h)
//
// A new kind is such a type, in a file of its own, and its name in the list below; NoParameters has the
// second and the third for those who need none.
#pragma once
#include <variant>

#include "nn/attention.h"
#include "nn/gated_layers.h"
#include "nn/mesa.h"
#include "nn/softmax_attention.h"

namespace mesagrad {

using Mixer =
    std::variant<LinearAttention, SoftmaxAttention, MesaLayer, GatedLinearAttention, GatedDeltaRule,
                 GatedMesaLayer>;

}  // namespace mesagrad
