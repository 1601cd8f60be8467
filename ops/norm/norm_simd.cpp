#include "core/lanes.hpp"
#include "ops/norm/chunks.hpp"

namespace atto::kernels {
namespace {

template <class T>
void fill(std::int64_t n, T value, T* __restrict y) {
  for (std::int64_t d = 0; d < n; ++d) y[d] = value;
}

// total_d += the sum of f(n, d) over rows, four rows at a time: `total` is read and written once for all of them, and
// four short chains of additions take the place of a long one.
template <class T, class F>
[[gnu::always_inline]] inline void add_over_rows(std::int64_t rows, std::int64_t columns, T* __restrict total,
                                                 const F& f) {
  std::int64_t n = 0;
  for (; n + 4 <= rows; n += 4)
    for (std::int64_t d = 0; d < columns; ++d) total[d] += (f(n, d) + f(n + 1, d)) + (f(n + 2, d) + f(n + 3, d));
  for (; n < rows; ++n)
    for (std::int64_t d = 0; d < columns; ++d) total[d] += f(n, d);
}

// The sum of f.operator()<lanes>(d) over the places of a row, in vectors of N and the rest one by one.
template <int N, class T, class F>
[[gnu::always_inline]] inline T sum_over_row(std::int64_t columns, const F& f) {
  simd::Lanes<T, N> lanes{};
  std::int64_t d = 0;
  for (; d + N <= columns; d += N) lanes += f.template operator()<N>(d);
  T sum = simd::sum<T, N>(lanes);
  for (; d < columns; ++d) sum += f.template operator()<1>(d);
  return sum;
}

}  // namespace

template <class Isa, class T>
void add_rows_chunk(std::int64_t n, const T* __restrict a, const T* __restrict b, T* __restrict sum) {
  for (std::int64_t i = 0; i < n; ++i) sum[i] = a[i] + b[i];
}

template <class Isa, class T>
void moments_chunk(std::int64_t rows, std::int64_t columns, const T* __restrict x, T* __restrict mean,
                   T* __restrict sum) {
  fill(columns, T(0), mean);
  fill(columns, T(0), sum);
  add_over_rows(rows, columns, mean, [&](std::int64_t n, std::int64_t d) { return x[n * columns + d]; });
  for (std::int64_t d = 0; d < columns; ++d) mean[d] /= static_cast<T>(rows);
  add_over_rows(rows, columns, sum, [&](std::int64_t n, std::int64_t d) {
    const T difference = x[n * columns + d] - mean[d];
    return difference * difference;
  });
}

template <class Isa, class T>
void normalise_columns_chunk(std::int64_t rows, std::int64_t columns, const T* __restrict x, const T* __restrict mean,
                             const T* __restrict scale, const T* __restrict shift, const T* __restrict after,
                             T* __restrict y) {
  for (std::int64_t n = 0; n < rows; ++n) {
    if (after)
      for (std::int64_t d = 0; d < columns; ++d)
        y[n * columns + d] = ((x[n * columns + d] - mean[d]) * scale[d] + shift[d]) + after[n * columns + d];
    else
      for (std::int64_t d = 0; d < columns; ++d)
        y[n * columns + d] = (x[n * columns + d] - mean[d]) * scale[d] + shift[d];
  }
}

template <class Isa, class T>
void column_gradient_sums_chunk(std::int64_t rows, std::int64_t columns, const T* __restrict g, const T* __restrict x,
                                const T* __restrict mean, T* __restrict sum_g, T* __restrict sum_gx) {
  fill(columns, T(0), sum_g);
  fill(columns, T(0), sum_gx);
  // As add_over_rows(), for both sums at once: g is read once.
  std::int64_t n = 0;
  for (; n + 4 <= rows; n += 4) {
    const T *g0 = g + n * columns, *g1 = g0 + columns, *g2 = g1 + columns, *g3 = g2 + columns;
    const T *x0 = x + n * columns, *x1 = x0 + columns, *x2 = x1 + columns, *x3 = x2 + columns;
    for (std::int64_t d = 0; d < columns; ++d) {
      const T m = mean[d];
      sum_g[d] += (g0[d] + g1[d]) + (g2[d] + g3[d]);
      sum_gx[d] += (g0[d] * (x0[d] - m) + g1[d] * (x1[d] - m)) + (g2[d] * (x2[d] - m) + g3[d] * (x3[d] - m));
    }
  }
  for (; n < rows; ++n)
    for (std::int64_t d = 0; d < columns; ++d) {
      sum_g[d] += g[n * columns + d];
      sum_gx[d] += g[n * columns + d] * (x[n * columns + d] - mean[d]);
    }
}

template <class Isa, class T>
void column_gradient_chunk(std::int64_t rows, std::int64_t columns, const T* __restrict g, const T* __restrict x,
                           const T* __restrict mean, const T* __restrict scale, const T* __restrict a,
                           const T* __restrict b, T* __restrict dx, T* __restrict more) {
  for (std::int64_t n = 0; n < rows; ++n) {
    for (std::int64_t d = 0; d < columns; ++d)
      dx[n * columns + d] = scale[d] * ((g[n * columns + d] - a[d]) - (x[n * columns + d] - mean[d]) * b[d]);
    if (more)
      for (std::int64_t d = 0; d < columns; ++d) more[n * columns + d] += dx[n * columns + d];
  }
}

template <class Isa, class T>
void normalise_rows_chunk(std::int64_t rows, std::int64_t columns, double epsilon, const T* __restrict x,
                          const T* __restrict weight, const T* __restrict bias, T* __restrict mean,
                          T* __restrict inverse, T* __restrict y) {
  using simd::load;
  simd::with_lanes<Isa, T>(columns, [&]<int N>() {
    for (std::int64_t n = 0; n < rows; ++n) {
      const T* row = x + n * columns;
      T* out = y + n * columns;
      T middle = 0;
      if (mean)
        mean[n] = middle = sum_over_row<N, T>(columns, [&]<int M>(std::int64_t d) { return load<M>(row + d); }) /
                           static_cast<T>(columns);
      const T variance = sum_over_row<N, T>(columns,
                                            [&]<int M>(std::int64_t d) {
                                              const auto difference = load<M>(row + d) - middle;
                                              return difference * difference;
                                            }) /
                         static_cast<T>(columns);
      const T scale = inverse[n] = static_cast<T>(1 / __builtin_sqrt(variance + epsilon));
      if (bias)
        for (std::int64_t d = 0; d < columns; ++d) out[d] = (row[d] - middle) * scale * weight[d] + bias[d];
      else
        for (std::int64_t d = 0; d < columns; ++d) out[d] = (row[d] - middle) * scale * weight[d];
    }
  });
}

template <class Isa, class T>
void row_gradient_chunk(std::int64_t rows, std::int64_t columns, const T* __restrict g, const T* __restrict x,
                        const T* __restrict mean, const T* __restrict inverse, const T* __restrict weight,
                        T* __restrict dx, T* __restrict dweight, T* __restrict dbias) {
  using simd::load;
  if (dx)
    simd::with_lanes<Isa, T>(columns, [&]<int N>() {
      for (std::int64_t n = 0; n < rows; ++n) {
        const T* gradient = g + n * columns;
        const T* row = x + n * columns;
        T* out = dx + n * columns;
        const T middle = mean ? mean[n] : T(0), scale = inverse[n];
        // h = g weight, its mean and that of h xhat. h is stored, since a product that is not rounded before the mean
        // is taken off would leave a remainder where dx is 0.
        const T sum_h = sum_over_row<N, T>(columns, [&]<int M>(std::int64_t d) {
          const auto h = load<M>(gradient + d) * load<M>(weight + d);
          simd::store(out + d, h);
          return h;
        });
        const T sum_hx = sum_over_row<N, T>(
            columns, [&]<int M>(std::int64_t d) { return load<M>(out + d) * (load<M>(row + d) - middle); });
        const T a = mean ? sum_h / static_cast<T>(columns) : T(0), b = sum_hx / static_cast<T>(columns) * scale * scale;
        for (std::int64_t d = 0; d < columns; ++d) out[d] = scale * ((out[d] - a) - (row[d] - middle) * b);
      }
    });
  if (dweight) {
    fill(columns, T(0), dweight);
    if (mean)
      add_over_rows(rows, columns, dweight, [&](std::int64_t n, std::int64_t d) {
        return g[n * columns + d] * ((x[n * columns + d] - mean[n]) * inverse[n]);
      });
    else
      add_over_rows(rows, columns, dweight, [&](std::int64_t n, std::int64_t d) {
        return g[n * columns + d] * (x[n * columns + d] * inverse[n]);
      });
  }
  if (dbias) {
    fill(columns, T(0), dbias);
    add_over_rows(rows, columns, dbias, [&](std::int64_t n, std::int64_t d) { return g[n * columns + d]; });
  }
}

#define ATTO_INSTANTIATE(T)                                                                                           \
  template void add_rows_chunk<ATTO_ISA>(std::int64_t, const T*, const T*, T*);                                       \
  template void moments_chunk<ATTO_ISA>(std::int64_t, std::int64_t, const T*, T*, T*);                                \
  template void normalise_columns_chunk<ATTO_ISA>(std::int64_t, std::int64_t, const T*, const T*, const T*, const T*, \
                                                  const T*, T*);                                                      \
  template void column_gradient_sums_chunk<ATTO_ISA>(std::int64_t, std::int64_t, const T*, const T*, const T*, T*,    \
                                                     T*);                                                             \
  template void column_gradient_chunk<ATTO_ISA>(std::int64_t, std::int64_t, const T*, const T*, const T*, const T*,   \
                                                const T*, const T*, T*, T*);                                          \
  template void normalise_rows_chunk<ATTO_ISA>(std::int64_t, std::int64_t, double, const T*, const T*, const T*, T*,  \
                                               T*, T*);                                                               \
  template void row_gradient_chunk<ATTO_ISA>(std::int64_t, std::int64_t, const T*, const T*, const T*, const T*,      \
                                             const T*, T*, T*, T*);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
