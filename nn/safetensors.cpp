#include "nn/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <set>

#include "core/files.h"
#include "core/utf8.h"
#include "nn/safetensors_header.h"

namespace mesagrad {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian; on this machine numbers must be turned around first");

constexpr std::size_t length_bytes = 8;

std::string length_text(std::uint64_t length) {
  std::string bytes(length_bytes, '\0');
  std::memcpy(bytes.data(), &length, length_bytes);
  return bytes;
}

// Copies numbers that lie at any address, in type T, to a tensor.
template <class T>
void copy_numbers(const char* bytes, const Tensor& tensor) {
  for (Index i = 0; i < tensor.size(); ++i) {
    T value;
    std::memcpy(&value, bytes + i * static_cast<Index>(sizeof(T)), sizeof(T));
    tensor[i] = static_cast<real>(value);
  }
}

Safetensors parse(std::string_view bytes) {
  check(bytes.size() >= length_bytes, "the file is too short: ", bytes.size(), " bytes");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), length_bytes);
  bytes.remove_prefix(length_bytes);
  check(length <= bytes.size(), "the header should have ", length, " bytes, and the file has only ",
        bytes.size(), " more");
  check(length <= safetensors::longest_header, "a header of ", length, " bytes; at most ",
        safetensors::longest_header, " are possible");
  const std::string_view data = bytes.substr(length);
  auto header = safetensors::read_header(bytes.substr(0, length), std::ssize(data));

  Safetensors file{.tensors = {}, .metadata = std::move(header.metadata)};
  for (const safetensors::Entry& entry : header.entries) {
    const Tensor tensor = Tensor::uninitialized(entry.shape);
    const char* numbers = data.data() + entry.begin;
    entry.width == 4 ? copy_numbers<float>(numbers, tensor) : copy_numbers<double>(numbers, tensor);
    file.tensors.emplace(entry.name, tensor);
  }
  return file;
}

}  // namespace

void save_safetensors(const std::filesystem::path& path, const Safetensors& file) {
  safetensors::Header header{.entries = {}, .metadata = file.metadata};
  std::vector<std::string_view> pieces(2);  // the header's length, the header, and then the data
  Index end = 0;
  for (const auto& [name, tensor] : file.tensors) {
    check(tensor.defined(), "cannot write ", path.string(), ": tensor ", shown(name),
          " is undefined");
    const Index begin = end;
    const auto bytes = static_cast<std::size_t>(tensor.size()) * sizeof(real);
    end += static_cast<Index>(bytes);
    header.entries.push_back({name, sizeof(real), tensor.shape(), begin, end});
    pieces.emplace_back(reinterpret_cast<const char*>(tensor.data()), bytes);
  }
  std::string json;
  try {
    json = safetensors::header_text(header);
  } catch (const Error& error) {
    fail("cannot write ", path.string(), ": ", error.what());
  }
  const std::string length = length_text(json.size());
  pieces[0] = length;
  pieces[1] = json;
  const NewFile whole{path, std::move(pieces)};
  write_files({&whole, 1});
}

Safetensors parse_safetensors(std::string_view bytes, const std::string& name) try {
  return parse(bytes);
} catch (const Error& error) {
  fail("cannot read ", name, ": ", error.what());
}

Safetensors load_safetensors(const std::filesystem::path& path) {
  return parse_safetensors(read_file(path), path.string());
}

void save_parameters(const std::filesystem::path& path, const Parameters& parameters,
                     const std::map<std::string, std::string>& metadata) {
  Safetensors file{.tensors = {}, .metadata = metadata};
  for (const auto& [name, tensor] : parameters) {
    const bool is_new = file.tensors.emplace(name, *tensor).second;
    check(is_new, "cannot write ", path.string(), ": two tensors are named ", shown(name));
  }
  save_safetensors(path, file);
}

std::map<std::string, std::string> load_parameters(const std::filesystem::path& path,
                                                   const Parameters& parameters) {
  const Safetensors file = load_safetensors(path);
  std::set<std::string> expected;
  for (const auto& [name, tensor] : parameters) {
    const auto found = file.tensors.find(name);
    check(tensor->defined() && expected.insert(name).second, "load_parameters: the model's tensor ",
          shown(name), " is undefined or appears twice");
    check(found != file.tensors.end(), path.string(), " has no tensor ", shown(name),
          "; the model's has shape ", tensor->shape());
    const Shape& shape = found->second.shape();
    check(tensor->shape() == shape, path.string(), ": tensor ", shown(name), " has shape ", shape,
          ", the model's has ", tensor->shape());
  }
  for (const auto& [name, tensor] : file.tensors) {
    check(expected.contains(name), path.string(), ": tensor ", shown(name), " of shape ",
          tensor.shape(), " is not in the model");
  }
  for (const auto& [name, tensor] : parameters) {
    std::copy_n(file.tensors.at(name).data(), tensor->size(), tensor->data());
  }
  return file.metadata;
}

}  // namespace mesagrad
