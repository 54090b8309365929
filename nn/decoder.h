// A Transformer that reads a sequence piece by piece, and keeps a state for each of its layers
// (nn/attention_state.h says what, and why that is enough).
#pragma once
#include <vector>

#include "nn/transformer.h"

namespace mesagrad {

// What it says of a token is what the model says, but for rounding, of the whole sequence up to there:
//
//     Decoder decoder(model);
//     Tensor logits = decoder(prompt);   // "prefill": ids (1, 48), logits (1, 48, V)
//     logits = decoder(next_id);         // a "decode step": one id (1, 1), logits (1, 1, V)
//
// It works on a copy of the weights, without gradients: no tape records it, and training changes nothing. A
// copy of a decoder has states of its own, so that one beginning can go on in several ways.
class Decoder {
 public:
  explicit Decoder(const Transformer& model) : model_(snapshot(model)), states_(model.blocks.size()) {}
  Decoder(const Decoder& other)
      : model_(other.model_), sequences_(other.sequences_), tokens_(other.tokens_) {
    for (const AttentionState& state : other.states_) states_.push_back(state.copy());
  }
  Decoder& operator=(const Decoder&) = delete;

  // The next tokens of B sequences, T >= 1 of each: ids (B, T) or observations (B, T, inputs), to predictions
  // (B, T, outputs); without an embedding, as in Transformer. Throws if B changes, or if the model has
  // positions, and fewer than tokens.
  Tensor operator()(const Tensor& x) {
    check(x.shape().rank() >= 2 && x.size() > 0, "decoder: ", x.shape(), " holds no token");
    check(tokens_ == 0 || x.dim(0) == sequences_, "decoder: ", x.dim(0), " sequences of tokens ", x.shape(),
          ", after ", tokens_, " tokens of ", sequences_);
    Tensor stream = model_.first_stream(x, tokens_);
    for (std::size_t b = 0; b < states_.size(); ++b) {
      stream = model_.after_block(b, stream, nullptr, &states_[b]);
    }
    sequences_ = x.dim(0);
    tokens_ += x.dim(1);
    return model_.read_out(stream);
  }

  Index tokens() const { return tokens_; }  // read so far, of each sequence

  // Of all states together: B·H times the sum over the layers.
  Index numbers() const {
    Index sum = 0;
    for (const AttentionState& state : states_) sum += state.numbers();
    return sum;
  }

 private:
  Transformer model_;
  std::vector<AttentionState> states_ = {};
  Index sequences_ = 0, tokens_ = 0;
};

}  // namespace mesagrad
