#include "tutorials/lesson/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "core/error.h"
#include "core/files.h"

namespace mesagrad::lesson {

void require_writable(const std::string& directory) {
  create_writable(directory);
  remove_abandoned(directory);
}

OnlyRun::OnlyRun(const std::string& directory)
    : descriptor_(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  // Where directories can't be locked, as on some network file systems, nobody is refused.
  const bool taken = flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (!taken) return;
  close(descriptor_);
  fail("another run of this lesson writes to ", directory,
       " at this moment; wait until it ends, or give this one another OUT=");
}

OnlyRun::~OnlyRun() { close(descriptor_); }

void write_together(const std::string& directory, const std::vector<File>& files) {
  std::vector<NewFile> all;
  for (const File& file : files) all.push_back({directory + "/" + file.name, {file.content}});
  write_files(all);
}

}  // namespace mesagrad::lesson
