// A fingerprint of bytes: two that differ in a single bit have different ones, but for one chance in 2^64.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mesagrad {

// FNV-1a with 64 bits (Fowler, Noll and Vo): byte after byte, the hash takes it in by "exclusive or" and
// is multiplied by a prime. It notices accidents; it does not stop a forger.
class Hash {
 public:
  Hash& add(std::string_view bytes) {
    for (const char byte : bytes) {
      value_ = (value_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
    }
    return *this;
  }

  // The bits of numbers, as a little-endian machine keeps them.
  template <class Number>
  Hash& add(std::span<const Number> numbers) {
    return add(std::string_view(reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes()));
  }

  std::uint64_t value() const { return value_; }

  // 0x and 16 hexadecimal digits.
  std::string text() const {
    std::string digits = "0x";
    for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[value_ >> shift & 15];
    return digits;
  }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

}  // namespace mesagrad
