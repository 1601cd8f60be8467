#pragma once
// Operations that move values without computing.

#include <initializer_list>
#include <span>
#include <vector>

#include "autograd/var.hpp"
#include "core/device.hpp"

namespace atto {

extern const Schema reshape_schema, concat_schema, slice_schema;

/// The same values under other sizes, sharing the memory. ShapeError when the numbers of elements differ. Cost: none.
Var reshape(const Var& x, const Shape& shape);
/// One size may be -1: it is computed.
Var reshape(const Var& x, std::initializer_list<std::int64_t> sizes);

/// Inputs one after another along a dimension (negative counts from the end); all other sizes agree (ShapeError). At
/// least one input. Cost: every value moved once.
Var concat(std::span<const Var> parts, int dimension);
inline Var concat(std::initializer_list<Var> parts, int dimension) {
  return concat(std::span(parts.begin(), parts.size()), dimension);
}

/// Places begin <= i < end of a dimension; along the leading one it shares the memory. IndexError outside. The gradient
/// is zero elsewhere. Cost: the values of the result moved once, none along the leading dimension.
Var slice(const Var& x, int dimension, std::int64_t begin, std::int64_t end);
/// slice along the leading dimension
Var rows(const Var& x, std::int64_t begin, std::int64_t end);

/// Cuts a dimension into parts of the given sizes, which add up to its size (ShapeError otherwise).
std::vector<Var> split(const Var& x, std::span<const std::int64_t> sizes, int dimension);
inline std::vector<Var> split(const Var& x, std::initializer_list<std::int64_t> sizes, int dimension) {
  return split(x, std::span(sizes.begin(), sizes.size()), dimension);
}

}  // namespace atto
