// The two number types that every file uses.
#pragma once
#include <cstddef>
#include <limits>

namespace mesagrad {

// What tensors are made of. Lessons run in float; gradient checks and oracle tests build the whole
// library again in double (make test does both).
#ifdef MESAGRAD_DOUBLE
using real = double;
constexpr const char* real_name = "double";
#else
using real = float;
constexpr const char* real_name = "float";
#endif

// Sizes, positions and loop counters. Signed, so that `n - 1` of an empty thing is -1.
using Index = std::ptrdiff_t;

// No array has more numbers: their bytes, and a few more, can still be counted.
constexpr Index most_numbers = (std::numeric_limits<Index>::max() - 4096) / 8;

}  // namespace mesagrad
