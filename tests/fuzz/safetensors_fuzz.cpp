// Throws damaged files at the safetensors reader: whatever the bytes, it returns or throws Error,
// and takes no more memory than the file justifies. Build it with the sanitizers.
//
//     safetensors_fuzz [count] [seed]     that many damaged copies of good files, always the same
//                                         ones for the same seed
//
// With clang++ -fsanitize=fuzzer -DLIBFUZZER, libFuzzer chooses the bytes instead.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "nn/safetensors.h"

// In a build with the address sanitizer, an allocation beyond 64 MB stops the program.
extern "C" const char* __asan_default_options() {
  return "max_allocation_size_mb=64:allocator_may_return_null=0";
}

namespace {

using namespace mesagrad;

// Whether the reader accepts the bytes. Any exception but Error stops the program.
bool loads(std::string_view bytes) {
  try {
    const Safetensors file = parse_safetensors(bytes, "fuzz");
    std::size_t numbers = 0;
    for (const auto& [name, tensor] : file.tensors) {
      std::fill_n(tensor.data(), tensor.size(), real{1});  // all of it is there
      numbers += static_cast<std::size_t>(tensor.size());
    }
    if (numbers * sizeof(float) > bytes.size()) std::abort();  // more than the file holds
    return true;
  } catch (const Error& error) {
    if (std::string_view(error.what()).find('\n') != std::string_view::npos) std::abort();
    return false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of exactly this size, so that reading past its end is noticed.
  const std::vector<char> bytes(data, data + size);
  loads({bytes.data(), bytes.size()});
  return 0;
}

#ifndef LIBFUZZER
namespace {

std::string length_of(std::size_t header_size) {
  std::string bytes;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    bytes += static_cast<char>(header_size >> shift & 0xFFU);
  }
  return bytes;
}

std::string file_of(const std::string& header, std::size_t data_size) {
  return length_of(header.size()) + header + std::string(data_size, '\x3f');
}

const std::vector<std::string> good_files = {
    file_of("{}", 0),
    file_of(R"({"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})", 24),
    file_of(R"( {"__metadata__":{"step":"12","\u03bb":"\ud83d\ude42"}, "a" : {"shape":[],)"
            R"("data_offsets":[0,8],"dtype":"F64"},"b\n":{"dtype":"F32","shape":[2,0,1,3],)"
            R"("data_offsets":[8,8]},"λ":{"dtype":"F32","shape":[1,2,1,2],)"
            R"("data_offsets":[8,24]}} )",
            24)};

// Pieces that mean something to the reader.
const std::vector<std::string> words = {
    "{", "}", "[", "]", "\"", ",", ":", "\\", " ", "\n", "-", "0", "1", "4", "8", "24", "e9", ".5",
    "18446744073709551615", "18446744073709551640", "9223372036854775807", "4611686018427387904",
    "4294967296", "null", "true", "\"F32\"", "\"F64\"", "\"I8\"", "\"dtype\"", "\"shape\"",
    "\"data_offsets\"", "\"__metadata__\"", "\"w\"", "\\u0000", "\\ud83d", "\\ude42", "\\u12",
    "\xff", "\xc3", "\xed\xa0\x80", "λ", std::string(1, '\0'), "[[[[[[[[", "{\"a\":{\"a\":"};

class Damage {
 public:
  explicit Damage(std::uint64_t seed) : random_(seed) {}

  std::string next() {
    std::string file = good_files[below(good_files.size())];
    const bool keep_length = below(4) == 0;  // else the length is corrected, to get further
    for (std::size_t i = below(4) + 1; i > 0; --i) damage(file);
    if (keep_length || file.size() < 8) return file;
    const std::size_t end = std::min(file.rfind('}'), file.size() - 1) + 1;
    return end < 8 ? file : file.replace(0, 8, length_of(end - 8));
  }

 private:
  // A number from 0 to n - 1, or 0.
  std::size_t below(std::size_t n) { return n == 0 ? 0 : random_() % n; }

  void damage(std::string& file) {
    const std::size_t place = below(file.size());
    const std::size_t length = below(std::min<std::size_t>(file.size() - place, 12) + 1);
    switch (below(file.empty() ? 1 : 7)) {
      case 0: file.insert(place, words[below(words.size())]); break;
      case 1: file.replace(place, length, words[below(words.size())]); break;
      case 2: file[place] = static_cast<char>(file[place] ^ (1 << below(8))); break;
      case 3: file[place] = static_cast<char>(below(256)); break;
      case 4: below(4) == 0 ? file.resize(place) : file.resize(file.size() + below(9)); break;
      case 5: file.insert(place, file.substr(below(file.size()), below(40))); break;
      default: file[below(std::min<std::size_t>(file.size(), 8))] = static_cast<char>(below(256));
    }
  }

  std::mt19937_64 random_;
};

}  // namespace

int main(int argc, char** argv) {
  const unsigned long long count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  Damage damage(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  for (const std::string& file : good_files) {
    if (!loads(file)) return std::printf("a good file was refused\n"), 1;
  }
  unsigned long long accepted = 0;
  for (unsigned long long i = 0; i < count; ++i) {
    const std::string file = damage.next();
    const std::vector<char> bytes(file.begin(), file.end());
    if (loads({bytes.data(), bytes.size()})) ++accepted;
  }
  std::printf("%llu damaged files: %llu loaded, %llu refused\n", count, accepted, count - accepted);
  return 0;
}
#endif
