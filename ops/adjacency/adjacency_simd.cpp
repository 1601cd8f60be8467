#include <cstdint>

#include "core/simd.hpp"
#include "core/simd_math.hpp"
#include "ops/adjacency/functors.hpp"

namespace atto::kernels {

template <class Isa, class F, class T>
void adjacency_chunk(F f, std::int64_t n, T tau, const T* __restrict p, T* __restrict y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = f.template f<simd::Math<Isa>>(p[i], tau);
}

template <class Isa, class F, class T>
void adjacency_gradient_chunk(F f, std::int64_t n, T tau, const T* __restrict p, const T* __restrict g,
                              T* __restrict dp, T* __restrict dtau) {
  if (dtau == nullptr) {
    for (std::int64_t i = 0; i < n; ++i) dp[i] = f.template slopes<simd::Math<Isa>>(p[i], tau).p * g[i];
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const auto slopes = f.template slopes<simd::Math<Isa>>(p[i], tau);
    dp[i] = slopes.p * g[i];
    dtau[i] = slopes.tau * g[i];
  }
}

#define ATTO_INSTANTIATE(F)                                                                                  \
  template void adjacency_chunk<ATTO_ISA>(adjacency_modes::F, std::int64_t, float, const float*, float*);    \
  template void adjacency_chunk<ATTO_ISA>(adjacency_modes::F, std::int64_t, double, const double*, double*); \
  template void adjacency_gradient_chunk<ATTO_ISA>(adjacency_modes::F, std::int64_t, float, const float*,    \
                                                   const float*, float*, float*);                            \
  template void adjacency_gradient_chunk<ATTO_ISA>(adjacency_modes::F, std::int64_t, double, const double*,  \
                                                   const double*, double*, double*);
ATTO_ADJACENCY_FUNCTORS(ATTO_INSTANTIATE)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
