// Training that survives being killed.
//
//     Checkpoint checkpoint(path, identity, {.resume = true});
//     checkpoint.keep("model", model.parameters());
//     checkpoint.keep("optimizer", optimizer);
//     checkpoint.keep("losses", losses);
//     for (Index n = checkpoint.start(updates); n < updates; ++n) {
//       checkpoint.save_when_due(n);
//       ... update number n ...
//     }
//     checkpoint.save(updates);
//
// All that an update reads must be kept, or follow from its number n; random numbers do, because they
// are a function of (seed, stream, index). A run that was killed then ends with the same bits as one
// that was not. A file is complete or not there: killed while it saves, a run goes on from the save
// before. A checksum tells a file that was damaged later.
#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "nn/optimizer.h"
#include "nn/safetensors.h"

namespace mesagrad {

class Checkpoint {
 public:
  struct Options {
    bool resume = false;   // go on from the file, if there is one; else start anew and replace it
    double seconds = 60;   // between two saves
    std::function<void()> saved = {};  // called after each
  };

  // `identity` says what run this is, and all that it depends on: "seed 1, float, updates 500, ...". A
  // file of another run is refused, with the items that differ.
  Checkpoint(std::filesystem::path path, std::string identity, const Options& options);
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  // What is saved and restored, under names of its own. Everything must outlive the checkpoint. Throws
  // Error if the name is taken: "a" takes "a.b" too.
  void keep(const std::string& name, const Parameters& tensors);
  template <class AnyOptimizer>
    requires requires(AnyOptimizer& optimizer) { optimizer.memory(); }
  void keep(const std::string& name, AnyOptimizer& optimizer) {
    keep(name, optimizer.memory());
    if constexpr (requires { optimizer.set_updates(0); }) {
      keep_count(name, [&] { return optimizer.updates(); }, [&](Index n) { optimizer.set_updates(n); });
    }
  }
  void keep(const std::string& name, std::vector<double>& numbers);
  void keep(const std::string& name, double& number);

  // A growing list of models; `like` has the right shape.
  template <class Model>
  void keep(const std::string& name, std::vector<Model>& models, const Model& like);

  // Restores everything kept and returns the number of updates done then, of `updates` in all; 0 if
  // there is nothing to resume. Throws Error if the file is damaged, of another run, or does not hold
  // exactly what is kept; then nothing has changed.
  Index start(Index updates);

  // Saves that n updates are done: now, or only if the last save is long enough ago.
  // Throws Error if the file can't be written.
  void save(Index n);
  void save_when_due(Index n);

 private:
  struct Item {
    std::function<void(Safetensors&)> save;
    // Takes the item's part out of the file, throws if it does not fit, and assigns it if `assign` says so.
    std::function<void(Safetensors&, bool assign)> load;
  };
  using Clock = std::chrono::steady_clock;

  void claim(const std::string& name);
  void keep_count(const std::string& name, const std::function<Index()>& get,
                  const std::function<void(Index)>& set);
  Index load(Safetensors file, Index updates, bool assign) const;

  static Index take_count(Safetensors& file, const std::string& name, Index most);
  static void take_tensors(Safetensors& file, const std::string& name, const Parameters& to, bool assign);
  static void save_tensors(Safetensors& file, const std::string& name, const Parameters& from);

  std::filesystem::path path_;
  std::string identity_;
  Options options_;
  std::vector<std::string> names_;
  std::vector<Item> items_;
  Clock::time_point saved_at_ = Clock::now();
};

template <class Model>
void Checkpoint::keep(const std::string& name, std::vector<Model>& models, const Model& like) {
  claim(name);
  const auto part = [name](Index i) { return text(name, ".", i); };
  const auto save = [&models, name, part](Safetensors& file) {
    file.metadata[name] = std::to_string(models.size());
    Index i = 0;
    for (Model& model : models) save_tensors(file, part(i++), model.parameters());
  };
  const auto load = [&models, name, part, like](Safetensors& file, bool assign) {
    const Index count = take_count(file, name, std::ssize(file.tensors));
    std::vector<Model> read;
    for (Index i = 0; i < count; ++i) {
      take_tensors(file, part(i), read.emplace_back(snapshot(like)).parameters(), true);
    }
    if (assign) models.swap(read);
  };
  items_.push_back({save, load});
}

}  // namespace mesagrad
