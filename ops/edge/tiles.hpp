#pragma once
// For *_simd.cpp: rows of features in tiles of vectors that stay in registers while the entries of a row go by.

#include "core/lanes.hpp"
#include "ops/csr.hpp"

namespace atto::simd {

/// V vectors of a row: where they begin, and the head that each belongs to.
template <int V>
struct Tile {
  std::int64_t start[V];
  std::int64_t head[V];

  [[gnu::always_inline]] std::int64_t at(int v) const { return start[v]; }
};

/// A tile whose vectors lie side by side, but for the last, which may overlap the one before it. All places but two are
/// then known at compile time, and an entry costs no arithmetic on addresses.
template <int L, int V>
struct Run : Tile<V> {
  explicit Run(const Tile<V>& tile) : Tile<V>(tile), first(tile.start[0]), last(tile.start[V - 1]) {}
  [[gnu::always_inline]] std::int64_t at(int v) const { return v + 1 < V ? first + v * L : last; }

  std::int64_t first, last;
};

/// Calls f.template operator()<v>() for v = 0 .. V - 1.
template <int V, int v = 0, class F>
[[gnu::always_inline]] inline void unrolled(F&& f) {
  if constexpr (v < V) {
    f.template operator()<v>();
    unrolled<V, v + 1>(f);
  }
}

/// Heads of eight channels, of which a register of sixteen lanes holds two: whether a row is tiles of eight such heads,
/// and the tile from `head` on, whose vectors all name the first of them.
template <class Isa, class T>
[[gnu::always_inline]] inline bool heads_are_halves(std::int64_t heads, std::int64_t depth) {
  return kLanes<Isa, T> == 16 && depth == 8 && heads % 8 == 0;
}
[[gnu::always_inline]] inline Run<16, 4> tile_of_halves(std::int64_t head) {
  Tile<4> tile;
  for (int v = 0; v < 4; ++v) tile.start[v] = head * 8 + v * 16, tile.head[v] = head;
  return Run<16, 4>(tile);
}

/// The sums of the eight halves of four vectors, in order.
template <class T>
[[gnu::always_inline]] inline Lanes<T, 8> sum_halves(Lanes<T, 16> a, Lanes<T, 16> b, Lanes<T, 16> c, Lanes<T, 16> d) {
  // Neighbours first, within quarters: such shuffles are the cheapest.
  const auto halve = [](Lanes<T, 16> x, Lanes<T, 16> y) __attribute__((always_inline)) {
    return __builtin_shufflevector(x, y, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30) +
           __builtin_shufflevector(x, y, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31);
  };
  // Of each half two quarters: first those of the four even halves, then those of the odd ones.
  const Lanes<T, 16> quarters = halve(halve(a, b), halve(c, d));
  const auto sums = __builtin_shufflevector(quarters, quarters, 0, 1, 2, 3, 8, 9, 10, 11) +
                    __builtin_shufflevector(quarters, quarters, 4, 5, 6, 7, 12, 13, 14, 15);
  return __builtin_shufflevector(sums, sums, 0, 4, 1, 5, 2, 6, 3, 7);
}

/// What a number per head is to vector v of a tile: one number, or one for each half of the vector.
template <bool halves, int v, class T, class Place>
[[gnu::always_inline]] inline auto of_head(const T* numbers, const Place& tile) {
  if constexpr (halves) {
    const Lanes<T, 8> all = load<8>(numbers + tile.head[v]);
    constexpr int a = 2 * v, b = 2 * v + 1;
    return __builtin_shufflevector(all, all, a, a, a, a, a, a, a, a, b, b, b, b, b, b, b, b);
  } else {
    return numbers[tile.head[v]];
  }
}

/// Calls f(tile) for tiles of V vectors of L lanes, from `vector` on, as long as V are left. Vectors do not cross
/// heads.
template <int L, int V, class F>
[[gnu::always_inline]] inline void tiles_of(std::int64_t& vector, std::int64_t heads, std::int64_t depth, F&& f) {
  const std::int64_t per_head = lane_count<L>(depth);
  for (; vector + V <= heads * per_head; vector += V) {
    Tile<V> tile;
    for (int v = 0; v < V; ++v) {
      tile.head[v] = (vector + v) / per_head;
      tile.start[v] = tile.head[v] * depth + lane_start<L>((vector + v) % per_head, depth);
    }
    f(tile);
  }
}

/// Calls f.template operator()<L, V>(tile) for tiles that cover the row. Few sizes, because each is a copy of the
/// kernel: eight, four, three and one vectors of whole or half a register, four and one of narrower ones and of
/// float64.
template <class Isa, class T, class F>
[[gnu::always_inline]] inline void for_tiles(std::int64_t heads, std::int64_t depth, F&& f) {
  with_lanes<Isa, T>(depth, [&]<int L>() {
    auto call = [&]<int V>(const Tile<V>& tile) { f.template operator()<L, V>(tile); };
    std::int64_t vector = 0;
    if constexpr (sizeof(T) == 4 && 2 * L >= kLanes<Isa, T>) {
      tiles_of<L, 8>(vector, heads, depth, call);
      tiles_of<L, 4>(vector, heads, depth, call);
      tiles_of<L, 3>(vector, heads, depth, call);
    } else {
      tiles_of<L, 4>(vector, heads, depth, call);
    }
    tiles_of<L, 1>(vector, heads, depth, call);
  });
}

[[gnu::always_inline]] inline std::int64_t column_of(const Csr& csr, std::int64_t entry) {
  return csr.column ? csr.column[entry] : entry;
}
[[gnu::always_inline]] inline std::int64_t edge_of(const Csr& csr, std::int64_t entry) {
  return csr.edge ? csr.edge[entry] : entry;
}

[[gnu::always_inline]] inline std::int64_t later_entry(const Csr& csr, std::int64_t entry, std::int64_t ahead) {
  return entry + ahead < csr.entries ? entry + ahead : csr.entries - 1;
}

template <int L, int V, class T, class Place>
[[gnu::always_inline]] inline void fetch_row(const T* row, const Place& tile) {
  constexpr int per_line = L * sizeof(T) >= 64 ? 1 : 64 / (L * static_cast<int>(sizeof(T)));
#pragma GCC unroll 8
  for (int v = 0; v < V; v += per_line) __builtin_prefetch(row + tile.at(v));
}

/// Brings what a tile needs of the row that is gathered `ahead` entries later into the cache.
template <int L, int V, class T, class Place>
[[gnu::always_inline]] inline void fetch(const Csr& csr, std::int64_t entry, std::int64_t ahead, const T* x,
                                         std::int64_t width, const Place& tile) {
  if (ahead != 0) fetch_row<L, V>(x + column_of(csr, later_entry(csr, entry, ahead)) * width, tile);
}
/// The same for an edge tensor that is walked by source, and so out of order.
template <int L, int V, class T, class Place>
[[gnu::always_inline]] inline void fetch_edge(const Csr& csr, std::int64_t entry, std::int64_t ahead, const T* e,
                                              std::int64_t width, const Place& tile) {
  if (ahead != 0) fetch_row<L, V>(e + edge_of(csr, later_entry(csr, entry, ahead)) * width, tile);
}

/// Whether the vectors of a tile are written past the caches: where results and what is gathered for them exceed what
/// the last level keeps, a line that is fetched only to be overwritten costs as much as one that is needed. `touched`
/// counts rows. Such stores fault unless every vector lies at a multiple of its size, which those of heads need not.
template <int L, int V, class T, class Place>
[[gnu::always_inline]] inline bool past_caches(std::int64_t touched, std::int64_t width, const T* y,
                                               const Place& tile) {
  constexpr std::int64_t kept = 8 << 20, vector = L * static_cast<std::int64_t>(sizeof(T));
  if (vector < 16 || touched * width * static_cast<std::int64_t>(sizeof(T)) <= kept) return false;
  bool aligned = width % L == 0 && reinterpret_cast<std::uintptr_t>(y) % vector == 0;
  for (int v = 0; v < V; ++v) aligned = aligned && tile.at(v) % L == 0;
  return aligned;
}

/// Stores at a multiple of the vector's size, past the caches. settle_stores() follows the last of them.
template <class T, class V>
[[gnu::always_inline]] inline void store_past(T* to, V v) {
#if defined(__clang__)
  __builtin_nontemporal_store(v, reinterpret_cast<V*>(to));
#elif defined(__x86_64__)
  // By size alone: the bits are moved as they are.
#if defined(__AVX512F__)
  if constexpr (sizeof(V) == 64) return __builtin_ia32_movntps512(reinterpret_cast<float*>(to), Lanes<float, 16>(v));
#endif
#if defined(__AVX__)
  if constexpr (sizeof(V) == 32) return __builtin_ia32_movntps256(reinterpret_cast<float*>(to), Lanes<float, 8>(v));
#endif
  if constexpr (sizeof(V) == 16) __builtin_ia32_movntps(reinterpret_cast<float*>(to), Lanes<float, 4>(v));
  else store(to, v);
#else
  store(to, v);
#endif
}
[[gnu::always_inline]] inline void settle_stores() {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#endif
}

}  // namespace atto::simd
