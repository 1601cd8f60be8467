#include "core/blas.hpp"
#include "core/parallel.hpp"
#include "ops/matmul/matmul.hpp"

namespace atto::kernels {

template <class T>
void batched_gemm(Cpu, bool transpose_a, bool transpose_b, std::int64_t batch, std::int64_t m, std::int64_t n,
                  std::int64_t k, const T* a, const T* b, T* c) {
  const auto product = [&](std::int64_t i) {
    blas::gemm<T>(transpose_a, transpose_b, m, n, k, T{1}, a + i * m * k, b + i * k * n, T{0}, c + i * m * n);
  };
  // Threads take whole products where there are enough of them; few large ones are cut up inside gemm. The bits are the
  // same.
  constexpr std::int64_t kEnough = 16;
  if (batch < kEnough) {
    for (std::int64_t i = 0; i < batch; ++i) product(i);
    return;
  }
  parallel_for(batch, m * n * k, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) product(i);
  });
}

template void batched_gemm(Cpu, bool, bool, std::int64_t, std::int64_t, std::int64_t, std::int64_t, const float*,
                           const float*, float*);
template void batched_gemm(Cpu, bool, bool, std::int64_t, std::int64_t, std::int64_t, std::int64_t, const double*,
                           const double*, double*);

}  // namespace atto::kernels
