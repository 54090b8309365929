// A command that nobody trusts.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace mesagrad::course {

struct Limits {
  double seconds = 10;          // of the clock, for all of its processes
  bool as_nobody = true;        // if we are root: another user, who can read and change nothing of ours
  std::uint64_t memory = 1'000'000'000;
  std::uint64_t largest_file = 0;
  std::size_t output = 1'000'000;  // bytes written before it is stopped
};

struct Outcome {
  std::string output;  // what it wrote, to both streams; of much the first and the last 4000 bytes
  std::string token;   // what it wrote to file descriptor 3
  std::string problem; // what ended it before its time; empty if it ended by itself with exit code 0
  double seconds = 0;
};

// Runs a program in `folder`, in a process group of its own and with nothing in its environment but `settings`.
// When it has ended, no process that it started is left.
Outcome run_limited(const std::vector<std::string>& command, const std::filesystem::path& folder,
                    const std::vector<std::string>& settings, const Limits& limits);

}  // namespace mesagrad::course
