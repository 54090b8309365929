// Checkpoints of other runs, damaged and forged ones: each is refused in one line, and nothing restored.
#include "tests/catch.h"  // first, because it is precompiled

#include <cstring>
#include <fstream>

#include "core/files.h"
#include "tests/directory.h"
#include "tests/nn/forged.h"
#include "tests/nn/small_run.h"

namespace mesagrad {
namespace {

namespace fs = std::filesystem;

void refused(const fs::path& path, const std::string& reason, Index updates = 10,
             const std::string& identity = "test") {
  const std::string message = why_not(path, updates, identity);
  INFO(message);
  CHECK(message.starts_with("cannot re"));  // -sume from, or -ad
  CHECK(message.find(path.filename().string()) != std::string::npos);
  CHECK(message.find(reason) != std::string::npos);
}

}  // namespace

TEST_CASE("a checkpoint of another recipe is refused, and what differs is named", "[checkpoint][errors]") {
  const Directory directory;
  const fs::path path = directory.path / "run.safetensors";
  SmallRun().save(path, 5, "seed 1, updates 10, rate 0.1");
  CHECK(why_not(path, 10, "seed 1, updates 10, rate 0.1") == "");
  refused(path, "another run (rate 0.1) than this one (rate 0.2)", 10, "seed 1, updates 10, rate 0.2");
  refused(path, "(seed 1, updates 10) than this one (seed 2, updates 7)", 7, "seed 2, updates 7, rate 0.1");
  refused(path, "(nothing more) than this one (decay 1)", 10, "seed 1, updates 10, rate 0.1, decay 1");
  refused(path, "(rate 0.1) than this one (nothing more)", 10, "seed 1, updates 10");
}

TEST_CASE("every damaged bit of a checkpoint is noticed, and nothing is restored", "[checkpoint][errors]") {
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
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write_file(path, whole.substr(0, size));
    CHECK(why_not(path).starts_with("cannot read"));
  }
  write_file(path, whole);
  CHECK(why_not(path) == "");
}

TEST_CASE("counts in a checkpoint are whole, and as large as they can be", "[checkpoint][errors]") {
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
    save_safetensors(path, forged(file));
  };
  with("losses", "3 2 1 ");
  CHECK(why_not(path) == "");
  for (const char* bad : {"", " ", "-1", "nan", "inf", "1.5", "1e300", "2 ", "3x", "0x3", "+3",
                          "1000000000000000000", "99999999999999999999"}) {
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

TEST_CASE("a checkpoint that holds more or less than the run is refused", "[checkpoint][errors]") {
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
  SmallRun().save(path, 5, "test, of\ntwo lines");
  refused(path, "another run (of two lines) than this one (nothing more)");
  save_with("not\r\nkept", true);
  refused(path, "it holds more than this run keeps: 'not  kept'");
}

}  // namespace mesagrad
