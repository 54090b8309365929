// Files that are either complete or not there.
#pragma once
#include <string>
#include <vector>

namespace mesagrad::lesson {

struct File {
  std::string name;
  std::string content;
};

// The whole text of a file. Throws Error when it cannot be read.
std::string read_text(const std::string& path);

// Creates the directory if need be and tries to write in it, so that a lesson fails at its first
// second and not at its last. Throws Error.
void require_writable(const std::string& directory);

// Writes every file as name.tmp, and only when all are on disk gives them their names. On failure
// it removes what it wrote, leaves the old files as they were, and throws Error.
void write_together(const std::string& directory, const std::vector<File>& files);

}  // namespace mesagrad::lesson
