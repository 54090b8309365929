#include "core/random.h"

#include <cmath>
#include <numbers>

#include "core/elementary.h"

namespace mesagrad {
namespace {

constexpr std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
constexpr std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {high(p1) ^ counter[1] ^ key[0], low(p1), high(p0) ^ counter[3] ^ key[1], low(p0)};
    key[0] += 0x9E3779B9;  // the golden ratio
    key[1] += 0xBB67AE85;  // and the square root of 3, as fractions of 2^32
  }
  return counter;
}

// The key is the seed; the counter's words are (block, stream, index).
Random::Random(std::uint64_t seed, std::uint32_t stream, std::uint64_t index)
    : key_{low(seed), high(seed)}, counter_{0, stream, low(index), high(index)} {}

std::uint32_t Random::bits() {
  if (used_ == 4) {
    block_ = philox(counter_, key_);
    ++counter_[0];
    used_ = 0;
  }
  return block_[static_cast<std::size_t>(used_++)];
}

// Box and Muller: a point in the plane whose coordinates are independent normals has a uniform angle
// and a squared radius of -2 log(uniform).
double Random::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_normal_;
  }
  const double radius = std::sqrt(-2 * logarithm(uniform()));
  const double angle = 2 * std::numbers::pi * uniform();
  spare_normal_ = radius * sine(angle);
  has_spare_ = true;
  return radius * cosine(angle);
}

}  // namespace mesagrad
