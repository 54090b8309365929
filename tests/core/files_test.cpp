// Files appear whole, under every name that is possible, through links, and nobody else's are touched.
#include "tests/catch.h"  // first, because it is precompiled

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include "core/files.h"
#include "tests/directory.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

namespace fs = std::filesystem;

}  // namespace

TEST_CASE("files: every name that a file can have can be written", "[files]") {
  const Workplace here;
  const std::string longest(255, 'n');  // bytes; more are too many for the file system
  for (const fs::path& path :
       std::vector<fs::path>{"bare", "./bare", here.path / longest, longest, " \n\"*", "-", "\xff"}) {
    write_file(path, "old");
    write_file(path, "new");
    CHECK(read_file(path) == "new");
  }
  CHECK(here.names() == std::set<std::string>{"bare", longest, " \n\"*", "-", "\xff"});
  CHECK(lacks([&] { write_file(longest + "n", "x"); }, {"cannot write", "too long"}) == "");
  CHECK(lacks([&] { write_file("", "x"); }, {"cannot write"}) == "");
  CHECK(lacks([&] { write_file("missing/x", "x"); }, {"cannot write missing/x: No such file"}) == "");
  CHECK(lacks([&] { write_file("bare/x", "x"); }, {"cannot write bare/x: Not a directory"}) == "");
  CHECK(lacks([&] { write_file(".", "x"); }, {"cannot write .: it is a directory"}) == "");
  CHECK(lacks([&] { write_file("/dev/null", "x"); }, {"not a regular file"}) == "");
  CHECK(here.names().size() == 5);
}

TEST_CASE("files: a symbolic link stays, and what it leads to is written", "[files]") {
  const Workplace here;
  fs::create_directories("elsewhere/deep");
  write_file("elsewhere/target", "old");
  fs::create_symlink("../target", "elsewhere/deep/relative");
  fs::create_symlink("elsewhere/deep/relative", "chain");
  fs::create_symlink(here.path / "elsewhere/new", "dangling");
  fs::create_directory_symlink("elsewhere", "folder");
  write_file("chain", "new");
  CHECK(read_file("elsewhere/target") == "new");
  write_file("dangling", "first");
  CHECK(read_file("elsewhere/new") == "first");
  write_file("folder/target", "newer");
  CHECK(read_file("elsewhere/target") == "newer");
  for (const char* link : {"chain", "dangling", "folder", "elsewhere/deep/relative"}) {
    CHECK(fs::is_symlink(link));
  }
  CHECK(here.names() == std::set<std::string>{"chain", "dangling", "elsewhere", "folder"});

  fs::create_symlink("round", "about");
  fs::create_symlink("about", "round");
  CHECK(lacks([] { write_file("round", "x"); }, {"cannot write round: Too many levels"}) == "");
  fs::create_symlink("missing/file", "nowhere");
  CHECK(lacks([] { write_file("nowhere", "x"); }, {"No such file"}) == "");
  fs::create_symlink("elsewhere", "to-a-directory");
  CHECK(lacks([] { write_file("to-a-directory", "x"); }, {"it is a directory"}) == "");
  fs::create_symlink("/dev/null", "to-a-device");
  CHECK(lacks([] { write_file("to-a-device", "x"); }, {"not a regular file"}) == "");
}

TEST_CASE("files: only what nobody writes any more is removed as abandoned", "[files]") {
  const Workplace here;
  const std::set<std::string> others = {".mesagrad-1-1.tmp", ".mesagrad-notes", "results.tmp", "model"};
  for (const std::string& name : others) write_file(name, "x");
  write_file(".mesagrad-1-0.tmp", "x");
  const int writer = open(".mesagrad-1-1.tmp", O_WRONLY);
  REQUIRE(flock(writer, LOCK_EX) == 0);  // as it is while it is being written, by any program
  remove_abandoned(here.path);
  CHECK(here.names() == others);
  close(writer);
  remove_abandoned(here.path);
  CHECK_FALSE(fs::exists(".mesagrad-1-1.tmp"));
  CHECK_NOTHROW(remove_abandoned("missing"));
}

TEST_CASE("files: whoever is killed while writing leaves each file whole, old or new", "[files]") {
  const Workplace here;
  const std::string old(200'000, 'o'), fresh(300'000, 'f');
  const auto write_both = [](const std::string& bytes) {
    const NewFile files[] = {{"page", {bytes}}, {"results", {bytes, bytes}}};
    write_files(files);
  };
  write_both(old);
  Random random(1, stream::test_data);
  for (int kills = 0; kills < 200; ++kills) {
    const pid_t child = fork();
    while (child == 0) {
      write_both(fresh);
      write_both(old);
    }
    REQUIRE(child > 0);
    std::this_thread::sleep_for(std::chrono::duration<double>(random.uniform(0, 0.02 + 1e-4 * kills)));
    kill(child, SIGKILL);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    const std::string page = read_file("page"), results = read_file("results");
    CHECK((page == old || page == fresh));
    CHECK((results == old + old || results == fresh + fresh));
    remove_abandoned(".");
    CHECK(here.names() == std::set<std::string>{"page", "results"});
  }
}

TEST_CASE("files: what is being written is not abandoned", "[files]") {
  const Workplace here;
  std::atomic<bool> done = false;
  std::thread remover([&] {
    while (!done) remove_abandoned(here.path);
  });
  const std::string bytes(300'000, 'x');
  const std::string problem = message_of([&] {
    for (int i = 0; i < 20; ++i) write_file("file", bytes);
  });
  done = true;
  remover.join();
  CHECK(problem == "nothing was thrown");
  CHECK(read_file("file") == bytes);
  CHECK(here.names() == std::set<std::string>{"file"});
}

TEST_CASE("files: a place to write is created, tried, and left as it was", "[files]") {
  const Workplace here;
  write_file("trial", "mine");
  create_writable("a/b");
  create_writable(".");
  CHECK(fs::is_empty("a/b"));
  CHECK(here.names() == std::set<std::string>{"a", "trial"});
  CHECK(lacks([] { create_writable("trial"); }, {"trial", "Not a directory"}) == "");
  CHECK(lacks([] { create_writable("trial/x"); }, {"trial/x", "Not a directory"}) == "");
  CHECK(lacks([] { create_writable("/proc/nobody"); }, {"/proc/nobody"}) == "");
}

}  // namespace mesagrad
