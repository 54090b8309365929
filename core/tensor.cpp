#include "core/tensor.h"

#include <algorithm>
#include <new>
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
}

Index Shape::operator[](Index axis) const {
  const Index i = axis < 0 ? axis + rank_ : axis;
  check(i >= 0 && i < rank_, "shape ", *this, " has no axis ", axis);
  return dims_[static_cast<std::size_t>(i)];
}

Index Shape::size() const {
  Index product = 1;
  for (Index i = 0; i < rank_; ++i) product *= (*this)[i];
  return product;
}

Shape Shape::with_last(Index n) const {
  check(rank_ > 0, "shape () has no last dimension to replace");
  Shape result = *this;
  result.dims_[static_cast<std::size_t>(rank_ - 1)] = n;
  return result;
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '(';
  for (Index i = 0; i < shape.rank(); ++i) out << (i > 0 ? ", " : "") << shape[i];
  return out << ')';
}

namespace {

std::shared_ptr<real> numbers(Index count) {
  const auto bytes = static_cast<std::size_t>(count) * sizeof(real) + tensor_slack;
  const auto piece = allocate(bytes);
  return {piece, reinterpret_cast<real*>(piece.get())};
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
  result.data_ = numbers(result.size_);
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
  const auto bytes = static_cast<std::size_t>(size_) * sizeof(real) + tensor_slack;
  const auto piece = allocate(header + bytes);
  auto* values = reinterpret_cast<real*>(piece.get() + header);
  grad_ = {piece, new (piece.get()) Gradient{values, false}};
  return *this;
}

Tensor::Gradient& Tensor::gradient() const {
  check(has_grad(), "grad: a tensor of shape ", shape_, " has no gradient; call requires_grad()");
  return *grad_;
}

real* Tensor::grad() const {
  const GradPart part = grad_part();
  if (!part.add) std::fill_n(part.values, size_, real{0});
  return part.values;
}

Tensor::GradPart Tensor::grad_part() const {
  Gradient& g = gradient();
  return {g.values, std::exchange(g.holds_part, true)};
}

void Tensor::zero_grad() const { gradient().holds_part = false; }

Tensor Tensor::copy() const {
  return Tensor(shape_, std::span<const real>(data(), static_cast<std::size_t>(size_)));
}

Tensor Tensor::reshaped(const Shape& shape) const {
  check(shape.size() == size_, "reshaped: ", shape_, " has ", size_, " numbers, ", shape, " needs ",
        shape.size());
  Tensor result = *this;
  result.shape_ = shape;
  return result;
}

}  // namespace mesagrad
