// Reverse-mode differentiation with a tape.
//
//     Tensor a({}, 1);  a.requires_grad();
//     Tape tape;                 // from here on this thread's operations are written down
//     Tensor b = a + a;          // entry 1: how to pass db on to da
//     Tensor c = b + b;          // entry 2: how to pass dc on to db
//     tape.backward(c);          // dc = 1; entry 2: db = dc + dc = 2; entry 1: da = db + db = 4
//
// An operation runs at once, and leaves a closure on the tape that knows its backward step: given the
// gradient of its result, ADD the right amounts to the gradients of its arguments. Replaying the
// closures from last to first is the chain rule. No sorting is needed: an operation can only use
// results that already exist, so the order of execution is an order in which every user of b comes
// after b, and, going backwards, db is complete before entry 1 reads it. Adding matters too: a is used
// twice in b = a + a, and both uses count.
#pragma once
#include <initializer_list>
#include <new>
#include <utility>
#include <vector>

#include "core/arena.h"
#include "core/tensor.h"

namespace mesagrad {

class Tape {
 public:
  Tape() : Tape(own_arena_) {}
  // Results and closures live in this arena. It must outlive the tape, and serves one tape at a time:
  // throws if an outer tape uses it.
  explicit Tape(Arena& arena);
  ~Tape();                      // forgets the entries; whatever nobody else holds is used again
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  // Replays the tape with d(loss)/d(loss) = 1. Throws if the loss is not a single number, was not
  // computed on this tape, or if the tape has been replayed before (its gradients would count twice).
  void backward(const Tensor& loss);

  // The same for a result of any shape: starts from d(out) = cotangent, of the same shape.
  void backward(const Tensor& out, const Tensor& cotangent);

  // For operations: a place for a result, uninitialized. It has a gradient if this thread has a tape
  // and one of the arguments has a gradient.
  static Tensor output(const Shape& shape, std::initializer_list<const Tensor*> arguments);

  // For operations: writes the backward step of the last output down, if it has a gradient. A closure that
  // finds out.grad() must pass it on to the arguments that have a gradient.
  template <class Backward>
  static void record(const char* op, const Tensor& out, Backward backward);

  // The innermost tape of this thread, or nullptr.
  static Tape* current();

 private:
  struct Entry {
    Entry(const char* name, const Tensor& result, Entry* before)
        : op(name), out(result), previous(before) {}
    virtual ~Entry() = default;
    virtual void backward() = 0;
    const char* op;
    Tensor out;
    Entry* previous;
    std::vector<Tensor> arguments;  // with a gradient; only kept if checking_finite()
  };
  template <class Backward>
  struct Closure final : Entry {
    Closure(const char* name, const Tensor& result, Entry* before, Backward f)
        : Entry(name, result, before), step(std::move(f)) {}
    void backward() override { step(); }
    Backward step;
  };

  static bool computed_by(const Entry* entry, const Tensor& x);  // or by an entry before it
  static void run(Entry& entry);                                 // its backward step
  static void check_finite(const char* op, const char* what, const real* values, const Tensor& x);
  static void check_leaves(const Entry& entry);

  Arena own_arena_;
  Arena& arena_;
  Arena::Scope scope_{arena_};
  Entry* last_ = nullptr;
  Tape* outer_;
  bool spent_ = false;
  std::vector<Tensor> arguments_;  // of the last output, like those of an entry
};

// True if the environment says CHECK_FINITE=1: the first operation whose result (or whose result's
// gradient, or what its backward step adds to the gradient of a parameter) contains a NaN or an infinity
// then throws, and says its name. Throws if CHECK_FINITE is neither 1 nor 0 nor empty.
bool checking_finite();

template <class Backward>
void Tape::record(const char* op, const Tensor& out, Backward backward) {
  if (checking_finite()) check_finite(op, "result", out.data(), out);
  if (!out.has_grad()) return;
  Tape& tape = *current();
  using Step = Closure<Backward>;
  static_assert(alignof(Step) <= 64);
  void* place = tape.arena_.allocate(sizeof(Step)).get();
  tape.last_ = new (place) Step(op, out, tape.last_, std::move(backward));
  if (checking_finite()) tape.last_->arguments = std::exchange(tape.arguments_, {});
}

}  // namespace mesagrad
