#include "core/lanes.hpp"
#include "core/sum.hpp"

namespace atto::kernels {
namespace {

constexpr std::int64_t kLanes = 64;
constexpr std::int64_t kRun = 32;  // rows that are added in registers

// Adds rows of K vectors in registers: several at once, because an addition takes longer than a load.
template <class T, int N, int K, class F>
[[gnu::always_inline]] inline void add_vectors(std::int64_t rows, std::int64_t stride, const T* x, const F& finish) {
  simd::Lanes<T, N> sum[K];
  for (int k = 0; k < K; ++k) sum[k] = simd::load<N>(x + k * N);
  for (std::int64_t r = 1; r < rows; ++r)
    for (int k = 0; k < K; ++k) sum[k] += simd::load<N>(x + r * stride + k * N);
  for (int k = 0; k < K; ++k) finish(k * N, sum[k]);
}

// A row is read as rows of four vectors, then of one; what is left is added one by one. Runs are combined in float64.
template <class T, int N>
[[gnu::always_inline]] inline T sum_of_row(std::int64_t size, const T* x) {
  double total = 0;
  const auto finish = [&](std::int64_t, auto sum) { total += static_cast<double>(simd::sum<T, N>(sum)); };
  std::int64_t i = 0;
  while (i + 4 * N <= size) {
    const std::int64_t most = (size - i) / (4 * N), rows = most < kRun ? most : kRun;
    add_vectors<T, N, 4>(rows, 4 * N, x + i, finish);
    i += rows * 4 * N;
  }
  if (i + N <= size) {
    const std::int64_t rows = (size - i) / N;
    add_vectors<T, N, 1>(rows, N, x + i, finish);
    i += rows * N;
  }
  for (; i < size; ++i) total += static_cast<double>(x[i]);
  return static_cast<T>(total);
}

// Few rows: y is written once.
template <class T, int N>
[[gnu::always_inline]] inline void sum_of_few(std::int64_t rows, std::int64_t width, const T* x, T* y) {
  std::int64_t i = 0;
  const auto finish = [&](std::int64_t place, auto sum) { simd::store(y + i + place, sum); };
  for (; i + 4 * N <= width; i += 4 * N) add_vectors<T, N, 4>(rows, width, x + i, finish);
  for (; i + N <= width; i += N) add_vectors<T, N, 1>(rows, width, x + i, finish);
  for (; i < width; ++i) {
    T sum = x[i];
    for (std::int64_t r = 1; r < rows; ++r) sum += x[r * width + i];
    y[i] = sum;
  }
}

// y += the sum of rows of one width; four at a time, because y is read and written once for all of them.
template <class T>
void add_rows(std::int64_t rows, std::int64_t width, const T* __restrict x, T* __restrict y) {
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const T* __restrict a = x + r * width;
    const T* __restrict b = a + width;
    const T* __restrict c = b + width;
    const T* __restrict d = c + width;
    for (std::int64_t i = 0; i < width; ++i) y[i] += (a[i] + b[i]) + (c[i] + d[i]);
  }
  for (; r < rows; ++r)
    for (std::int64_t i = 0; i < width; ++i) y[i] += x[r * width + i];
}

}  // namespace

template <class Isa, class T>
void sum_middle_chunk(std::int64_t outer, std::int64_t middle, std::int64_t inner, const T* x, T* y) {
  constexpr int N = simd::kLanes<Isa, T>;
  if (inner == 1 && middle >= 4) {
    for (std::int64_t o = 0; o < outer; ++o)
      y[o] = middle < N                        ? sum_of_row < T,
      N < 4 ? N : 4 > (middle, x + o * middle) : sum_of_row<T, N>(middle, x + o * middle);
    return;
  }
  if (inner >= N && middle > 0 && middle <= kRun) {
    for (std::int64_t o = 0; o < outer; ++o) sum_of_few<T, N>(middle, inner, x + o * middle * inner, y + o * inner);
    return;
  }
  const std::int64_t group = inner < kLanes ? kLanes / inner : 1;  // narrow rows are taken together, as one wide row
  for (std::int64_t o = 0; o < outer; ++o, x += middle * inner, y += inner) {
    if (group == 1) {
      for (std::int64_t i = 0; i < inner; ++i) y[i] = 0;
      add_rows(middle, inner, x, y);
      continue;
    }
    if (middle <= group) {  // short: no lanes to win
      for (std::int64_t i = 0; i < inner; ++i) {
        T sum = 0;
        for (std::int64_t m = 0; m < middle; ++m) sum += x[m * inner + i];
        y[i] = sum;
      }
      continue;
    }
    T lanes[kLanes] = {};
    const std::int64_t width = group * inner, wide = middle / group;
    add_rows(wide, width, x, lanes);
    for (std::int64_t i = wide * width; i < middle * inner; ++i) lanes[i - wide * width] += x[i];
    for (std::int64_t half = group; half > 1; half = (half + 1) / 2)  // a tree of pairs
      for (std::int64_t i = 0; i < half / 2 * inner; ++i) lanes[i] += lanes[(half + 1) / 2 * inner + i];
    for (std::int64_t i = 0; i < inner; ++i) y[i] = lanes[i];
  }
}

template <class Isa, class T>
void add_into_chunk(std::int64_t n, const T* __restrict x, T* __restrict y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += x[i];
}

template void sum_middle_chunk<ATTO_ISA>(std::int64_t, std::int64_t, std::int64_t, const float*, float*);
template void sum_middle_chunk<ATTO_ISA>(std::int64_t, std::int64_t, std::int64_t, const double*, double*);
template void add_into_chunk<ATTO_ISA>(std::int64_t, const float*, float*);
template void add_into_chunk<ATTO_ISA>(std::int64_t, const double*, double*);

}  // namespace atto::kernels
