// Stopping politely: Ctrl-C, SIGTERM, SIGHUP and SIGXCPU set a flag, and long loops look at it.
#pragma once

namespace mesagrad::lesson {

// Not a std::exception, so that no lesson swallows it by accident.
struct Interrupted {
  int signal = 0;
};

// From now on the first signal of each kind asks the lesson to stop; the second one kills it. (The limit
// of processor time asks every second, and does not kill.) Writing to a closed pipe, or beyond the limit
// of a file's size, becomes an error like any other.
void watch_signals();

bool interrupted();
void throw_if_interrupted();

}  // namespace mesagrad::lesson
