// The loss of predicting one of V things, such as the next token of a text.
#pragma once
#include <vector>

#include "core/tensor.h"

namespace mesagrad {

// The mean over all tokens that count of -log p, in nats, where p is the probability that the softmax of a
// token's V logits gives to its label:
//
//     -log p = log Σ_v exp(x_v) - x_label
//
// logits (B, T, V), labels (B, T): whole numbers 0 .. V-1, of tokens that do not count too. `positions` are
// the P that count, rising; none: all T. `sequences` counts the whole batch, of which these B may be a part,
// as in squared_error; 0 means these are all. One pass over the logits forward, and one backward, which
// writes the gradient (p_v - 1 at the label)/(sequences·P); memory for three numbers a token. Logits may be
// as large as their type allows. Throws if the shapes do not fit, a label is none, positions do not rise from
// 0 to T - 1, or there is nothing to average.
Tensor cross_entropy(const Tensor& logits, const Tensor& labels, Index sequences = 0,
                     const std::vector<Index>& positions = {});

// -log p of each token that counts, to out (B, P). Not recorded.
void cross_entropies(const Tensor& logits, const Tensor& labels, double* out,
                     const std::vector<Index>& positions = {});

}  // namespace mesagrad
