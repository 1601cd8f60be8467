#include <algorithm>

#include "core/parallel.hpp"
#include "ops/index/index.hpp"

namespace atto::kernels {

template <class T>
void gather_rows(Cpu, std::int64_t count, std::int64_t width, const T* x, const std::int64_t* index, T* y) {
  parallel_for(count, width, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t m = begin; m < end; ++m)
      if (index[m] < 0) std::fill_n(y + m * width, width, T{0});
      else std::copy_n(x + index[m] * width, width, y + m * width);
  });
}

template void gather_rows(Cpu, std::int64_t, std::int64_t, const float*, const std::int64_t*, float*);
template void gather_rows(Cpu, std::int64_t, std::int64_t, const double*, const std::int64_t*, double*);

}  // namespace atto::kernels
