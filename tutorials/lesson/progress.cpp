#include "tutorials/lesson/progress.h"

#include <algorithm>

#include "tutorials/lesson/numbers.h"
#include "tutorials/lesson/stop.h"
#include "tutorials/lesson/utf8.h"

namespace mesagrad::lesson {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string per_second(double rate) {
  return fixed_number(rate, rate < 1 ? 2 : rate < 10 ? 1 : 0) + " steps/s";
}

std::string bar(double part, int width) {
  const int full = std::clamp(static_cast<int>(part * width), 0, width);
  return repeat("━", full) + repeat("─", width - full);
}

}  // namespace

Progress::Progress(const Terminal& terminal, const std::string& label, Index total, Index before)
    : terminal_(terminal),
      label_(label),
      total_(std::max<Index>(total, 1)),
      before_(before),
      done_(before),
      shown_done_(before) {}

void Progress::update(Index done, std::optional<double> loss) {
  throw_if_interrupted();
  done_ = done;
  loss_ = loss;
  const double now = seconds_since(start_);
  if (time_to_show(now)) show(now);
}

bool Progress::time_to_show(double now) const {
  if (terminal_.interactive) return now >= 1 && now - shown_at_ >= 0.1;
  // Without the percentage rule a log of an hour would have thousands of lines.
  return now - shown_at_ >= 1 && 10 * (done_ - shown_done_) >= total_ && done_ < total_;
}

std::string Progress::numbers(double now) const {
  const double rate = static_cast<double>(done_ - before_) / now;
  std::string text;
  if (loss_) text += "  loss " + pad_right(short_number(*loss_), 8);
  text += "  " + per_second(rate);
  const auto left = static_cast<double>(total_ - done_);
  if (done_ < total_ && rate > 0) text += "  " + duration(left / rate) + " left";
  return text;
}

void Progress::show(double now) {
  shown_at_ = now;
  shown_done_ = done_;
  const double part = static_cast<double>(done_) / static_cast<double>(total_);
  const std::string percent = pad_left(std::to_string(static_cast<int>(100 * part)), 3) + " %";
  if (!terminal_.interactive) {
    print("  " + label_ + "  " + percent + numbers(now) + "\n");
    return;
  }
  const std::string after = " " + percent + numbers(now);
  const int room = terminal_.width() - 5 - columns(label_) - columns(after);
  // A line that wraps cannot be redrawn in place: on a narrow terminal only the percentage is left.
  const std::string line = room >= 8 ? "  " + label_ + "  " + bar(part, std::min(room, 30)) + after
                                     : "  " + percent;
  print("\r\x1b[K" + line);
}

Progress::~Progress() {
  const double now = seconds_since(start_);
  if (now < 1) return;
  std::string line = terminal_.interactive && shown_at_ > 0 ? "\r\x1b[K" : "";
  line += "  " + label_ + ": ";
  if (done_ < total_) line += "stopped after ";
  line += std::to_string(done_ - before_) + (before_ > 0 ? " more" : "") + " steps in " + duration(now);
  if (loss_) line += ", loss " + short_number(*loss_);
  line += ", " + per_second(static_cast<double>(done_ - before_) / now) + "\n";
  try {
    print(line);
  } catch (...) {
    // A destructor must not throw. The next print fails as well, and there it counts.
  }
}

}  // namespace mesagrad::lesson
