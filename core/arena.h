// Memory that one training step fills and the next one uses again.
//
// An arena hands out pieces of one large block, front to back, and forgets them all at once in
// reset(). Every piece is a shared_ptr that keeps its whole block alive, so a tensor that outlives
// the step stays valid: reset() sees that somebody still holds the block, leaves it to that holder, and goes
// on with a fresh one. After the first step nothing is asked of the system any more.
//
// Not so under the address sanitizer: there every piece is a block of its own, so that the sanitizer sees
// what is written or read behind its end.
#pragma once
#include <cstddef>
#include <memory>
#include <vector>

namespace mesagrad {

#if defined(__SANITIZE_ADDRESS__)  // g++
#define MESAGRAD_SANITIZED
#elif defined(__has_feature)  // clang
#if __has_feature(address_sanitizer)
#define MESAGRAD_SANITIZED
#endif
#endif
#ifdef MESAGRAD_SANITIZED
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

class Arena {
 public:
  // `bytes` uninitialized bytes that start on a cache line (64 bytes). Throws std::bad_alloc if there are
  // not so many.
  std::shared_ptr<std::byte> allocate(std::size_t bytes);

  // Forgets every piece. Memory that nobody holds any more is used again.
  void reset();

  // What the arena holds from the system, in bytes.
  std::size_t capacity() const;

  // Where this thread's new tensors go, or nullptr: then each gets memory of its own.
  static Arena* current();

  // Makes an arena the current one until the end of a scope.
  class Scope {
   public:
    explicit Scope(Arena& arena);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena* outer_;
  };

 private:
  struct Block {
    std::shared_ptr<std::byte> memory;
    std::size_t size = 0;
  };
  std::vector<Block> blocks_;  // pieces come from the last one
  std::size_t used_ = 0;       // bytes of the last block that are handed out
};

// A piece from the current arena or, without one, from the system.
std::shared_ptr<std::byte> allocate(std::size_t bytes);

}  // namespace mesagrad
