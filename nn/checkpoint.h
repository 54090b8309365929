// Training that survives being killed.
//
//     Checkpoint checkpoint(path, identity, {.resume = true});
//     checkpoint.keep("model", model.parameters());
//     checkpoint.keep("optimizer", optimizer);
//     checkpoint.keep("losses", losses);
//     for (Index n = checkpoint.start(); n < updates; ++n) {
//       checkpoint.save_when_due(n);
//       ... update number n ...
//     }
//     checkpoint.save(updates);
//
// All that an update reads must be kept, or follow from its number n; random numbers do, because they
// are a function of (seed, stream, index). A run that was killed then ends with the same bits as one
// that was not. A file is complete or not there: killed while it saves, a run goes on from the save
// before.
#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "nn/optimizer.h"
#include "nn/safetensors.h"

namespace mesagrad {

class Checkpoint {
 public:
  struct Options {
    bool resume = false;   // go on from the file, if there is one; else start anew and replace it
    double seconds = 60;   // between two saves
  };

  // `identity` says in words what run this is (seed, settings, precision): a file of another run is
  // refused.
  Checkpoint(std::filesystem::path path, std::string identity, const Options& options);
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  // What is saved and restored, under names of its own. Everything must outlive the checkpoint.
  void keep(const std::string& name, const Parameters& tensors);
  void keep(const std::string& name, AdamW& optimizer);
  void keep(const std::string& name, std::vector<double>& numbers);
  void keep(const std::string& name, double& number);

  // A growing list of models; `like` has the right shape.
  template <class Model>
  void keep(const std::string& name, std::vector<Model>& models, const Model& like);

  // Restores everything kept and returns the number of updates done then; 0 if there is nothing to
  // resume. Throws Error if the file is damaged, of another run, or does not hold what is kept.
  Index start();

  // Saves that n updates are done: now, or only if the last save is long enough ago.
  // Throws Error if the file can't be written.
  void save(Index n);
  void save_when_due(Index n);

 private:
  struct Item {
    std::function<void(Safetensors&)> save;
    std::function<void(const Safetensors&)> load;
  };
  using Clock = std::chrono::steady_clock;

  const std::string& text_of(const Safetensors& file, const std::string& name) const;
  std::vector<double> numbers_of(const Safetensors& file, const std::string& name) const;
  void load_tensors(const Safetensors& file, const std::string& name, const Parameters& to) const;
  static void save_tensors(Safetensors& file, const std::string& name, const Parameters& from);
  static void save_numbers(Safetensors& file, const std::string& name,
                           const std::vector<double>& numbers);

  std::filesystem::path path_;
  std::string identity_;
  Options options_;
  std::vector<Item> items_;
  Clock::time_point saved_at_ = Clock::now();
};

template <class Model>
void Checkpoint::keep(const std::string& name, std::vector<Model>& models, const Model& like) {
  const auto part = [name](std::size_t i) { return text(name, ".", i); };
  items_.push_back({[&models, name, part](Safetensors& file) {
                      save_numbers(file, name, {static_cast<double>(models.size())});
                      for (std::size_t i = 0; i < models.size(); ++i) {
                        save_tensors(file, part(i), models[i].parameters());
                      }
                    },
                    [this, &models, name, part, like](const Safetensors& file) {
                      models.clear();
                      const double count = numbers_of(file, name).at(0);
                      for (std::size_t i = 0; static_cast<double>(i) < count; ++i) {
                        models.push_back(snapshot(like));
                        load_tensors(file, part(i), models.back().parameters());
                      }
                    }});
}

}  // namespace mesagrad
