#include "tests/catch.h"  // first, because it is precompiled

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>

#include "core/checksum.h"
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

namespace {

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
  void save(const fs::path& path, Index n, const std::string& identity = "test") {
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
std::string why_not(const fs::path& path, Index updates = 10, const std::string& identity = "test") {
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

// With the checksum that belongs to it: what only a forger would do.
void save_forged(const fs::path& path, Safetensors file) {
  file.metadata.erase("checksum");
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
  file.metadata["checksum"] = sum.text();
  save_safetensors(path, file);
}

void refused(const fs::path& path, const std::string& reason, Index updates = 10,
             const std::string& identity = "test") {
  const std::string message = why_not(path, updates, identity);
  INFO(message);
  CHECK(message.starts_with("cannot re"));  // -sume from, or -ad
  CHECK(message.find(path.filename().string()) != std::string::npos);
  CHECK(message.find(reason) != std::string::npos);
}

}  // namespace

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

TEST_CASE("a checkpoint of another recipe is refused, and what differs is named", "[checkpoint]") {
  const Directory directory;
  const fs::path path = directory.path / "run.safetensors";
  SmallRun().save(path, 5, "seed 1, updates 10, rate 0.1");
  CHECK(why_not(path, 10, "seed 1, updates 10, rate 0.1") == "");
  refused(path, "another run (rate 0.1) than this one (rate 0.2)", 10, "seed 1, updates 10, rate 0.2");
  refused(path, "(seed 1, updates 10) than this one (seed 2, updates 7)", 7, "seed 2, updates 7, rate 0.1");
  refused(path, "(nothing more) than this one (decay 1)", 10, "seed 1, updates 10, rate 0.1, decay 1");
  refused(path, "(rate 0.1) than this one (nothing more)", 10, "seed 1, updates 10");
}

TEST_CASE("every damaged bit of a checkpoint is noticed, and nothing is restored", "[checkpoint]") {
  const Directory directory;
  const fs::path path = directory.path / "run.safetensors";
  SmallRun().save(path, 5);
  REQUIRE(why_not(path) == "");
  const std::string whole = read_file(path);
  Random random(1, stream::test_data);
  for (std::size_t i = 0; i < whole.size(); i += i < 3000 ? 23 : 499) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << random.bits() % 8));
    std::ofstream(path, std::ios::binary) << damaged;
    const std::string message = why_not(path);
    INFO("byte " << i << ": " << message);
    CHECK(message.starts_with("cannot re"));
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write_file(path, whole.substr(0, size));
    CHECK(why_not(path).starts_with("cannot read"));
  }
  write_file(path, whole);
  CHECK(why_not(path) == "");
}

TEST_CASE("counts in a checkpoint are whole, and as large as they can be", "[checkpoint]") {
  const Directory directory;
  const fs::path path = directory.path / "run.safetensors";
  SmallRun().save(path, 10);
  CHECK(why_not(path, 10) == "");
  refused(path, "'updates done' is \"10\", and should be a whole number from 0 to 9", 9);
  SmallRun().save(path, -5);
  refused(path, "'updates done' is \"-5\"");
  SmallRun().save(path, 5);
  const Safetensors good = load_safetensors(path);
  const auto with = [&](const char* name, const std::string& value) {
    Safetensors file = good;
    file.metadata[name] = value;
    save_forged(path, file);
  };
  with("losses", "3 2 1 ");
  CHECK(why_not(path) == "");
  for (const char* bad : {"", " ", "-1", "nan", "inf", "1.5", "1e300", "2 ", "3x", "0x3", "+3", "1000000000000000000",
                          "99999999999999999999"}) {
    for (const char* name : {"updates done", "snapshots", "optimizer"}) {
      if (name == std::string("optimizer") && std::strlen(bad) == 19) continue;  // so many are possible
      with(name, bad);
      refused(path, text("'", name, "' is \"", bad, "\", and should be a whole number from 0 to "));
    }
  }
  with("snapshots", "0");
  refused(path, "it holds more than this run keeps: 'snapshots.0.");
  with("snapshots", "4");
  refused(path, "no tensor snapshots.3.");
  for (const char* bad : {"1", "1 x ", " 1 ", "1  2 ", "1,5 ", "one "}) {
    with("losses", bad);
    refused(path, "'losses' is not a list of numbers");
  }
  for (const char* bad : {"", "1 2 ", "1", "x "}) {
    with("average", bad);
    refused(path, "'average' is not");
  }
}

TEST_CASE("a checkpoint that holds more or less than the run is refused", "[checkpoint]") {
  const Directory directory;
  const fs::path path = directory.path / "run.safetensors";
  const auto save_with = [&](const std::string& name, bool all) {
    SmallRun run;
    Checkpoint checkpoint(path, "test", {});
    double number = 1;
    if (all) run.keep_in(checkpoint);
    checkpoint.keep(name, number);
    checkpoint.save(5);
  };
  save_with("extra", true);
  refused(path, "it holds more than this run keeps: 'extra'");
  save_with("average", false);
  refused(path, "no tensor model.");
  SmallRun run;
  run.losses = {std::nan(""), std::numeric_limits<double>::infinity()};
  run.save(path, 5);
  CHECK(why_not(path) == "");
  Safetensors file = load_safetensors(path);
  file.metadata.erase("checksum");
  save_safetensors(path, file);
  refused(path, "lacks 'checksum'");
  file.metadata["checksum"] = "0";
  save_safetensors(path, file);
  refused(path, "it is damaged");
}

TEST_CASE("names in a checkpoint are one thing's own", "[checkpoint]") {
  const Directory directory;
  Checkpoint checkpoint(directory.path / "run.safetensors", "test", {});
  SmallRun run;
  run.keep_in(checkpoint);
  double number = 0;
  std::vector<double> numbers;
  for (const char* taken : {"model", "optimizer", "losses", "average", "snapshots", "snapshots.0", "model.a.b",
                            "updates done", "identity", "checksum"}) {
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
  CHECK(lacks([&] { checkpoint.keep("twice", {{"x", &x}, {"x", &x}}); }, {"two tensors are named twice.x"}) == "");
  CHECK(lacks([&] { checkpoint.keep("none", {{"x", &none}}); }, {"none.x is undefined"}) == "");
}

TEST_CASE("a checkpoint lies where its path says, or the run fails at its start", "[checkpoint]") {
  const Directory directory;
  const fs::path before = fs::current_path();
  fs::current_path(directory.path);
  SmallRun().save("bare.safetensors", 5);
  CHECK(why_not("bare.safetensors") == "");
  write_file("file", "x");
  CHECK(lacks([] { SmallRun().save("file/run.safetensors", 5); }, {"cannot write file/run.safetensors"}) == "");
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
  fs::current_path(before);
}

}  // namespace mesagrad
