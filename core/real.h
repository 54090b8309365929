// The two number types that every file uses.
#pragma once
#include <cstddef>

namespace mesagrad {

// What tensors are made of. Lessons run in float; gradient checks and oracle tests build the whole
// library again in double (make test does both).
#ifdef MESAGRAD_DOUBLE
using real = double;
#else
using real = float;
#endif

// Sizes, positions and loop counters. Signed, so that `n - 1` of an empty thing is -1.
using Index = std::ptrdiff_t;

}  // namespace mesagrad
