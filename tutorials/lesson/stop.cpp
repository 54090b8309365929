#include "tutorials/lesson/stop.h"

#include <signal.h>

#include <atomic>

namespace mesagrad::lesson {
namespace {

std::atomic<int> received_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may not lock");

void remember(int signal_number) { received_signal = signal_number; }

}  // namespace

void watch_signals() {
  struct sigaction action = {};
  action.sa_handler = remember;
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

}  // namespace mesagrad::lesson
