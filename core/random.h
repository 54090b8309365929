// Random numbers that are a pure function of (seed, stream, index).
//
// An ordinary generator has a state, and the numbers that sequence 17 gets depend on who asked before.
// Here each sequence has a generator of its own, Random(seed, stream, index), whose numbers are a
// scrambled counter: the same on any number of threads, in any order of calls, after any restart.
// The scrambling is Philox 4x32 with 10 rounds (Salmon, Moraes, Dror and Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", 2011).
#pragma once
#include <array>
#include <cstdint>

namespace mesagrad {

// What numbers are used for, so that no two uses share any.
namespace stream {
constexpr std::uint32_t parameters = 1;
constexpr std::uint32_t training_data = 2;
constexpr std::uint32_t test_data = 3;
constexpr std::uint32_t analysis_data = 4;
constexpr std::uint32_t gradient_check = 5;
constexpr std::uint32_t fixed_system = 6;
constexpr std::uint32_t dropout = 7;
constexpr std::uint32_t tuned_tokens = 8;
constexpr std::uint32_t generation = 9;
}  // namespace stream

class Random {
 public:
  Random(std::uint64_t seed, std::uint32_t stream, std::uint64_t index = 0);

  std::uint32_t bits();  // 32 random bits
  double normal();       // mean 0, standard deviation 1

  // In (0, 1), never 0 or 1, and in (low, high).
  double uniform() { return (bits() + 0.5) * 0x1p-32; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;  // numbers of block_ that have been handed out
  double spare_normal_ = 0;
  bool has_spare_ = false;
};

// One Philox block: four random words from a counter and a key.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

}  // namespace mesagrad
