// What attention must keep of the tokens that it has read, to go on with the next one.
//
// What attention says at token t is a function of all tokens up to t, and training computes it for all t side
// by side. To generate is another matter: token t + 1 is not there before t has been answered. It would be a
// waste to work all tokens through anew for each; and mostly not even the tokens have to be kept. In linear
// attention
//
//     out_t = Σ_{i<=t} v_i (k_i·q_t) = S_t q_t,      S_t = Σ_{i<=t} v_i k_iᵀ = S_{t-1} + v_t k_tᵀ
//
// because a product with q_t can be taken out of the sum. A matrix S (V, K) is all that the past can ever
// mean to a later query: a recurrent state, of the same size after ten tokens and after ten million. A
// mesa-layer's R_t follows from R_{t-1}, too; so does every matrix of the gated kinds. For each head:
//
//     kind           keeps                                numbers     flops for a token, beside projections
//     linear         S                                    KV          4KV, and here KV for a decay of 1
//     gated linear   S, which decays                      KV          5KV
//     delta rule     the matrix it corrects               KV          7KV
//     mesa           R = (Σ k kᵀ + I/λ)⁻¹, and S          K² + KV     6K², and those of linear attention
//     gated mesa     H = Σ Γβ k kᵀ and S, which decay     K² + KV     K³/3, or 2K² for each step of conjugate
//                                                                     gradients, and 5K² + 5KV
//     softmax        all keys, all values                 t(K + V)    2t(K + V), and t exponentials
//
// (For K read 2nK, if queries and keys become features of order n.) No product with q_t can be taken out of
// exp(q_t·k_i): softmax attention knows no smaller state than a key-value cache, which grows with the
// tokens, and so does its time for each.
#pragma once
#include "core/tensor.h"

namespace mesagrad {

// B sequences, H heads, K key size, V value size. Empty before the first token; the operation that is given
// the state makes it, and leaves there what it is after its last token.
struct AttentionState {
  Index tokens = 0;  // of each sequence so far: SelfAttention counts them
  Tensor keys = {};  // what is kept of the keys alone: R (B, K, H·K); H (B, H, K, K); a cache (B, H, K, room)
  Tensor values = {};    // and of keys and values: S (B, H, V, K); a cache of the values (B, H, V, room)
  Tensor last_key = {};  // (B, 1, H·K), if keys are shifted: that of the next token
  Index room = 0;    // for so many tokens the caches have room: a power of two; 0: there are no caches

  // That hold something: unused room does not count.
  Index numbers() const {
    const Index all = (keys.defined() ? keys.size() : 0) + (values.defined() ? values.size() : 0);
    return (room > 0 ? all / room * tokens : all) + (last_key.defined() ? last_key.size() : 0);
  }
  AttentionState copy() const {
    const auto copied = [](const Tensor& x) { return x.defined() ? x.copy() : x; };
    return {tokens, copied(keys), copied(values), copied(last_key), room};
  }
};

// For operations: the part of a state to go on from, zeros at first; no tensor if there is no state. `out` is
// the result. Throws if the part has another shape, or if a tape wants the operation's gradient.
inline Tensor part_of(AttentionState* state, Tensor AttentionState::*part, const char* op, const Shape& shape,
                      const Tensor& out) {
  if (state == nullptr) return {};
  check(!out.has_grad(), op, ": a state passes no gradient on; without it, whole sequences do");
  Tensor& kept = state->*part;
  if (!kept.defined()) kept = Tensor(shape);
  check(kept.shape() == shape, op, ": the state's shape is ", kept.shape(), "; it should be ", shape);
  return kept;
}

}  // namespace mesagrad
