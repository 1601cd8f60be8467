#include "core/sum.hpp"

#include <algorithm>

#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "core/storage.hpp"

namespace atto {

template <class T>
void sum_middle(std::int64_t outer, std::int64_t middle, std::int64_t inner, const T* x, T* y) {
  if (outer == 0 || inner == 0) return;
  // A long sum is cut into slices, whose results are summed by the same rule.
  const std::int64_t slice = std::max<std::int64_t>(64, kChunkWork / inner);
  with_isa([&]<class Isa>() {
    if (middle <= 2 * slice) {
      parallel_for(outer, middle * inner, [&](std::int64_t begin, std::int64_t end) {
        kernels::sum_middle_chunk<Isa>(end - begin, middle, inner, x + begin * middle * inner, y + begin * inner);
      });
      return;
    }
    const std::int64_t slices = (middle + slice - 1) / slice;
    Storage memory(static_cast<std::size_t>(outer * slices * inner) * sizeof(T), Device{});
    T* partial = reinterpret_cast<T*>(memory.data());
    parallel_chunks(outer * slices, 1, slice * inner, [&](std::int64_t task, std::int64_t, std::int64_t) {
      const std::int64_t o = task / slices, begin = task % slices * slice;
      kernels::sum_middle_chunk<Isa>(1, std::min(slice, middle - begin), inner, x + (o * middle + begin) * inner,
                                     partial + task * inner);
    });
    sum_middle(outer, slices, inner, partial, y);
  });
}

template <class T>
void add_into(std::int64_t n, const T* x, T* y) {
  with_isa([&]<class Isa>() {
    parallel_for(n, 1, [&](std::int64_t begin, std::int64_t end) {
      kernels::add_into_chunk<Isa>(end - begin, x + begin, y + begin);
    });
  });
}

template <class T>
void add_rows_into(std::int64_t rows, std::int64_t columns, const T* x, std::int64_t stride_x, T* y,
                   std::int64_t stride_y) {
  if (rows == 1) return add_into(columns, x, y);
  with_isa([&]<class Isa>() {
    parallel_for(rows, columns, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r)
        kernels::add_into_chunk<Isa>(columns, x + r * stride_x, y + r * stride_y);
    });
  });
}

template void sum_middle(std::int64_t, std::int64_t, std::int64_t, const float*, float*);
template void sum_middle(std::int64_t, std::int64_t, std::int64_t, const double*, double*);
template void add_into(std::int64_t, const float*, float*);
template void add_into(std::int64_t, const double*, double*);
template void add_rows_into(std::int64_t, std::int64_t, const float*, std::int64_t, float*, std::int64_t);
template void add_rows_into(std::int64_t, std::int64_t, const double*, std::int64_t, double*, std::int64_t);

}  // namespace atto
