// Any bytes as a safetensors file: refused in one line, or read, with no more memory than the file justifies;
// and what was read is saved, and read again to the same.
#include "nn/safetensors.h"

#include <algorithm>

#include "core/files.h"
#include "tests/fuzz/fuzz.h"

namespace mesagrad::fuzz {
namespace {

bool same_bytes(const Tensor& a, const Tensor& b) {
  const auto size = static_cast<std::size_t>(a.size()) * sizeof(real);
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), size) == 0;
}

void read(const std::string& bytes) {
  Safetensors file;
  const std::vector<char> exactly(bytes.begin(), bytes.end());  // so that reading past the end is noticed
  const std::string_view all(exactly.data(), exactly.size());
  const std::string why = refusal([&] { file = parse_safetensors(all, "file"); });
  must(why.empty() || why.starts_with("cannot read file: "), "a refusal names the file: " + why);
  if (!why.empty()) return;
  std::size_t numbers = 0;
  for (const auto& [name, tensor] : file.tensors) numbers += static_cast<std::size_t>(tensor.size());
  must(numbers * sizeof(float) <= bytes.size(), "no more numbers than the file has");

  const std::filesystem::path path = scratch("fuzz.safetensors");
  save_safetensors(path, file);
  const std::string saved = read_file(path);
  const Safetensors again = parse_safetensors(saved, "again");
  must(again.metadata == file.metadata, "metadata return");
  must(again.tensors.size() == file.tensors.size(), "as many tensors return");
  for (const auto& [name, tensor] : file.tensors) {
    must(again.tensors.contains(name) && same_bytes(again.tensors.at(name), tensor), "tensors return");
    std::fill_n(tensor.data(), tensor.size(), real{1});  // all of it is there
  }
  save_safetensors(path, again);
  must(read_file(path) == saved, "what is saved twice is the same file");
}

std::string file_of(const std::string& header, std::size_t data_size) {
  return with_right_length(std::string(8, '\0') + header) + std::string(data_size, '\x3f');
}

}  // namespace

std::vector<std::string> seeds() {
  return {file_of("{}", 0), file_of(R"({"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})", 24),
          file_of(R"( {"__metadata__":{"step":"12","\u03bb":"\ud83d\ude42"}, "a" : {"shape":[],)"
                  R"("data_offsets":[0,8],"dtype":"F64"},"b\n":{"dtype":"F32","shape":[2,0,1,3],)"
                  R"("data_offsets":[8,8]},"λ":{"dtype":"F32","shape":[1,2,1,2],)"
                  R"("more":[{"":-1.5e+9},true],"data_offsets":[8,24]}})",
                  24)};
}

std::vector<std::string> words() {
  return {"{", "}", "[", "]", "\"", ",", ":", "\\", " ", "\n", "-", "0", "1", "4", "8", "24", "e9", ".5",
          "18446744073709551615", "18446744073709551640", "9223372036854775807", "4611686018427387904",
          "4294967296", "null", "true", "\"F32\"", "\"F64\"", "\"I8\"", "\"dtype\"", "\"shape\"",
          "\"data_offsets\"", "\"__metadata__\"", "\"w\"", "\\u0000", "\\ud83d", "\\ude42", "\\u12",
          "\xff", "\xc3", "\xed\xa0\x80", "λ", std::string(1, '\0'), "[[[[[[[[", "{\"a\":{\"a\":"};
}

}  // namespace mesagrad::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(data, data + size);
  mesagrad::fuzz::read(bytes);
  mesagrad::fuzz::read(mesagrad::fuzz::with_right_length(bytes));
  return 0;
}
