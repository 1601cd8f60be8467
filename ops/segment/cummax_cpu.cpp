#include <algorithm>
#include <cmath>

#include "core/parallel.hpp"
#include "ops/segment/cummax.hpp"

namespace atto::kernels {
namespace {

// Columns of a segment that one thread takes: a few cache lines side by side.
constexpr std::int64_t kColumns = 64;

// Calls f(begin, end, first column, last column) for blocks of columns of every segment: the recurrence runs down the
// rows, so only segments and columns are independent.
template <class F>
void for_column_blocks(const Csr& segments, std::int64_t width, F&& f) {
  const std::int64_t blocks = (width + kColumns - 1) / kColumns;
  if (segments.rows == 0 || blocks == 0) return;
  const std::int64_t work = std::max<std::int64_t>(1, segments.entries * width / (segments.rows * blocks));
  parallel_for(segments.rows * blocks, work, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t t = first; t < last; ++t) {
      const std::int64_t s = t / blocks, column = t % blocks * kColumns;
      f(segments.offsets[s], segments.offsets[s + 1], column, std::min(width, column + kColumns));
    }
  });
}

}  // namespace

template <class T>
void segment_cummax(Cpu, const Csr& segments, std::int64_t width, const T* x, T* y, std::int32_t* winner) {
  for_column_blocks(segments, width, [&](std::int64_t begin, std::int64_t end, std::int64_t from, std::int64_t to) {
    for (std::int64_t n = begin; n < end; ++n)
      for (std::int64_t c = from; c < to; ++c) {
        const std::int64_t here = n * width + c, before = here - width;
        const bool wins = n == begin || x[here] > y[before] || (std::isnan(x[here]) && !std::isnan(y[before]));
        y[here] = wins ? x[here] : y[before];
        winner[here] = wins ? static_cast<std::int32_t>(n) : winner[before];
      }
  });
}

// Each block of columns is one thread's: a winner may be far above, so its sum is owned by column, not by row.
template <class T>
void segment_cummax_gradient(Cpu, const Csr& segments, std::int64_t width, const T* g, const std::int32_t* winner,
                             T* dx) {
  for_column_blocks(segments, width, [&](std::int64_t begin, std::int64_t end, std::int64_t from, std::int64_t to) {
    for (std::int64_t n = begin; n < end; ++n) std::fill(dx + n * width + from, dx + n * width + to, T{0});
    for (std::int64_t n = begin; n < end; ++n)
      for (std::int64_t c = from; c < to; ++c) dx[winner[n * width + c] * width + c] += g[n * width + c];
  });
}

#define ATTO_INSTANTIATE(T)                                                                 \
  template void segment_cummax(Cpu, const Csr&, std::int64_t, const T*, T*, std::int32_t*); \
  template void segment_cummax_gradient(Cpu, const Csr&, std::int64_t, const T*, const std::int32_t*, T*);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
