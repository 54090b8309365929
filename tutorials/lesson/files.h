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

// A directory's only run, as long as this lives: two in one would overwrite each other's results. The
// system lets go of it whatever ends the program.
class OnlyRun {
 public:
  explicit OnlyRun(const std::string& directory);  // throws Error if there is another run in it
  OnlyRun(const OnlyRun&) = delete;
  OnlyRun& operator=(const OnlyRun&) = delete;
  ~OnlyRun();

 private:
  int descriptor_;
};

// Writes all files or, when that fails, none: see write_files. Throws Error.
void write_together(const std::string& directory, const std::vector<File>& files);

}  // namespace mesagrad::lesson
