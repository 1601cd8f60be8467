#include <cmath>

#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "core/tensor.hpp"
#include "ops/norm/chunks.hpp"
#include "ops/norm/norm.hpp"

namespace atto::kernels {
namespace {

// Rows whose sums are taken in T; sums of chunks are combined in float64, in order.
constexpr std::int64_t kRows = 128;

std::int64_t chunks_of(std::int64_t rows) {
  return (rows + kRows - 1) / kRows;
}

// parts[chunk, width] -> sums[width]
template <class T>
void combine(std::int64_t chunks, std::int64_t width, const T* parts, T* sums) {
  const Tensor memory = Tensor::zeros(Shape{width}, DType::float64);
  double* total = memory.data<double>();
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk, parts += width)
    for (std::int64_t d = 0; d < width; ++d) total[d] += parts[d];
  for (std::int64_t d = 0; d < width; ++d) sums[d] = static_cast<T>(total[d]);
}

}  // namespace

template <class T>
void column_moments(Cpu, std::int64_t rows, std::int64_t columns, const T* x, const T* before, T* sum, T* mean,
                    T* variance) {
  // Two passes over a chunk while it is in the cache; then the moments of chunks are joined (Chan, Golub, LeVeque
  // 1979).
  const std::int64_t chunks = chunks_of(rows);
  const Tensor memory = Tensor::empty(Shape{chunks, 2, columns}, dtype_of<T>);
  T* parts = memory.data<T>();
  with_isa([&]<class Isa>() {
    parallel_chunks(rows, kRows, columns, [&](std::int64_t chunk, std::int64_t begin, std::int64_t end) {
      T* part = parts + chunk * 2 * columns;
      const T* from = x + begin * columns;
      if (before) {
        T* to = sum + begin * columns;
        add_rows_chunk<Isa>((end - begin) * columns, from, before + begin * columns, to);
        from = to;
      }
      moments_chunk<Isa>(end - begin, columns, from, part, part + columns);
    });
  });
  const Tensor joined = Tensor::zeros(Shape{2, columns}, DType::float64);
  double *middle = joined.data<double>(), *squares = middle + columns;
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk, parts += 2 * columns) {
    const auto count = static_cast<double>(chunk * kRows);
    const auto more = static_cast<double>(std::min(kRows, rows - chunk * kRows));
    const double share = more / (count + more);
    for (std::int64_t d = 0; d < columns; ++d) {
      const double difference = parts[d] - middle[d];
      squares[d] += parts[columns + d] + difference * difference * count * share;
      middle[d] += difference * share;
    }
  }
  for (std::int64_t d = 0; d < columns; ++d) {
    mean[d] = static_cast<T>(middle[d]);
    variance[d] = static_cast<T>(rows > 0 ? squares[d] / static_cast<double>(rows) : 0);
  }
}

template <class T>
void normalise_columns(Cpu, std::int64_t rows, std::int64_t columns, double epsilon, const T* x, const T* mean,
                       const T* variance, const T* weight, const T* bias, const T* after, T* y) {
  const Tensor memory = Tensor::empty(Shape{columns}, dtype_of<T>);
  T* scale = memory.data<T>();
  for (std::int64_t d = 0; d < columns; ++d) scale[d] = static_cast<T>(weight[d] / std::sqrt(variance[d] + epsilon));
  with_isa([&]<class Isa>() {
    parallel_for(rows, columns, [&](std::int64_t begin, std::int64_t end) {
      normalise_columns_chunk<Isa>(end - begin, columns, x + begin * columns, mean, scale, bias,
                                   after ? after + begin * columns : nullptr, y + begin * columns);
    });
  });
}

