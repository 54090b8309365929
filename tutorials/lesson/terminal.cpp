#include "tutorials/lesson/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "tutorials/lesson/process.h"
#include "tutorials/lesson/writing.h"

namespace mesagrad::lesson {
namespace {

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

// Waits as long as the reader of a non-blocking pipe is slow, unless a signal asks to stop. Returns 0 or
// the errno of what failed.
int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(descriptor, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      pollfd ready = {descriptor, POLLOUT, 0};
      poll(&ready, 1, 1000);
      if (interrupted()) return EINTR;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

std::string in_style(const std::string& text, const std::string& style, bool colour) {
  return colour ? "\x1b[" + style + "m" + text + "\x1b[0m" : text;
}

std::string per_second(double rate) {
  return fixed_number(rate, rate < 1 ? 2 : rate < 10 ? 1 : 0) + " steps/s";
}

}  // namespace

int Terminal::width() const {
  winsize size = {};
  if (interactive && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return std::max<int>(size.ws_col, 30);
  }
  return 80;
}

Terminal standard_output() {
  const char* kind = std::getenv("TERM");
  const bool dumb = kind == nullptr || std::strcmp(kind, "dumb") == 0;
  const bool interactive = isatty(STDOUT_FILENO) == 1 && !dumb;
  return {.interactive = interactive, .colour = interactive && !is_set("NO_COLOR")};
}

void check_standard_streams() {
  check(fcntl(STDOUT_FILENO, F_GETFD) != -1, "standard output is closed");
  for (const int descriptor : {STDIN_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) == -1 && open("/dev/null", O_RDWR) != descriptor) {
      fail("descriptor ", descriptor, " is closed and /dev/null cannot be opened");
    }
  }
}

void print(std::string_view text) {
  const int problem = write_all(STDOUT_FILENO, text);
  if (problem == EINTR) throw_if_interrupted();
  check(problem != EPIPE, "nobody reads the standard output any more");
  check(problem == 0, "cannot write to standard output: ", std::strerror(problem));
}

void print_error(std::string_view text) { write_all(STDERR_FILENO, text); }

std::string bold(const std::string& text, bool colour) { return in_style(text, "1", colour); }
std::string faint(const std::string& text, bool colour) { return in_style(text, "2", colour); }

std::string tinted(const std::string& text, int colour_of_256, bool colour) {
  return in_style(text, "38;5;" + std::to_string(colour_of_256), colour);
}

std::vector<std::string> beside(const std::vector<std::vector<std::string>>& blocks, int gap) {
  std::vector<std::string> joined;
  int width = 0;
  for (const std::vector<std::string>& block : blocks) {
    if (joined.size() < block.size()) joined.resize(block.size());
    int widest = 0;
    for (const std::string& line : block) widest = std::max(widest, columns(line));
    for (std::size_t i = 0; i < block.size(); ++i) joined[i] = pad_right(joined[i], width) + block[i];
    width += widest + gap;
  }
  return joined;
}

std::string indented(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "  " + line + "\n";
  return text;
}

Progress::Progress(const Terminal& terminal, const std::string& label, Index total, Index before)
    : terminal_(terminal), label_(label), total_(std::max<Index>(total, 1)), before_(before), done_(before),
      shown_done_(before) {}

double Progress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

double Progress::rate() const { return static_cast<double>(done_ - before_) / seconds(); }

void Progress::update(Index done, std::optional<double> loss) {
  throw_if_interrupted();
  done_ = done;
  loss_ = loss;
  const double now = seconds();
  // Without the rule of tenths a log of an hour would have thousands of lines.
  const bool due = terminal_.interactive
                       ? now >= 1 && now - shown_at_ >= 0.1
                       : now - shown_at_ >= 1 && 10 * (done_ - shown_done_) >= total_ && done_ < total_;
  if (due) show();
}

void Progress::show() {
  shown_at_ = seconds();
  shown_done_ = done_;
  const double part = static_cast<double>(done_) / static_cast<double>(total_);
  const std::string percent = pad_left(std::to_string(static_cast<int>(100 * part)), 3) + " %";
  std::string numbers = percent;
  if (loss_) numbers += "  loss " + pad_right(short_number(*loss_), 8);
  numbers += "  " + per_second(rate());
  if (done_ < total_ && rate() > 0) {
    numbers += "  " + duration(static_cast<double>(total_ - done_) / rate()) + " left";
  }
  if (!terminal_.interactive) {
    print("  " + label_ + "  " + numbers + "\n");
    return;
  }
  const int room = std::min(terminal_.width() - 6 - columns(label_) - columns(numbers), 30);
  const int full = std::clamp(static_cast<int>(part * room), 0, std::max(room, 0));
  // A line that wraps cannot be redrawn in place: on a narrow terminal only the percentage is left.
  print("\r\x1b[K  " +
        (room < 8 ? percent : label_ + "  " + repeat("━", full) + repeat("─", room - full) + " " + numbers));
}

Progress::~Progress() {
  if (seconds() < 1) return;
  std::string line = text(terminal_.interactive && shown_at_ > 0 ? "\r\x1b[K" : "", "  ", label_, ": ",
                          done_ < total_ ? "stopped after " : "", done_ - before_, before_ > 0 ? " more" : "",
                          " steps in ", duration(seconds()));
  if (loss_) line += ", loss " + short_number(*loss_);
  try {
    print(line + ", " + per_second(rate()) + "\n");
  } catch (...) {
    // A destructor must not throw. The next print fails as well, and there it counts.
  }
}

}  // namespace mesagrad::lesson
