#include "core/parallel.hpp"
#include "ops/reduce/reduce.hpp"

namespace atto::kernels {

template <class T>
void stretch_middle(Cpu, std::int64_t outer, std::int64_t middle, std::int64_t inner, T factor, const T* x, T* y) {
  if (inner == 1) {  // rows of one value
    parallel_for(outer * middle, 1, [&](std::int64_t begin, std::int64_t end) {
      while (begin < end) {
        const std::int64_t o = begin / middle, stop = std::min(end, (o + 1) * middle);
        const T value = factor * x[o];
        for (; begin < stop; ++begin) y[begin] = value;
      }
    });
    return;
  }
  parallel_for(outer * middle, inner, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      for (std::int64_t i = 0; i < inner; ++i) y[row * inner + i] = factor * x[row / middle * inner + i];
  });
}

template <class T>
void max_middle(Cpu, std::int64_t outer, std::int64_t middle, std::int64_t inner, const T* x, T* y,
                std::int64_t* where) {
  parallel_for(outer, 2 * middle * inner, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) {
      T* best = y + o * inner;
      std::int64_t* at = where + o * inner;
      for (std::int64_t i = 0; i < inner; ++i) best[i] = x[o * middle * inner + i], at[i] = 0;
      for (std::int64_t m = 1; m < middle; ++m) {
        const T* row = x + (o * middle + m) * inner;
        for (std::int64_t i = 0; i < inner; ++i)
          if (!(row[i] <= best[i]) && best[i] == best[i]) best[i] = row[i], at[i] = m;  // a NaN wins and stays
      }
    }
  });
}

template void stretch_middle(Cpu, std::int64_t, std::int64_t, std::int64_t, float, const float*, float*);
template void stretch_middle(Cpu, std::int64_t, std::int64_t, std::int64_t, double, const double*, double*);
template void max_middle(Cpu, std::int64_t, std::int64_t, std::int64_t, const float*, float*, std::int64_t*);
template void max_middle(Cpu, std::int64_t, std::int64_t, std::int64_t, const double*, double*, std::int64_t*);

}  // namespace atto::kernels
