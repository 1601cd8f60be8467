#pragma once
// The random numbers of core/random.hpp, many at a time, for *_simd.cpp files.

#include <cstdint>

#include "core/lanes.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace atto::simd {

/// Blocks that draw_blocks() draws at once.
inline constexpr int kRandomBlocks = 16;

namespace detail {
template <int N>
struct Words {
  typedef std::uint64_t type __attribute__((vector_size(N * 8)));
};

// The products of the low halves of all lanes.
template <int N>
[[gnu::always_inline]] inline typename Words<N>::type low_product(typename Words<N>::type a,
                                                                  typename Words<N>::type b) {
  using V = typename Words<N>::type;
#if defined(__AVX512F__)
  if constexpr (N == 8)
    return reinterpret_cast<V>(
        _mm512_maskz_mul_epu32(0xFF, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#endif
#if defined(__AVX2__)
  if constexpr (N == 4)
    return reinterpret_cast<V>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#endif
#if defined(__SSE2__)
  if constexpr (N == 2)
    return reinterpret_cast<V>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#endif
  const V low = V{} + 0xFFFFFFFFu;
  return (a & low) * (b & low);
}
}  // namespace detail

/// The blocks first to first + kRandomBlocks - 1 of a stream, four numbers each: what RandomStream::block gives.
template <class Isa>
[[gnu::always_inline]] inline void draw_blocks(std::uint64_t seed, std::uint64_t stream, std::uint64_t first,
                                               std::uint32_t* bits) {
  constexpr int N = kRegisterBytes<Isa> / 8;
  using V = typename detail::Words<N>::type;
  constexpr int K = 2;  // vectors side by side: a product takes longer than it takes to begin another
  const V multiplier0 = V{} + 0xD2511F53u, multiplier1 = V{} + 0xCD9E8D57u, low = V{} + 0xFFFFFFFFu;
  V numbers{};
  for (int lane = 0; lane < N; ++lane) numbers[lane] = static_cast<std::uint64_t>(lane);
  for (int b = 0; b < kRandomBlocks; b += K * N) {
    // Each word lies in the low half of a lane; what is left in the high halves never reaches a low one.
    V c0[K], c1[K], c2[K], c3[K];
    for (int k = 0; k < K; ++k) {
      c0[k] = numbers + (first + static_cast<std::uint64_t>(b + k * N));
      c1[k] = c0[k] >> 32;
      c2[k] = V{} + stream;
      c3[k] = V{} + (stream >> 32);
    }
    auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      for (int k = 0; k < K; ++k) {
        const V product0 = detail::low_product<N>(c0[k], multiplier0),
                product1 = detail::low_product<N>(c2[k], multiplier1);
        c0[k] = (product1 >> 32) ^ c1[k] ^ (V{} + key0);
        c2[k] = (product0 >> 32) ^ c3[k] ^ (V{} + key1);
        c1[k] = product1;
        c3[k] = product0;
      }
      key0 += 0x9E3779B9u;
      key1 += 0xBB67AE85u;
    }
    for (int k = 0; k < K; ++k) {
      const V front = (c0[k] & low) | (c1[k] << 32), back = (c2[k] & low) | (c3[k] << 32);
      for (int lane = 0; lane < N; ++lane) {
        const std::uint64_t two[2] = {front[lane], back[lane]};
        __builtin_memcpy(bits + 4 * (b + k * N + lane), two, sizeof two);
      }
    }
  }
}

}  // namespace atto::simd
