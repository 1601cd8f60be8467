#include <algorithm>

#include "ops/csr_views.hpp"
#include "ops/segment/segment.hpp"

namespace atto::kernels {

// By rows of the result, not by segments: one large segment still keeps all threads busy.
template <class T>
void segment_broadcast(Cpu, const Csr& segments, std::int64_t width, const T* x, T* y) {
  parallel_for(segments.entries, width, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t s = std::upper_bound(segments.offsets, segments.offsets + segments.rows, begin) - segments.offsets - 1;
    for (std::int64_t n = begin; n < end; ++n) {
      while (n >= segments.offsets[s + 1]) ++s;
      std::copy_n(x + s * width, width, y + n * width);
    }
  });
}

template <class T>
void segment_max_gradient(Cpu, const Csr& segments, std::int64_t width, const T* g, const std::int32_t* winner, T* dx) {
  for_row_ranges(segments, width, [&](std::int64_t begin, std::int64_t end) {
    std::fill(dx + segments.offsets[begin] * width, dx + segments.offsets[end] * width, T{0});
    for (std::int64_t s = begin; s < end; ++s)
      for (std::int64_t c = s * width; c < (s + 1) * width; ++c)
        if (winner[c] >= 0) dx[winner[c] * width + c - s * width] = g[c];
  });
}

#define ATTO_INSTANTIATE(T)                                                     \
  template void segment_broadcast(Cpu, const Csr&, std::int64_t, const T*, T*); \
  template void segment_max_gradient(Cpu, const Csr&, std::int64_t, const T*, const std::int32_t*, T*);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
