#pragma once
// The inner loops of attention, for its `*_simd.cpp` files: two small matrix products held in registers, a transposition, exp,
// table look-up, and moving rows. Internal linkage throughout.

#include "core/lanes.hpp"
#include "ops/ragged_attention/call.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace atto::kernels {

using simd::IntLanes;
using simd::kLanes;
using simd::Lanes;
using simd::load;
using simd::splat;
using simd::store;

// ---- What core/lanes.hpp does not have -------------------------------------------------------------------------------------

// Constant lanes of a shuffle are spelled out through parameter packs.
template <int... I>
struct Places {};
template <int N, int... I>
struct PlacesUpTo : PlacesUpTo<N - 1, N - 1, I...> {};
template <int... I>
struct PlacesUpTo<0, I...> {
  using Type = Places<I...>;
};

template <int S, class V, int... I>
[[gnu::always_inline]] static inline void exchange(V& a, V& b, Places<I...>) {
  constexpr int N = sizeof...(I);
  const V low = __builtin_shufflevector(a, b, ((I & S) ? N + I - S : I)...);
  b = __builtin_shufflevector(a, b, ((I & S) ? N + I : I + S)...);
  a = low;
}
/// Transposes N vectors of N lanes in registers (Eklundh: swap off-diagonal blocks of size S = 1, 2, 4, ...).
template <int N, class T, int S = 1>
[[gnu::always_inline]] static inline void transpose(Lanes<T, N> (&rows)[N]) {
  if constexpr (S < N) {
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i)
      if ((i & S) == 0) exchange<S>(rows[i], rows[i + S], typename PlacesUpTo<N>::Type{});
    transpose<N, T, 2 * S>(rows);
  }
}

template <class T, int N, int... I>
[[gnu::always_inline]] static inline T largest_lane(Lanes<T, N> v, Places<I...>) {
  const Lanes<T, N / 2> a = __builtin_shufflevector(v, v, I...), b = __builtin_shufflevector(v, v, (N / 2 + I)...);
  const Lanes<T, N / 2> larger = a > b ? a : b;
  if constexpr (N == 4) return larger[0] > larger[1] ? larger[0] : larger[1];
  else return largest_lane<T, N / 2>(larger, typename PlacesUpTo<N / 4>::Type{});
}
/// The largest lane; a NaN may get lost.
template <class T, int N>
[[gnu::always_inline]] static inline T largest(Lanes<T, N> v) {
  if constexpr (N == 2) return v[0] > v[1] ? v[0] : v[1];
  else return largest_lane<T, N>(v, typename PlacesUpTo<N / 2>::Type{});
}

/// out[r] = the sum of the lanes of x[r], or the largest of them, for kRowGroup vectors: pairs are exchanged and added, so that
/// all rows are reduced together. x is destroyed.
template <bool Sum, class T, int N, int S = 1>
[[gnu::always_inline]] static inline void reduce_rows(Lanes<T, N> (&x)[kRowGroup], T* out) {
  constexpr int rows = kRowGroup;
  if constexpr (S < N && S < rows) {
#pragma GCC unroll 8
    for (int i = 0; i < rows; i += 2 * S) {
      exchange<S>(x[i], x[i + S], typename PlacesUpTo<N>::Type{});
      if constexpr (Sum) x[i] += x[i + S];
      else x[i] = x[i] > x[i + S] ? x[i] : x[i + S];
    }
    reduce_rows<Sum, T, N, 2 * S>(x, out);
  } else if constexpr (N > rows) {
    // Lane l holds a part of row l mod 8.
    T lanes[N];
    store(lanes, x[0]);
    const Lanes<T, rows> a = load<rows>(lanes), b = load<rows>(lanes + rows);
    if constexpr (Sum) store(out, a + b);
    else store(out, a > b ? a : b);
  } else {
    for (int i = 0; i < rows; i += N) store(out + i, x[i]);
  }
}

