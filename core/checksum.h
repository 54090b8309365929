// Tells damaged data from whole: any one changed byte changes the sum. (Fowler, Noll and Vo's 1a, of 64
// bits: each step is invertible, so two texts that differ once never meet again. It stops accidents,
// not forgers.)
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace mesagrad {

class Checksum {
 public:
  // The bytes, and how many they are, so that "ab", "c" is not "a", "bc".
  void add(std::string_view bytes) {
    for (const char c : bytes) add_byte(static_cast<unsigned char>(c));
    for (std::uint64_t size = bytes.size(); size > 0; size >>= 8U) add_byte(size & 0xFFU);
    add_byte(0);
  }

  // Sixteen hexadecimal digits.
  std::string text() const {
    std::string digits;
    for (unsigned shift = 64; shift > 0; shift -= 4) {
      digits += "0123456789abcdef"[sum_ >> (shift - 4) & 0xFU];
    }
    return digits;
  }

 private:
  void add_byte(std::uint64_t byte) { sum_ = (sum_ ^ byte) * 0x100000001B3U; }

  std::uint64_t sum_ = 0xCBF29CE484222325U;
};

}  // namespace mesagrad
