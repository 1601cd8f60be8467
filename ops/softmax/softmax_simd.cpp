#include "core/lanes.hpp"
#include "core/simd_math.hpp"
#include "ops/softmax/softmax.hpp"

namespace atto::kernels {
namespace {

#define ATTO_INLINE __attribute__((always_inline)) static inline

// One row at a time in vectors of N; the last one is filled up with what changes nothing.
template <class Isa, class T, int N>
struct Row {
  using V = simd::Lanes<T, N>;
  static constexpr T kNone = static_cast<T>(-__builtin_inf());

  // Calls f(d, count) for the beginnings of all vectors.
  template <class F>
  ATTO_INLINE void each(std::int64_t columns, const F& f) {
    std::int64_t d = 0;
    for (; d + N <= columns; d += N) f(d, N);
    if (d < columns) f(d, columns - d);
  }
  ATTO_INLINE V load(const T* x, std::int64_t count, T fill) {
    return count == N ? simd::load<N>(x) : simd::load_part<N>(x, count, fill);
  }
  ATTO_INLINE void store(T* y, V v, std::int64_t count) {
    if (count == N) simd::store(y, v);
    else simd::store_part(y, v, count);
  }

  ATTO_INLINE T largest(std::int64_t columns, const T* x) {
    V m = simd::splat<N>(kNone);
    each(columns, [&](std::int64_t d, std::int64_t count) { m = simd::larger(load(x + d, count, kNone), m); });
    T best = m[0];
    for (int i = 1; i < N; ++i) best = simd::larger<T>(m[i], best);
    return best;
  }
  // sum of exp(x - shift); the terms go to y when it is given.
  ATTO_INLINE T exponentials(std::int64_t columns, const T* x, T shift, T* y) {
    V sum = simd::splat<N>(T{0});
    each(columns, [&](std::int64_t d, std::int64_t count) {
      const V e = simd::exp<T, N>(load(x + d, count, kNone) - shift);
      sum += e;
      if (y) store(y + d, e, count);
    });
    return simd::sum<T, N>(sum);
  }
  ATTO_INLINE T dot(std::int64_t columns, const T* a, const T* b) {
    V sum = simd::splat<N>(T{0});
    each(columns,
         [&](std::int64_t d, std::int64_t count) { sum += load(a + d, count, T{0}) * load(b + d, count, T{0}); });
    return simd::sum<T, N>(sum);
  }
  ATTO_INLINE T total(std::int64_t columns, const T* x) {
    V sum = simd::splat<N>(T{0});
    each(columns, [&](std::int64_t d, std::int64_t count) { sum += load(x + d, count, T{0}); });
    return simd::sum<T, N>(sum);
  }
  ATTO_INLINE void fill(std::int64_t columns, T value, T* y) {
    for (std::int64_t d = 0; d < columns; ++d) y[d] = value;
  }

  ATTO_INLINE void forward(Softmax kind, std::int64_t columns, const T* x, T* y) {
    const T shift = largest(columns, x);
    if (shift == kNone) return fill(kind == Softmax::normaliser ? 1 : columns, 0, y);
    const T sum = exponentials(columns, x, shift, kind == Softmax::probability ? y : nullptr);
    if (kind == Softmax::probability) {
      const T factor = 1 / sum;
      for (std::int64_t d = 0; d < columns; ++d) y[d] *= factor;
    } else if (kind == Softmax::logarithm) {
      const T rest = simd::Math<Isa>::log(sum);
      for (std::int64_t d = 0; d < columns; ++d) y[d] = (x[d] - shift) - rest;
    } else {
      *y = shift + simd::Math<Isa>::log(sum);
    }
  }

  ATTO_INLINE void backward(Softmax kind, std::int64_t columns, const T* saved, const T* g, T* dx) {
    if (kind == Softmax::probability) {
      const T mean = dot(columns, g, saved);
      for (std::int64_t d = 0; d < columns; ++d) dx[d] = saved[d] * (g[d] - mean);
      return;
    }
    const T shift = largest(columns, saved);
    if (shift == kNone) return fill(columns, 0, dx);
    const T sum = exponentials(columns, saved, shift, dx);
    if (kind == Softmax::logarithm) {
      const T factor = total(columns, g) / sum;
      for (std::int64_t d = 0; d < columns; ++d) dx[d] = g[d] - dx[d] * factor;
    } else {
      const T factor = *g / sum;
      for (std::int64_t d = 0; d < columns; ++d) dx[d] *= factor;
    }
  }
};

// Short rows take short vectors.
template <class Isa, class T, class F>
ATTO_INLINE void with_lanes(std::int64_t columns, const F& f) {
  constexpr int kMost = simd::kLanes<Isa, T>;
  if constexpr (kMost > 8)
    if (columns > 8) return f(Row<Isa, T, kMost>{});
  if constexpr (kMost > 4)
    if (columns > 4) return f(Row<Isa, T, 8>{});
  return f(Row < Isa, T, kMost < 4 ? kMost : 4 > {});
}

}  // namespace

template <class Isa, class T>
void softmax_rows(Softmax kind, std::int64_t rows, std::int64_t columns, const T* __restrict x, T* __restrict y) {
  const std::int64_t width = kind == Softmax::normaliser ? 1 : columns;
  with_lanes<Isa, T>(columns, [&]<class R>(R) {
    for (std::int64_t n = 0; n < rows; ++n) R::forward(kind, columns, x + n * columns, y + n * width);
  });
}

template <class Isa, class T>
void softmax_gradient_rows(Softmax kind, std::int64_t rows, std::int64_t columns, const T* __restrict saved,
                           const T* __restrict g, T* __restrict dx) {
  const std::int64_t width = kind == Softmax::normaliser ? 1 : columns;
  with_lanes<Isa, T>(columns, [&]<class R>(R) {
    for (std::int64_t n = 0; n < rows; ++n)
      R::backward(kind, columns, saved + n * columns, g + n * width, dx + n * columns);
  });
}

#define ATTO_INSTANTIATE(T)                                                                \
  template void softmax_rows<ATTO_ISA>(Softmax, std::int64_t, std::int64_t, const T*, T*); \
  template void softmax_gradient_rows<ATTO_ISA>(Softmax, std::int64_t, std::int64_t, const T*, const T*, T*);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE
#undef ATTO_INLINE

}  // namespace atto::kernels
