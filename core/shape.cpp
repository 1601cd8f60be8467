#include "core/shape.hpp"

#include <algorithm>
#include <string>

#include "core/error.hpp"

namespace atto {

void detail::refuse_product(std::int64_t a, std::int64_t b) {
  throw ShapeError({.op = "size",
                    .argument = "product",
                    .got = std::to_string(a) + " x " + std::to_string(b),
                    .expected = "at most 2^63 - 1",
                    .hint = {}});
}

Shape::Shape(std::span<const std::int64_t> sizes) : rank_(static_cast<int>(sizes.size())) {
  if (sizes.size() > kMaxRank)
    throw ShapeError({.op = "Shape",
                      .argument = "rank",
                      .got = std::to_string(sizes.size()),
                      .expected = "at most " + std::to_string(kMaxRank),
                      .hint = {}});
  for (int d = 0; d < rank_; ++d) {
    if (sizes[d] < 0)
      throw ShapeError({.op = "Shape",
                        .argument = "size " + std::to_string(d),
                        .got = std::to_string(sizes[d]),
                        .expected = "at least 0",
                        .hint = {}});
    sizes_[d] = sizes[d];
    numel_ = checked_multiply(numel_, sizes[d]);
  }
}

void Shape::refuse(int dimension) const {
  throw IndexError({.op = "Shape",
                    .argument = "dimension",
                    .got = std::to_string(dimension),
                    .expected = "a dimension of " + str(),
                    .hint = {}});
}

Shape Shape::with(int dimension, std::int64_t size) const {
  (void)(*this)[dimension];
  std::array<std::int64_t, kMaxRank> sizes = sizes_;
  sizes[dimension < 0 ? dimension + rank_ : dimension] = size;
  return Shape(std::span<const std::int64_t>(sizes.data(), rank_));
}

std::string Shape::str() const {
  std::string text = "[";
  for (int d = 0; d < rank_; ++d) text += (d ? "," : "") + std::to_string(sizes_[d]);
  return text + "]";
}

Shape broadcast(const Shape& a, const Shape& b, const char* op) {
  if (a == b) return a;
  const int rank = std::max(a.rank(), b.rank());
  std::array<std::int64_t, Shape::kMaxRank> sizes{};
  for (int d = 1; d <= rank; ++d) {
    const std::int64_t size_a = d <= a.rank() ? a[-d] : 1;
    const std::int64_t size_b = d <= b.rank() ? b[-d] : 1;
    if (size_a != size_b && size_a != 1 && size_b != 1)
      throw ShapeError({.op = op,
                        .argument = "shapes",
                        .got = a.str() + " and " + b.str(),
                        .expected = "sizes that are equal or 1, aligned from the right",
                        .hint = {}});
    sizes[rank - d] = size_a == 1 ? size_b : size_a;
  }
  return Shape(std::span<const std::int64_t>(sizes.data(), rank));
}

}  // namespace atto
