#include "core/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <list>
#include <memory>
#include <new>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "core/error.h"

namespace mesagrad {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view temporary_prefix = ".mesagrad-", temporary_suffix = ".tmp";

// `error` is the errno of the step that failed.
[[noreturn]] void fail_to(const char* verb, const fs::path& path, int error) {
  fail("cannot ", verb, " ", path.string(), ": ", std::generic_category().message(error));
}

// Where a path ends when its symbolic links are followed, whether or not there is a file yet.
fs::path followed(const fs::path& path) {
  fs::path end = path;
  std::error_code error;
  for (int links = 0; fs::is_symlink(end, error); ++links) {
    if (links == 40) fail_to("write", path, ELOOP);
    const fs::path target = fs::read_symlink(end, error);
    if (error) fail_to("write", path, error.value());
    end = directory_of(end) / target;
  }
  return end;
}

// A new file next to its target, which is gone in the end unless it has been renamed. Its name is
// short, because the target's may be as long as a name can be. It is locked as long as it is open: so
// everyone can tell it from the files of programs that were killed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const fs::path& target) {
    static std::atomic<int> calls = 0;
    do {
      path_ = directory_of(target) / text(temporary_prefix, getpid(), "-", calls++, temporary_suffix);
      close(descriptor_);
      descriptor_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (descriptor_ == -1 && errno != EEXIST) fail_to("write", target, errno);
    } while (!lock());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    std::error_code ignored;
    fs::remove(path_, ignored);
    close(descriptor_);
  }

  const fs::path& path() const { return path_; }

  // Returns 0, or the errno of the first step that failed.
  int write_all(std::span<const std::string_view> pieces) const {
    for (std::string_view piece : pieces) {
      while (!piece.empty()) {
        const std::size_t most = std::min<std::size_t>(piece.size(), 1 << 30);  // macOS takes no more
        const ssize_t count = write(descriptor_, piece.data(), most);
        if (count >= 0) {
          piece.remove_prefix(static_cast<std::size_t>(count));
        } else if (errno != EINTR) {
          return errno;
        }
      }
    }
    // Some file systems notice only now that they are full.
    return fsync(descriptor_) != 0 ? errno : 0;
  }

 private:
  // False if there is no file, or if somebody took it for an abandoned one before it was locked.
  bool lock() const {
    struct stat state = {};
    if (descriptor_ == -1) return false;
    flock(descriptor_, LOCK_EX);
    return fstat(descriptor_, &state) != 0 || state.st_nlink > 0;
  }

  fs::path path_;
  int descriptor_ = -1;
};

}  // namespace

fs::path directory_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

std::string read_file(const fs::path& path) try {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
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

void check_replaceable(const fs::path& path) {
  std::error_code ignored;
  const fs::file_status old = fs::status(path, ignored);
  // A directory or a device: renaming would fail late, or replace /dev/null by a file.
  check(!fs::exists(old) || fs::is_regular_file(old), "cannot write ", path.string(), ": it is ",
        fs::is_directory(old) ? "a directory" : "not a regular file");
}

void write_files(std::span<const NewFile> files) {
  std::list<TemporaryFile> temporary;
  std::vector<fs::path> targets;
  for (const NewFile& file : files) {
    check_replaceable(file.path);
    const fs::path& target = targets.emplace_back(followed(file.path));
    if (const int error = temporary.emplace_back(target).write_all(file.pieces)) {
      fail_to("write", file.path, error);
    }
  }
  auto from = temporary.begin();
  for (const fs::path& target : targets) {
    if (std::rename((from++)->path().c_str(), target.c_str()) != 0) fail_to("write", target, errno);
  }
}

void write_file(const fs::path& path, std::string_view bytes) {
  const NewFile file{path, {bytes}};
  write_files({&file, 1});
}

void create_writable(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  check(!error, "cannot create the directory ", directory.string(), ": ", error.message());
  const std::string_view bytes = "Can I write here?\n";
  const int problem = TemporaryFile(directory / "").write_all({&bytes, 1});
  if (problem != 0) fail_to("write in", directory, problem);
}

void remove_abandoned(const fs::path& directory) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(temporary_prefix) || !name.ends_with(temporary_suffix)) continue;
    const int file = open(entry.path().c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file != -1 && flock(file, LOCK_EX | LOCK_NB) == 0) fs::remove(entry.path(), ignored);
    if (file != -1) close(file);
  }
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace mesagrad
