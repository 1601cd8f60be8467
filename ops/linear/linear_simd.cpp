#include <cstdint>

#include "core/simd.hpp"
#include "core/simd_math.hpp"
#include "ops/pointwise/functors.hpp"

namespace atto::kernels {

template <class Isa, class F, class T>
void bias_activation_chunk(std::int64_t rows, std::int64_t columns, const T* bias, T* z, T* y) {
  if (bias)
    for (std::int64_t n = 0; n < rows; ++n) {
      T* __restrict row = z + n * columns;
      for (std::int64_t o = 0; o < columns; ++o) row[o] += bias[o];
    }
  const F f{};
  if (z == y)
    for (std::int64_t i = 0; i < rows * columns; ++i) y[i] = f.template f<simd::Math<Isa>>(y[i]);
  else {
    const T* __restrict from = z;
    T* __restrict to = y;
    for (std::int64_t i = 0; i < rows * columns; ++i) to[i] = f.template f<simd::Math<Isa>>(from[i]);
  }
}

#define ATTO_INSTANTIATE(F)                                                                                           \
  template void bias_activation_chunk<ATTO_ISA, atto::pointwise::F>(std::int64_t, std::int64_t, const float*, float*, \
                                                                    float*);                                          \
  template void bias_activation_chunk<ATTO_ISA, atto::pointwise::F>(std::int64_t, std::int64_t, const double*,        \
                                                                    double*, double*);
ATTO_INSTANTIATE(Identity)
ATTO_INSTANTIATE(Relu)
ATTO_INSTANTIATE(Gelu)
ATTO_INSTANTIATE(Silu)
ATTO_INSTANTIATE(Tanh)
ATTO_INSTANTIATE(Sigmoid)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
