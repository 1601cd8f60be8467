#pragma once
// The inner loops of attention: two small matrix products held in registers, and moving rows.

#include "ops/ragged_attention/vectors.hpp"

namespace atto::kernels {

// ---- Products
// --------------------------------------------------------------------------------------------------------------

/// Rows of an accumulator tile of two vectors: as many as the registers hold (32 in AVX-512, else 16) beside the
/// operands.
template <class Isa>
inline constexpr int kTileRows = 4;
template <>
inline constexpr int kTileRows<Avx512> = 8;

/// Calls f.operator()<R>(row) for tiles of R = Largest rows, then for the rest in tiles of 4, 2 and 1.
template <int Largest, class F>
[[gnu::always_inline]] static inline void for_row_tiles(std::int64_t rows, F&& f) {
  std::int64_t r = 0;
  for (; r + Largest <= rows; r += Largest) f.template operator()<Largest>(r);
  if constexpr (Largest > 4)
    if (rows - r >= 4) f.template operator()<4>(r), r += 4;
  if (rows - r >= 2) f.template operator()<2>(r), r += 2;
  if (rows > r) f.template operator()<1>(r);
}

// out[r, c] = sum_d a[r, d] b[d, c] for R rows and C vectors of columns: a row of b is loaded once for R rows of a.
template <int N, int R, int C, class T>
[[gnu::always_inline]] static inline void multiply_tile(const T* a, std::int64_t lda, std::int64_t depth, const T* b,
                                                        std::int64_t ldb, T* out, std::int64_t ldo) {
  Lanes<T, N> sum[R][C] = {};
  for (std::int64_t d = 0; d < depth; ++d) {
    Lanes<T, N> row[C];
#pragma GCC unroll 2
    for (int c = 0; c < C; ++c) row[c] = load<N>(b + d * ldb + c * N);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int c = 0; c < C; ++c) sum[r][c] += a[r * lda + d] * row[c];
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int c = 0; c < C; ++c) store(out + r * ldo + c * N, sum[r][c]);
}

/// out[rows, columns] = a[rows, depth] b[depth, columns]; columns a multiple of kColumnPad.
template <class Isa, class T>
[[gnu::noinline]] static void multiply(std::int64_t rows, std::int64_t columns, std::int64_t depth, const T* a,
                                       std::int64_t lda, const T* b, std::int64_t ldb, T* out, std::int64_t ldo) {
  constexpr int N = kLanes<Isa, T>;
  for_row_tiles<kTileRows<Isa>>(rows, [&]<int R>(std::int64_t r) {
    std::int64_t c = 0;
    for (; c + 2 * N <= columns; c += 2 * N)
      multiply_tile<N, R, 2>(a + r * lda, lda, depth, b + c, ldb, out + r * ldo + c, ldo);
    if (c < columns) multiply_tile<N, R, 1>(a + r * lda, lda, depth, b + c, ldb, out + r * ldo + c, ldo);
  });
}

/// What combine() does with its sums.
enum class Into { set, add, scale };

// out[r, c] = sum_t w[r row_step + t step] m[t, c] for R rows and C vectors of columns.
template <int N, int R, int C, Into Mode, class T>
[[gnu::always_inline]] static inline void combine_tile(const T* w, std::int64_t row_step, std::int64_t step,
                                                       std::int64_t count, const T* m, std::int64_t ldm,
                                                       const T* factor, T* out, std::int64_t ldo) {
  Lanes<T, N> sum[R][C] = {};
  if constexpr (Mode == Into::add) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int c = 0; c < C; ++c) sum[r][c] = load<N>(out + r * ldo + c * N);
  }
  for (std::int64_t t = 0; t < count; ++t) {
    Lanes<T, N> row[C];
#pragma GCC unroll 2
    for (int c = 0; c < C; ++c) row[c] = load<N>(m + t * ldm + c * N);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int c = 0; c < C; ++c) sum[r][c] += w[r * row_step + t * step] * row[c];
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int c = 0; c < C; ++c) store(out + r * ldo + c * N, Mode == Into::scale ? sum[r][c] * factor[r] : sum[r][c]);
}

template <class Isa, Into Mode, class T>
[[gnu::noinline]] static void combine_in(std::int64_t rows, const T* w, std::int64_t row_step, std::int64_t step,
                                         std::int64_t count, const T* m, std::int64_t ldm, std::int64_t width,
                                         const T* factor, T* out, std::int64_t ldo) {
  constexpr int N = kLanes<Isa, T>;
  for_row_tiles<kTileRows<Isa>>(rows, [&]<int R>(std::int64_t r) {
    const T* weight = w + r * row_step;
    const T* scale = Mode == Into::scale ? factor + r : nullptr;
    T* to = out + r * ldo;
    std::int64_t c = 0;
    for (; c + 2 * N <= width; c += 2 * N)
      combine_tile<N, R, 2, Mode>(weight, row_step, step, count, m + c, ldm, scale, to + c, ldo);
    if (c + N <= width)
      combine_tile<N, R, 1, Mode>(weight, row_step, step, count, m + c, ldm, scale, to + c, ldo), c += N;
    if constexpr (N > kWidthPad)
      if (c < width) combine_tile<kWidthPad, R, 1, Mode>(weight, row_step, step, count, m + c, ldm, scale, to + c, ldo);
  });
}

