#include <algorithm>
#include <type_traits>

#include "core/blas.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "core/sum.hpp"
#include "core/tensor.hpp"
#include "ops/linear/linear.hpp"
#include "ops/pointwise/functors.hpp"
#include "ops/pointwise/pointwise.hpp"

namespace atto::kernels {

template <class F, class T>
void linear(Cpu, std::int64_t rows, std::int64_t outputs, std::int64_t inputs, const T* x, const T* weight,
            const T* bias, T* z, T* y) {
  // Bias and activation pass over a part of the rows while it is still in the cache.
  const blas::RightFactor<T> factor(true, rows, outputs, inputs, weight);
  with_isa([&]<class Isa>() {
    parallel_chunks(rows, factor.part(), outputs * std::max<std::int64_t>(1, inputs),
                    [&](std::int64_t, std::int64_t begin, std::int64_t end) {
                      factor.multiply(end - begin, T{1}, x + begin * inputs, T{0}, z + begin * outputs);
                      bias_activation_chunk<Isa, F>(end - begin, outputs, bias, z + begin * outputs,
                                                    y + begin * outputs);
                    });
  });
}

template <class F, class T>
void linear_backward(Cpu, std::int64_t rows, std::int64_t outputs, std::int64_t inputs, const T* x, const T* weight,
                     const T* z, const T* y, const T* dy, GradientTarget<T> dx, GradientTarget<T> dweight,
                     GradientTarget<T> dbias) {
  constexpr bool kActivated = !std::is_same_v<F, pointwise::Identity>;
  // A slice of the rows gives a part of dW and db; tile by tile, so that dz and x are in the cache for all three.
  const std::int64_t tile = blas::tile_of(rows, outputs * inputs);
  const std::int64_t slice = std::max(tile, (rows + blas::kMaxSlices - 1) / blas::kMaxSlices);
  const std::int64_t slices = (rows + slice - 1) / slice, size = outputs * inputs;
  const Tensor memory = Tensor::empty(Shape{slices, size + outputs}, dtype_of<T>);
  T* parts = memory.data<T>();
  with_isa([&]<class Isa>() {
    parallel_chunks(rows, slice, 3 * size, [&](std::int64_t index, std::int64_t begin, std::int64_t end) {
      const Tensor scratch = Tensor::empty(Shape{std::min(tile, end - begin) + 1, outputs}, dtype_of<T>);
      T *sums = scratch.data<T>(), *room = sums + outputs;
      T *dw = parts + index * (size + outputs), *db = dw + size;
      for (std::int64_t n = begin; n < end; n += tile) {
        const std::int64_t count = std::min(tile, end - n);
        const T* dz = dy + n * outputs;
        if constexpr (kActivated) {
          pointwise_gradient_chunk<Isa>(F{}, count * outputs, z + n * outputs, y + n * outputs, dz, room);
          dz = room;
        }
        if (dx.to)
          blas::gemm_tile<T>(false, false, count, inputs, outputs, T{1}, dz, outputs, weight, inputs, T(dx.add ? 1 : 0),
                             dx.to + n * inputs, inputs);
        if (dweight.to)
          blas::gemm_tile<T>(true, false, outputs, inputs, count, T{1}, dz, outputs, x + n * inputs, inputs,
                             T(n > begin ? 1 : 0), dw, inputs);
        if (!dbias.to || outputs == 0) continue;
        sum_middle_chunk<Isa>(1, count, outputs, dz, n > begin ? sums : db);
        if (n > begin) add_into_chunk<Isa>(outputs, sums, db);
      }
    });
    const auto combine = [&](const GradientTarget<T>& target, std::int64_t from, std::int64_t n) {
      if (!target.to) return;
      parallel_for(n, slices, [&](std::int64_t begin, std::int64_t end) {
        if (!target.add) std::fill(target.to + begin, target.to + end, T{0});
        for (std::int64_t s = 0; s < slices; ++s)
          add_into_chunk<Isa>(end - begin, parts + s * (size + outputs) + from + begin, target.to + begin);
      });
    };
    combine(dweight, 0, size);
    combine(dbias, size, outputs);
  });
}

#define ATTO_INSTANTIATE(F)                                                                                         \
  template void linear<pointwise::F>(Cpu, std::int64_t, std::int64_t, std::int64_t, const float*, const float*,     \
                                     const float*, float*, float*);                                                 \
  template void linear<pointwise::F>(Cpu, std::int64_t, std::int64_t, std::int64_t, const double*, const double*,   \
                                     const double*, double*, double*);                                              \
  template void linear_backward<pointwise::F>(Cpu, std::int64_t, std::int64_t, std::int64_t, const float*,          \
                                              const float*, const float*, const float*, const float*,               \
                                              GradientTarget<float>, GradientTarget<float>, GradientTarget<float>); \
  template void linear_backward<pointwise::F>(Cpu, std::int64_t, std::int64_t, std::int64_t, const double*,         \
                                              const double*, const double*, const double*, const double*,           \
                                              GradientTarget<double>, GradientTarget<double>, GradientTarget<double>);
ATTO_INSTANTIATE(Identity)
ATTO_INSTANTIATE(Relu)
ATTO_INSTANTIATE(Gelu)
ATTO_INSTANTIATE(Silu)
ATTO_INSTANTIATE(Tanh)
ATTO_INSTANTIATE(Sigmoid)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
