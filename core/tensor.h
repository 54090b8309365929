// A Tensor: a shape, and a shared handle to its numbers.
//
// Numbers lie contiguously, the last dimension fastest ("row-major"): element (i, j) of a (R, C)
// tensor is number i*C + j. There are no strides and no views, so two tensors either share all their
// numbers (one is a copy of the other's handle) or none.
//
// Memory comes from the thread's current arena, if there is one (see arena.h; a tape brings one).
//
// A tensor that takes part in differentiation also has a gradient of the same shape: the derivative
// of the loss with respect to each of its numbers, filled in by Tape::backward.
#pragma once
#include <array>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <span>
#include <vector>

#include "core/arena.h"
#include "core/error.h"
#include "core/real.h"

namespace mesagrad {

// Bytes behind the last number of every tensor that may be read, though never used: so a matrix
// product can load whole vectors even where the last row ends in the middle of one. They hold NaN, so
// that numbers which were used, or written over, can be told.
constexpr std::size_t tensor_slack = 192;
constexpr std::byte slack_byte{0xFF};

// Up to four dimensions. The empty shape () is that of a single number.
class Shape {
 public:
  Shape() = default;
  // Throws if there are more than 4, one is negative, or no memory could hold so many numbers.
  Shape(std::initializer_list<Index> dims);
  explicit Shape(std::span<const Index> dims);

  Index rank() const { return rank_; }
  Index operator[](Index axis) const;  // axis -1 is the last one; throws if there is no such axis
  Index size() const;                  // the product of all dimensions

  bool operator==(const Shape& other) const = default;
  Shape with_last(Index n) const;      // the same shape with another last dimension; throws as above

 private:
  std::array<Index, 4> dims_{};
  Index rank_ = 0;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape);  // (256, 50, 40)

class Tensor {
 public:
  Tensor() = default;                                  // no numbers at all, not even one
  explicit Tensor(const Shape& shape, real value = 0);  // filled with one value
  Tensor(const Shape& shape, std::span<const real> values);  // throws if the count does not fit
  Tensor(const Shape& shape, std::initializer_list<real> values)
      : Tensor(shape, std::span<const real>(values.begin(), values.size())) {}

  // Numbers not yet written.
  static Tensor uninitialized(const Shape& shape);

  bool defined() const { return data_ != nullptr; }
  const Shape& shape() const { return shape_; }
  Index dim(Index axis) const { return shape_[axis]; }
  Index size() const { return size_; }
  Index rows() const { return shape_.with_last(1).size(); }  // all dimensions but the last

  // A handle, like a pointer: a const Tensor still gives access to its numbers.
  real* data() const { return data_.get(); }
  real& operator[](Index i) const { return data_.get()[i]; }
  real item() const;  // the number of a one-element tensor; throws if there are more

  // Gives this handle, and the copies made from it later, a gradient (all zero).
  Tensor& requires_grad();
  bool has_grad() const { return grad_ != nullptr; }

  // The gradient's numbers. Zeros until something is added; throws if the tensor has no gradient.
  real* grad() const;

  // For operations that would rather overwrite than add to zeros: `add` says whether the gradient
  // already holds a part. If it is false, the caller must write every element. No values: no gradient.
  struct GradPart {
    real* values = nullptr;
    bool add = false;
    GradPart from(Index place) const { return {values == nullptr ? nullptr : values + place, add}; }
  };
  GradPart grad_part() const;
  bool grad_has_part() const { return has_grad() && grad_->holds_part; }

  void zero_grad() const;

  Tensor copy() const;  // the same numbers in memory of their own, without a gradient

  Tensor reshaped(const Shape& shape) const;  // the same numbers and gradient; throws if sizes differ

 private:
  struct Gradient {
    real* values;
    bool holds_part;  // false: the numbers are not yet written and count as zeros
  };
  void check_has_grad() const;

  Shape shape_;
  Index size_ = 0;
  std::shared_ptr<real> data_;
  std::shared_ptr<Gradient> grad_;
};

// For operations: throws if x is an empty tensor, Tensor().
inline void check_defined(const char* op, const Tensor& x) {
  check(x.defined(), op, ": the argument is an empty tensor");
}

}  // namespace mesagrad
