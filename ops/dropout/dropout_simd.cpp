#include "core/simd_random.hpp"
#include "ops/dropout/dropout.hpp"

namespace atto::kernels {
template <class Isa, class T>
void dropout_chunk(std::int64_t size, std::uint64_t first, const T* __restrict x, std::uint32_t threshold, T keep,
                   std::uint64_t seed, std::uint64_t stream, T* __restrict y) {
  constexpr std::int64_t kStep = 4 * simd::kRandomBlocks;
  std::uint32_t bits[kStep];
  std::int64_t i = 0;
  for (; i + kStep <= size; i += kStep, first += simd::kRandomBlocks) {
    simd::draw_blocks<Isa>(seed, stream, first, bits);
    for (std::int64_t lane = 0; lane < kStep; ++lane) y[i + lane] = bits[lane] < threshold ? T{0} : x[i + lane] * keep;
  }
  if (i == size) return;
  simd::draw_blocks<Isa>(seed, stream, first, bits);
  for (std::int64_t lane = 0; i + lane < size; ++lane) y[i + lane] = bits[lane] < threshold ? T{0} : x[i + lane] * keep;
}

template void dropout_chunk<ATTO_ISA>(std::int64_t, std::uint64_t, const float*, std::uint32_t, float, std::uint64_t,
                                      std::uint64_t, float*);
template void dropout_chunk<ATTO_ISA>(std::int64_t, std::uint64_t, const double*, std::uint32_t, double, std::uint64_t,
                                      std::uint64_t, double*);

}  // namespace atto::kernels
