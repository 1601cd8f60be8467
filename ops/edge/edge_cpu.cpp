#include <algorithm>
#include <vector>

#include "core/simd.hpp"
#include "ops/csr_views.hpp"
#include "ops/edge/kernels.hpp"
#include "ops/edge/simd.hpp"

namespace atto::kernels {
namespace {

// Calls f.template operator()<Isa>(begin, end) for ranges of rows in parallel.
template <class F>
void rows_with_isa(const Csr& csr, std::int64_t work_per_entry, F&& f) {
  with_isa([&]<class Isa>() {
    for_row_ranges(csr, work_per_entry,
                   [&](std::int64_t begin, std::int64_t end) { f.template operator()<Isa>(begin, end); });
  });
}

}  // namespace

template <class T>
void spmm(Cpu, const Csr& csr, std::int64_t heads, std::int64_t depth, const T* w, const T* x, bool mean, T* y) {
  const std::int64_t width = heads * depth;
  if (width == 0) return;
  rows_with_isa(csr, width, [&]<class Isa>(std::int64_t begin, std::int64_t end) {
    simd::spmm<Isa>(csr, begin, end, heads, depth, w, x, mean, static_cast<const T*>(nullptr), y,
                    fetch_ahead<T>(csr, width));
  });
}

template <class T>
void spmm_gradient(Cpu, const Csr& csr, std::int64_t width, const T* w, const T* x, const T* g, T* dx, T* dw) {
  if (width == 0) std::fill_n(dw, csr.entries, T{0});
  if (width == 0) return;
  rows_with_isa(csr, 2 * width, [&]<class Isa>(std::int64_t begin, std::int64_t end) {
    simd::spmm_gradient<Isa>(csr, begin, end, width, w, x, g, dx, dw, fetch_ahead<T>(csr, width));
  });
}

template <class T>
void spmm_extreme(Cpu, const Csr& csr, std::int64_t heads, std::int64_t depth, const T* w, const T* x, bool largest,
                  T* y, std::int32_t* winner) {
  const std::int64_t width = heads * depth;
  if (width == 0) return;
  rows_with_isa(csr, 2 * width, [&]<class Isa>(std::int64_t begin, std::int64_t end) {
    simd::spmm_extreme<Isa>(csr, begin, end, heads, depth, w, x, largest, y, winner);
  });
}

template <class T>
void spmm_extreme_dx(Cpu, const Csr& csr, std::int64_t heads, std::int64_t depth, const T* w, const T* g,
                     const std::int32_t* winner, T* dx) {
  const std::int64_t width = heads * depth;
  for_row_ranges(csr, 2 * width, [&](std::int64_t begin, std::int64_t end) {
    std::fill(dx + begin * width, dx + end * width, T{0});
    for (std::int64_t r = begin; r < end; ++r)
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
        const std::int32_t edge = csr.edge ? csr.edge[t] : static_cast<std::int32_t>(t);
        const std::int64_t from = csr.column[t] * width;
        for (std::int64_t h = 0; h < heads; ++h) {
          const T weight = w ? w[edge * heads + h] : T{1};
          for (std::int64_t c = h * depth; c < (h + 1) * depth; ++c)
            if (winner[from + c] == edge) dx[r * width + c] += weight * g[from + c];
        }
      }
  });
}

template <class T>
void spmm_extreme_dw(Cpu, const Csr& csr, std::int64_t heads, std::int64_t depth, const T* x, const T* g,
                     const std::int32_t* winner, T* dw) {
  const std::int64_t width = heads * depth;
  for_row_ranges(csr, 2 * width, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t)
        for (std::int64_t h = 0; h < heads; ++h) {
          T sum = 0;
          for (std::int64_t c = h * depth; c < (h + 1) * depth; ++c)
            if (winner[r * width + c] == t)
              sum += x ? g[r * width + c] * x[csr.column[t] * width + c] : g[r * width + c];
          dw[t * heads + h] = sum;
        }
  });
}

template <class T>
void divide_by_count(Cpu, const Csr& csr, std::int64_t width, const T* x, T* y) {
  parallel_for(csr.rows, width, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const T count = static_cast<T>(std::max(1, csr.offsets[r + 1] - csr.offsets[r]));
      for (std::int64_t c = 0; c < width; ++c) y[r * width + c] = x[r * width + c] / count;
    }
  });
}

