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
  }
  return out;
}

void Tape::backward(const Tensor& loss) {
  check(loss.size() == 1, "backward: a loss of shape ", loss.shape(), " holds ", loss.size(),
        " numbers; it must be a single one");
  start_from(loss);
  loss.grad()[0] += 1;
  replay();
}

void Tape::backward(const Tensor& out, const Tensor& cotangent) {
  check(cotangent.shape() == out.shape(), "backward: result ", out.shape(), " and cotangent ",
        cotangent.shape(), " differ in shape");
  start_from(out);
  real* grad = out.grad();
  for (Index i = 0; i < out.size(); ++i) grad[i] += cotangent[i];
  replay();
}

void Tape::start_from(const Tensor& out) {
  check(!spent_, "backward: this tape has been replayed before; record a new one");
  check(out.has_grad(), "backward: the result does not depend on any tensor that requires a gradient");
  const Entry* origin = last_;
  while (origin != nullptr && origin->out.data() != out.data()) origin = origin->previous;
  check(origin != nullptr, "backward: the result was not computed on this tape");
}

void Tape::replay() {
  spent_ = true;
  for (Entry* entry = last_; entry != nullptr; entry = entry->previous) {
    if (!entry->out.grad_has_part()) continue;  // the loss does not depend on this result
    if (checking_finite()) check_finite(entry->op, "gradient", entry->out.grad(), entry->out);
    entry->backward();
  }
}

bool checking_finite() {
  static const bool on = [] {
    const char* value = std::getenv("CHECK_FINITE");
    return value != nullptr && std::string_view(value) == "1";
  }();
  return on;
}

void Tape::check_finite(const char* op, const char* what, const real* values, const Tensor& out) {
  for (Index i = 0; i < out.size(); ++i) {
    check(std::isfinite(values[i]), op, ": element ", i, " of its ", what, ", shape ", out.shape(),
          ", is ", values[i]);
  }
}

}  // namespace mesagrad
