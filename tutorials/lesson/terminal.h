// Standard output: what it can do, a print that notices when it is gone, and the line that shows that
// something is happening.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/real.h"

namespace mesagrad::lesson {

struct Terminal {
  bool interactive = false;  // lines can be redrawn in place
  bool colour = false;       // and colours are welcome (NO_COLOR is respected)

  int width() const;  // columns; 80 when nobody knows
};

Terminal standard_output();

// Makes sure that descriptors 0 to 2 are open. Otherwise the first file that a program creates
// would become its standard output. Throws Error when standard output itself is closed.
void check_standard_streams();

// Writes to standard output at once, and waits for slow readers. Throws Error when that fails.
void print(std::string_view text);

// The same for standard error, where nobody can be told of a failure.
void print_error(std::string_view text);

// Text with ANSI colours, or the plain text when colour is false.
std::string bold(const std::string& text, bool colour);
std::string faint(const std::string& text, bool colour);
std::string tinted(const std::string& text, int colour_of_256, bool colour);

// Blocks of lines next to each other, each as wide as its widest line.
std::vector<std::string> beside(const std::vector<std::vector<std::string>>& blocks, int gap);

// Lines as one text, two spaces before each.
std::string indented(const std::vector<std::string>& lines);

// Waits of less than a second print nothing.
class Progress {
 public:
  // Of `total` steps, `before` were done by a run that this one resumes.
  Progress(const Terminal& terminal, const std::string& label, Index total, Index before = 0);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  // leaves one line that sums up

  // Steps done so far, with those before. Cheap enough for every step of a fast loop: on a terminal it
  // redraws at most ten times a second, elsewhere it prints a line for about every tenth of the way. Throws
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