template <class T>
void edge_join(Cpu, const Csr& csr, std::int64_t width, Join join, const T* src, const T* dst, T* e) {
  if (width == 0) return;
  rows_with_isa(csr, width, [&]<class Isa>(std::int64_t begin, std::int64_t end) {
    simd::edge_join<Isa>(csr, begin, end, width, join == Join::multiply, src, dst, e);
  });
}

template <class T>
void edge_dot(Cpu, const Csr& csr, std::int64_t heads, std::int64_t depth, const T* q, const T* k, T* e) {
  if (depth == 0) std::fill_n(e, csr.entries * heads, T{0});
  if (heads * depth == 0) return;
  rows_with_isa(csr, heads * depth, [&]<class Isa>(std::int64_t begin, std::int64_t end) {
    simd::edge_dot<Isa>(csr, begin, end, heads, depth, q, k, e, fetch_ahead<T>(csr, heads * depth));
  });
}

template <class T>
void edge_softmax(Cpu, const Csr& csr, std::int64_t heads, const T* z, T* a) {
  if (heads == 0) return;
  rows_with_isa(csr, 8 * heads, [&]<class Isa>(std::int64_t begin, std::int64_t end) {
    simd::edge_softmax<Isa>(csr, begin, end, heads, z, a);
  });
}

template <class T>
void edge_softmax_gradient(Cpu, const Csr& csr, std::int64_t heads, const T* a, const T* da, T* dz) {
  if (heads == 0) return;
  rows_with_isa(csr, 4 * heads, [&]<class Isa>(std::int64_t begin, std::int64_t end) {
    simd::edge_softmax_gradient<Isa>(csr, begin, end, heads, a, da, dz);
  });
}

template <class T>
void edge_bucket(Cpu, std::int64_t edges, std::int64_t heads, std::int64_t buckets, const T* table,
                 const std::uint8_t* bucket, T* y) {
  parallel_for(edges, 2 * heads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t e = begin; e < end; ++e)
      for (std::int64_t h = 0; h < heads; ++h) y[e * heads + h] = table[h * buckets + bucket[e]];
  });
}

template <class T>
void edge_bucket_gradient(Cpu, std::int64_t edges, std::int64_t heads, std::int64_t buckets, const std::uint8_t* bucket,
                          const T* g, T* dtable) {
  // At most 256 histograms, so that adding them up stays cheap beside filling them.
  const std::int64_t chunk = std::max<std::int64_t>(4096, (edges + 255) / 256), size = heads * buckets;
  std::vector<T> partial(static_cast<std::size_t>((edges + chunk - 1) / chunk * size), T{0});
  parallel_chunks(edges, chunk, 2 * heads, [&](std::int64_t index, std::int64_t begin, std::int64_t end) {
    T* histogram = partial.data() + index * size;
    for (std::int64_t e = begin; e < end; ++e)
      for (std::int64_t h = 0; h < heads; ++h) histogram[bucket[e] * heads + h] += g[e * heads + h];
  });
  std::fill_n(dtable, size, T{0});
  for (std::size_t first = 0; first < partial.size(); first += static_cast<std::size_t>(size))
    for (std::int64_t b = 0; b < buckets; ++b)
      for (std::int64_t h = 0; h < heads; ++h)
        dtable[h * buckets + b] += partial[first + static_cast<std::size_t>(b * heads + h)];
}

template <class T>
void multiply(Cpu, std::int64_t size, const T* a, const T* b, T* y) {
  parallel_for(size, 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = a[i] * b[i];
  });
}

template <class T>
void gated_sum(Cpu, const Csr& csr, std::int64_t width, const T* s, const T* x, T epsilon, T* y, T* inverse) {
  if (width == 0) return;
  rows_with_isa(csr, 2 * width, [&]<class Isa>(std::int64_t begin, std::int64_t end) {
    simd::gated_sum<Isa>(csr, begin, end, width, s, x, epsilon, y, inverse, fetch_ahead<T>(csr, width));
  });
}

template <class T>
void gated_sum_ds(Cpu, const Csr& csr, std::int64_t width, const T* x, const T* y, const T* scaled, T* ds) {
  if (width == 0) return;
  rows_with_isa(csr, 2 * width, [&]<class Isa>(std::int64_t begin, std::int64_t end) {
    simd::gated_sum_ds<Isa>(csr, begin, end, width, x, y, scaled, ds, fetch_ahead<T>(csr, width));
  });
}

