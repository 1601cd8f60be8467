#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "ops/pointwise/functors.hpp"
#include "ops/pointwise/pointwise.hpp"

namespace atto::kernels {

// Elementary operations per element as the parallel policy counts them: a vector does 16 of a functor's in the time of
// one.
template <class F>
constexpr int kWork = 1 + F::kFlops / 16;

template <class F, class T>
void pointwise(Cpu, F f, std::int64_t n, const T* x, T* y) {
  with_isa([&]<class Isa>() {
    parallel_for(n, kWork<F>, [&](std::int64_t begin, std::int64_t end) {
      pointwise_chunk<Isa>(f, end - begin, x + begin, y + begin);
    });
  });
}

template <class F, class T>
void pointwise_gradient(Cpu, F f, std::int64_t n, const T* x, const T* y, const T* g, T* dx) {
  with_isa([&]<class Isa>() {
    parallel_for(n, kWork<F>, [&](std::int64_t begin, std::int64_t end) {
      pointwise_gradient_chunk<Isa>(f, end - begin, x + begin, y + begin, g + begin, dx + begin);
    });
  });
}

#define ATTO_INSTANTIATE(F)                                                                                            \
  template void pointwise(Cpu, pointwise::F, std::int64_t, const float*, float*);                                      \
  template void pointwise(Cpu, pointwise::F, std::int64_t, const double*, double*);                                    \
  template void pointwise_gradient(Cpu, pointwise::F, std::int64_t, const float*, const float*, const float*, float*); \
  template void pointwise_gradient(Cpu, pointwise::F, std::int64_t, const double*, const double*, const double*,       \
                                   double*);
ATTO_POINTWISE_FUNCTORS(ATTO_INSTANTIATE)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
