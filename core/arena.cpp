#include "core/arena.h"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

namespace mesagrad {
namespace {

constexpr std::size_t cache_line = 64;
constexpr std::size_t first_block = std::size_t{1} << 18;

thread_local Arena* current_arena = nullptr;

std::shared_ptr<std::byte> allocate_block(std::size_t bytes) {
  constexpr auto align = std::align_val_t{cache_line};
  return {static_cast<std::byte*>(::operator new(bytes, align)),
          [](std::byte* p) { ::operator delete(p, align); }};
}

}  // namespace

std::shared_ptr<std::byte> allocate(std::size_t bytes) {
  return current_arena != nullptr ? current_arena->allocate(bytes) : allocate_block(bytes);
}

Arena* Arena::current() { return current_arena; }

Arena::Scope::Scope(Arena& arena) : outer_(std::exchange(current_arena, &arena)) {}

Arena::Scope::~Scope() { current_arena = outer_; }

std::shared_ptr<std::byte> Arena::allocate(std::size_t bytes) {
  if (sanitized) {
    blocks_.push_back({allocate_block(bytes), bytes});
    return blocks_.back().memory;
  }
  if (bytes > std::numeric_limits<std::size_t>::max() / 2) throw std::bad_alloc();
  bytes = (bytes + cache_line - 1) / cache_line * cache_line;
  if (blocks_.empty() || bytes > blocks_.back().size - used_) {
    const std::size_t size = std::max({bytes, first_block, capacity()});
    blocks_.push_back({allocate_block(size), size});
    used_ = 0;
  }
  const auto& memory = blocks_.back().memory;
  std::shared_ptr<std::byte> piece(memory, memory.get() + used_);
  used_ += bytes;
  return piece;
}

void Arena::reset() {
  if (sanitized) return blocks_.clear();
  const std::size_t size = capacity();
  std::erase_if(blocks_, [](const Block& block) { return block.memory.use_count() > 1; });
  if (blocks_.size() > 1) {  // one block that holds what they all held
    blocks_.clear();
    blocks_.push_back({allocate_block(size), size});
  }
  used_ = 0;
}

std::size_t Arena::capacity() const {
  std::size_t sum = 0;
  for (const Block& block : blocks_) sum += block.size;
  return sum;
}

}  // namespace mesagrad
