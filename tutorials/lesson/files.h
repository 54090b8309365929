// Where the results of a lesson go.
#pragma once
#include <string>
#include <vector>

namespace mesagrad::lesson {

struct File {
  std::string name;
  std::string content;
};

// Creates the directory if need be and tries to write in it, so that a lesson fails at its first
// second and not at its last. Throws Error.
void require_writable(const std::string& directory);

// Writes all files or, when that fails, none: see write_files. Throws Error.
void write_together(const std::string& directory, const std::vector<File>& files);

}  // namespace mesagrad::lesson
