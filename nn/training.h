// One training step, on all cores.
//
// The batch is cut into 16 shards, and each shard into passes of a few sequences. A pass runs forward
// and backward on a tape of its own, so that everything it touches stays in one core's cache, and no
// core waits for another until the step is over. A shard adds its passes' gradients up in a gradient
// of its own; in the end the shards' gradients are added in the order of their numbers. How many
// threads share the work does not enter anywhere, so it can't change a bit of the result.
//
// How many sequences are a few? What they leave behind for the backward step should fit into a core's
// second-level cache, so a deep model takes one at a time. A shallow one takes more: a pass has a price of
// its own, and a mesa-layer of one head fills its vectors with sequences (16 with AVX-512).
#pragma once
#include <algorithm>
#include <array>
#include <optional>

#include "core/parallel.h"
#include "core/tape.h"
#include "nn/embedding.h"
#include "nn/optimizer.h"

namespace mesagrad {

template <class Model>
class Training {
 public:
  // `batch` sequences of `tokens` tokens in every step. The model must outlive this object.
  Training(Model& model, Index batch, Index tokens) : parameters_(model.parameters()), batch_(batch) {
    check(batch > 0 && tokens > 0, "training: a batch of ", batch, " sequences of ", tokens,
          " tokens; both must be positive");
    check(batch <= most_numbers / std::ssize(shards_), "training: a batch of ", batch, " is too large");
    check_parameters("training", parameters_);
    Parameters all = parameters_;
    if constexpr (requires { model.frozen_parameters(); }) {
      for (const Parameter& p : model.frozen_parameters()) all.push_back(p);
    }
    pass_ = sequences_in_a_pass(all, tokens);
    for (Shard& shard : shards_) {
      shard.model.emplace(model);  // a copy of the model shares its weights,
      shard.parameters = shard.model->parameters();
      for (const Parameter& p : shard.parameters) {  // not its gradients
        if (p.apart != nullptr) *p.apart = std::make_shared<RowGradients>();
        else p.tensor->requires_grad();
      }
    }
  }
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

  // Runs loss_of(model, first, count) over all parts of the batch: it must return the part of the loss
  // (a tensor of shape ()) that the sequences first .. first + count - 1 contribute. Returns the sum,
  // and leaves its gradient in the model's parameters. Throws if one of them is no longer the tensor that
  // it was at the start.
  template <class LossOf>
  double operator()(const LossOf& loss_of) {
    for (std::size_t n = 0; n < parameters_.size(); ++n) {
      check_same_tensor("training", parameters_[n], *shards_[0].parameters[n].tensor);
    }
    // exercise 9.4: the gradients of all sequences in those of the shards, the losses in their `loss`: shard
    //    s of the 16 has the sequences from s·batch/16 on, and goes through them pass_ at a time
    parallel_for(std::ssize(shards_), [&](Index s) {
      Shard& shard = shards_[static_cast<std::size_t>(s)];
      for (const Parameter& p : shard.parameters) {
        if (p.apart != nullptr) (*p.apart)->clear();
        else p.tensor->zero_grad();
      }
      shard.loss = 0;
      const Index end = (s + 1) * batch_ / std::ssize(shards_);
      for (Index first = s * batch_ / std::ssize(shards_); first < end; first += pass_) {
        thread_local Arena memory;  // every pass of this thread uses it again
        Tape tape(memory);
        const Tensor loss = loss_of(*shard.model, first, std::min(pass_, end - first));
        shard.loss += static_cast<double>(loss.item());
        tape.backward(loss);
      }
    });
    //| // The whole batch on one tape: right, and the threads meet in every operation.
    //| for (Shard& shard : shards_) {
    //|   for (const Parameter& p : shard.parameters) {
    //|     if (p.apart != nullptr) (*p.apart)->clear();
    //|     else p.tensor->zero_grad();
    //|   }
    //|   shard.loss = 0;
    //| }
    //| Tape tape;
    //| const Tensor loss_of_all = loss_of(*shards_[0].model, 0, batch_);
    //| shards_[0].loss = static_cast<double>(loss_of_all.item());
    //| tape.backward(loss_of_all);
    // end 9.4
    add_gradients();
    double loss = 0;
    for (const Shard& shard : shards_) loss += shard.loss;
    return loss;
  }

 private:
  // Each matrix leaves a number for each of its columns and tokens behind, and later its gradient.
  static Index sequences_in_a_pass(const Parameters& matrices, Index tokens) {
    constexpr Index in_cache = Index{1} << 18;  // numbers, a megabyte of floats
    Index columns = 1;
    for (const Parameter& p : matrices) {
      if (p.tensor->shape().rank() == 2) columns += p.tensor->dim(1);
    }
    return std::clamp<Index>(in_cache / 2 / columns / tokens, 1, 16);
  }

  struct Shard {
    std::optional<Model> model;
    Parameters parameters;
    double loss = 0;
  };

  void add_gradients() {
    for (std::size_t n = 0; n < parameters_.size(); ++n) {
      if (parameters_[n].apart != nullptr) {
        parameters_[n].tensor->zero_grad();
        for (const Shard& shard : shards_) (*shard.parameters[n].apart)->add_to(*parameters_[n].tensor);
        continue;
      }
      std::array<const real*, shard_count> parts;
      for (std::size_t s = 0; s < shard_count; ++s) {
        parts[s] = shards_[s].parameters[n].tensor->grad();
      }
      const Tensor& p = *parameters_[n].tensor;
      elementwise(p.size(), [&parts, to = p.grad_part().values](Index i) {
        real sum = 0;
        for (const real* part : parts) sum += part[i];
        to[i] = sum;
      });
    }
  }

  static constexpr std::size_t shard_count = 16;
  Parameters parameters_;
  Index batch_;
  Index pass_;
  std::array<Shard, shard_count> shards_;
};

}  // namespace mesagrad
