#include "core/files.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <list>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "core/error.h"

namespace mesagrad {
namespace {

namespace fs = std::filesystem;

// `error` is the errno of the step that failed.
[[noreturn]] void fail_to(const char* verb, const fs::path& path, int error) {
  fail("cannot ", verb, " ", path.string(), ": ", std::generic_category().message(error));
}

// Returns 0, or the errno of the first step that failed.
int write_all(std::FILE* file, std::span<const std::string_view> pieces) {
  for (const std::string_view piece : pieces) {
    if (std::fwrite(piece.data(), 1, piece.size(), file) != piece.size()) return errno;
  }
  if (std::fflush(file) != 0) return errno;
  // Some file systems notice only now that they are full.
  return fsync(fileno(file)) != 0 ? errno : 0;
}

// Another name for each call, in all processes.
fs::path temporary_name(fs::path path) {
  static std::atomic<int> calls = 0;
  return path += text(".", getpid(), ".", calls++, ".tmp");
}

// Removes a file that has not been renamed by then.
struct TemporaryFile {
  explicit TemporaryFile(const fs::path& target) : path(temporary_name(target)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
  fs::path path;
};

}  // namespace

std::string read_file(const fs::path& path) try {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             std::fclose);
  if (file == nullptr) fail_to("read", path, errno);
  std::string bytes;
  std::error_code unknown;
  const std::uintmax_t size = fs::file_size(path, unknown);
  if (!unknown) bytes.reserve(size);
  std::array<char, 1 << 16> chunk;
  std::size_t count = 0;
  while ((count = std::fread(chunk.data(), 1, chunk.size(), file.get())) > 0) {
    bytes.append(chunk.data(), count);
  }
  if (std::ferror(file.get()) != 0) fail_to("read", path, errno);
  return bytes;
} catch (const std::bad_alloc&) {
  fail_to("read", path, ENOMEM);
} catch (const std::length_error&) {
  fail_to("read", path, ENOMEM);
}

void write_files(std::span<const NewFile> files) {
  std::list<TemporaryFile> temporary;
  for (const NewFile& file : files) {
    std::error_code ignored;
    const fs::file_status old = fs::status(file.path, ignored);
    // A directory or a device: renaming would fail late, or replace /dev/null by a file.
    check(!fs::exists(old) || fs::is_regular_file(old), "cannot write ", file.path.string(),
          ": it is ", fs::is_directory(old) ? "a directory" : "not a regular file");
    const fs::path& name = temporary.emplace_back(file.path).path;
    std::FILE* out = std::fopen(name.c_str(), "wb");
    if (out == nullptr) fail_to("write", file.path, errno);
    int error = write_all(out, file.pieces);
    if (std::fclose(out) != 0 && error == 0) error = errno;
    if (error != 0) fail_to("write", file.path, error);
  }
  auto from = temporary.begin();
  for (const NewFile& file : files) {
    if (std::rename((from++)->path.c_str(), file.path.c_str()) != 0) {
      fail_to("write", file.path, errno);
    }
  }
}

void write_file(const fs::path& path, std::string_view bytes) {
  const NewFile file{path, {bytes}};
  write_files({&file, 1});
}

}  // namespace mesagrad
