// What the fuzzers share. libFuzzer, which comes with clang, calls LLVMFuzzerTestOneInput again and again,
// with bytes that it chooses by the code that earlier ones have reached. What stops the program is a finding:
// a promise that does not hold, any exception but Error, whatever the sanitizers see. `make fuzz` builds and
// runs them all.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace mesagrad::fuzz {

// Each fuzzer has its own: good inputs to begin with, and pieces that mean something to the reader.
std::vector<std::string> seeds();
std::vector<std::string> words();

inline void must(bool holds, const std::string& promise) {
  if (holds) return;
  std::fprintf(stderr, "FINDING: %s\n", promise.c_str());
  std::abort();
}

// Why f refuses, in one line; empty if it does not.
template <class F>
std::string refusal(const F& f) {
  try {
    f();
  } catch (const Error& error) {
    const std::string why = error.what();
    must(!why.empty() && why.find_first_of("\n\r") == std::string::npos, "one line, and not: " + why);
    return why;
  }
  return "";
}

// The pieces of an input that a byte divides.
inline std::vector<std::string> divided(const std::string& input, char by) {
  std::vector<std::string> pieces(1);
  for (const char c : input) {
    if (c == by) {
      pieces.emplace_back();
    } else {
      pieces.back() += c;
    }
  }
  return pieces;
}

// For what reads and writes files only: in TMPDIR, which is this program's own (fuzz.sh).
inline std::filesystem::path scratch(const std::string& name) {
  return std::filesystem::temp_directory_path() / name;
}

inline void put(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// A safetensors file whose header is said to end at the last bracket, so that damage gets behind its length.
inline std::string with_right_length(std::string bytes) {
  const std::size_t end = bytes.rfind('}');
  if (end == std::string::npos || end < 8) return bytes;
  const std::uint64_t length = end + 1 - 8;
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes;
}

}  // namespace mesagrad::fuzz

// libFuzzer calls this first. Its last argument is an empty folder, which gets the seeds; beside it, in
// FOLDER.words, there will be the dictionary.
extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  namespace fs = std::filesystem;
  const fs::path folder = (*arguments)[*count - 1];
  if (!fs::is_directory(folder)) return 0;
  int number = 0;
  for (const std::string& seed : mesagrad::fuzz::seeds()) {
    mesagrad::fuzz::put(folder / std::to_string(number++), seed);
  }
  std::string dictionary;
  for (const std::string& word : mesagrad::fuzz::words()) {
    dictionary += '"';
    for (const char c : word) {
      char escaped[5];
      std::snprintf(escaped, sizeof escaped, "\\x%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
      dictionary += escaped;
    }
    dictionary += "\"\n";
  }
  mesagrad::fuzz::put(folder.string() + ".words", dictionary);
  return 0;
}
