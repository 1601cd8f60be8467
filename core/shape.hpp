#pragma once
// The sizes of a tensor, held inline: a shape never allocates.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace atto {

namespace detail {
[[noreturn]] void refuse_product(std::int64_t a, std::int64_t b);
}

/// a * b, or ShapeError when the product does not fit 63 bits.
inline std::int64_t checked_multiply(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) detail::refuse_product(a, b);
  return product;
}

/// Up to six sizes, row-major, each >= 0, whose product fits 63 bits (checked when built). Rank 0 is a scalar.
class Shape {
 public:
  static constexpr int kMaxRank = 6;

  constexpr Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const std::int64_t> sizes);
  /// [0]: what a tensor that is not there has.
  static constexpr Shape nothing() noexcept {
    Shape shape;
    shape.numel_ = 0;
    shape.rank_ = 1;
    return shape;
  }

  int rank() const noexcept { return rank_; }
  std::int64_t numel() const noexcept { return numel_; }
  /// Size of a dimension; negative counts from the end. IndexError outside.
  std::int64_t operator[](int dimension) const {
    const int d = dimension < 0 ? dimension + rank_ : dimension;
    if (d < 0 || d >= rank_) refuse(dimension);
    return sizes_[d];
  }
  const std::int64_t* begin() const noexcept { return sizes_.data(); }
  const std::int64_t* end() const noexcept { return sizes_.data() + rank_; }
  friend bool operator==(const Shape& a, const Shape& b) noexcept {
    if (a.rank_ != b.rank_) return false;
    for (int d = 0; d < a.rank_; ++d)
      if (a.sizes_[d] != b.sizes_[d]) return false;
    return true;
  }

  /// The same shape with one dimension replaced.
  Shape with(int dimension, std::int64_t size) const;
  /// "[2,3]"
  std::string str() const;

 private:
  [[noreturn]] void refuse(int dimension) const;

  std::array<std::int64_t, kMaxRank> sizes_{};
  std::int64_t numel_ = 1;
  int rank_ = 0;
};

/// NumPy broadcasting: right-aligned, size 1 stretches. ShapeError naming `op` when the shapes do not fit.
Shape broadcast(const Shape& a, const Shape& b, const char* op);

}  // namespace atto
