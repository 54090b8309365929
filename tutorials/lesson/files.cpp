#include "tutorials/lesson/files.h"

#include <filesystem>
#include <system_error>

#include "core/error.h"
#include "core/files.h"

namespace mesagrad::lesson {

void require_writable(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  check(!error, "cannot create the directory ", directory, ": ", error.message());
  const std::string trial = directory + "/trial";
  write_file(trial, "Can I write here?\n");
  std::filesystem::remove(trial);
}

void write_together(const std::string& directory, const std::vector<File>& files) {
  std::vector<NewFile> all;
  for (const File& file : files) all.push_back({directory + "/" + file.name, {file.content}});
  write_files(all);
}

}  // namespace mesagrad::lesson
