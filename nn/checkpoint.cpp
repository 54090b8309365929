#include "nn/checkpoint.h"

#include <algorithm>
#include <charconv>

namespace mesagrad {

namespace fs = std::filesystem;

namespace {

// Removes the temporary files of runs that were killed while they saved.
void remove_leftovers(const fs::path& path) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(path.parent_path(), ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(path.filename().string() + ".") && name.ends_with(".tmp")) {
      fs::remove(entry.path(), ignored);
    }
  }
}

}  // namespace

Checkpoint::Checkpoint(fs::path path, std::string identity, const Options& options)
    : path_(std::move(path)), identity_(std::move(identity)), options_(options) {}

void Checkpoint::keep(const std::string& name, const Parameters& tensors) {
  items_.push_back(
      {[name, tensors](Safetensors& file) { save_tensors(file, name, tensors); },
       [this, name, tensors](const Safetensors& file) { load_tensors(file, name, tensors); }});
}

void Checkpoint::keep(const std::string& name, AdamW& optimizer) {
  keep(name, optimizer.averages());
  items_.push_back({[&optimizer, name](Safetensors& file) {
                      save_numbers(file, name, {static_cast<double>(optimizer.updates())});
                    },
                    [this, &optimizer, name](const Safetensors& file) {
                      optimizer.set_updates(static_cast<Index>(numbers_of(file, name).at(0)));
                    }});
}

void Checkpoint::keep(const std::string& name, std::vector<double>& numbers) {
  items_.push_back(
      {[&numbers, name](Safetensors& file) { save_numbers(file, name, numbers); },
       [this, &numbers, name](const Safetensors& file) { numbers = numbers_of(file, name); }});
}

void Checkpoint::keep(const std::string& name, double& number) {
  items_.push_back(
      {[&number, name](Safetensors& file) { save_numbers(file, name, {number}); },
       [this, &number, name](const Safetensors& file) { number = numbers_of(file, name).at(0); }});
}

Index Checkpoint::start() {
  saved_at_ = Clock::now();
  remove_leftovers(path_);
  if (!options_.resume || !fs::exists(path_)) return 0;
  const Safetensors file = load_safetensors(path_);
  const std::string& found = text_of(file, "identity");
  check(found == identity_, "cannot resume from ", path_.string(), ": it belongs to another run (", found,
        "), this one is ", identity_);
  const std::vector<double> updates = numbers_of(file, "updates done");
  check(updates.size() == 1, "cannot resume from ", path_.string(), ": it does not say from where");
  for (const Item& item : items_) item.load(file);
  return static_cast<Index>(updates[0]);
}

void Checkpoint::save(Index n) {
  Safetensors file;
  file.metadata["identity"] = identity_;
  save_numbers(file, "updates done", {static_cast<double>(n)});
  for (const Item& item : items_) item.save(file);
  fs::create_directories(path_.parent_path());
  save_safetensors(path_, file);
  saved_at_ = Clock::now();
}

void Checkpoint::save_when_due(Index n) {
  if (std::chrono::duration<double>(Clock::now() - saved_at_).count() >= options_.seconds) save(n);
}

const std::string& Checkpoint::text_of(const Safetensors& file, const std::string& name) const {
  const auto found = file.metadata.find(name);
  check(found != file.metadata.end(), "cannot resume from ", path_.string(), ": it lacks '", name, "'");
  return found->second;
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

std::vector<double> Checkpoint::numbers_of(const Safetensors& file, const std::string& name) const {
  const std::string& all = text_of(file, name);
  std::vector<double> numbers;
  const char* end = all.data() + all.size();
  for (const char* at = all.data(); at < end; ++at) {
    const auto [stop, error] = std::from_chars(at, end, numbers.emplace_back());
    check(error == std::errc{} && stop < end && *stop == ' ', "cannot resume from ", path_.string(), ": '",
          name, "' is not a list of numbers");
    at = stop;
  }
  return numbers;
}

void Checkpoint::save_tensors(Safetensors& file, const std::string& name, const Parameters& from) {
  for (const Parameter& p : from) file.tensors[name + "." + p.name] = *p.tensor;
}

void Checkpoint::load_tensors(const Safetensors& file, const std::string& name, const Parameters& to) const {
  for (const Parameter& p : to) {
    const auto found = file.tensors.find(name + "." + p.name);
    check(found != file.tensors.end() && found->second.shape() == p.tensor->shape(), "cannot resume from ",
          path_.string(), ": it has no tensor ", name, ".", p.name, " of shape ", p.tensor->shape());
    std::copy_n(found->second.data(), p.tensor->size(), p.tensor->data());
  }
}

}  // namespace mesagrad
