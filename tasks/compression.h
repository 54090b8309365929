// Reading a trained linear Transformer: what do its weights compute?
//
// A head only ever uses the products QK = Wq·Wkᵀ and VO = Wv·Wo, both (D, D); the factors themselves
// mean nothing (multiply Wq by any invertible M and Wk by M⁻ᵀ, and nothing changes). With constructed
// tokens the D = 4d channels are four groups of d, so each product is 4 x 4 blocks of d x d.
#pragma once
#include "core/linalg.h"
#include "nn/linear_transformer.h"

namespace mesagrad {

// Wq·Wkᵀ and Wv·Wo of a head, (D, D). Throw if there is no such head.
Matrix query_key_product(const SelfAttention& block, Index head);
Matrix value_output_product(const SelfAttention& block, Index head);

// Mean of the diagonal of each d x d block of a (G·d, G·d) matrix: (G, G) scalars. Throws if d does
// not divide the size.
Matrix block_scalars(const Matrix& product, Index d);

// The model again with every block of every product replaced by its scalar times the identity: 32
// numbers for each head. (CompressedAlg of the paper.) Key size 4d; throws if 4d is not the width.
Transformer compress(const Transformer& model, Index d);

// The model whose products are, head by head, the average of two models' products. (Averaging the
// factors would mean nothing.) Throws unless width, depth, heads, clip and masked channels are the same.
Transformer interpolate(const Transformer& a, const Transformer& b);

// The step size η of the one-layer update s_{t+1} ≈ η Σ s_i (s_{i-1}·s_t) that the scalars amount to:
// the sum over heads of (query s_t, key s_{i-1}) times (value s_i, output prediction).
double effective_step_size(const Transformer& model, Index d);

}  // namespace mesagrad
