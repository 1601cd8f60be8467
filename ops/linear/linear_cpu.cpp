#include <algorithm>

#include "core/blas.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "ops/linear/linear.hpp"
#include "ops/pointwise/functors.hpp"

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

#define ATTO_INSTANTIATE(F)                                                                                       \
  template void linear<pointwise::F>(Cpu, std::int64_t, std::int64_t, std::int64_t, const float*, const float*,   \
                                     const float*, float*, float*);                                               \
  template void linear<pointwise::F>(Cpu, std::int64_t, std::int64_t, std::int64_t, const double*, const double*, \
                                     const double*, double*, double*);
ATTO_INSTANTIATE(Identity)
ATTO_INSTANTIATE(Relu)
ATTO_INSTANTIATE(Gelu)
ATTO_INSTANTIATE(Silu)
ATTO_INSTANTIATE(Tanh)
ATTO_INSTANTIATE(Sigmoid)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
