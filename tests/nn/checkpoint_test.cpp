// Runs that are saved, killed and resumed go on with the same bits.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/checkpoint.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "core/files.h"
#include "nn/loss.h"
#include "nn/training.h"
#include "tests/directory.h"
#include "tests/nn/small_run.h"

namespace mesagrad {
namespace {

namespace fs = std::filesystem;

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
  for (Index n = checkpoint.start(200); n < 200; ++n) {
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

TEST_CASE("a run that is killed again and again ends with the same bits", "[checkpoint]") {
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
    CHECK(checkpoint.start(10) == 0);
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
    return checkpoint.start(10);
  };
  CHECK(restore("mine", false) == 0);
  CHECK(read == std::vector<double>{5});
  std::ofstream(path.parent_path() / ".mesagrad-123-0.tmp") << "left behind";
  CHECK(restore("mine", true) == 7);
  CHECK_FALSE(fs::exists(path.parent_path() / ".mesagrad-123-0.tmp"));
  CHECK(read == numbers);
  CHECK(read_none.empty());
  CHECK(read_number == number);
  CHECK(numbers_of(other.blocks[0].attention.wv) ==
        numbers_of(model.blocks[0].attention.wv));

  const auto refusal = [&](const std::string& identity, const char* name) {
    return message_of([&] { restore(identity, true, name); });
  };
  CHECK(refusal("yours", "number").find("another run (mine) than this one (yours)") != std::string::npos);
  CHECK(refusal("mine", "nothing").find("lacks 'nothing'") != std::string::npos);
  other = small_model(2, 1);
  CHECK(refusal("mine", "number").find("no tensor model.blocks.1.wq") != std::string::npos);
  write_file(path, "damaged");
  CHECK(refusal("mine", "number").find("run.safetensors") != std::string::npos);
}

TEST_CASE("a checkpoint is used only where that is asked for", "[checkpoint]") {
  const Directory directory;
  const fs::path path = directory.path / "run.safetensors";
  SmallRun().save(path, 5);
  SmallRun run;
  run.losses = {9};
  Checkpoint checkpoint(path, "test", {});
  run.keep_in(checkpoint);
  CHECK(checkpoint.start(10) == 0);
  CHECK(run.losses == std::vector<double>{9});
}

TEST_CASE("names in a checkpoint are one thing's own", "[checkpoint]") {
  const Directory directory;
  Checkpoint checkpoint(directory.path / "run.safetensors", "test", {});
  SmallRun run;
  run.keep_in(checkpoint);
  double number = 0;
  std::vector<double> numbers;
  for (const char* taken : {"model", "optimizer", "losses", "average", "snapshots", "snapshots.0",
                            "model.a.b", "updates done", "identity", "checksum"}) {
    CHECK(lacks([&] { checkpoint.keep(taken, number); }, {"checkpoint: the name", "is taken"}) == "");
    CHECK(lacks([&] { checkpoint.keep(taken, numbers); }, {"is taken"}) == "");
    CHECK(lacks([&] { checkpoint.keep(taken, run.model.parameters()); }, {"is taken"}) == "");
    CHECK(lacks([&] { checkpoint.keep(taken, run.optimizer); }, {"is taken"}) == "");
    CHECK(lacks([&] { checkpoint.keep(taken, run.snapshots, run.model); }, {"is taken"}) == "");
  }
  checkpoint.keep("a.b", number);
  CHECK(lacks([&] { checkpoint.keep("a", numbers); }, {"is taken by 'a.b'"}) == "");
  checkpoint.keep("a.c", numbers);
  CHECK(lacks([&] { checkpoint.keep("\xff", number); }, {"not valid UTF-8"}) == "");
  Tensor x({1}), none;
  const Parameters twice = {{"x", &x}, {"x", &x}};
  CHECK(lacks([&] { checkpoint.keep("twice", twice); }, {"two tensors are named twice.x"}) == "");
  CHECK(lacks([&] { checkpoint.keep("none", {{"x", &none}}); }, {"none.x is undefined"}) == "");
}

TEST_CASE("a checkpoint lies where its path says, or the run fails at its start", "[checkpoint]") {
  const Workplace here;
  SmallRun().save("bare.safetensors", 5);
  CHECK(why_not("bare.safetensors") == "");
  write_file("file", "x");
  const auto save_in_a_file = [] { SmallRun().save("file/run.safetensors", 5); };
  CHECK(lacks(save_in_a_file, {"cannot write file/run.safetensors"}) == "");
  const auto start_at = [](const fs::path& path) {
    return message_of([&] { Checkpoint(path, "test", {}).start(10); });
  };
  CHECK(start_at("file/run.safetensors").find("cannot create the directory file") != std::string::npos);
  CHECK(start_at("").find("cannot write '': it names no file") != std::string::npos);
  CHECK(start_at("new/").find("cannot write") != std::string::npos);
  CHECK(start_at("/dev/null").find("not a regular file") != std::string::npos);
  CHECK(start_at(std::string(300, 'n')).find("too long") != std::string::npos);
  fs::create_symlink("round", "round");
  CHECK(start_at("round").find("symbolic links") != std::string::npos);
  CHECK(start_at("new/folder/run.safetensors") == "nothing was thrown");
  CHECK(fs::is_directory("new/folder"));
  fs::create_directory("in-the-way.safetensors");
  CHECK(start_at("in-the-way.safetensors").find("it is a directory") != std::string::npos);
}

}  // namespace mesagrad
