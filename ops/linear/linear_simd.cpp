#include <cstdint>

#include "core/simd.hpp"
#include "core/simd_math.hpp"
#include "ops/pointwise/functors.hpp"

namespace atto::kernels {

template <class Isa, class F, class T>
void bias_activation_chunk(std::int64_t rows, std::int64_t columns, const T* bias, T* z, T* y) {
  const F f{};
  for (std::int64_t n = 0; n < rows; ++n) {
    T* __restrict row = z + n * columns;
    if (bias && z == y) {
      for (std::int64_t o = 0; o < columns; ++o) row[o] = f.template f<simd::Math<Isa>>(row[o] + bias[o]);
      continue;
    }
    if (bias)
      for (std::int64_t o = 0; o < columns; ++o) row[o] += bias[o];
    if (z == y) {
      for (std::int64_t o = 0; o < columns; ++o) row[o] = f.template f<simd::Math<Isa>>(row[o]);
    } else {
      T* __restrict to = y + n * columns;
      for (std::int64_t o = 0; o < columns; ++o) to[o] = f.template f<simd::Math<Isa>>(row[o]);
    }
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
