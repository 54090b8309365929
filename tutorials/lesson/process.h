// The process in which a lesson runs: how it is stopped, its threads, and its place for results.
#pragma once
#include <exception>
#include <string>

namespace mesagrad::lesson {

// Not a std::exception, so that no lesson swallows it by accident.
struct Interrupted {
  int signal = 0;
};

// From now on the first Ctrl-C, SIGTERM, SIGHUP or SIGXCPU sets a flag, at which long loops look, and the
// second one kills. (The limit of processor time asks every second, and does not kill.) Writing to a closed
// pipe, or beyond the limit of a file's size, becomes an error like any other.
void watch_signals();

bool interrupted();
void throw_if_interrupted();

// Sets OpenMP's number of threads, unless `wanted` is 0, and returns it. Throws Error if the system does not
// give so many (OpenMP would end the program).
int use_threads(int wanted);

// Its processor, as the system calls it, and how many cores it has.
std::string machine();

// The commit that make made into this program, as it says in MESAGRAD_COMMIT=, with -dirty behind it if files
// were changed since; "" if it says nothing.
std::string commit();

// One sentence about an exception.
std::string sentence_about(const std::exception_ptr& problem);

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

}  // namespace mesagrad::lesson
