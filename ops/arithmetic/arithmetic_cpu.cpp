#include <algorithm>
#include <utility>

#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "ops/arithmetic/arithmetic.hpp"

namespace atto::kernels {

Broadcast::Broadcast(const Shape& a, const Shape& b, const Shape& y) {
  // From the right: a dimension that continues the one to its right in both arguments is joined with it.
  std::int64_t next_a = 1, next_b = 1;  // stride of the dimension at hand, were it not stretched
  for (int d = 1; d <= y.rank(); ++d) {
    const std::int64_t size_y = y[-d];
    const std::int64_t size_a = d <= a.rank() ? a[-d] : 1;
    const std::int64_t size_b = d <= b.rank() ? b[-d] : 1;
    const std::int64_t step_a = size_a == 1 ? 0 : next_a;
    const std::int64_t step_b = size_b == 1 ? 0 : next_b;
    next_a *= size_a;
    next_b *= size_b;
    if (size_y == 1) continue;
    if (rank > 0 && step_a == stride_a[rank - 1] * size[rank - 1] && step_b == stride_b[rank - 1] * size[rank - 1]) {
      size[rank - 1] *= size_y;
      continue;
    }
    size[rank] = size_y;
    stride_a[rank] = step_a;
    stride_b[rank] = step_b;
    ++rank;
  }
  if (rank == 0) {
    size[0] = 1;
    stride_a[0] = stride_b[0] = 0;
    rank = 1;
  }
  for (int d = 0; d < rank / 2; ++d) {
    std::swap(size[d], size[rank - 1 - d]);
    std::swap(stride_a[d], stride_a[rank - 1 - d]);
    std::swap(stride_b[d], stride_b[rank - 1 - d]);
  }
}

template <class F, class T>
void elementwise(Cpu, Part part, std::int64_t n, const T* g, const T* a, const T* b, T* y) {
  with_isa([&]<class Isa>() {
    parallel_for(n, 1, [=](std::int64_t begin, std::int64_t end) {
      elementwise_chunk<Isa, F, T>(part, end - begin, g + begin, a + begin, b + begin, y + begin);
    });
  });
}

template <class F, class T>
void broadcast(Cpu, Part part, const Broadcast& shape, const T* g, const T* a, const T* b, T* y) {
  const int last = shape.rank - 1;
  const std::int64_t columns = shape.size[last];
  const std::int64_t step_a = shape.stride_a[last], step_b = shape.stride_b[last];
  with_isa([&]<class Isa>() {
    if (last == 0) {
      parallel_for(columns, 1, [&](std::int64_t begin, std::int64_t end) {
        broadcast_rows<Isa, F, T>(part, 1, end - begin, g + begin, {a + begin * step_a, 0, step_a},
                                  {b + begin * step_b, 0, step_b}, y + begin);
      });
      return;
    }
    const std::int64_t inner = shape.size[last - 1];  // rows that one call can do
    std::int64_t rows = 1;
    for (int d = 0; d < last; ++d) rows *= shape.size[d];
    parallel_for(rows, columns, [&](std::int64_t begin, std::int64_t end) {
      while (begin < end) {
        const std::int64_t first = begin % inner;
        const std::int64_t count = std::min(end - begin, inner - first);
        std::int64_t outer = begin / inner;
        const T* row_a = a + first * shape.stride_a[last - 1];
        const T* row_b = b + first * shape.stride_b[last - 1];
        for (int d = last - 2; d >= 0; --d) {
          row_a += outer % shape.size[d] * shape.stride_a[d];
          row_b += outer % shape.size[d] * shape.stride_b[d];
          outer /= shape.size[d];
        }
        broadcast_rows<Isa, F, T>(part, count, columns, g + begin * columns, {row_a, shape.stride_a[last - 1], step_a},
                                  {row_b, shape.stride_b[last - 1], step_b}, y + begin * columns);
        begin += count;
      }
    });
  });
}

#define ATTO_INSTANTIATE(F)                                                                                            \
  template void elementwise<arithmetic::F>(Cpu, Part, std::int64_t, const float*, const float*, const float*, float*); \
  template void elementwise<arithmetic::F>(Cpu, Part, std::int64_t, const double*, const double*, const double*,       \
                                           double*);                                                                   \
  template void broadcast<arithmetic::F>(Cpu, Part, const Broadcast&, const float*, const float*, const float*,        \
                                         float*);                                                                      \
  template void broadcast<arithmetic::F>(Cpu, Part, const Broadcast&, const double*, const double*, const double*,     \
                                         double*);
ATTO_BINARY_FUNCTORS(ATTO_INSTANTIATE)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
