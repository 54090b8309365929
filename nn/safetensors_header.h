// The header of a safetensors file: where each tensor's bytes lie.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"

namespace mesagrad::safetensors {

struct Entry {
  std::string name;
  Index width = 0;  // bytes of one number: 4 for F32, 8 for F64
  Shape shape;
  Index begin = 0, end = 0;  // its bytes, counted from the first one after the header
};

struct Header {
  std::vector<Entry> entries;  // in the order of their bytes
  std::map<std::string, std::string> metadata;
};

// Headers longer than this, 100 MB, are not safetensors by the format's own rules.
constexpr std::size_t longest_header = 100'000'000;

// Reads the header of a file with `data_size` bytes after it. Throws Error if it is not as the
// format wants it, or if the tensors do not cover the data exactly: each shape its bytes, and each
// byte one tensor.
Header read_header(std::string_view json_text, Index data_size);

// The JSON text, padded with spaces to a multiple of 8 bytes. Throws Error if a text is not valid
// UTF-8, a tensor is named "__metadata__", or the header would be too long.
std::string header_text(const Header& header);

}  // namespace mesagrad::safetensors
