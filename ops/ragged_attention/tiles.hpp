#pragma once
// The inner loops of attention: small matrix products held in registers, and moving rows.

#include "ops/ragged_attention/vectors.hpp"

namespace atto::kernels {

// ---- Products
// --------------------------------------------------------------------------------------------------------------

/// Rows of a tile of accumulators, two of them where scores and gradients of weights go together: as many as the
/// registers hold (32 in AVX-512, else 16) beside the operands.
template <class Isa>
inline constexpr int kTileRows = 4;
template <>
inline constexpr int kTileRows<Avx512> = 8;

/// Calls f.operator()<R>(row, fresh) for tiles of R = Largest rows, then for the rest in tiles of 4, 2 and 1. A tile of
/// almost enough rows begins earlier, so that it does some again (the same results): its own begin at `fresh`.
template <int Largest, class F>
[[gnu::always_inline]] static inline void for_row_tiles(std::int64_t rows, F&& f) {
  std::int64_t r = 0;
  for (; r + Largest <= rows; r += Largest) f.template operator()<Largest>(r, r);
  if constexpr (Largest > 4) {
    if (rows - r > 4 && rows >= Largest) return f.template operator()<Largest>(rows - Largest, r);
    if (rows - r >= 4) f.template operator()<4>(r, r), r += 4;
  }
  if (rows - r == 3 && rows >= 4) return f.template operator()<4>(rows - 4, r);
  if (rows - r >= 2) f.template operator()<2>(r, r), r += 2;
  if (rows > r) f.template operator()<1>(r, r);
}

/// Where vector j of columns begins in a matrix [depth, columns] that is stored in panels of kColumnPad columns: rows
/// that follow each other closely, however long they are, do not fall onto the same lines of the cache.
template <class T>
[[gnu::always_inline]] static inline const T* in_panels(const T* panels, std::int64_t depth, std::int64_t j) {
  return panels + (j & -kColumnPad) * depth + (j & (kColumnPad - 1));
}

/// sum[r] = sum_d a[r, d] b[d, :] for R rows of a and one vector of columns of a panel.
template <int N, int R, class T>
[[gnu::always_inline]] static inline void dot_tile(const T* a, std::int64_t lda, std::int64_t depth, const T* b,
                                                   Lanes<T, N> (&sum)[R]) {
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) sum[r] = Lanes<T, N>{};
  for (std::int64_t d = 0; d < depth; ++d) {
    const Lanes<T, N> row = load<N>(b + d * kColumnPad);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) sum[r] += a[r * lda + d] * row;
  }
}

/// Most rows of a tile of combine(), C vectors wide.
template <class Isa, int C>
inline constexpr int kCombineRows = C == 1 ? 12 : 6;
template <>
inline constexpr int kCombineRows<Avx512, 2> = 12;

/// Calls f.operator()<rows>() for rows from 1 to R.
template <int R, class F>
[[gnu::always_inline]] static inline void with_rows(std::int64_t rows, F&& f) {
  if constexpr (R == 1) f.template operator()<1>();
  else if (rows == R) f.template operator()<R>();
  else with_rows<R - 1>(rows, f);
}

/// Whether the rows of a product of a tile with a matrix are the tile's rows, that is queries, or its columns, keys.
enum class Per { query, key };

/// The part of a tile that is not masked: row r sees `keys` + r keys, if there are as many.
struct Seen {
  std::int64_t keys;
  /// Keys of the last of rows up to `end`, of `count`.
  [[gnu::always_inline]] std::int64_t before(std::int64_t end, std::int64_t count) const {
    const std::int64_t seen = keys + end - 1;
    return seen < 0 ? 0 : seen < count ? seen : count;
  }
  /// The first of `count` rows that sees a key.
  [[gnu::always_inline]] std::int64_t first_row(std::int64_t key, std::int64_t count) const {
    const std::int64_t row = key - keys + 1;
    return row < 0 ? 0 : row < count ? row : count;
  }
};

// R rows and C vectors of columns of the product.
template <int N, int R, int C, Per Row, class T>
[[gnu::always_inline]] static inline void combine_tile(const T* w, std::int64_t count, const T* m, std::int64_t ldm,
                                                       bool add, const T* factor, T* out, std::int64_t ldo) {
  Lanes<T, N> sum[R][C] = {};
  for (std::int64_t t = 0; t < count; ++t) {
    Lanes<T, N> row[C];
#pragma GCC unroll 2
    for (int c = 0; c < C; ++c) row[c] = load<N>(m + t * ldm + c * N);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int c = 0; c < C; ++c) sum[r][c] += w[Row == Per::query ? r * kStride + t : t * kStride + r] * row[c];
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int c = 0; c < C; ++c) {
      T* to = out + r * ldo + c * N;
      if (add) sum[r][c] += load<N>(to);
      if (factor) sum[r][c] *= factor[r];
      store(to, sum[r][c]);
    }
}

