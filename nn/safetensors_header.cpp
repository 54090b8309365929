#include "nn/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "nn/safetensors_json.h"

namespace mesagrad::safetensors {
namespace {

constexpr std::string_view metadata_name = "__metadata__";

// How many bytes the entry's numbers need.
Index bytes_of(const Entry& entry) {
  Index bytes = entry.width;
  for (Index axis = 0; axis < entry.shape.rank(); ++axis) {
    const Index dim = entry.shape[axis];
    check(dim == 0 || bytes <= std::numeric_limits<Index>::max() / dim, "tensor ",
          shown(entry.name), ": shape ", entry.shape, " is too large");
    bytes *= dim;
  }
  return bytes;
}

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

void check_extent(const Entry& entry, Index data_size) {
  const auto& [name, width, shape, begin, end] = entry;
  check(begin <= end, "tensor ", shown(name), " begins at byte ", begin, " and ends at ", end);
  check(end <= data_size, "tensor ", shown(name), " ends at byte ", end, " of the data, which has ",
        data_size, " bytes");
  check(end - begin == bytes_of(entry), "tensor ", shown(name), " of shape ", shape, " needs ",
        bytes_of(entry), " bytes and has ", end - begin);
}

// Every byte of the data belongs to exactly one of the entries, which are in order.
void check_cover(const std::vector<Entry>& entries, Index data_size) {
  Index covered = 0;
  for (const Entry& entry : entries) {
    check(entry.begin >= covered, "tensor ", shown(entry.name), " begins at byte ", entry.begin,
          " of the data, inside the tensor before it, which ends at ", covered);
    check(entry.begin == covered, "bytes ", covered, " to ", entry.begin,
          " of the data belong to no tensor");
    covered = entry.end;
  }
  check(covered == data_size, "bytes ", covered, " to ", data_size,
        " of the data belong to no tensor");
}

// The text in quotation marks, if it may stand in a file.
std::string checked(const std::string& text) {
  check(is_valid_utf8(text), "the text ", shown(text), " is not valid UTF-8");
  return json_quoted(text);
}

std::string entry_text(const Entry& entry) {
  std::string dims;
  for (Index axis = 0; axis < entry.shape.rank(); ++axis) {
    dims += text(axis > 0 ? "," : "", entry.shape[axis]);
  }
  return text(checked(entry.name), R"(:{"dtype":")", entry.width == 4 ? "F32" : "F64",
              R"(","shape":[)", dims, R"(],"data_offsets":[)", entry.begin, ",", entry.end, "]}");
}

}  // namespace

Header read_header(std::string_view json_text, Index data_size) {
  Header header;
  JsonReader json(json_text);
  json.object([&](const std::string& name) {
    if (name == metadata_name) {
      if (json.null()) return;
      json.object([&](const std::string& key) { header.metadata[key] = json.string(); });
    } else {
      header.entries.push_back(read_entry(json, name));
    }
  });
  json.end();
  for (const Entry& entry : header.entries) check_extent(entry, data_size);
  const auto place = [](const Entry& entry) { return std::pair(entry.begin, entry.end); };
  std::ranges::sort(header.entries, {}, place);
  check_cover(header.entries, data_size);
  return header;
}

std::string header_text(const Header& header) {
  std::string items;
  const auto add = [&](const std::string& item) { items += (items.empty() ? "" : ",") + item; };
  for (const auto& [key, value] : header.metadata) add(checked(key) + ":" + checked(value));
  if (!items.empty()) items = text(json_quoted(metadata_name), ":{", items, "}");
  for (const Entry& entry : header.entries) {
    check(entry.name != metadata_name, "a tensor can't be named ", metadata_name);
    add(entry_text(entry));
  }
  std::string result = "{" + items + "}";
  result.append((8 - result.size() % 8) % 8, ' ');
  check(result.size() <= longest_header, "the header would take ", result.size(), " bytes");
  return result;
}

}  // namespace mesagrad::safetensors
