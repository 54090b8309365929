// Any bytes as a checkpoint: refused in one line, and then nothing of the run has changed; or restored, and
// then what is saved again restores the same. Every other one gets the checksum that belongs to it.
#include "nn/checkpoint.h"

#include "core/files.h"
#include "tests/fuzz/fuzz.h"
#include "tests/nn/forged.h"

namespace mesagrad::fuzz {
namespace {

constexpr Index updates = 10;

struct Model {
  Tensor w;
  Parameters parameters() { return {{"w", &w}}; }
};

// The smallest run that keeps something of each kind.
struct Run {
  Model model;
  AdamW optimizer{model.parameters(), {}};
  std::vector<Model> snapshots;
  std::vector<double> losses = {0.5, 1e-300};
  double average = 3;

  explicit Run(real number) : model{Tensor({2}, number).requires_grad()} {
    snapshots.push_back(snapshot(model));
  }
  void keep_in(Checkpoint& checkpoint) {
    checkpoint.keep("model", model.parameters());
    checkpoint.keep("optimizer", optimizer);
    checkpoint.keep("snapshots", snapshots, model);
    checkpoint.keep("losses", losses);
    checkpoint.keep("average", average);
  }
  Index resume(const std::filesystem::path& path) {
    Checkpoint checkpoint(path, "a run, seed 1", {.resume = true});
    keep_in(checkpoint);
    return checkpoint.start(updates);
  }
  // The bytes of the file, in which all is that can be restored.
  std::string saved(Index done) {
    const std::filesystem::path path = scratch("saved.safetensors");
    Checkpoint checkpoint(path, "a run, seed 1", {});
    keep_in(checkpoint);
    checkpoint.save(done);
    return read_file(path);
  }
};

void resume(const std::string& bytes) {
  const std::filesystem::path path = scratch("run.safetensors");
  put(path, bytes);
  Run run(2);
  static const std::string before = Run(2).saved(0);
  Index done = 0;
  const std::string why = refusal([&] { done = run.resume(path); });
  must(done >= 0 && done <= updates, "so many updates may be done");
  must(why.empty() || why.starts_with("cannot re"), "a refusal says what could not be done: " + why);
  must(why.empty() || run.saved(0) == before, "a refusal changes nothing");
  if (!why.empty()) return;
  const std::string saved = run.saved(done);
  put(path, saved);
  Run again(3);
  must(again.resume(path) == done && again.saved(done) == saved, "what is restored and saved is the same");
}

}  // namespace

std::vector<std::string> seeds() { return {Run(1).saved(5), Run(1).saved(0)}; }

std::vector<std::string> words() {
  return {"\"checksum\"", "\"identity\"", "\"updates done\"", "\"model.w\"", "\"optimizer\"", "\"losses\"",
          "\"snapshots\"", "\"average\"", "\"snapshots.1.w\"", "\"F64\"", "nan ", "inf ", "1e400 ", "-0 ",
          "\\n", "\\r", "a run, seed 1", ", seed 2", "9223372036854775807", "\"\"", ":", ",", "{", "}"};
}

}  // namespace mesagrad::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mesagrad;
  std::string bytes = fuzz::with_right_length({data, data + size});
  if (size % 2 == 1) {
    try {
      const std::filesystem::path path = fuzz::scratch("forged.safetensors");
      save_safetensors(path, forged(parse_safetensors(bytes, "a file")));
      bytes = read_file(path);
    } catch (const Error&) {  // no safetensors file; the checkpoint will say so
    }
  }
  fuzz::resume(bytes);
  return 0;
}
