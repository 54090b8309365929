// Named tensors in a file, in the safetensors format that other frameworks read and write too:
//
//     8 bytes   the length of the header, least significant byte first
//     header    JSON: {"__metadata__": {"step": "7"},
//                      "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
//               padded with spaces to a multiple of 8 bytes
//               (read as the reference implementation does: "__metadata__" may be null, and
//               whatever else a tensor says of itself is passed over)
//     data      the numbers of all tensors, each tensor row-major, without gaps; the offsets count
//               from here
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "nn/parameters.h"

namespace mesagrad {

struct Safetensors {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

// Writes the file in the type of `real`: F32, or F64 in the double build. An old file of that name
// is replaced in one step, and stays as it is if this fails.
// Throws Error if the file can't be written, a tensor is undefined, one is named "__metadata__", or
// a name or metadata text is not valid UTF-8.
void save_safetensors(const std::filesystem::path& path, const Safetensors& file);

// Reads F32 and F64 tensors, rounded to `real`. The tensors have no gradients.
// Throws Error, with the file's name and the first thing found wrong, if the file can't be read, is
// not a complete and consistent safetensors file, or holds a tensor of another type or of more than
// 4 dimensions.
Safetensors load_safetensors(const std::filesystem::path& path);

// The same for the bytes of a file that is already in memory; `name` stands in error messages.
Safetensors parse_safetensors(std::string_view bytes, const std::string& name);

// Saves a model's tensors under their names. Throws as save_safetensors does, and if a name appears
// twice.
void save_parameters(const std::filesystem::path& path, const Parameters& parameters,
                     const std::map<std::string, std::string>& metadata = {});

// Copies the file's numbers into the model's tensors and returns the metadata. Gradients stay.
// Throws as load_safetensors does, and if the file lacks a tensor of the model, holds one that the
// model has not, or one of another shape. Nothing is copied unless everything fits.
std::map<std::string, std::string> load_parameters(const std::filesystem::path& path,
                                                   const Parameters& parameters);

}  // namespace mesagrad
