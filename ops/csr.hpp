#pragma once
// What kernels see of a graph, of the segments of a batch, or of an index sorted by row: entries grouped by the row
// that owns them. Plain pointers, so that *_simd.cpp can include it.

#include <cstdint>

namespace atto {

/// Row r owns the entries offsets[r] <= t < offsets[r + 1].
struct Csr {
  std::int64_t rows = 0;
  std::int64_t columns = 0;  ///< nodes at the other end, or entries when there is no `column`
  std::int64_t entries = 0;
  const std::int32_t* offsets = nullptr;  ///< [rows + 1]
  const std::int32_t* column = nullptr;   ///< [entries] the node at the other end of entry t; null: t itself
  const std::int32_t* edge = nullptr;     ///< [entries] where entry t lies in edge tensors; null: t itself
};

}  // namespace atto
