#include "core/tape.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace mesagrad {
namespace {

thread_local Tape* current_tape = nullptr;

}  // namespace

Tape* Tape::current() { return current_tape; }

Tape::Tape(Arena& arena) : arena_(arena), outer_(current_tape) {
  for (const Tape* tape = outer_; tape != nullptr; tape = tape->outer_) {
    check(&tape->arena_ != &arena_, "tape: an outer tape is using this arena");
  }
  current_tape = this;
}

Tape::~Tape() {
  while (last_ != nullptr) {
    Entry* entry = std::exchange(last_, last_->previous);
    entry->~Entry();
  }
  arena_.reset();
  current_tape = outer_;
}

Tensor Tape::output(const Shape& shape, std::initializer_list<const Tensor*> arguments) {
  Tensor out = Tensor::uninitialized(shape);
  const auto has_grad = [](const Tensor* t) { return t->has_grad(); };
  if (current_tape != nullptr && std::any_of(arguments.begin(), arguments.end(), has_grad)) {
    out.requires_grad();
    if (checking_finite()) {
      current_tape->arguments_.clear();
      for (const Tensor* t : arguments) {
        if (t->has_grad()) current_tape->arguments_.push_back(*t);
      }
    }
  }
  return out;
}

void Tape::backward(const Tensor& loss) {
  check(loss.size() == 1, "backward: a loss of shape ", loss.shape(), " holds ", loss.size(),
        " numbers; it must be a single one");
  backward(loss, Tensor(loss.shape(), 1));
}

void Tape::backward(const Tensor& out, const Tensor& cotangent) {
  check_defined("backward", cotangent);
  check(cotangent.shape() == out.shape(), "backward: result ", out.shape(), " and cotangent ",
        cotangent.shape(), " differ in shape");
  check(!spent_, "backward: this tape has been replayed before; record a new one");
  check(out.has_grad(), "backward: the result does not depend on any tensor that requires a gradient");
  check(computed_by(last_, out), "backward: the result was not computed on this tape");
  spent_ = true;
  // A result has something to pass on if something came to it (Tensor::grad_has_part); run(entry) does it.
  // exercise 2.1: give `out` its gradient, then run all entries with something to pass on, the last one first
  real* grad = out.grad();
  for (Index i = 0; i < out.size(); ++i) grad[i] += cotangent[i];
  for (Entry* entry = last_; entry != nullptr; entry = entry->previous) {
    if (!entry->out.grad_has_part()) continue;  // the loss does not depend on this result
    run(*entry);
  }
  // end 2.1
}

void Tape::run(Entry& entry) {
  if (checking_finite()) check_finite(entry.op, "gradient", entry.out.grad(), entry.out);
  entry.backward();
  if (checking_finite()) check_leaves(entry);
}

bool Tape::computed_by(const Entry* entry, const Tensor& x) {
  while (entry != nullptr && entry->out.data() != x.data()) entry = entry->previous;
  return entry != nullptr;
}

bool checking_finite() {
  static const bool on = [] {
    const char* value = std::getenv("CHECK_FINITE");
    const std::string_view setting = value == nullptr ? "" : value;
    check(setting == "1" || setting == "0" || setting.empty(), "CHECK_FINITE is '", setting,
          "'; it must be 1 or 0");
    return setting == "1";
  }();
  return on;
}

void Tape::check_finite(const char* op, const char* what, const real* values, const Tensor& x) {
  for (Index i = 0; i < x.size(); ++i) {
    check(std::isfinite(values[i]), op, ": element ", i, " of its ", what, ", shape ", x.shape(), ", is ",
          values[i]);
  }
}

// Leaves are arguments that no operation of this tape computed: the gradients of the others are checked
// when it is their operation's turn.
void Tape::check_leaves(const Entry& entry) {
  for (const Tensor& x : entry.arguments) {
    if (computed_by(entry.previous, x) || !x.grad_has_part()) continue;
    check_finite(entry.op, "argument's gradient", x.grad(), x);
  }
}

}  // namespace mesagrad
