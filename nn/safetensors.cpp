#include "nn/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <set>
#include <utility>

#include "core/files.h"
#include "core/utf8.h"
#include "nn/safetensors_json.h"

namespace mesagrad {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian; on this machine numbers must be turned around first");

constexpr std::string_view metadata_name = "__metadata__";
constexpr std::size_t length_bytes = 8;

// Headers longer than this, 100 MB, are not safetensors by the format's own rules.
constexpr std::size_t longest_header = 100'000'000;

// -- Writing --------------------------------------------------------------------------------------

std::string_view bytes_of(const Tensor& tensor) {
  const auto count = static_cast<std::size_t>(tensor.size());
  return {reinterpret_cast<const char*>(tensor.data()), count * sizeof(real)};
}

// The text in quotation marks, if it may stand in a file.
std::string quoted(const std::string& text) {
  check(is_valid_utf8(text), "the text ", shown(text), " is not valid UTF-8");
  return json_quoted(text);
}

// What the header says of a tensor whose bytes begin at `begin`.
std::string entry_text(const std::string& name, const Tensor& tensor, std::size_t begin) {
  check(name != metadata_name, "a tensor can't be named ", metadata_name);
  check(tensor.defined(), "tensor ", shown(name), " is undefined");
  std::string dims;
  for (Index i = 0; i < tensor.shape().rank(); ++i) dims += text(i > 0 ? "," : "", tensor.dim(i));
  return text(quoted(name), R"(:{"dtype":")", sizeof(real) == 4 ? "F32" : "F64", R"(","shape":[)", dims,
              R"(],"data_offsets":[)", begin, ",", begin + bytes_of(tensor).size(), "]}");
}

// The header, padded with spaces to a multiple of 8 bytes.
std::string header_text(const Safetensors& file) {
  std::string items;
  const auto add = [&](const std::string& item) { items += (items.empty() ? "" : ",") + item; };
  for (const auto& [key, value] : file.metadata) add(quoted(key) + ":" + quoted(value));
  if (!items.empty()) items = text(json_quoted(metadata_name), ":{", items, "}");
  std::size_t begin = 0;
  for (const auto& [name, tensor] : file.tensors) {
    add(entry_text(name, tensor, begin));
    begin += bytes_of(tensor).size();
  }
  std::string result = "{" + items + "}";
  result.append((8 - result.size() % 8) % 8, ' ');
  check(result.size() <= longest_header, "the header would take ", result.size(), " bytes");
  return result;
}

// -- Reading --------------------------------------------------------------------------------------

// What the header says of a tensor.
struct Entry {
  std::string name;
  Index width = 0;  // bytes of one number: 4 for F32, 8 for F64
  Shape shape;
  Index begin = 0, end = 0;  // its bytes, counted from the first one after the header
};

Entry read_entry(JsonReader& json, const std::string& name) {
  Entry entry{.name = name, .shape = {}};
  std::size_t others = 0;
  const std::size_t fields = json.object([&](const std::string& field) {
    if (field == "dtype") {
      const std::string type = json.string();
      json.require(type == "F32" || type == "F64", "tensor ", shown(name), " has the type ",
                   shown(type), ", and only F32 and F64 can be read");
      entry.width = type == "F32" ? 4 : 8;
    } else if (field == "shape") {
      entry.shape = Shape(json.whole_numbers());
    } else if (field == "data_offsets") {
      const std::vector<Index> offsets = json.whole_numbers();
      json.require(offsets.size() == 2, "data_offsets are two numbers, not ", offsets.size());
      entry.begin = offsets[0];
      entry.end = offsets[1];
    } else {
      json.skip_value();
      ++others;
    }
  });
  json.require(fields - others == 3, "tensor ", shown(name), " needs a dtype, a shape and data_offsets");
  return entry;
}

// How many bytes the entry's numbers need.
Index bytes_needed(const Entry& entry) {
  Index bytes = entry.width;
  for (Index axis = 0; axis < entry.shape.rank(); ++axis) {
    const Index dim = entry.shape[axis];
    check(dim == 0 || bytes <= std::numeric_limits<Index>::max() / dim, "tensor ", shown(entry.name),
          ": shape ", entry.shape, " is too large");
    bytes *= dim;
  }
  return bytes;
}

void check_extent(const Entry& entry, Index data_size) {
  const auto& [name, width, shape, begin, end] = entry;
  check(begin <= end, "tensor ", shown(name), " begins at byte ", begin, " and ends at ", end);
  check(end <= data_size, "tensor ", shown(name), " ends at byte ", end, " of the data, which has ",
        data_size, " bytes");
  const Index needed = bytes_needed(entry);
  check(end - begin == needed, "tensor ", shown(name), " of shape ", shape, " needs ", needed,
        " bytes and has ", end - begin);
}

// Every byte of the data belongs to exactly one of the entries.
void check_cover(std::vector<Entry> entries, Index data_size) {
  std::ranges::sort(entries, {}, [](const Entry& entry) { return std::pair(entry.begin, entry.end); });
  Index covered = 0;
  const auto check_next = [&](Index begin) {
    check(begin == covered, "bytes ", covered, " to ", begin, " of the data belong to no tensor");
  };
  for (const Entry& entry : entries) {
    check(entry.begin >= covered, "tensor ", shown(entry.name), " begins at byte ", entry.begin,
          " of the data, inside the tensor before it, which ends at ", covered);
    check_next(entry.begin);
    covered = entry.end;
  }
  check_next(data_size);
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
  check(length <= longest_header, "a header of ", length, " bytes; at most ", longest_header,
        " are possible");
  const std::string_view data = bytes.substr(length);

  Safetensors file;
  std::vector<Entry> entries;
  JsonReader json(bytes.substr(0, length));
  json.object([&](const std::string& name) {
    if (name != metadata_name) {
      entries.push_back(read_entry(json, name));
    } else if (!json.null()) {
      json.object([&](const std::string& key) { file.metadata[key] = json.string(); });
    }
  });
  json.end();
  for (const Entry& entry : entries) check_extent(entry, std::ssize(data));
  check_cover(entries, std::ssize(data));
  for (const Entry& entry : entries) {
    const Tensor tensor = Tensor::uninitialized(entry.shape);
    const char* numbers = data.data() + entry.begin;
    entry.width == 4 ? copy_numbers<float>(numbers, tensor) : copy_numbers<double>(numbers, tensor);
    file.tensors.emplace(entry.name, tensor);
  }
  return file;
}

}  // namespace