/// out[rows, width] = sum over t < count of w[r row_step + t step] m[t, width]: rows of m weighted and added. They
/// replace what is there, are added to it, or are multiplied by factor[r]. width a multiple of kWidthPad.
template <class Isa, class T>
static void combine(std::int64_t rows, const T* w, std::int64_t row_step, std::int64_t step, std::int64_t count,
                    const T* m, std::int64_t ldm, std::int64_t width, bool add, T* out, std::int64_t ldo) {
  if (add)
    combine_in<Isa, Into::add>(rows, w, row_step, step, count, m, ldm, width, static_cast<const T*>(nullptr), out, ldo);
  else
    combine_in<Isa, Into::set>(rows, w, row_step, step, count, m, ldm, width, static_cast<const T*>(nullptr), out, ldo);
}
template <class Isa, class T>
static void combine_scaled(std::int64_t rows, const T* w, std::int64_t row_step, std::int64_t step, std::int64_t count,
                           const T* m, std::int64_t ldm, std::int64_t width, const T* factor, T* out,
                           std::int64_t ldo) {
  combine_in<Isa, Into::scale>(rows, w, row_step, step, count, m, ldm, width, factor, out, ldo);
}

// ---- Moving rows
// ---------------------------------------------------------------------------------------------------------

/// to[i] = from[i] for i < n; the rest up to `padded_n` becomes 0.
template <class T>
[[gnu::always_inline]] static inline void copy_row(const T* from, std::int64_t n, T* to, std::int64_t padded_n) {
  constexpr int N = 16 / static_cast<int>(sizeof(T));
  std::int64_t i = 0;
  for (; i + N <= n; i += N) store(to + i, load<N>(from + i));
  for (; i < n; ++i) to[i] = from[i];
  for (; i < padded_n; ++i) to[i] = 0;
}

/// Rows of a matrix, in place or copied.
template <class T>
struct RowsOf {
  const T* data;
  std::int64_t stride;
};
/// The rows, widened with zeros to a multiple of kWidthPad, copied to `memory` when they are not that wide, or when
/// there are so many of them that their distance would map them onto few lines of the cache.
template <class T>
static RowsOf<T> wide_rows(const T* from, std::int64_t stride, std::int64_t rows, std::int64_t width, T* memory) {
  const std::int64_t wide = padded(width, kWidthPad);
  if (wide == width && rows <= 64) return {from, stride};
  for (std::int64_t r = 0; r < rows; ++r) copy_row(from + r * stride, width, memory + r * wide, wide);
  return {memory, wide};
}

/// sum_i a[i] b[i]
template <class T>
[[gnu::always_inline]] static inline T dot_row(const T* a, const T* b, std::int64_t n) {
  constexpr int N = 16 / static_cast<int>(sizeof(T));
  Lanes<T, N> sum{};
  std::int64_t i = 0;
  for (; i + N <= n; i += N) sum += load<N>(a + i) * load<N>(b + i);
  T result = simd::sum<T, N>(sum);
  for (; i < n; ++i) result += a[i] * b[i];
  return result;
}

template <int N, class T>
[[gnu::always_inline]] static inline void transpose_blocks(const T* from, std::int64_t stride, std::int64_t rows,
                                                           std::int64_t width, T* to, std::int64_t ldo) {
  for (std::int64_t r = 0; r < ldo; r += N)
    for (std::int64_t d = 0; d < width; d += N) {
      Lanes<T, N> block[N];
#pragma GCC unroll 16
      for (int i = 0; i < N; ++i) block[i] = r + i < rows ? load<N>(from + (r + i) * stride + d) : Lanes<T, N>{};
      transpose<N, T>(block);
#pragma GCC unroll 16
      for (int i = 0; i < N; ++i) store(to + (d + i) * ldo + r, block[i]);
    }
}

/// to[d, r] = from[r, d], with zeros for r from `rows` up to the multiple of kColumnPad that `ldo` is.
template <class Isa, class T>
[[gnu::noinline]] static void transpose_rows(const T* from, std::int64_t stride, std::int64_t rows, std::int64_t width,
                                             T* to, std::int64_t ldo) {
  constexpr int N = kLanes<Isa, T>;
  if (width % N == 0) return transpose_blocks<N>(from, stride, rows, width, to, ldo);
  if constexpr (N > 8)
    if (width % 8 == 0) return transpose_blocks<8>(from, stride, rows, width, to, ldo);
  if constexpr (N > 4)
    if (width % 4 == 0) return transpose_blocks<4>(from, stride, rows, width, to, ldo);
  for (std::int64_t d = 0; d < width; ++d) {
    for (std::int64_t r = 0; r < rows; ++r) to[d * ldo + r] = from[r * stride + d];
    for (std::int64_t r = rows; r < ldo; ++r) to[d * ldo + r] = 0;
  }
}

/// Asks for one of `shares` parts of rows begin..end of a matrix, to be in the second-level cache when their turn
/// comes: a head's rows are too far from each other for the processor to see the pattern in time.
template <class T>
[[gnu::always_inline]] static inline void fetch_ahead(const T* matrix, std::int64_t begin, std::int64_t end,
                                                      std::int64_t row_size, std::int64_t share, std::int64_t shares) {
  if (matrix == nullptr) return;
  const auto* rows = reinterpret_cast<const char*>(matrix + begin * row_size);
  const std::int64_t bytes = (end - begin) * row_size * static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t b = bytes * share / shares & ~std::int64_t{63}; b < bytes * (share + 1) / shares; b += 64)
    __builtin_prefetch(rows + b, 0, 2);
}

}  // namespace atto::kernels