/// e^x for x <= 80: simd::exp without the ends of the range, and double as vectors too. Within about one unit in the last place;
/// 0 where the result would be subnormal (and at -infinity), NaN for NaN.
template <class T, int N>
[[gnu::always_inline]] static inline Lanes<T, N> exp_below(Lanes<T, N> x) {
  using V = Lanes<T, N>;
  using I = IntLanes<T, N>;
  // x = n ln 2 + r with |r| <= ln 2 / 2; e^r by a polynomial. Its product with 2^n, made from the last bits of n plus the bias, is
  // NaN where e^r is: adding n to the exponent as an integer would turn some NaNs into numbers.
  if constexpr (sizeof(T) == 4) {
    constexpr float magic = 12582912.0f + 127;  // 1.5 * 2^23 and the bias: the last bits become the rounded integer
    const V shifted = x * 1.44269504088896341f + magic;
    const V n = shifted - magic;
    const V r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    V p = r * 1.9875691500e-4f + 1.3981999507e-3f;  // Cephes
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r;                      // e^r - 1
    const V power = (V)((I)shifted << 23);    // 2^n: what is above the last bits is shifted out
    const V y = p * power + power;
    return x < -87.0f ? V{} : y;
  } else {
    constexpr double magic = 6755399441055744.0 + 1023;  // 1.5 * 2^52
    const V shifted = x * 1.44269504088896340736 + magic;
    const V n = shifted - magic;
    const V r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
    V p = r * (1.0 / 6227020800.0) + 1.0 / 479001600.0;  // Taylor; the first term left out is below 5e-18
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * (r * r) + r;
    const V power = (V)((I)shifted << 52);
    const V y = p * power + power;
    return x < -708.0 ? V{} : y;
  }
}

// ---- Products --------------------------------------------------------------------------------------------------------------

/// Rows of an accumulator tile of two vectors: as many as the registers hold (32 in AVX-512, else 16) beside the operands.
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
[[gnu::noinline]] static void multiply(std::int64_t rows, std::int64_t columns, std::int64_t depth, const T* a, std::int64_t lda,
                                       const T* b, std::int64_t ldb, T* out, std::int64_t ldo) {
  constexpr int N = kLanes<Isa, T>;
  for_row_tiles<kTileRows<Isa>>(rows, [&]<int R>(std::int64_t r) {
    std::int64_t c = 0;
    for (; c + 2 * N <= columns; c += 2 * N) multiply_tile<N, R, 2>(a + r * lda, lda, depth, b + c, ldb, out + r * ldo + c, ldo);
    if (c < columns) multiply_tile<N, R, 1>(a + r * lda, lda, depth, b + c, ldb, out + r * ldo + c, ldo);
  });
}

/// What combine() does with its sums.
enum class Into { set, add, scale };

