#pragma once

#include <cstdint>

#include "core/shape.hpp"

namespace atto {

/// Elements of one row: the product of all sizes but the first.
inline std::int64_t row_size(const Shape& shape) {
  std::int64_t size = 1;
  for (int d = 1; d < shape.rank(); ++d) size *= shape[d];
  return size;
}

}  // namespace atto
