#include "tests/catch.h"  // first, because it is precompiled

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "core/files.h"
#include "nn/checkpoint.h"
#include "nn/linear_transformer.h"
#include "nn/loss.h"
#include "nn/training.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

namespace fs = std::filesystem;

// A directory that is gone after the test.
struct Directory {
  fs::path path = fs::temp_directory_path() / text("mesagrad-checkpoint-", getpid());
  Directory() { fs::create_directories(path); }
  ~Directory() { fs::remove_all(path); }
};

LinearTransformer small_model(Index blocks, std::uint64_t seed) {
  return LinearTransformer(
      {.width = 8, .blocks = blocks, .heads = 2, .key_size = 5, .init_deviation = 0.3}, seed);
}

// 200 updates of a small model, saved after every single one; the weights go to final.safetensors.
void train(const fs::path& directory, Index blocks) {
  LinearTransformer model = small_model(blocks, 1);
  Training training(model, 24, 10);
  AdamW optimizer(model.parameters(), {.decay = 0.05});
  std::vector<double> losses;
  std::vector<LinearTransformer> snapshots;
  Checkpoint checkpoint(directory / "run.safetensors", "test", {.resume = true, .seconds = 0});
  checkpoint.keep("model", model.parameters());
  checkpoint.keep("optimizer", optimizer);
  checkpoint.keep("losses", losses);
  checkpoint.keep("snapshots", snapshots, model);
  for (Index n = checkpoint.start(); n < 200; ++n) {
    checkpoint.save_when_due(n);
    if (n % 50 == 0) snapshots.push_back(snapshot(model));
    losses.push_back(training([&](const LinearTransformer& part, Index first, Index count) {
      const auto number = static_cast<std::uint64_t>(n * 24 + first);
      return squared_error(part(random_tensor({count, 10, 8}, number)),
                           random_tensor({count, 10, 3}, number + 1'000'000), 24);
    }));
    clip_by_value(model.parameters(), 1);
    optimizer.step(1e-3);
  }
  Checkpoint result(directory / "final.safetensors", "test", {});
  result.keep("model", model.parameters());
  result.keep("optimizer", optimizer);
  result.keep("losses", losses);
  result.keep("snapshots", snapshots, model);
  result.save(200);
}

// Starts this program's hidden training test in a process of its own.
pid_t start_training(const fs::path& directory, Index blocks, int threads) {
  const pid_t child = fork();
  if (child != 0) return child;
  setenv("MESAGRAD_TEST_DIRECTORY", directory.c_str(), 1);
  setenv("MESAGRAD_TEST_BLOCKS", text(blocks).c_str(), 1);
  setenv("OMP_NUM_THREADS", text(threads).c_str(), 1);
  execl(program().c_str(), "run-tests", "a training run to be killed", "-o", "/dev/null",
        static_cast<char*>(nullptr));
  _exit(127);
}

}  // namespace

TEST_CASE("a training run to be killed", "[.killed]") {  // hidden: run by the next test
  const char* directory = std::getenv("MESAGRAD_TEST_DIRECTORY");
  const char* blocks = std::getenv("MESAGRAD_TEST_BLOCKS");
  REQUIRE(directory != nullptr);
  REQUIRE(blocks != nullptr);
  train(directory, std::atoi(blocks));
}

TEST_CASE("a run that is killed again and again ends with the same bits", "[checkpoint][kill]") {
  for (const Index blocks : {1, 2}) {
    const Directory directory;
    const fs::path whole = directory.path / "whole", killed = directory.path / "killed";
    fs::create_directories(whole);
    fs::create_directories(killed);
    train(whole, blocks);
    Random random(1, stream::test_data, static_cast<std::uint64_t>(blocks));
    int kills = 0, status = -1;
    for (int attempt = 0; attempt < 200; ++attempt) {
      const pid_t child = start_training(killed, blocks, 1 + attempt % 3);
      REQUIRE(child > 0);
      const auto patience = std::chrono::duration<double>(random.uniform(0.005, 0.08 + 0.02 * attempt));
      std::this_thread::sleep_for(patience);
      kill(child, SIGKILL);
      REQUIRE(waitpid(child, &status, 0) == child);
      if (WIFEXITED(status)) break;
      ++kills;
      if (fs::exists(killed / "run.safetensors")) {
        CHECK_NOTHROW(load_safetensors(killed / "run.safetensors"));
      }
    }
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(kills > 0);
    CHECK(read_file(killed / "final.safetensors") == read_file(whole / "final.safetensors"));
  }
}

TEST_CASE("a checkpoint gives back what it was given", "[checkpoint]") {
  const Directory directory;
  const fs::path path = directory.path / "sub" / "run.safetensors";
  LinearTransformer model = small_model(1, 1), other = small_model(1, 2);
  std::vector<double> numbers = {0.1, -1e-300, 1.0 / 3}, none;
  double number = 2.0 / 3;
  {
    Checkpoint checkpoint(path, "mine", {});
    checkpoint.keep("model", model.parameters());
    checkpoint.keep("numbers", numbers);
    checkpoint.keep("none", none);
    checkpoint.keep("number", number);
    CHECK(checkpoint.start() == 0);
    checkpoint.save_when_due(6);  // not yet: a minute has not passed
    CHECK_FALSE(fs::exists(path));
    checkpoint.save(7);
  }
  std::vector<double> read = {5}, read_none = {5};
  double read_number = 0;
  const auto restore = [&](const std::string& identity, bool resume, const char* name = "number") {
    Checkpoint checkpoint(path, identity, {.resume = resume});
    checkpoint.keep("model", other.parameters());
    checkpoint.keep("numbers", read);
    checkpoint.keep("none", read_none);
    checkpoint.keep(name, read_number);
    return checkpoint.start();
  };
  CHECK(restore("mine", false) == 0);
  CHECK(read == std::vector<double>{5});
  std::ofstream(path.string() + ".123.0.tmp") << "left behind";
  CHECK(restore("mine", true) == 7);
  CHECK_FALSE(fs::exists(path.string() + ".123.0.tmp"));
  CHECK(read == numbers);
  CHECK(read_none.empty());
  CHECK(read_number == number);
  CHECK(numbers_of(other.blocks[0].wv) == numbers_of(model.blocks[0].wv));

  const auto refusal = [&](const std::string& identity, const char* name) {
    return message_of([&] { restore(identity, true, name); });
  };
  CHECK(refusal("yours", "number").find("another run (mine)") != std::string::npos);
  CHECK(refusal("mine", "nothing").find("lacks 'nothing'") != std::string::npos);
  other = small_model(2, 1);
  CHECK(refusal("mine", "number").find("no tensor model.blocks.1.wq") != std::string::npos);
  write_file(path, "damaged");
  CHECK(refusal("mine", "number").find("run.safetensors") != std::string::npos);
}

}  // namespace mesagrad
