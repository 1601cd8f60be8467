#include <cstdint>

#include "core/simd.hpp"
#include "core/simd_math.hpp"
#include "ops/pointwise/functors.hpp"

namespace atto::kernels {

template <class Isa, class F, class T>
void pointwise_chunk(F f, std::int64_t n, const T* __restrict x, T* __restrict y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = f.template f<simd::Math<Isa>>(x[i]);
}

template <class Isa, class F, class T>
void pointwise_gradient_chunk(F f, std::int64_t n, const T* __restrict x, const T* __restrict y, const T* __restrict g,
                              T* __restrict dx) {
  for (std::int64_t i = 0; i < n; ++i) dx[i] = f.template df<simd::Math<Isa>>(x[i], y[i]) * g[i];
}

#define ATTO_INSTANTIATE(F)                                                                                        \
  template void pointwise_chunk<ATTO_ISA>(atto::pointwise::F, std::int64_t, const float*, float*);                 \
  template void pointwise_chunk<ATTO_ISA>(atto::pointwise::F, std::int64_t, const double*, double*);               \
  template void pointwise_gradient_chunk<ATTO_ISA>(atto::pointwise::F, std::int64_t, const float*, const float*,   \
                                                   const float*, float*);                                          \
  template void pointwise_gradient_chunk<ATTO_ISA>(atto::pointwise::F, std::int64_t, const double*, const double*, \
                                                   const double*, double*);
ATTO_POINTWISE_FUNCTORS(ATTO_INSTANTIATE)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
