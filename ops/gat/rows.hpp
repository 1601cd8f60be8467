#pragma once
// What the loops of this folder over blocks of rows share.

#include <algorithm>
#include <cstdint>

#include "ops/csr.hpp"
#include "ops/gat/gat.hpp"
#include "ops/gat/simd.hpp"

namespace atto::kernels {

/// Dropout of numbers [E,heads], for the edges of rows begin <= r < end.
template <class Isa, class T>
void drop_rows(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads, const GatOptions& o,
               T* weights) {
  if (o.dropout == 0) return;
  const auto threshold = static_cast<std::uint32_t>(std::min(o.dropout * 4294967296.0, 4294967295.0));
  simd::drop<Isa>(o.random.seed, o.random.stream, threshold, static_cast<T>(1 / (1 - o.dropout)),
                  csr.offsets[begin] * heads, csr.offsets[end] * heads, weights);
}

}  // namespace atto::kernels
