#pragma once
// For *_simd.cpp: heads side by side in registers, so that an edge gives all their dot products at once.

#include "core/lanes.hpp"
#include "ops/edge/tiles.hpp"

namespace atto::simd {

/// Eight heads of half a register each, two to a register.
template <class Isa, class T>
struct HalfHeads {
  static constexpr int L = kLanes<Isa, T>, G = 8, V = 4, depth = 8;

  [[gnu::always_inline]] static Lanes<T, G> dots(const Lanes<T, L>* own, const T* row) {
    return sum_halves<T>(own[0] * load<L>(row), own[1] * load<L>(row + L), own[2] * load<L>(row + 2 * L),
                         own[3] * load<L>(row + 3 * L));
  }
  /// What a number per head is to vector v.
  template <int v>
  [[gnu::always_inline]] static Lanes<T, L> spread(Lanes<T, G> w) {
    constexpr int a = 2 * v, b = 2 * v + 1;
    return __builtin_shufflevector(w, w, a, a, a, a, a, a, a, a, b, b, b, b, b, b, b, b);
  }
};

/// Four heads of P registers each.
template <class Isa, class T, int P>
struct WholeHeads {
  static constexpr int L = kLanes<Isa, T>, G = 4, V = 4 * P, depth = P * L;

  [[gnu::always_inline]] static Lanes<T, L> products(const Lanes<T, L>* own, const T* row) {
    Lanes<T, L> sum = own[0] * load<L>(row);
#pragma GCC unroll 2
    for (int p = 1; p < P; ++p) sum += own[p] * load<L>(row + p * L);
    return sum;
  }
  [[gnu::always_inline]] static Lanes<T, G> dots(const Lanes<T, L>* own, const T* row) {
    return sum_four<T, L>(products(own, row), products(own + P, row + depth), products(own + 2 * P, row + 2 * depth),
                          products(own + 3 * P, row + 3 * depth));
  }
  template <int v>
  [[gnu::always_inline]] static Lanes<T, L> spread(Lanes<T, G> w) {
    return splat<L>(static_cast<T>(w[v / P]));
  }
};

/// Calls f.template operator()<Heads>() for the way in which rows of `heads` heads fill registers, or gives false.
template <class Isa, class T, class F>
[[gnu::always_inline]] inline bool with_heads(std::int64_t heads, std::int64_t depth, F&& f) {
  if constexpr (kLanes<Isa, T> == 16)
    if (heads_are_halves<Isa, T>(heads, depth)) return f.template operator()<HalfHeads<Isa, T>>(), true;
  if constexpr (kLanes<Isa, T> >= 4) {
    if (heads % 4 != 0) return false;
    if (depth == kLanes<Isa, T>) return f.template operator()<WholeHeads<Isa, T, 1>>(), true;
    if (depth == 2 * kLanes<Isa, T>) return f.template operator()<WholeHeads<Isa, T, 2>>(), true;
  }
  return false;
}

template <class Heads, class T>
[[gnu::always_inline]] inline void fetch_heads(const T* row) {
  constexpr int line = 64 / static_cast<int>(sizeof(T));
#pragma GCC unroll 16
  for (int at = 0; at < Heads::V * Heads::L; at += line) __builtin_prefetch(row + at);
}

}  // namespace atto::simd
