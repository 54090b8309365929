// What every kind of causal attention is asked: one battery of checks, and what it must know of a kind.
// Include tests/catch.h before this.
#pragma once
#include "nn/reference.h"
#include "tests/helpers.h"

namespace mesagrad {

// B sequences, T tokens, H heads, K key size, V value size.
struct AttentionSizes {
  Index B, T, H, K, V;
};
std::ostream& operator<<(std::ostream& out, const AttentionSizes& s);

// Random numbers: q, k (B, T, H·K), v and dout, the gradient of the result, (B, T, H·V).
struct AttentionArguments {
  Index heads;
  Tensor q, k, v, dout;
  explicit AttentionArguments(const AttentionSizes& s);
};

// One head of one sequence, in double.
struct HeadArguments {
  Matrix q, k, v, dout;
};
struct HeadResults {
  Matrix out;
  reference::AttentionGradients d;
};

struct AttentionKind {
  Tensor (*attend)(const Tensor& q, const Tensor& k, const Tensor& v, Index heads);
  // From the definition, with nothing clever about it.
  HeadResults (*exact)(const HeadArguments&);
  // Rounding may change each number by T + K + V + `more_steps` times the precision of one of this size.
  std::function<HeadResults(const HeadArguments&, const HeadResults& exact)> sizes;
  Index more_steps;
};

// A matrix of numbers as large as the largest of m, and at least `size`: what sums are made of may be larger
// than they are.
Matrix largest_of(const Matrix& m, double size);

// The result and its gradients are those of the definition.
void check_formula(const AttentionKind& kind, AttentionArguments x);
void check_formula(const AttentionKind& kind, const AttentionSizes& s);

// All that does not depend on the kind: the formula in many sizes, gradients, causality, memory, threads.
void check_attention(const AttentionKind& kind);

// `op`, which is the kind, says which shapes do not fit.
void check_attention_errors(const char* op, const AttentionKind& kind);

}  // namespace mesagrad