template <class T>
void gine_sum(Cpu, const Csr& csr, std::int64_t width, const T* x, const T* e, T* y) {
  if (width == 0) return;
  rows_with_isa(csr, 2 * width, [&]<class Isa>(std::int64_t begin, std::int64_t end) {
    simd::gine_sum<Isa>(csr, begin, end, width, x, e, y, fetch_ahead<T>(csr, width));
  });
}

template <class T>
void gine_sum_dx(Cpu, const Csr& csr, std::int64_t width, const T* x, const T* e, const T* g, T* dx) {
  if (width == 0) return;
  rows_with_isa(csr, 3 * width, [&]<class Isa>(std::int64_t begin, std::int64_t end) {
    simd::gine_sum_dx<Isa>(csr, begin, end, width, x, e, g, dx, fetch_ahead<T>(csr, width));
  });
}

template <class T>
void gine_sum_de(Cpu, const Csr& csr, std::int64_t width, const T* x, const T* e, const T* g, T* de) {
  if (width == 0) return;
  rows_with_isa(csr, 2 * width, [&]<class Isa>(std::int64_t begin, std::int64_t end) {
    simd::gine_sum_de<Isa>(csr, begin, end, width, x, e, g, de, fetch_ahead<T>(csr, width));
  });
}

template <class T>
void gine_sum_dkinds(Cpu, const Csr& csr, std::span<const std::int32_t> blocks, std::int64_t width, std::int64_t kinds,
                     const T* x, const T* e, const T* g, T* de) {
  if (width == 0) return;
  with_isa([&]<class Isa>() {
    sum_over_blocks(blocks, 2 * csr.entries * width, kinds * width, de,
                    [&](std::int64_t begin, std::int64_t end, T* part) {
                      simd::gine_sum_dkinds<Isa>(csr, begin, end, width, x, e, g, part);
                    });
  });
}

#define ATTO_INSTANTIATE(T)                                                                                           \
  template void spmm(Cpu, const Csr&, std::int64_t, std::int64_t, const T*, const T*, bool, T*);                      \
  template void spmm_gradient(Cpu, const Csr&, std::int64_t, const T*, const T*, const T*, T*, T*);                   \
  template void spmm_extreme(Cpu, const Csr&, std::int64_t, std::int64_t, const T*, const T*, bool, T*,               \
                             std::int32_t*);                                                                          \
  template void spmm_extreme_dx(Cpu, const Csr&, std::int64_t, std::int64_t, const T*, const T*, const std::int32_t*, \
                                T*);                                                                                  \
  template void spmm_extreme_dw(Cpu, const Csr&, std::int64_t, std::int64_t, const T*, const T*, const std::int32_t*, \
                                T*);                                                                                  \
  template void divide_by_count(Cpu, const Csr&, std::int64_t, const T*, T*);                                         \
  template void edge_join(Cpu, const Csr&, std::int64_t, Join, const T*, const T*, T*);                               \
  template void edge_dot(Cpu, const Csr&, std::int64_t, std::int64_t, const T*, const T*, T*);                        \
  template void edge_softmax(Cpu, const Csr&, std::int64_t, const T*, T*);                                            \
  template void edge_softmax_gradient(Cpu, const Csr&, std::int64_t, const T*, const T*, T*);                         \
  template void edge_bucket(Cpu, std::int64_t, std::int64_t, std::int64_t, const T*, const std::uint8_t*, T*);        \
  template void edge_bucket_gradient(Cpu, std::int64_t, std::int64_t, std::int64_t, const std::uint8_t*, const T*,    \
                                     T*);                                                                             \
  template void multiply(Cpu, std::int64_t, const T*, const T*, T*);                                                  \
  template void gated_sum(Cpu, const Csr&, std::int64_t, const T*, const T*, T, T*, T*);                              \
  template void gated_sum_ds(Cpu, const Csr&, std::int64_t, const T*, const T*, const T*, T*);                        \
  template void gine_sum(Cpu, const Csr&, std::int64_t, const T*, const T*, T*);                                      \
  template void gine_sum_dx(Cpu, const Csr&, std::int64_t, const T*, const T*, const T*, T*);                         \
  template void gine_sum_de(Cpu, const Csr&, std::int64_t, const T*, const T*, const T*, T*);                         \
  template void gine_sum_dkinds(Cpu, const Csr&, std::span<const std::int32_t>, std::int64_t, std::int64_t, const T*, \
                                const T*, const T*, T*);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
