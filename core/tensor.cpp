#include "core/tensor.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <new>
#include <numeric>
#include <utility>

namespace mesagrad {

Shape::Shape(std::initializer_list<Index> dims)
    : Shape(std::span<const Index>(dims.begin(), dims.size())) {}

Shape::Shape(std::span<const Index> dims) {
  check(dims.size() <= 4, "shape: ", dims.size(), " dimensions, at most 4 are possible");
  for (const Index dim : dims) {
    check(dim >= 0, "shape: dimension ", rank_, " is ", dim, ", it can't be negative");
    dims_[static_cast<std::size_t>(rank_++)] = dim;
  }
  if (std::find(dims.begin(), dims.end(), 0) != dims.end()) return;
  Index left = most_numbers;  // divided by the dimensions so far
  for (const Index dim : dims) {
    check(dim <= left, "shape: ", *this, " is too large for any memory");
    left /= dim;
  }
}

Index Shape::operator[](Index axis) const {
  const Index i = axis < 0 ? axis + rank_ : axis;
  check(i >= 0 && i < rank_, "shape ", *this, " has no axis ", axis);
  return dims_[static_cast<std::size_t>(i)];
}

Index Shape::size() const {
  const auto end = dims_.begin() + rank_;
  if (std::find(dims_.begin(), end, 0) != end) return 0;
  return std::accumulate(dims_.begin(), end, Index{1}, std::multiplies{});
}

Shape Shape::with_last(Index n) const {
  check(rank_ > 0, "shape () has no last dimension to replace");
  std::array<Index, 4> dims = dims_;
  dims[static_cast<std::size_t>(rank_ - 1)] = n;
  return Shape(std::span<const Index>(dims.data(), static_cast<std::size_t>(rank_)));
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '(';
  for (Index i = 0; i < shape.rank(); ++i) out << (i > 0 ? ", " : "") << shape[i];
  return out << ')';
}

namespace {

// A piece with `header` bytes and then as many numbers, and their slack.
std::shared_ptr<std::byte> numbers(std::size_t header, Index count) {
  const std::size_t used = header + static_cast<std::size_t>(count) * sizeof(real);
  auto piece = allocate(used + tensor_slack);
  std::fill_n(piece.get() + used, tensor_slack, slack_byte);
  if constexpr (!sanitized) return piece;
  std::byte* start = piece.get();
  return {start, [owner = std::move(piece), used](std::byte* p) {
            const std::byte* slack = p + used;
            if (std::count(slack, slack + tensor_slack, slack_byte) == std::ptrdiff_t{tensor_slack}) return;
            std::fputs("a write behind the end of a tensor\n", stderr);
            std::abort();
          }};
}

}  // namespace

Tensor::Tensor(const Shape& shape, real value) : Tensor(uninitialized(shape)) {
  std::fill_n(data(), size_, value);
}

Tensor::Tensor(const Shape& shape, std::span<const real> values) : Tensor(uninitialized(shape)) {
  check(std::ssize(values) == size_, "tensor: shape ", shape, " needs ", size_, " numbers, not ",
        values.size());
  std::copy(values.begin(), values.end(), data());
}

Tensor Tensor::uninitialized(const Shape& shape) {
  Tensor result;
  result.shape_ = shape;
  result.size_ = shape.size();
  const auto piece = numbers(0, result.size_);
  result.data_ = {piece, reinterpret_cast<real*>(piece.get())};
  return result;
}

real Tensor::item() const {
  check(size_ == 1, "item: a tensor of shape ", shape_, " holds ", size_, " numbers, not one");
  return data_.get()[0];
}

Tensor& Tensor::requires_grad() {
  check(defined(), "requires_grad: the tensor is empty");
  constexpr std::size_t header = 64;  // the Gradient, and behind it on a new cache line its numbers
  static_assert(sizeof(Gradient) <= header);
  const auto piece = numbers(header, size_);
  auto* values = reinterpret_cast<real*>(piece.get() + header);
  grad_ = {piece, new (piece.get()) Gradient{values, false}};
  return *this;
}

void Tensor::check_has_grad() const {
  check(has_grad(), "grad: a tensor of shape ", shape_, " has no gradient; call requires_grad()");
}

real* Tensor::grad() const {
  check_has_grad();
  const GradPart part = grad_part();
  if (!part.add) std::fill_n(part.values, size_, real{0});
  return part.values;
}

Tensor::GradPart Tensor::grad_part() const {
  if (!has_grad()) return {};
  return {grad_->values, std::exchange(grad_->holds_part, true)};
}

void Tensor::zero_grad() const {
  check_has_grad();
  grad_->holds_part = false;
}

Tensor Tensor::copy() const {
  check_defined("copy", *this);
  return Tensor(shape_, std::span<const real>(data(), static_cast<std::size_t>(size_)));
}

Tensor Tensor::reshaped(const Shape& shape) const {
  check_defined("reshaped", *this);
  check(shape.size() == size_, "reshaped: ", shape_, " has ", size_, " numbers, ", shape, " needs ",
        shape.size());
  Tensor result = *this;
  result.shape_ = shape;
  return result;
}

}  // namespace mesagrad
