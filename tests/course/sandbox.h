// A command that nobody trusts.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace mesagrad::course {

constexpr std::uint64_t unlimited = ~std::uint64_t{0};

struct Limits {
  double seconds = 10;    // of the clock, for all of its processes
  bool as_nobody = true;  // if we are root: another user, who can read and change nothing of ours
  std::uint64_t memory = 1'000'000'000;
  std::uint64_t largest_file = 0;
  std::size_t output = 1'000'000;          // bytes written before it is stopped
  std::vector<std::string> settings = {};  // its whole environment: "NAME=value"
};

struct Outcome {
  std::string output;   // what it wrote, to both streams; of much the first and the last 4000 bytes
  std::string token;    // what it wrote to file descriptor 3
  std::string problem;  // what ended it before its time; empty if it ended by itself with exit code 0
  double seconds = 0;
};

// Runs a program in `folder`, in a process group of its own; `input` is what it reads, a line at most. When
// it has ended, no process that it started is left.
Outcome run_limited(const std::vector<std::string>& command, const std::filesystem::path& folder,
                    const Limits& limits, const std::string& input = "");

// Runs check `number` of a program of checks (desk.cpp). It is passed if the program hands on the line that
// it was given, which the program does behind the check, and ends well.
struct Verdict {
  bool passed = false;
  std::string message = {};  // what went wrong
  double seconds = 0;
};
Verdict run_check(const std::filesystem::path& program, std::size_t number,
                  const std::filesystem::path& folder, const Limits& limits);

}  // namespace mesagrad::course
