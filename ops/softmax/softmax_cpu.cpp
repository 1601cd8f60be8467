#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "ops/softmax/softmax.hpp"

namespace atto::kernels {
namespace {

// Elementary operations of a row: a vector exp is a few per value, a double one a call of libm.
template <class T>
std::int64_t work(std::int64_t columns) {
  return 16 + columns * (sizeof(T) == 4 ? 2 : 16);
}

}  // namespace

template <class T>
void softmax(Cpu, Softmax kind, std::int64_t rows, std::int64_t columns, const T* x, T* y) {
  const std::int64_t width = kind == Softmax::normaliser ? 1 : columns;
  with_isa([&]<class Isa>() {
    parallel_for(rows, work<T>(columns), [&](std::int64_t begin, std::int64_t end) {
      softmax_rows<Isa>(kind, end - begin, columns, x + begin * columns, y + begin * width);
    });
  });
}

template <class T>
void softmax_gradient(Cpu, Softmax kind, std::int64_t rows, std::int64_t columns, const T* saved, const T* g, T* dx) {
  const std::int64_t width = kind == Softmax::normaliser ? 1 : columns;
  with_isa([&]<class Isa>() {
    parallel_for(rows, work<T>(columns), [&](std::int64_t begin, std::int64_t end) {
      softmax_gradient_rows<Isa>(kind, end - begin, columns, saved + begin * columns, g + begin * width,
                                 dx + begin * columns);
    });
  });
}

#define ATTO_INSTANTIATE(T)                                                      \
  template void softmax(Cpu, Softmax, std::int64_t, std::int64_t, const T*, T*); \
  template void softmax_gradient(Cpu, Softmax, std::int64_t, std::int64_t, const T*, const T*, T*);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