// C vectors of columns, all rows: in tiles of about the same size, because one of a single row takes as long as one of
// eight: its sum waits for itself.
template <class Isa, int N, int C, Per Row, class T>
[[gnu::noinline]] static void combine_columns(std::int64_t rows, const T* w, std::int64_t count, Seen seen, const T* m,
                                              std::int64_t ldm, bool add, const T* factor, T* out, std::int64_t ldo) {
  constexpr int most = kCombineRows<Isa, C>;
  const std::int64_t tiles = (rows + most - 1) / most;
  for (std::int64_t tile = 0, r = 0; tile < tiles; ++tile) {
    const std::int64_t height = (rows - r + tiles - tile - 1) / (tiles - tile);
    const std::int64_t begin = Row == Per::query ? 0 : seen.first_row(r, count);
    const std::int64_t end = Row == Per::query ? seen.before(r + height, count) : count;
    with_rows<most>(height, [&]<int R>() {
      combine_tile<N, R, C, Row>(w + (Row == Per::query ? r * kStride : begin * kStride + r), end - begin,
                                 m + begin * ldm, ldm, add, factor ? factor + r : nullptr, out + r * ldo, ldo);
    });
    r += height;
  }
}

/// out[r, :] = sum over t < count of w(r, t) m[t, :]: rows of m, `width` long, a multiple of kWidthPad, weighted with
/// elements of a tile of kStride: w[r, t] or, per key, w[t, r]. What is there is added, if asked; then the sum is
/// multiplied by factor[r], if given. What `seen` leaves out of the tile is 0, if it was written at all.
template <class Isa, Per Row, class T>
static void combine(std::int64_t rows, const T* w, std::int64_t count, Seen seen, const T* m, std::int64_t ldm,
                    std::int64_t width, bool add, const T* factor, T* out, std::int64_t ldo) {
  constexpr int N = kLanes<Isa, T>;
  std::int64_t c = 0;
  for (; c + 2 * N <= width; c += 2 * N)
    combine_columns<Isa, N, 2, Row>(rows, w, count, seen, m + c, ldm, add, factor, out + c, ldo);
  if (c + N <= width)
    combine_columns<Isa, N, 1, Row>(rows, w, count, seen, m + c, ldm, add, factor, out + c, ldo), c += N;
  if constexpr (N > kWidthPad)
    if (c < width) combine_columns<Isa, kWidthPad, 1, Row>(rows, w, count, seen, m + c, ldm, add, factor, out + c, ldo);
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

/// out[r] = sum_i a[r, i] b[r, i]; out has room for a multiple of kRowGroup.
template <class Isa, class T>
[[gnu::noinline]] static void dot_rows(std::int64_t rows, std::int64_t width, const T* a, std::int64_t lda, const T* b,
                                       std::int64_t ldb, T* out) {
  constexpr int N = kLanes<Isa, T> < 8 ? kLanes<Isa, T> : 8, R = kRowGroup;
  for (std::int64_t r = 0; r < rows; r += R) {
    Lanes<T, N> sum[R] = {};
    const std::int64_t count = rows - r < R ? rows - r : R;
    std::int64_t i = 0;
    for (; i + N <= width; i += N) {
#pragma GCC unroll 8
      for (int k = 0; k < R; ++k)
        if (k < count) sum[k] += load<N>(a + (r + k) * lda + i) * load<N>(b + (r + k) * ldb + i);
    }
    reduce_rows<true, T, N>(sum, out + r);
    for (; i < width; ++i)
      for (std::int64_t k = r; k < r + count; ++k) out[k] += a[k * lda + i] * b[k * ldb + i];
  }
}

template <int N, class T>
[[gnu::always_inline]] static inline void transpose_blocks(const T* from, std::int64_t stride, std::int64_t rows,
                                                           std::int64_t width, T* panels) {
  for (std::int64_t r = 0; r < padded(rows, kColumnPad); r += N) {
    T* to = panels + (r & -kColumnPad) * width + (r & (kColumnPad - 1));
    for (std::int64_t d = 0; d < width; d += N) {
      Lanes<T, N> block[N];
#pragma GCC unroll 16
      for (int i = 0; i < N; ++i) block[i] = r + i < rows ? load<N>(from + (r + i) * stride + d) : Lanes<T, N>{};
      transpose<N, T>(block);
#pragma GCC unroll 16
      for (int i = 0; i < N; ++i) store(to + (d + i) * kColumnPad, block[i]);
    }
  }
}

/// to[d, r] = from[r, d] in panels, with zeros for r from `rows` up to a multiple of kColumnPad.
template <class Isa, class T>
[[gnu::noinline]] static void transpose_rows(const T* from, std::int64_t stride, std::int64_t rows, std::int64_t width,
                                             T* to) {
  constexpr int N = kLanes<Isa, T>;
  if (width % N == 0) return transpose_blocks<N>(from, stride, rows, width, to);
  if constexpr (N > 8)
    if (width % 8 == 0) return transpose_blocks<8>(from, stride, rows, width, to);
  if constexpr (N > 4)
    if (width % 4 == 0) return transpose_blocks<4>(from, stride, rows, width, to);
  for (std::int64_t r = 0; r < padded(rows, kColumnPad); ++r)
    for (std::int64_t d = 0; d < width; ++d)
      to[(r & -kColumnPad) * width + d * kColumnPad + (r & (kColumnPad - 1))] = r < rows ? from[r * stride + d] : T{0};
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