template <class T>
void column_norm_gradient(Cpu, std::int64_t rows, std::int64_t columns, double epsilon, bool given, const T* g,
                          const T* x, const T* mean, const T* variance, const T* weight, T* dx, T* more, T* dweight,
                          T* dbias) {
  // sums: of g, and of g (x - mean). Where the moments are constants, dx does without.
  Tensor sums = Tensor::zeros(Shape{2, columns}, dtype_of<T>);
  const T *sum_g = sums.data<T>(), *sum_gx = sum_g + columns;
  with_isa([&]<class Isa>() {
    if (!given || dweight || dbias) {
      const std::int64_t chunks = chunks_of(rows);
      const Tensor memory = Tensor::empty(Shape{chunks, 2, columns}, dtype_of<T>);
      T* parts = memory.data<T>();
      parallel_chunks(rows, kRows, columns, [&](std::int64_t chunk, std::int64_t begin, std::int64_t end) {
        T* part = parts + chunk * 2 * columns;
        column_gradient_sums_chunk<Isa>(end - begin, columns, g + begin * columns, x + begin * columns, mean, part,
                                        part + columns);
      });
      combine(chunks, 2 * columns, parts, sums.data<T>());
    }
    const Tensor memory = Tensor::zeros(Shape{3, columns}, dtype_of<T>);
    T *scale = memory.data<T>(), *a = scale + columns, *b = a + columns;
    for (std::int64_t d = 0; d < columns; ++d) {
      const double inverse = 1 / std::sqrt(variance[d] + epsilon);
      scale[d] = static_cast<T>(weight[d] * inverse);
      if (dweight) dweight[d] = static_cast<T>(sum_gx[d] * inverse);
      if (dbias) dbias[d] = sum_g[d];
      if (given || rows == 0) continue;
      a[d] = sum_g[d] / static_cast<T>(rows);
      b[d] = static_cast<T>(sum_gx[d] / static_cast<double>(rows) * inverse * inverse);
    }
    if (dx)
      parallel_for(rows, columns, [&](std::int64_t begin, std::int64_t end) {
        column_gradient_chunk<Isa>(end - begin, columns, g + begin * columns, x + begin * columns, mean, scale, a, b,
                                   dx + begin * columns, more ? more + begin * columns : nullptr);
      });
  });
}

template <class T>
void normalise_rows(Cpu, std::int64_t rows, std::int64_t columns, double epsilon, const T* x, const T* weight,
                    const T* bias, T* mean, T* inverse, T* y) {
  with_isa([&]<class Isa>() {
    parallel_for(rows, 16 + 2 * columns, [&](std::int64_t begin, std::int64_t end) {
      normalise_rows_chunk<Isa>(end - begin, columns, epsilon, x + begin * columns, weight, bias,
                                mean ? mean + begin : nullptr, inverse + begin, y + begin * columns);
    });
  });
}

template <class T>
void row_norm_gradient(Cpu, std::int64_t rows, std::int64_t columns, const T* g, const T* x, const T* mean,
                       const T* inverse, const T* weight, T* dx, T* dweight, T* dbias) {
  const std::int64_t chunks = chunks_of(rows);
  const Tensor memory = Tensor::empty(Shape{2, chunks, columns}, dtype_of<T>);
  T *weights = memory.data<T>(), *biases = weights + chunks * columns;
  with_isa([&]<class Isa>() {
    parallel_chunks(rows, kRows, 16 + 3 * columns, [&](std::int64_t chunk, std::int64_t begin, std::int64_t end) {
      row_gradient_chunk<Isa>(end - begin, columns, g + begin * columns, x + begin * columns,
                              mean ? mean + begin : nullptr, inverse + begin, weight,
                              dx ? dx + begin * columns : nullptr, dweight ? weights + chunk * columns : nullptr,
                              dbias ? biases + chunk * columns : nullptr);
    });
  });
  if (dweight) combine(chunks, columns, weights, dweight);
  if (dbias) combine(chunks, columns, biases, dbias);
}

#define ATTO_INSTANTIATE(T)                                                                                          \
  template void column_moments(Cpu, std::int64_t, std::int64_t, const T*, const T*, T*, T*, T*);                     \
  template void normalise_columns(Cpu, std::int64_t, std::int64_t, double, const T*, const T*, const T*, const T*,   \
                                  const T*, const T*, T*);                                                           \
  template void column_norm_gradient(Cpu, std::int64_t, std::int64_t, double, bool, const T*, const T*, const T*,    \
                                     const T*, const T*, T*, T*, T*, T*);                                            \
  template void normalise_rows(Cpu, std::int64_t, std::int64_t, double, const T*, const T*, const T*, T*, T*, T*);   \
  template void row_norm_gradient(Cpu, std::int64_t, std::int64_t, const T*, const T*, const T*, const T*, const T*, \
                                  T*, T*, T*);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
