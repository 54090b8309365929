#include "nn/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>
#include <utility>

#include "core/checksum.h"
#include "core/files.h"
#include "core/utf8.h"

namespace mesagrad {

namespace fs = std::filesystem;

namespace {

// What stands in every checkpoint.
constexpr const char* identity_name = "identity";
constexpr const char* updates_name = "updates done";
constexpr const char* checksum_name = "checksum";

// Of everything that the file holds by now.
std::string checksum_of(const Safetensors& file) {
  Checksum sum;
  for (const auto& [name, tensor] : file.tensors) {
    sum.add(name);
    sum.add(text(tensor.shape()));
    sum.add({reinterpret_cast<const char*>(tensor.data()),
             static_cast<std::size_t>(tensor.size()) * sizeof(real)});
  }
  for (const auto& [name, value] : file.metadata) {
    sum.add(name);
    sum.add(value);
  }
  return sum.text();
}

std::multiset<std::string> items_of(const std::string& identity) {
  std::multiset<std::string> items;
  for (std::size_t begin = 0, end; begin <= identity.size(); begin = end + 2) {
    end = std::min(identity.find(", ", begin), identity.size());
    items.insert(identity.substr(begin, end - begin));
  }
  return items;
}

// The items of one identity that the other one lacks.
std::string only_in(const std::string& one, const std::string& other) {
  const std::multiset<std::string> has = items_of(one), lacks = items_of(other);
  std::vector<std::string> items;
  std::ranges::set_difference(has, lacks, std::back_inserter(items));
  std::string all;
  for (const std::string& item : items) all += (all.empty() ? "" : ", ") + item;
  return all.empty() ? "nothing more" : all;
}

// Names and texts of a file may be anything.
std::string on_one_line(std::string reason) {
  std::ranges::replace_if(reason, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return reason;
}

std::string take_text(Safetensors& file, const std::string& name) {
  const auto found = file.metadata.extract(name);
  check(!found.empty(), "it lacks '", name, "'");
  return found.mapped();
}

// Numbers are text in the file's metadata, with as many digits as it takes to get the same bits back.
std::string text_of(const std::vector<double>& numbers) {
  std::string all;
  for (const double number : numbers) {
    char digits[32];
    all.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr).append(" ");
  }
  return all;
}

std::vector<double> take_numbers(Safetensors& file, const std::string& name) {
  const std::string all = take_text(file, name);
  std::vector<double> numbers;
  const char* end = all.data() + all.size();
  for (const char* at = all.data(); at < end; ++at) {
    const auto [stop, error] = std::from_chars(at, end, numbers.emplace_back());
    check(error == std::errc{} && stop < end && *stop == ' ', "'", name, "' is not a list of numbers");
    at = stop;
  }
  return numbers;
}

}  // namespace

Checkpoint::Checkpoint(fs::path path, std::string identity, const Options& options)
    : path_(std::move(path)),
      identity_(std::move(identity)),
      options_(options),
      names_{identity_name, updates_name, checksum_name} {}

void Checkpoint::claim(const std::string& name) {
  check(is_valid_utf8(name), "checkpoint: the name ", shown(name), " is not valid UTF-8");
  for (const std::string& other : names_) {
    check(name != other && !name.starts_with(other + ".") && !other.starts_with(name + "."),
          "checkpoint: the name '", name, "' is taken by '", other, "'");
  }
  names_.push_back(name);
}

void Checkpoint::keep(const std::string& name, const Parameters& tensors) {
  claim(name);
  const auto save = [name, tensors](Safetensors& file) { save_tensors(file, name, tensors); };
  Safetensors trial;
  save(trial);  // fails now rather than at the first save
  items_.push_back({save, [name, tensors](Safetensors& file, bool assign) {
                      take_tensors(file, name, tensors, assign);
                    }});
}

void Checkpoint::keep_count(const std::string& name, const std::function<Index()>& get,
                            const std::function<void(Index)>& set) {
  items_.push_back({[get, name](Safetensors& file) { file.metadata[name] = std::to_string(get()); },
                    [set, name](Safetensors& file, bool assign) {
                      const Index n = take_count(file, name, std::numeric_limits<Index>::max() / 2);
                      if (assign) set(n);
                    }});
}

void Checkpoint::keep(const std::string& name, std::vector<double>& numbers) {
  claim(name);
  items_.push_back({[&numbers, name](Safetensors& file) { file.metadata[name] = text_of(numbers); },
                    [&numbers, name](Safetensors& file, bool assign) {
                      std::vector<double> read = take_numbers(file, name);
                      if (assign) numbers.swap(read);
                    }});
}

void Checkpoint::keep(const std::string& name, double& number) {
  claim(name);
  items_.push_back({[&number, name](Safetensors& file) { file.metadata[name] = text_of({number}); },
                    [&number, name](Safetensors& file, bool assign) {
                      const std::vector<double> read = take_numbers(file, name);
                      check(read.size() == 1, "'", name, "' is not one number");
                      if (assign) number = read[0];
                    }});
}

Index Checkpoint::start(Index updates) {
  std::error_code error;
  const fs::file_type type = fs::status(path_, error).type();
  check_replaceable(path_);
  check(path_.has_filename() && type != fs::file_type::none, "cannot write '", path_.string(), "': ",
        path_.has_filename() ? error.message() : "it names no file");
  create_writable(directory_of(path_));
  remove_abandoned(directory_of(path_));
  saved_at_ = Clock::now();
  if (!options_.resume || type == fs::file_type::not_found) return 0;
  const Safetensors file = load_safetensors(path_);
  try {
    load(file, updates, false);  // throws before anything has changed
    return load(file, updates, true);
  } catch (const Error& reason) {
    fail("cannot resume from ", path_.string(), ": ", on_one_line(reason.what()));
  }
}

Index Checkpoint::load(Safetensors file, Index updates, bool assign) const {
  const std::string checksum = take_text(file, checksum_name), actual = checksum_of(file);
  const std::string found = take_text(file, identity_name);
  check(found == identity_, "it belongs to another run (", only_in(found, identity_), ") than this one (",
        only_in(identity_, found), ")");
  check(checksum == actual, "it is damaged (its checksum is ", actual, " instead of ", checksum, ")");
  const Index done = take_count(file, updates_name, updates);
  for (const Item& item : items_) item.load(file, assign);
  for (const auto& [name, tensor] : file.tensors) fail("it holds more than this run keeps: '", name, "'");
  for (const auto& [name, value] : file.metadata) fail("it holds more than this run keeps: '", name, "'");
  return done;
}

void Checkpoint::save(Index n) {
  Safetensors file;
  for (const Item& item : items_) item.save(file);
  file.metadata[identity_name] = identity_;
  file.metadata[updates_name] = std::to_string(n);
  file.metadata[checksum_name] = checksum_of(file);
  std::error_code ignored;  // then saving tells what is wrong
  fs::create_directories(directory_of(path_), ignored);
  save_safetensors(path_, file);
  if (options_.saved) options_.saved();
  saved_at_ = Clock::now();
}

void Checkpoint::save_when_due(Index n) {
  if (std::chrono::duration<double>(Clock::now() - saved_at_).count() >= options_.seconds) save(n);
}

Index Checkpoint::take_count(Safetensors& file, const std::string& name, Index most) {
  const std::string digits = take_text(file, name);
  Index count = -1;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, count);
  check(error == std::errc{} && stop == end && count >= 0 && count <= most, "'", name, "' is ", shown(digits),
        ", and should be a whole number from 0 to ", most);
  return count;
}

void Checkpoint::save_tensors(Safetensors& file, const std::string& name, const Parameters& from) {
  for (const Parameter& p : from) {
    const std::string full_name = name + "." + p.name;
    check(p.tensor->defined(), "checkpoint: tensor ", full_name, " is undefined");
    check(file.tensors.emplace(full_name, *p.tensor).second, "checkpoint: two tensors are named ", full_name);
  }
}

void Checkpoint::take_tensors(Safetensors& file, const std::string& name, const Parameters& to, bool assign) {
  for (const Parameter& p : to) {
    const std::string full_name = name + "." + p.name;
    const auto found = file.tensors.extract(full_name);
    check(!found.empty() && found.mapped().shape() == p.tensor->shape(), "it has no tensor ", full_name,
          " of shape ", p.tensor->shape());
    if (assign) std::copy_n(found.mapped().data(), p.tensor->size(), p.tensor->data());
  }
}

}  // namespace mesagrad