// out[r, c] = sum_t w[r row_step + t step] m[t, c] for R rows and C vectors of columns.
template <int N, int R, int C, Into Mode, class T>
[[gnu::always_inline]] static inline void combine_tile(const T* w, std::int64_t row_step, std::int64_t step, std::int64_t count,
                                                       const T* m, std::int64_t ldm, const T* factor, T* out, std::int64_t ldo) {
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
[[gnu::noinline]] static void combine_in(std::int64_t rows, const T* w, std::int64_t row_step, std::int64_t step, std::int64_t count,
                                         const T* m, std::int64_t ldm, std::int64_t width, const T* factor, T* out,
                                         std::int64_t ldo) {
  constexpr int N = kLanes<Isa, T>;
  for_row_tiles<kTileRows<Isa>>(rows, [&]<int R>(std::int64_t r) {
    const T* weight = w + r * row_step;
    const T* scale = Mode == Into::scale ? factor + r : nullptr;
    T* to = out + r * ldo;
    std::int64_t c = 0;
    for (; c + 2 * N <= width; c += 2 * N) combine_tile<N, R, 2, Mode>(weight, row_step, step, count, m + c, ldm, scale, to + c, ldo);
    if (c + N <= width) combine_tile<N, R, 1, Mode>(weight, row_step, step, count, m + c, ldm, scale, to + c, ldo), c += N;
    if constexpr (N > kWidthPad)
      if (c < width) combine_tile<kWidthPad, R, 1, Mode>(weight, row_step, step, count, m + c, ldm, scale, to + c, ldo);
  });
}

/// out[rows, width] = sum over t < count of w[r row_step + t step] m[t, width]: rows of m weighted and added. They replace what
/// is there, are added to it, or are multiplied by factor[r]. width a multiple of kWidthPad.
template <class Isa, class T>
static void combine(std::int64_t rows, const T* w, std::int64_t row_step, std::int64_t step, std::int64_t count, const T* m,
                    std::int64_t ldm, std::int64_t width, bool add, T* out, std::int64_t ldo) {
  if (add) combine_in<Isa, Into::add>(rows, w, row_step, step, count, m, ldm, width, static_cast<const T*>(nullptr), out, ldo);
  else combine_in<Isa, Into::set>(rows, w, row_step, step, count, m, ldm, width, static_cast<const T*>(nullptr), out, ldo);
}
template <class Isa, class T>
static void combine_scaled(std::int64_t rows, const T* w, std::int64_t row_step, std::int64_t step, std::int64_t count, const T* m,
                           std::int64_t ldm, std::int64_t width, const T* factor, T* out, std::int64_t ldo) {
  combine_in<Isa, Into::scale>(rows, w, row_step, step, count, m, ldm, width, factor, out, ldo);
}

// ---- Moving rows ---------------------------------------------------------------------------------------------------------

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
/// The rows, widened with zeros to a multiple of kWidthPad, copied to `memory` when they are not that wide, or when there are so
/// many of them that their distance would map them onto few lines of the cache.
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
[[gnu::always_inline]] static inline void transpose_blocks(const T* from, std::int64_t stride, std::int64_t rows, std::int64_t width,
                                  T* to, std::int64_t ldo) {
  for (std::int64_t r = 0; r < ldo; r += N)
    for (std::int64_t d = 0; d < width; d += N) {
      Lanes<T, N> block[N];
#pragma GCC unroll 16
      for (int i = 0; i < N; ++i)
        block[i] = r + i < rows ? load<N>(from + (r + i) * stride + d) : Lanes<T, N>{};
      transpose<N, T>(block);
#pragma GCC unroll 16
      for (int i = 0; i < N; ++i) store(to + (d + i) * ldo + r, block[i]);
    }
}

/// to[d, r] = from[r, d], with zeros for r from `rows` up to the multiple of kColumnPad that `ldo` is.
template <class Isa, class T>
[[gnu::noinline]] static void transpose_rows(const T* from, std::int64_t stride, std::int64_t rows, std::int64_t width, T* to, std::int64_t ldo) {
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

/// Asks for one of `shares` parts of rows begin..end of a matrix, to be in the second-level cache when their turn comes: a head's
/// rows are too far from each other for the processor to see the pattern in time.
template <class T>
[[gnu::always_inline]] static inline void fetch_ahead(const T* matrix, std::int64_t begin, std::int64_t end, std::int64_t row_size,
                                                      std::int64_t share, std::int64_t shares) {
  if (matrix == nullptr) return;
  const auto* rows = reinterpret_cast<const char*>(matrix + begin * row_size);
  const std::int64_t bytes = (end - begin) * row_size * static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t b = bytes * share / shares & ~std::int64_t{63}; b < bytes * (share + 1) / shares; b += 64)
    __builtin_prefetch(rows + b, 0, 2);
}

// ---- Bucket tables -------------------------------------------------------------------------------------------------------

/// One head's table times a factor, arranged for look-up. When no bucket but 255 exceeds `slots - 2`, b mod slots finds bucket 255 in the last
/// slot, and a table of that size fits into registers, where a permutation looks up a whole vector at once.
template <class T>
struct Lookup {
  T* slots;  // [256], aligned
  int size = 256;
};

template <class T>
static Lookup<T> make_lookup(const T* table, std::int64_t table_size, int largest, T factor, T* memory) {
  Lookup<T> lookup{memory};
  lookup.size = largest < 15 ? 16 : largest < 31 ? 32 : largest < 63 ? 64 : 256;
  for (std::int64_t b = 0; b < lookup.size; ++b) memory[b] = b < table_size ? factor * table[b] : T{0};
  if (table_size == 256) memory[lookup.size - 1] = factor * table[255];
  return lookup;
}

/// The values of N buckets.
template <class Isa, class T>
[[gnu::always_inline]] static inline Lanes<T, kLanes<Isa, T>> look_up(const Lookup<T>& lookup, const std::uint8_t* buckets) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {  // the masked forms: the others draw false warnings about uninitialised values from g++ 12
    const T* t = lookup.slots;
    const __m512i index = _mm512_maskz_cvtepu8_epi32(0xFFFF, _mm_loadu_si128(reinterpret_cast<const __m128i*>(buckets)));
    if (lookup.size == 16) return _mm512_maskz_permutexvar_ps(0xFFFF, index, _mm512_load_ps(t));
    if (lookup.size == 32) return _mm512_permutex2var_ps(_mm512_load_ps(t), index, _mm512_load_ps(t + 16));
    if (lookup.size == 64)
      return _mm512_mask_blend_ps(_mm512_test_epi32_mask(index, _mm512_set1_epi32(32)),
                                  _mm512_permutex2var_ps(_mm512_load_ps(t), index, _mm512_load_ps(t + 16)),
                                  _mm512_permutex2var_ps(_mm512_load_ps(t + 32), index, _mm512_load_ps(t + 48)));
    return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), 0xFFFF, index, t, 4);
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    const T* t = lookup.slots;
    const __m256i index = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(buckets)));
    if (lookup.size == 16)
      return _mm256_blendv_ps(_mm256_permutevar8x32_ps(_mm256_load_ps(t), index),
                              _mm256_permutevar8x32_ps(_mm256_load_ps(t + 8), index),
                              _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
    return _mm256_i32gather_ps(t, _mm256_and_si256(index, _mm256_set1_epi32(lookup.size - 1)), 4);
  }
