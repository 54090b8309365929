#include "tutorials/lesson/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "core/error.h"

namespace mesagrad::lesson {
namespace {

// Returns 0, or the errno that says why the text is not safely on disk.
int try_to_write(const std::string& path, const std::string& content) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) return errno;
  int problem = 0;
  std::size_t done = 0;
  while (done < content.size() && problem == 0) {
    const ssize_t count = write(file, content.data() + done, content.size() - done);
    if (count >= 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      problem = errno;
    }
  }
  // Some file systems find out that they are full only here. Special files cannot be synced.
  if (problem == 0 && fsync(file) != 0 && errno != EINVAL && errno != ENOTSUP) problem = errno;
  if (close(file) != 0 && problem == 0 && errno != EINTR) problem = errno;
  return problem;
}

// Removes the temporary files when writing fails half-way, by whatever way we leave.
struct TemporaryFiles {
  TemporaryFiles() = default;
  TemporaryFiles(const TemporaryFiles&) = delete;
  TemporaryFiles& operator=(const TemporaryFiles&) = delete;
  ~TemporaryFiles() {
    for (const std::string& path : paths) unlink(path.c_str());
  }
  std::vector<std::string> paths;
};

void write_or_fail(const std::string& path, const std::string& content) {
  const int problem = try_to_write(path, content);
  check(problem == 0, "cannot write ", path, ": ", std::strerror(problem));
}

}  // namespace

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  check(file.is_open() && !file.bad(), "cannot read ", path);
  return content;
}

void require_writable(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  check(!error, "cannot create the directory ", directory, ": ", error.message());
  TemporaryFiles trial;
  trial.paths.push_back(directory + "/trial.tmp");
  write_or_fail(trial.paths.front(), "Can I write here?\n");
}

void write_together(const std::string& directory, const std::vector<File>& files) {
  TemporaryFiles temporary;
  for (const File& file : files) {
    const std::string path = directory + "/" + file.name;
    check(!std::filesystem::is_directory(path), "cannot write ", path, ": it is a directory");
    temporary.paths.push_back(path + ".tmp");
    write_or_fail(temporary.paths.back(), file.content);
  }
  for (const File& file : files) {
    const std::string path = directory + "/" + file.name;
    check(std::rename((path + ".tmp").c_str(), path.c_str()) == 0, "cannot write ", path, ": ",
          std::strerror(errno));
  }
  temporary.paths.clear();
}

}  // namespace mesagrad::lesson
