// What the tests of odd arguments share. Include tests/catch.h before this.
#pragma once
#include "tests/helpers.h"

namespace mesagrad {

constexpr Index huge = std::numeric_limits<Index>::max();

// It throws an Error that names the operation.
template <class F>
void refuses(const char* op, const F& f) {
  CHECK(lacks(f, {op}) == "");
}

}  // namespace mesagrad
