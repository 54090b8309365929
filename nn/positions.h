// Where in its sequence a token is, written into the token: attention alone sees a set, not an order.
#pragma once
#include "core/tensor.h"

namespace mesagrad {

// The table (T, D) of positions p = 0 .. T-1 as the hands of D/2 clocks, from one turn in 2π tokens to
// about one in 2π·10000:
//
//     PE[p, 2i] = sin(p·10000^(-2i/D)),      PE[p, 2i+1] = cos(p·10000^(-2i/D))
//
// The step from p to p + n turns every clock by an angle that does not depend on p: a linear map, so a
// matrix of attention weights can look n tokens back. Throws if T or D is negative.
// Source: Vaswani et al., "Attention is all you need", 2017.
Tensor sinusoidal_table(Index T, Index D);

// Row t of the table (at least T rows, P) behind token t of x (B, T, D): the result is (B, T, D + P). The
// paper's models do so for the queries and keys of their first block.
// The table gets no gradient. Throws if the shapes do not fit or the table has fewer than T rows.
Tensor concatenate_positions(const Tensor& x, const Tensor& table);

// The same with row t of the table (at least T rows, D) added to token t. This table may be a parameter.
Tensor add_positions(const Tensor& x, const Tensor& table);

// Token t of the result is token t - 1 of x (B, T, D), and token 0 is `first` (B, 1, D), or zeros. Throws if
// the shapes do not fit.
Tensor tokens_before(const Tensor& x, const Tensor& first = {});

// A copy of the last token of x (B, T, D), T > 0, as (B, 1, D). Not recorded.
Tensor last_token(const Tensor& x);

}  // namespace mesagrad
