#include "tutorials/lesson/progress.h"

#include <algorithm>

#include "core/error.h"
#include "tutorials/lesson/process.h"
#include "tutorials/lesson/writing.h"

namespace mesagrad::lesson {
namespace {

std::string per_second(double rate) {
  return fixed_number(rate, rate < 1 ? 2 : rate < 10 ? 1 : 0) + " steps/s";
}

}  // namespace

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
  print("\r\x1b[K  " + (room < 8 ? percent
                                 : label_ + "  " + repeat("━", full) + repeat("─", room - full) + " " + numbers));
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
