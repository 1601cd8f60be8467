#include "core/simd.hpp"
#include "ops/rotary/rotary.hpp"

namespace atto::kernels {

template <class Isa, class T>
void rotary_row(std::int64_t heads, std::int64_t half, const T* __restrict x, const T* __restrict cosine,
                const T* __restrict sine, bool interleaved, T sign, T* __restrict y) {
  for (std::int64_t h = 0; h < heads; ++h, x += 2 * half, y += 2 * half) {
    if (interleaved)
      for (std::int64_t k = 0; k < half; ++k) {
        const T a = x[2 * k], b = x[2 * k + 1], s = sign * sine[k];
        y[2 * k] = a * cosine[k] - b * s;
        y[2 * k + 1] = b * cosine[k] + a * s;
      }
    else
      for (std::int64_t k = 0; k < half; ++k) {
        const T a = x[k], b = x[k + half], s = sign * sine[k];
        y[k] = a * cosine[k] - b * s;
        y[k + half] = b * cosine[k] + a * s;
      }
  }
}

template void rotary_row<ATTO_ISA>(std::int64_t, std::int64_t, const float*, const float*, const float*, bool, float,
                                   float*);
template void rotary_row<ATTO_ISA>(std::int64_t, std::int64_t, const double*, const double*, const double*, bool,
                                   double, double*);

}  // namespace atto::kernels
