// A small run to be saved and resumed.
#pragma once
#include "nn/checkpoint.h"
#include "nn/linear_transformer.h"
#include "tests/helpers.h"

namespace mesagrad {

inline LinearTransformer small_model(Index blocks, std::uint64_t seed) {
  return LinearTransformer(
      {.width = 8, .blocks = blocks, .heads = 2, .key_size = 5, .init_deviation = 0.3}, seed);
}

// A small run that can be saved, changed behind its back, and resumed.
struct SmallRun {
  LinearTransformer model = small_model(1, 1);
  AdamW optimizer{model.parameters(), {}};
  std::vector<LinearTransformer> snapshots;
  std::vector<double> losses = {3, 2, 1};
  double average = 4;

  SmallRun() {
    for (int i = 0; i < 3; ++i) snapshots.push_back(snapshot(model));
    optimizer.set_updates(5);
  }
  void keep_in(Checkpoint& checkpoint) {
    checkpoint.keep("model", model.parameters());
    checkpoint.keep("optimizer", optimizer);
    checkpoint.keep("snapshots", snapshots, model);
    checkpoint.keep("losses", losses);
    checkpoint.keep("average", average);
  }
  void save(const std::filesystem::path& path, Index n, const std::string& identity = "test") {
    Checkpoint checkpoint(path, identity, {});
    keep_in(checkpoint);
    checkpoint.save(n);
  }
  // All that a resumed run could find changed.
  std::vector<double> state() {
    std::vector<double> all = losses;
    all.insert(all.end(), {average, static_cast<double>(optimizer.updates()), double(snapshots.size())});
    Parameters tensors = model.parameters();
    for (const Parameter& p : optimizer.memory()) tensors.push_back(p);
    for (LinearTransformer& one : snapshots) {
      for (const Parameter& p : one.parameters()) tensors.push_back(p);
    }
    for (const Parameter& p : tensors) {
      for (const real value : numbers_of(*p.tensor)) all.push_back(static_cast<double>(value));
    }
    return all;
  }
};

// Resumes another run from the file and returns why not, if nothing of that run has changed.
inline std::string why_not(const std::filesystem::path& path, Index updates = 10,
                           const std::string& identity = "test") {
  SmallRun other;
  other.model = small_model(1, 2);
  other.optimizer = AdamW(other.model.parameters(), {});
  other.snapshots.clear();
  other.losses = {7};
  other.average = 8;
  const std::vector<double> before = other.state();
  Checkpoint checkpoint(path, identity, {.resume = true});
  other.keep_in(checkpoint);
  const std::string message = message_of([&] { checkpoint.start(updates); });
  if (message == "nothing was thrown") return "";
  if (other.state() != before) return "the run is half restored: " + message;
  return message.find('\n') == std::string::npos ? message : "more than one line: " + message;
}

}  // namespace mesagrad
