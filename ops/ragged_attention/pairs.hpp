#pragma once
// What attention looks up or draws for each pair: values of bucket tables, and the random bits of dropout.

#include "ops/ragged_attention/vectors.hpp"

namespace atto::kernels {

// ---- Bucket tables
// -------------------------------------------------------------------------------------------------------

/// One head's table times a factor, arranged for look-up. When no bucket but 255 exceeds `slots - 2`, b mod slots finds
/// bucket 255 in the last slot, and a table of that size fits into registers, where a permutation looks up a whole
/// vector at once.
template <class T>
struct Lookup {
  T* slots;  // [kTableMemory], aligned: the values and, for large tables of floats in AVX-512, see halves_of, their
             // halves
  int size = 256;
};

#if defined(__AVX512F__)
/// The lower halves of a large table's values, then the upper ones, 256 each.
[[gnu::always_inline]] static inline std::uint16_t* halves_of(float* slots) {
  return reinterpret_cast<std::uint16_t*>(slots + 256);
}
#endif

/// Slots of a small table, the size that loops of their own are made for.
template <class Isa>
inline constexpr int kSmallTable = 16;
template <>
inline constexpr int kSmallTable<Avx512> = 32;

template <class Isa, class T>
static Lookup<T> make_lookup(const T* table, std::int64_t table_size, int largest, T factor, T* memory) {
  Lookup<T> lookup{memory};
  lookup.size = kSmallTable<Isa>;
  while (lookup.size < 256 && largest > lookup.size - 2) lookup.size *= 2;
  const std::int64_t given = table_size < lookup.size ? table_size : lookup.size;
  for (std::int64_t b = 0; b < given; ++b) memory[b] = factor * table[b];
  for (std::int64_t b = given; b < lookup.size; ++b) memory[b] = 0;
  if (table_size == 256) memory[lookup.size - 1] = factor * table[255];
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    if (lookup.size >= 128)
      for (int b = 0; b < lookup.size; ++b) {
        std::uint32_t bits;
        __builtin_memcpy(&bits, memory + b, sizeof bits);
        halves_of(memory)[b] = static_cast<std::uint16_t>(bits);
        halves_of(memory)[256 + b] = static_cast<std::uint16_t>(bits >> 16);
      }
#endif
  return lookup;
}

/// Looks up a vector of buckets at a time. Small: the table is known to be a small one, and stays in registers. (It
/// would be loaded anew after every store, which might have changed it, as far as the compiler knows.)
template <class Isa, bool Small, class T>
struct Reader {
  static constexpr int N = kLanes<Isa, T>;
  using V = Lanes<T, N>;

  Lookup<T> table;
  V low{}, high{};

  [[gnu::always_inline]] explicit Reader(const Lookup<T>& lookup) : table(lookup) {
    if constexpr (Small && sizeof(T) == 4 && kSmallTable<Isa> == 2 * N) {
      low = load<N>(table.slots);
      high = load<N>(table.slots + N);
    }
  }

  [[gnu::always_inline]] V operator()(const std::uint8_t* buckets) const {
    const T* t = table.slots;
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
      // The masked forms: the others draw false warnings about uninitialised values from g++ 12.
      const __m512i index =
          _mm512_maskz_cvtepu8_epi32(0xFFFF, _mm_loadu_si128(reinterpret_cast<const __m128i*>(buckets)));
      if (Small) return _mm512_permutex2var_ps(low, index, high);
      if (table.size == 32) return among<32>(t, index);
      if (table.size == 64) return among<64>(t, index);
      if (table.size == 128) return among<128>(t, index);
      return among<256>(t, index);
    }
#elif defined(__AVX2__)
    if constexpr (sizeof(T) == 4) {
      const __m256i index = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(buckets)));
      if (Small)
        return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, index), _mm256_permutevar8x32_ps(high, index),
                                _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
      return _mm256_i32gather_ps(t, _mm256_and_si256(index, _mm256_set1_epi32(table.size - 1)), 4);
    }
#endif
    V values{};
    for (int i = 0; i < N; ++i) values[i] = t[buckets[i] & (table.size - 1)];
    return values;
  }

  /// Two vectors at once. A permutation of words finds 32 halves of values among 64, so that large tables take a third
  /// of the time.
  [[gnu::always_inline]] void two(const std::uint8_t* a, const std::uint8_t* b, V& of_a, V& of_b) const {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4 && !Small) {
      if (table.size >= 128) {
        const auto wide = [](const std::uint8_t* buckets) {
          return _mm512_maskz_cvtepu8_epi32(0xFFFF, _mm_loadu_si128(reinterpret_cast<const __m128i*>(buckets)));
        };
        const __m512i index = _mm512_or_si512(wide(a), _mm512_maskz_slli_epi32(0xFFFF, wide(b), 16));
        const std::uint16_t* halves = halves_of(table.slots);
        const __m512i low_half = table.size == 128 ? words<128>(halves, index) : words<256>(halves, index);
        const __m512i high_half = table.size == 128 ? words<128>(halves + 256, index) : words<256>(halves + 256, index);
        of_a = (V)_mm512_mask_blend_epi16(0xAAAAAAAA, low_half, _mm512_maskz_slli_epi32(0xFFFF, high_half, 16));
        of_b = (V)_mm512_mask_blend_epi16(0xAAAAAAAA, _mm512_maskz_srli_epi32(0xFFFF, low_half, 16), high_half);
        return;
      }
    }
#endif
    of_a = (*this)(a);
    of_b = (*this)(b);
  }

#if defined(__AVX512F__)
  template <int Slots>
  [[gnu::always_inline]] static __m512i words(const std::uint16_t* t, __m512i index) {
    if constexpr (Slots == 64) return _mm512_permutex2var_epi16(_mm512_load_si512(t), index, _mm512_load_si512(t + 32));
    else
      return _mm512_mask_blend_epi16(_mm512_test_epi16_mask(index, _mm512_set1_epi16(Slots / 2)),
                                     words<Slots / 2>(t, index), words<Slots / 2>(t + Slots / 2, index));
  }

  // Permutations of pairs of registers, between which the upper bits choose: half the time of a gather for 256 slots.
  template <int Slots>
  [[gnu::always_inline]] static V among(const float* t, __m512i index) {
    if constexpr (Slots == 32) return _mm512_permutex2var_ps(_mm512_load_ps(t), index, _mm512_load_ps(t + 16));
    else
      return _mm512_mask_blend_ps(_mm512_test_epi32_mask(index, _mm512_set1_epi32(Slots / 2)),
                                  among<Slots / 2>(t, index), among<Slots / 2>(t + Slots / 2, index));
  }
#endif
};

// ---- Dropout
// -------------------------------------------------------------------------------------------------------------

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

/// keep[r, j] = keep_scale or 0 for the kRowGroup rows of a group and the keys from first to first + columns. Key j of
/// the group has the counter (j, row); its 128 bits are 16 for each row. Ten rounds of Philox, vectorised over keys.
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
    Words c0 = lane + static_cast<std::uint64_t>(first + j), c1 = Words{} + row,
          c2 = Words{} + (call.stream & 0xFFFFFFFFu), c3 = Words{} + (call.stream >> 32);
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
