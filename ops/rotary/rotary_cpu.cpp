#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "ops/rotary/rotary.hpp"

namespace atto::kernels {

template <class T>
void rotary(Cpu, std::int64_t rows, std::int64_t heads, std::int64_t width, const T* x, const std::int64_t* positions,
            const T* table, RotaryPairs pairs, bool back, T* y) {
  const std::int64_t row = heads * width, half = width / 2;
  with_isa([&]<class Isa>() {
    parallel_for(rows, row, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        const T* angles = table + positions[n] * width;
        rotary_row<Isa>(heads, half, x + n * row, angles, angles + half, pairs == RotaryPairs::interleaved,
                        back ? T{-1} : T{1}, y + n * row);
      }
    });
  });
}

template void rotary(Cpu, std::int64_t, std::int64_t, std::int64_t, const float*, const std::int64_t*, const float*,
                     RotaryPairs, bool, float*);
template void rotary(Cpu, std::int64_t, std::int64_t, std::int64_t, const double*, const std::int64_t*, const double*,
                     RotaryPairs, bool, double*);

}  // namespace atto::kernels
