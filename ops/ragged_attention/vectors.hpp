#pragma once
// What attention needs of vectors beyond core/lanes.hpp: a transposition, reductions of several rows at once, and exp.
// Internal linkage throughout, as in the other headers of its `*_simd.cpp` files.

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

/// A lane of IntLanes<T, N>.
template <class T>
using Place = typename simd::detail::MaskOf<T>::type;

/// 0, 1, 2, ...
template <class T, int N>
[[gnu::always_inline]] static inline IntLanes<T, N> first_lanes() {
  IntLanes<T, N> lane{};
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) lane[i] = i;
  return lane;
}

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

/// out[r] = the sum of the lanes of x[r], or the largest of them, for kRowGroup vectors: pairs are exchanged and added,
/// so that all rows are reduced together. x is destroyed.
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

/// The larger of x and a number; NaN where x is.
template <class T, int N>
[[gnu::always_inline]] static inline Lanes<T, N> at_least(Lanes<T, N> x, T low) {
#if defined(__AVX512F__)
  if constexpr (N * sizeof(T) == 64 && sizeof(T) == 4)  // one instruction, which selects the second operand at a NaN
    return _mm512_maskz_max_ps(0xFFFF, _mm512_set1_ps(low), x);
#endif
  return x < low ? splat<N>(low) : x;
}

/// e^x for x <= 80: simd::exp without the ends of the range, and double as vectors too. 0 where the result would be
/// subnormal (and at -infinity), NaN for NaN. The relative error is one unit in the last place plus 2^-29 |x|, which is
/// less than the rounding of x itself.
template <class T, int N>
[[gnu::always_inline]] static inline Lanes<T, N> exp_below(Lanes<T, N> x) {
  using V = Lanes<T, N>;
  using I = IntLanes<T, N>;
  // x = n ln 2 + r with |r| <= ln 2 / 2; e^r by a polynomial. Its product with 2^n, made from the last bits of n plus
  // the bias, is NaN where e^r is: adding n to the exponent as an integer would turn some NaNs into numbers.
  if constexpr (sizeof(T) == 4) {
    constexpr float magic = 12582912.0f + 127;  // 1.5 * 2^23 and the bias: the last bits become the rounded integer
    const V c = at_least<T, N>(x, -88.0f);      // where n is -127 and the power 0
    const V shifted = c * 1.44269504088896341f + magic;
    const V n = shifted - magic;
    const V r = c - n * 0.693147182464599609f;  // ln 2 as a float happens to be exact to 2^-29
    V p = r * 1.381432e-3f + 8.368851e-3f;      // minimax
    p = p * r + 4.16684e-2f;
    p = p * r + 1.666652e-1f;
    p = p * r + 4.9999994e-1f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return p * (V)((I)shifted << 23);  // 2^n: what is above the last bits is shifted out
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

}  // namespace atto::kernels
