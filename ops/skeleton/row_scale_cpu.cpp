#include "core/parallel.hpp"
#include "ops/skeleton/row_scale.hpp"

namespace atto::kernels {

template <class T>
void row_scale(Cpu, std::int64_t rows, std::int64_t columns, const T* x, const T* s, T* y) {
  parallel_for(rows, columns, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n)
      for (std::int64_t d = 0; d < columns; ++d) y[n * columns + d] = s[n] * x[n * columns + d];
  });
}

template <class T>
void row_dot(Cpu, std::int64_t rows, std::int64_t columns, const T* g, const T* x, T* ds) {
  parallel_for(rows, 2 * columns, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      T sum = 0;
      for (std::int64_t d = 0; d < columns; ++d) sum += g[n * columns + d] * x[n * columns + d];
      ds[n] = sum;
    }
  });
}

template void row_scale(Cpu, std::int64_t, std::int64_t, const float*, const float*, float*);
template void row_scale(Cpu, std::int64_t, std::int64_t, const double*, const double*, double*);
template void row_dot(Cpu, std::int64_t, std::int64_t, const float*, const float*, float*);
template void row_dot(Cpu, std::int64_t, std::int64_t, const double*, const double*, double*);

}  // namespace atto::kernels
