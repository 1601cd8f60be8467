#include <algorithm>

#include "core/blas.hpp"
#include "core/parallel.hpp"
#include "core/sum.hpp"
#include "core/tensor.hpp"
#include "ops/head_linear/head_linear.hpp"

namespace atto::kernels {
namespace {

// Calls f(head, begin, end) for every head and tile of rows; the tiles depend on the sizes alone.
template <class F>
void for_head_tiles(std::int64_t rows, std::int64_t heads, std::int64_t work, F&& f) {
  const std::int64_t tile = blas::tile_of(rows, work), tiles = (rows + tile - 1) / tile;
  parallel_for(tiles * heads, tile * work, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t t = first; t < last; ++t) f(t % heads, t / heads * tile, std::min(rows, (t / heads + 1) * tile));
  });
}

}  // namespace

// A head of [N,H,I] is a matrix whose rows lie H I apart: products take it as it is, and nothing is transposed.
template <class T>
void head_linear(Cpu, std::int64_t rows, std::int64_t heads, std::int64_t outputs, std::int64_t inputs, const T* x,
                 const T* weight, const T* bias, T* y) {
  if (rows * heads * outputs == 0) return;
  for_head_tiles(rows, heads, outputs * std::max<std::int64_t>(1, inputs),
                 [&](std::int64_t h, std::int64_t begin, std::int64_t end) {
                   for (std::int64_t n = begin; n < end; ++n) {
                     T* row = y + (n * heads + h) * outputs;
                     if (bias) std::copy_n(bias + h * outputs, outputs, row);
                     else std::fill_n(row, outputs, T{0});
                   }
                   if (inputs > 0)
                     blas::gemm_tile<T>(false, true, end - begin, outputs, inputs, T{1},
                                        x + (begin * heads + h) * inputs, heads * inputs, weight + h * outputs * inputs,
                                        inputs, T{1}, y + (begin * heads + h) * outputs, heads * outputs);
                 });
}

template <class T>
void head_linear_gradient(Cpu, std::int64_t rows, std::int64_t heads, std::int64_t outputs, std::int64_t inputs,
                          const T* weight, const T* g, T* dx) {
  if (rows * heads * inputs == 0) return;
  if (outputs == 0) return std::fill_n(dx, rows * heads * inputs, T{0}), void();
  for_head_tiles(rows, heads, outputs * inputs, [&](std::int64_t h, std::int64_t begin, std::int64_t end) {
    blas::gemm_tile<T>(false, false, end - begin, inputs, outputs, T{1}, g + (begin * heads + h) * outputs,
                       heads * outputs, weight + h * outputs * inputs, inputs, T{0}, dx + (begin * heads + h) * inputs,
                       heads * inputs);
  });
}

// Long sums over rows are cut into slices that are added in order, so that few heads keep all threads busy.
template <class T>
void head_linear_weight_gradient(Cpu, std::int64_t rows, std::int64_t heads, std::int64_t outputs, std::int64_t inputs,
                                 const T* x, const T* g, T* dweight) {
  const std::int64_t size = heads * outputs * inputs;
  if (size == 0) return;
  if (rows == 0) return std::fill_n(dweight, size, T{0}), void();
  const std::int64_t slice =
      std::max(blas::tile_of(rows, outputs * inputs), (rows + blas::kMaxSlices - 1) / blas::kMaxSlices);
  const std::int64_t slices = (rows + slice - 1) / slice;
  const Tensor partial = slices > 1 ? Tensor::empty(Shape{slices, size}, dtype_of<T>) : Tensor();
  T* sums = slices > 1 ? partial.data<T>() : dweight;
  parallel_for(slices * heads, slice * outputs * inputs, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t t = first; t < last; ++t) {
      const std::int64_t h = t % heads, begin = t / heads * slice, end = std::min(rows, begin + slice);
      blas::gemm_tile<T>(true, false, outputs, inputs, end - begin, T{1}, g + (begin * heads + h) * outputs,
                         heads * outputs, x + (begin * heads + h) * inputs, heads * inputs, T{0},
                         sums + t / heads * size + h * outputs * inputs, inputs);
    }
  });
  if (slices > 1) sum_middle(1, slices, size, sums, dweight);
}

#define ATTO_INSTANTIATE(T)                                                                                            \
  template void head_linear(Cpu, std::int64_t, std::int64_t, std::int64_t, std::int64_t, const T*, const T*, const T*, \
                            T*);                                                                                       \
  template void head_linear_gradient(Cpu, std::int64_t, std::int64_t, std::int64_t, std::int64_t, const T*, const T*,  \
                                     T*);                                                                              \
  template void head_linear_weight_gradient(Cpu, std::int64_t, std::int64_t, std::int64_t, std::int64_t, const T*,     \
                                            const T*, T*);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
