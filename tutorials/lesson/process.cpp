#include "tutorials/lesson/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"
#include "tutorials/lesson/options.h"

namespace mesagrad::lesson {
namespace {

std::atomic<int> received_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may not lock");

}  // namespace

void watch_signals() {
  struct sigaction action = {};
  action.sa_handler = [](int signal_number) { received_signal = signal_number; };
  sigemptyset(&action.sa_mask);
  action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // nohup ignores SIGHUP for us, and that wish is respected.
  struct sigaction inherited = {};
  sigaction(SIGHUP, nullptr, &inherited);
  if (inherited.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
  // The system repeats this one every second until the hard limit: it must not kill on the second time.
  action.sa_flags = static_cast<int>(SA_RESTART);
  sigaction(SIGXCPU, &action, nullptr);
  // These two become errors of the call that writes.
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}

bool interrupted() { return received_signal != 0; }

void throw_if_interrupted() {
  if (const int signal_number = received_signal) throw Interrupted{signal_number};
}

std::string sentence_about(const std::exception_ptr& problem) {
  try {
    std::rethrow_exception(problem);
  } catch (const std::bad_alloc&) {
    return "there is not enough memory";
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "stopped by an exception of an unknown kind";
  }
}

int use_threads(int wanted) {
  if (wanted > 0) omp_set_num_threads(wanted);
  const int count = omp_get_max_threads();
  check(count <= most_threads, "OMP_NUM_THREADS asks for ", count, " threads; at most ", most_threads,
        " are possible");
  std::mutex all_there;
  std::vector<std::thread> others;
  std::string problem;
  {
    const std::scoped_lock hold(all_there);
    try {
      while (std::ssize(others) < count - 1) {
        others.emplace_back([&] { const std::scoped_lock wait(all_there); });
      }
    } catch (...) {
      problem = sentence_about(std::current_exception());
    }
  }
  for (std::thread& thread : others) thread.join();
  check(problem.empty(), "cannot start ", count, " threads: ", problem, "; THREADS= can be fewer");
  return count;
}

std::string machine() {
  utsname system = {};
  uname(&system);
  std::string name = system.machine;
  std::ifstream processors("/proc/cpuinfo");  // Linux
  for (std::string line; std::getline(processors, line);) {
    const std::size_t value = line.find(": ");
    if (line.starts_with("model name") && value != std::string::npos) {
      name = line.substr(value + 2);
      break;
    }
  }
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  return text(name, ", ", cores, cores == 1 ? " core" : " cores");
}

std::string commit() {
  const char* told = std::getenv("MESAGRAD_COMMIT");
  return told == nullptr ? "" : told;
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

}  // namespace mesagrad::lesson