void save_safetensors(const std::filesystem::path& path, const Safetensors& file) {
  std::string header;
  try {
    header = header_text(file);
  } catch (const Error& error) {
    fail("cannot write ", path.string(), ": ", error.what());
  }
  const std::uint64_t length = header.size();
  NewFile whole{path, {{reinterpret_cast<const char*>(&length), length_bytes}, header}};
  for (const auto& [name, tensor] : file.tensors) whole.pieces.push_back(bytes_of(tensor));
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
  for (const Parameter& p : parameters) {
    const bool is_new = file.tensors.emplace(p.name, *p.tensor).second;
    check(is_new, "cannot write ", path.string(), ": two tensors are named ", shown(p.name));
  }
  save_safetensors(path, file);
}

std::map<std::string, std::string> load_parameters(const std::filesystem::path& path,
                                                   const Parameters& parameters) {
  const Safetensors file = load_safetensors(path);
  std::set<std::string> expected;
  for (const Parameter& p : parameters) {
    const auto found = file.tensors.find(p.name);
    check(p.tensor->defined() && expected.insert(p.name).second, "load_parameters: the model's tensor ",
          shown(p.name), " is undefined or appears twice");
    check(found != file.tensors.end(), path.string(), " has no tensor ", shown(p.name),
          "; the model's has shape ", p.tensor->shape());
    const Shape& shape = found->second.shape();
    check(p.tensor->shape() == shape, path.string(), ": tensor ", shown(p.name), " has shape ", shape,
          ", the model's has ", p.tensor->shape());
  }
  for (const auto& [name, tensor] : file.tensors) {
    check(expected.contains(name), path.string(), ": tensor ", shown(name), " of shape ",
          tensor.shape(), " is not in the model");
  }
  for (const Parameter& p : parameters) {
    std::copy_n(file.tensors.at(p.name).data(), p.tensor->size(), p.tensor->data());
  }
  return file.metadata;
}

}  // namespace mesagrad
