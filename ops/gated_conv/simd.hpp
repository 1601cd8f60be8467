#pragma once
// The loops of the gated convolution over rows begin <= r < end of a Csr, for one instruction set.

#include <cstdint>

#include "ops/csr.hpp"

namespace atto::simd {

/// As kernels::GatedConvCall, without the graph.
template <class T>
struct GatedConv {
  std::int64_t width;
  const T *dst, *src, *value, *edge;
  const std::int32_t* kind;
  T epsilon;
};

/// By destination.
template <class Isa, class T>
void gated_conv(const Csr& csr, std::int64_t begin, std::int64_t end, const GatedConv<T>& c, T* y, T* inverse);

/// By destination, with h = g inverse (written to `scaled`): ddst[r] = sum of dz_e = h (value_j - y_r) s_e (1 - s_e).
/// dedge takes dz_e of every edge, or with kinds their sums for these rows, added to what is there. Null if not wanted.
template <class Isa, class T>
void gated_conv_by_destination(const Csr& csr, std::int64_t begin, std::int64_t end, const GatedConv<T>& c, const T* y,
                               const T* inverse, const T* g, T* scaled, T* ddst, T* dedge);

/// By source: dsrc[r] = sum of dz_e, dvalue[r] = sum of s_e h_i. Both are wanted.
template <class Isa, class T>
void gated_conv_by_source(const Csr& csr, std::int64_t begin, std::int64_t end, const GatedConv<T>& c, const T* y,
                          const T* scaled, T* dsrc, T* dvalue);

}  // namespace atto::simd
