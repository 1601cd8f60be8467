#pragma once
// A contiguous, row-major array of one element type. Views share storage by reshape or by a range of the leading
// dimension.

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/dtype.hpp"
#include "core/shape.hpp"
#include "core/storage.hpp"

namespace atto {

/// A handle: copying shares the memory, `clone()` copies it. A default-constructed tensor is undefined.
/// Tensors have no operators and no gradients; computing is the business of ops/, differentiating that of autograd/.
class Tensor {
 public:
  Tensor() = default;
  Tensor(const Tensor&) = default;
  Tensor& operator=(const Tensor&) = default;
  /// What is moved from is undefined, but still tells shape and type.
  Tensor(Tensor&& other) noexcept
      : storage_(std::move(other.storage_)),
        data_(std::exchange(other.data_, nullptr)),
        shape_(other.shape_),
        dtype_(other.dtype_) {}
  Tensor& operator=(Tensor&& other) noexcept {
    storage_ = std::move(other.storage_);
    data_ = std::exchange(other.data_, nullptr);
    shape_ = other.shape_;
    dtype_ = other.dtype_;
    return *this;
  }

  /// Uninitialised memory.
  static Tensor empty(const Shape& shape, DType dtype = DType::float32, Device device = {});
  static Tensor zeros(const Shape& shape, DType dtype = DType::float32, Device device = {});
  static Tensor full(const Shape& shape, double value, DType dtype = DType::float32, Device device = {});
  /// Copies host values; ShapeError when their number is not that of the shape.
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape);
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }
  template <class T>
  static Tensor from(std::initializer_list<T> values, const Shape& shape) {
    return from(std::span<const T>(values.begin(), values.size()), shape);
  }
  /// Rank 1.
  template <class T>
  static Tensor from(const std::vector<T>& values) {
    return from(std::span<const T>(values), Shape{static_cast<std::int64_t>(values.size())});
  }

  bool defined() const noexcept { return static_cast<bool>(storage_); }
  explicit operator bool() const noexcept { return defined(); }
  const Shape& shape() const noexcept { return shape_; }
  std::int64_t size(int dimension) const { return shape_[dimension]; }
  int rank() const noexcept { return shape_.rank(); }
  std::int64_t numel() const noexcept { return defined() ? shape_.numel() : 0; }
  std::int64_t bytes() const noexcept { return numel() * static_cast<std::int64_t>(size_of(dtype_)); }
  DType dtype() const noexcept { return dtype_; }
  Device device() const noexcept { return storage_.device(); }
  const Storage& storage() const noexcept { return storage_; }

  /// Pointer to the first element; TypeError when T is not the element type. CPU memory only.
  template <class T>
  T* data() const {
    if (dtype_of<T> != dtype_) wrong_type(dtype_of<T>);
    return reinterpret_cast<T*>(raw());
  }
  /// All elements in row-major order.
  template <class T>
  std::span<T> values() const {
    return {data<T>(), static_cast<std::size_t>(numel())};
  }
  std::byte* raw() const noexcept { return data_; }
  /// The only element as a double; ShapeError when there is not exactly one.
  double item() const;

  /// Same memory, other sizes; one size may be -1 (computed). ShapeError when the numbers of elements differ.
  Tensor reshape(const Shape& shape) const;
  Tensor reshape(std::initializer_list<std::int64_t> sizes) const;
  /// Rows begin <= i < end of the leading dimension, sharing memory.
  Tensor rows(std::int64_t begin, std::int64_t end) const;
  /// A copy with memory of its own.
  Tensor clone() const;
  /// A copy with another element type (the tensor itself when the type is the same). Values are cast as C++ casts them.
  Tensor to(DType dtype) const;
  /// Overwrites all elements.
  void fill(double value) const;
  /// Copies the elements of a tensor of equal shape and dtype into this memory.
  void copy_from(const Tensor& source) const;
  /// Lets go of the memory and becomes undefined, but still tells shape and type: what the tape keeps of a value that
  /// nobody will read again.
  void let_go() noexcept {
    storage_ = {};
    data_ = nullptr;
  }

  /// "float32[2,3]"
  std::string str() const;

 private:
  Tensor(Storage&& storage, const Shape& shape, DType dtype) noexcept
      : storage_(std::move(storage)), data_(storage_.data()), shape_(shape), dtype_(dtype) {}
  [[noreturn]] void wrong_type(DType asked) const;

  Storage storage_;
  std::byte* data_ = nullptr;
  Shape shape_ = Shape::nothing();
  DType dtype_ = DType::float32;
};

/// True when both are undefined, or have the same shape, type and bytes (NaN equals NaN of the same bits).
bool bit_equal(const Tensor& a, const Tensor& b);

}  // namespace atto
