#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "ops/adjacency/adjacency.hpp"

namespace atto::kernels {

namespace {
// A vector does 16 of a functor's operations in the time of one.
template <class F>
constexpr int kWork = 2 + F::kFlops / 16;
}  // namespace

template <class T>
void adjacency(Cpu, const AdjacencyOptions& options, std::int64_t n, T tau, const T* p, T* y) {
  adjacency_modes::with_functor(options, [&]<class F>(F f) {
    with_isa([&]<class Isa>() {
      parallel_for(n, kWork<F>, [&](std::int64_t begin, std::int64_t end) {
        adjacency_chunk<Isa>(f, end - begin, tau, p + begin, y + begin);
      });
    });
  });
}

template <class T>
void adjacency_gradient(Cpu, const AdjacencyOptions& options, std::int64_t n, T tau, const T* p, const T* g, T* dp,
                        T* dtau) {
  adjacency_modes::with_functor(options, [&]<class F>(F f) {
    with_isa([&]<class Isa>() {
      parallel_for(n, kWork<F>, [&](std::int64_t begin, std::int64_t end) {
        adjacency_gradient_chunk<Isa>(f, end - begin, tau, p + begin, g + begin, dp + begin,
                                      dtau ? dtau + begin : nullptr);
      });
    });
  });
}

template void adjacency(Cpu, const AdjacencyOptions&, std::int64_t, float, const float*, float*);
template void adjacency(Cpu, const AdjacencyOptions&, std::int64_t, double, const double*, double*);
template void adjacency_gradient(Cpu, const AdjacencyOptions&, std::int64_t, float, const float*, const float*, float*,
                                 float*);
template void adjacency_gradient(Cpu, const AdjacencyOptions&, std::int64_t, double, const double*, const double*,
                                 double*, double*);

}  // namespace atto::kernels
