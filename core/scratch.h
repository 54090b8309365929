// Memory for the inside of one operation, kept by each thread from call to call. One Scratch at a time:
// a new one forgets what the last one gave.
#pragma once
#include "core/arena.h"
#include "core/real.h"

namespace mesagrad {

class Scratch {
 public:
  Scratch() { memory().reset(); }

  // `count` numbers or vectors, uninitialized.
  template <class T>
  T* take(Index count) {
    return reinterpret_cast<T*>(memory().allocate(static_cast<std::size_t>(count) * sizeof(T)).get());
  }

 private:
  static Arena& memory() {
    thread_local Arena arena;
    return arena;
  }
};

}  // namespace mesagrad
