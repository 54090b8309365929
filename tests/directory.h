// Directories for tests that write files.
#pragma once
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

namespace mesagrad {

// A directory of a test's own, which goes away with its files.
struct Directory {
  std::filesystem::path path;

  Directory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mesagrad-test-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~Directory() { std::filesystem::remove_all(path); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  std::set<std::string> names() const {
    std::set<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(path))
      all.insert(entry.path().filename().string());
    return all;
  }
};

// One that is the current directory, too.
struct Workplace : Directory {
  Workplace() { std::filesystem::current_path(path); }
  ~Workplace() { std::filesystem::current_path(before); }

 private:
  std::filesystem::path before = std::filesystem::current_path();
};

}  // namespace mesagrad
