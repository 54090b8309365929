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
  for (std::size_t begin = 0; begin <= identity.size();) {
    const std::size_t end = std::min(identity.find(", ", begin), identity.size());
    items.insert(identity.substr(begin, end - begin));
    begin = end + 2;
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

}  // namespace

Checkpoint::Checkpoint(fs::path path, std::string identity, const Options& options)
    : path_(std::move(path)),
      identity_(std::move(identity)),
      options_(options),
      names_{identity_name, updates_name, checksum_name} {}

void Checkpoint::claim(const std::string& name) {
  check(is_valid_utf8(name), "checkpoint: the name ", shown(name),
        " is not valid UTF-8");
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
  items_.push_back(
      {save, [this, name, tensors](Safetensors& file) { return take_tensors(file, name, tensors); }});
}

void Checkpoint::keep_count(const std::string& name, const std::function<Index()>& get,
                            const std::function<void(Index)>& set) {
  items_.push_back({[get, name](Safetensors& file) { file.metadata[name] = std::to_string(get()); },
                    [this, set, name](Safetensors& file) -> Assignment {
                      const Index n = take_count(file, name, std::numeric_limits<Index>::max() / 2);
                      return [set, n] { set(n); };
                    }});
}

void Checkpoint::keep(const std::string& name, std::vector<double>& numbers) {
  claim(name);
  items_.push_back({[&numbers, name](Safetensors& file) { save_numbers(file, name, numbers); },
                    [this, &numbers, name](Safetensors& file) -> Assignment {
                      return [&numbers, read = take_numbers(file, name)]() mutable { numbers.swap(read); };
                    }});
}

void Checkpoint::keep(const std::string& name, double& number) {
  claim(name);
  items_.push_back({[&number, name](Safetensors& file) { save_numbers(file, name, {number}); },
                    [this, &number, name](Safetensors& file) -> Assignment {
                      const std::vector<double> read = take_numbers(file, name);
                      require(read.size() == 1, "'", name, "' is not one number");
                      return [&number, value = read[0]] { number = value; };
                    }});
}

Index Checkpoint::start(Index updates) {
  std::error_code error;
  const fs::file_type type = fs::status(path_, error).type();
  const bool missing = type == fs::file_type::not_found;
  check_replaceable(path_);
  check(path_.has_filename() && type != fs::file_type::none, "cannot write '", path_.string(), "': ",
        path_.has_filename() ? error.message() : "it names no file");
  create_writable(directory_of(path_));
  remove_abandoned(directory_of(path_));
  saved_at_ = Clock::now();
  if (!options_.resume || missing) return 0;
  Safetensors file = load_safetensors(path_);
  const std::string checksum = take_text(file, checksum_name), actual = checksum_of(file);
  const std::string found = take_text(file, identity_name);
  require(found == identity_, "it belongs to another run (", only_in(found, identity_),
          ") than this one (", only_in(identity_, found), ")");
  require(checksum == actual, "it is damaged (its checksum is ", actual, " instead of ", checksum, ")");
  const Index done = take_count(file, updates_name, updates);
  std::vector<Assignment> assignments;
  for (const Item& item : items_) assignments.push_back(item.take(file));
  require(file.tensors.empty() && file.metadata.empty(), "it holds more than this run keeps: '",
          file.tensors.empty() ? file.metadata.begin()->first : file.tensors.begin()->first, "'");
  for (const Assignment& assign : assignments) assign();
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
  saved_at_ = Clock::now();
}

void Checkpoint::save_when_due(Index n) {
  if (std::chrono::duration<double>(Clock::now() - saved_at_).count() >= options_.seconds) save(n);
}

std::string Checkpoint::take_text(Safetensors& file, const std::string& name) const {
  const auto found = file.metadata.extract(name);
  require(!found.empty(), "it lacks '", name, "'");
  return found.mapped();
}

Index Checkpoint::take_count(Safetensors& file, const std::string& name, Index most) const {
  const std::string digits = take_text(file, name);
  Index count = -1;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, count);
  require(error == std::errc{} && stop == end && count >= 0 && count <= most, "'", name, "' is ",
          shown(digits), ", and should be a whole number from 0 to ", most);
  return count;
}

// Numbers are text in the file's metadata, with as many digits as it takes to get the same bits back.
void Checkpoint::save_numbers(Safetensors& file, const std::string& name,
                              const std::vector<double>& numbers) {
  std::string all;
  for (const double number : numbers) {
    char digits[32];
    all.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr).append(" ");
  }
  file.metadata[name] = all;
}

std::vector<double> Checkpoint::take_numbers(Safetensors& file, const std::string& name) const {
  const std::string all = take_text(file, name);
  std::vector<double> numbers;
  const char* end = all.data() + all.size();
  for (const char* at = all.data(); at < end; ++at) {
    const auto [stop, error] = std::from_chars(at, end, numbers.emplace_back());
    require(error == std::errc{} && stop < end && *stop == ' ', "'", name, "' is not a list of numbers");
    at = stop;
  }
  return numbers;
}

void Checkpoint::save_tensors(Safetensors& file, const std::string& name, const Parameters& from) {
  for (const Parameter& p : from) {
    const std::string full_name = name + "." + p.name;
    check(p.tensor->defined(), "checkpoint: tensor ", full_name, " is undefined");
    check(file.tensors.emplace(full_name, *p.tensor).second, "checkpoint: two tensors are named ",
          full_name);
  }
}

Checkpoint::Assignment Checkpoint::take_tensors(Safetensors& file, const std::string& name,
                                                const Parameters& to) const {
  std::vector<Tensor> read;
  for (const Parameter& p : to) {
    const std::string full_name = name + "." + p.name;
    const auto found = file.tensors.extract(full_name);
    require(!found.empty() && found.mapped().shape() == p.tensor->shape(), "it has no tensor ", full_name,
            " of shape ", p.tensor->shape());
    read.push_back(found.mapped());
  }
  return [to, read] {
    for (std::size_t i = 0; i < to.size(); ++i) {
      std::copy_n(read[i].data(), read[i].size(), to[i].tensor->data());
    }
  };
}

}  // namespace mesagrad