#endif
  constexpr int N = kLanes<Isa, T>;
  Lanes<T, N> values{};
  for (int i = 0; i < N; ++i) values[i] = lookup.slots[buckets[i] & (lookup.size - 1)];
  return values;
}

// ---- Dropout -------------------------------------------------------------------------------------------------------------

/// 64-bit lanes, of which Philox uses the lower halves.
template <class Isa>
struct PhiloxLanes {
  static constexpr int N = kLanes<Isa, double>;
  typedef std::uint64_t Words __attribute__((vector_size(N * 8)));

  /// Products of the lower halves with a number below 2^32.
  [[gnu::always_inline]] static inline Words times(Words a, std::uint32_t b) {
#if defined(__AVX512F__)
    return (Words)_mm512_maskz_mul_epu32(0xFF, (__m512i)a, _mm512_set1_epi32(static_cast<int>(b)));
#elif defined(__AVX2__)
    return (Words)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi32(static_cast<int>(b)));
#elif defined(__SSE2__)
    return (Words)_mm_mul_epu32((__m128i)a, _mm_set1_epi32(static_cast<int>(b)));
#else
    return (a & 0xFFFFFFFFu) * b;
#endif
  }
};

/// keep[r, j] = keep_scale or 0 for the kRowGroup rows of a group and the keys from first to first + columns. Key j of the group
/// has the counter (j, row); its 128 bits are 16 for each row. Ten rounds of Philox, vectorised over keys.
template <class Isa, class T>
[[gnu::noinline]] static void draw_keep(const RaggedAttentionCall<T>& call, std::uint32_t row, std::int64_t first,
                                        std::int64_t columns, T* keep, std::int64_t ldk) {
  using P = PhiloxLanes<Isa>;
  using Words = typename P::Words;
  constexpr int N = P::N;
  Words lane{};
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) lane[i] = static_cast<std::uint64_t>(i);
  for (std::int64_t j = 0; j < columns; j += N) {
    // Upper halves hold rubbish from the products; nothing looks at them.
    Words c0 = lane + static_cast<std::uint64_t>(first + j), c1 = Words{} + row, c2 = Words{} + (call.stream & 0xFFFFFFFFu),
          c3 = Words{} + (call.stream >> 32);
    auto key0 = static_cast<std::uint32_t>(call.seed);
    auto key1 = static_cast<std::uint32_t>(call.seed >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      const Words product0 = P::times(c0, 0xD2511F53u), product1 = P::times(c2, 0xCD9E8D57u);
      c0 = (product1 >> 32) ^ c1 ^ key0;
      c2 = (product0 >> 32) ^ c3 ^ key1;
      c1 = product1;
      c3 = product0;
      key0 += 0x9E3779B9u;
      key1 += 0xBB67AE85u;
    }
    const Words words[4] = {c0, c1, c2, c3};
#pragma GCC unroll 4
    for (int w = 0; w < 4; ++w) {
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const Words bits = (words[w] >> (16 * half)) & 0xFFFFu;
        if constexpr (sizeof(T) == 8) {
          store(keep + (2 * w + half) * ldk + j, bits >= call.threshold ? splat<N>(call.keep_scale) : Lanes<T, N>{});
        } else {
          const IntLanes<T, N> narrow = __builtin_convertvector(bits, IntLanes<T, N>);
          store(keep + (2 * w + half) * ldk + j,
                narrow >= static_cast<std::int32_t>(call.threshold) ? splat<N>(call.keep_scale) : Lanes<T, N>{});
        }
      }
    }
  }
}

}  // namespace atto::kernels
