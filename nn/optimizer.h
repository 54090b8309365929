// Optimizers, gradient clipping and learning-rate schedules.
//
// All of them throw if a parameter is an empty tensor, has no gradient, or is in the list twice.
#pragma once
#include <limits>
#include <vector>

#include "nn/parameters.h"

namespace mesagrad {

// Limits every number of every gradient to [-bound, bound]. (The linear experiments of the paper.)
void clip_by_value(const Parameters& parameters, double bound);

// Scales all gradients together so that their common Euclidean norm is at most `bound`; returns the
// norm before. Throws if a number is infinite or NaN. (The language models of the paper.)
double clip_by_norm(const Parameters& parameters, double bound);

// What is done to gradients before a step: both bounds, the first on each number, the second on all
// together. Infinite: none.
struct Clipping {
  double value = std::numeric_limits<double>::infinity();
  double norm = std::numeric_limits<double>::infinity();
};
void clip(const Parameters& parameters, const Clipping& clipping);

void zero_grad(const Parameters& parameters);

// What optimizers have in common: the parameters, and for each kind of average that they remember a tensor
// for each parameter.
class Optimizer {
 public:
  // All averages, for checkpoints.
  Parameters memory();

 protected:
  Optimizer(const char* name, Parameters parameters, std::vector<std::string> averages);
  // Throws if a parameter is no longer the tensor that it was, or the rate is not finite.
  void check_step(double rate) const;

  const char* name_;
  Parameters parameters_;
  std::vector<Tensor> tensors_;  // what the parameters were at the start
  std::vector<std::string> names_;
  std::vector<std::vector<Tensor>> averages_;
};

// Stochastic gradient descent; with momentum μ > 0 the velocity v <- μ·v + g takes the gradient's
// place.   θ <- θ - rate·g
class SGD : public Optimizer {
 public:
  struct Options {
    double momentum = 0;
  };
  SGD(Parameters parameters, const Options& options);
  void step(double rate);  // throws as check_step does

 private:
  Options options_;
};

// Adam (Kingma and Ba, 2015), and with decay > 0 AdamW (Loshchilov and Hutter, 2019): the decay does
// not pass through the averages but shrinks the weights directly. In update number n = 1, 2, ...
//     m <- β1·m + (1 - β1)·g          m̂ = m / (1 - β1ⁿ)
//     v <- β2·v + (1 - β2)·g²         v̂ = v / (1 - β2ⁿ)
//     θ <- θ - rate·( m̂ / (√v̂ + ε) + decay·θ )
// Throws unless 0 <= β < 1, ε > 0 and decay >= 0; step throws as that of SGD does.
class AdamW : public Optimizer {
 public:
  struct Options {
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double decay = 0;
    bool decays_matrices_only = false;  // and no vector, such as a norm's scale or a head's λ
  };
  AdamW(Parameters parameters, const Options& options);
  void step(double rate);

  // n, which it remembers besides m and v.
  Index updates() const { return updates_; }
  void set_updates(Index n);

 private:
  Options options_;
  Index updates_ = 0;
};

// Learning rate of update n = 0, 1, ...: linear from 0 to `peak` in the first `warmup` updates, then
// down a half cosine to `end` at update `total`, and `end` from there on. Update 0 has rate 0.
struct WarmupCosine {
  double peak = 8e-4;
  double end = 1e-5;
  Index warmup = 1000;
  Index total = 30000;  // counts the warm-up
  double operator()(Index n) const;
};

}  // namespace mesagrad
