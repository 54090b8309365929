// The line that shows that something is happening. Waits of less than a second print nothing.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "core/real.h"
#include "tutorials/lesson/terminal.h"

namespace mesagrad::lesson {

class Progress {
 public:
  // Of `total` steps, `before` were done by a run that this one resumes.
  Progress(const Terminal& terminal, const std::string& label, Index total, Index before = 0);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  // leaves one line that sums up

  // Steps done so far, with those before. Cheap enough for every step of a fast loop: on a terminal it redraws
  // at most ten times a second, elsewhere it prints a line for about every tenth of the way. Throws
  // Interrupted after Ctrl-C.
  void update(Index done, std::optional<double> loss = {});

 private:
  double seconds() const;
  double rate() const;  // steps per second, of this run
  void show();

  Terminal terminal_;
  std::string label_;
  Index total_, before_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  Index done_;
  std::optional<double> loss_ = {};
  double shown_at_ = 0;  // seconds; 0: not yet
  Index shown_done_;
};

}  // namespace mesagrad::lesson
