#pragma once
// Short vectors for *_simd.cpp, on the vector types that g++ and clang share: `Lanes<float, 16>` adds, multiplies,
// compares and selects (`mask ? a : b`) like a number. Everything is inlined always, so that no copy of one instruction
// set is left behind for another.

#include <cstdint>

#include "core/simd.hpp"

namespace atto::simd {

namespace detail {
template <class T, int N>
struct LanesOf {
  typedef T type __attribute__((vector_size(N * sizeof(T))));
};
template <class T>
struct LanesOf<T, 1> {
  using type = T;
};
template <class T>
struct MaskOf;
template <>
struct MaskOf<float> {
  using type = std::int32_t;
};
template <>
struct MaskOf<double> {
  using type = std::int64_t;
};
}  // namespace detail

/// N numbers of type T; N is a power of two. One lane is the plain type.
template <class T, int N>
using Lanes = typename detail::LanesOf<T, N>::type;
/// Integers as wide as T, lane by lane: what a comparison gives, and what can be selected beside it.
template <class T, int N>
using IntLanes = Lanes<typename detail::MaskOf<T>::type, N>;

template <class Isa>
inline constexpr int kRegisterBytes = 16;
template <>
inline constexpr int kRegisterBytes<Avx2> = 32;
template <>
inline constexpr int kRegisterBytes<Avx512> = 64;
/// Lanes of one register.
template <class Isa, class T>
inline constexpr int kLanes = kRegisterBytes<Isa> / static_cast<int>(sizeof(T));

/// Calls `f.template operator()<N>()` with as many lanes as fit a run of `count` numbers: a register, a half, a
/// quarter, or one (float64, which serves gradient checks: a register or one). Whole vectors cover the run, the last of
/// which ends where the run ends and may overlap the one before: `lane_start<N>(k, count)`.
template <class Isa, class T, class F>
[[gnu::always_inline]] inline void with_lanes(std::int64_t count, F&& f) {
  constexpr int all = kLanes<Isa, T>;
  if (count >= all) return f.template operator()<all>();
  if constexpr (sizeof(T) == 4)
    if (count >= all / 2) return f.template operator()<all / 2>();
  if constexpr (sizeof(T) == 4 && all >= 8)
    if (count >= all / 4) return f.template operator()<all / 4>();
  f.template operator()<1>();
}
/// Vectors that cover `count` >= N numbers.
template <int N>
[[gnu::always_inline]] inline std::int64_t lane_count(std::int64_t count) {
  return (count + N - 1) / N;
}
/// Where vector k of them begins.
template <int N>
[[gnu::always_inline]] inline std::int64_t lane_start(std::int64_t k, std::int64_t count) {
  const std::int64_t start = k * N;
  return start + N <= count ? start : count - N;
}
/// All ones in the lanes that vector k does not share with the one before it: for what must not be done twice.
template <class T, int N>
[[gnu::always_inline]] inline auto fresh_lanes(std::int64_t k, std::int64_t count) {
  const auto shared = static_cast<typename detail::MaskOf<T>::type>(k * N - lane_start<N>(k, count));
  if constexpr (N == 1) return shared == 0;
  else {
    IntLanes<T, N> lane;
    for (int i = 0; i < N; ++i) lane[i] = i;
    return lane >= IntLanes<T, N>{} + shared;
  }
}

template <int N, class T>
[[gnu::always_inline]] inline Lanes<T, N> load(const T* from) {
  Lanes<T, N> v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

/// The first `count` < N numbers, the rest filled up.
template <int N, class T>
[[gnu::always_inline]] inline Lanes<T, N> load_part(const T* from, std::int64_t count, T fill) {
  T buffer[N];
  for (int i = 0; i < N; ++i) buffer[i] = i < count ? from[i] : fill;
  return load<N>(buffer);
}

template <class T, class V>
[[gnu::always_inline]] inline void store(T* to, V v) {
  __builtin_memcpy(to, &v, sizeof v);
}

template <class T, class V>
[[gnu::always_inline]] inline void store_part(T* to, V v, std::int64_t count) {
  T buffer[sizeof(V) / sizeof(T)];
  store(buffer, v);
  for (std::int64_t i = 0; i < count; ++i) to[i] = buffer[i];
}

template <int N, class T>
[[gnu::always_inline]] inline Lanes<T, N> splat(T x) {
  if constexpr (N == 1) return x;
  else return x - Lanes<T, N>{};
}

/// Sum of all lanes, in a fixed tree of halves.
template <class T, int N>
[[gnu::always_inline]] inline T sum(Lanes<T, N> v) {
  if constexpr (N == 1) return v;
  else if constexpr (N == 2) return v[0] + v[1];
  else if constexpr (N == 4)
    return sum<T, 2>(__builtin_shufflevector(v, v, 0, 1) + __builtin_shufflevector(v, v, 2, 3));
  else if constexpr (N == 8)
    return sum<T, 4>(__builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7));
  else {
    static_assert(N == 16);
    return sum<T, 8>(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                     __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
  }
}

/// The sums of four vectors side by side, in fewer steps than one after the other. N is at least 4.
template <class T, int N>
[[gnu::always_inline]] inline Lanes<T, 4> sum_four(Lanes<T, N> a, Lanes<T, N> b, Lanes<T, N> c, Lanes<T, N> d) {
  // One register holds what is left of two vectors, then of all four.
  if constexpr (N == 4) {
    const auto ab = __builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7);
    const auto cd = __builtin_shufflevector(c, d, 0, 1, 4, 5) + __builtin_shufflevector(c, d, 2, 3, 6, 7);
    return __builtin_shufflevector(ab, cd, 0, 2, 4, 6) + __builtin_shufflevector(ab, cd, 1, 3, 5, 7);
  } else if constexpr (N == 8) {
    const auto ab = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11) +
                    __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
    const auto cd = __builtin_shufflevector(c, d, 0, 1, 2, 3, 8, 9, 10, 11) +
                    __builtin_shufflevector(c, d, 4, 5, 6, 7, 12, 13, 14, 15);
    const auto all = __builtin_shufflevector(ab, cd, 0, 1, 4, 5, 8, 9, 12, 13) +
                     __builtin_shufflevector(ab, cd, 2, 3, 6, 7, 10, 11, 14, 15);
    return __builtin_shufflevector(all, all, 0, 2, 4, 6) + __builtin_shufflevector(all, all, 1, 3, 5, 7);
  } else {
    static_assert(N == 16);
    const auto ab = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
                    __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    const auto cd = __builtin_shufflevector(c, d, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
                    __builtin_shufflevector(c, d, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    const auto all = __builtin_shufflevector(ab, cd, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
                     __builtin_shufflevector(ab, cd, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    const auto half = __builtin_shufflevector(all, all, 0, 1, 4, 5, 8, 9, 12, 13) +
                      __builtin_shufflevector(all, all, 2, 3, 6, 7, 10, 11, 14, 15);
    return __builtin_shufflevector(half, half, 0, 2, 4, 6) + __builtin_shufflevector(half, half, 1, 3, 5, 7);
  }
}

/// The larger of both; a NaN in either wins, so that it cannot get lost in a reduction.
template <class V>
[[gnu::always_inline]] inline V larger(V a, V b) {
  return ((a > b) | (a != a)) ? a : b;
}

/// e^x. float: within 1.1 units in the last place; 0 where the result is below 2^-125, because subnormal numbers, which
/// the exponential of masked values would pass through, cost most processors a hundred cycles each.
template <class T, int N>
[[gnu::always_inline]] inline Lanes<T, N> exp(Lanes<T, N> x) {
  using V = Lanes<T, N>;
  if constexpr (sizeof(T) == 8) {  // for gradient checks; speed is no concern
    if constexpr (N == 1) return __builtin_exp(x);
    else {
      for (int i = 0; i < N; ++i) x[i] = __builtin_exp(x[i]);
      return x;
    }
  } else {
    // x = n ln 2 + r with |r| <= ln 2 / 2; e^r by the polynomial of Cephes' expf, then 2 e^r times 2^(n - 1), which
    // reaches the top of the range. Adding 1.5 2^23 rounds to the nearest integer and leaves it in the low bits.
    using I = IntLanes<T, N>;
    const V low = splat<N>(-87.0f), high = splat<N>(89.0f);
    V c = x < low ? low : x;
    c = c > high ? high : c;
    const V magic = splat<N>(12582912.0f);
    const V shifted = c * 1.44269504088896341f + magic;
    I n;
    __builtin_memcpy(&n, &shifted, sizeof n);
    n = n - 0x4b400000;
    const V rounded = shifted - magic;
    const V r = (c - rounded * 0.693359375f) - rounded * -2.12194440e-4f;
    V p = splat<N>(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * r) * r + r + 1.0f;
    const I exponent = (n + 126) << 23;
    V scale;
    __builtin_memcpy(&scale, &exponent, sizeof scale);
    const V y = (p + p) * scale;
    return x < splat<N>(-86.6434f) ? V{} : y;
  }
}

}  // namespace atto::simd
