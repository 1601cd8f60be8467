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
};

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

template <int L, int V, class T>
[[gnu::always_inline]] inline void fetch_row(const T* row, const Tile<V>& tile) {
  constexpr int per_line = L * sizeof(T) >= 64 ? 1 : 64 / (L * static_cast<int>(sizeof(T)));
#pragma GCC unroll 8
  for (int v = 0; v < V; v += per_line) __builtin_prefetch(row + tile.start[v]);
}

/// Brings what a tile needs of the row that is gathered `ahead` entries later into the cache.
template <int L, int V, class T>
[[gnu::always_inline]] inline void fetch(const Csr& csr, std::int64_t entry, std::int64_t ahead, const T* x,
                                         std::int64_t width, const Tile<V>& tile) {
  if (ahead != 0) fetch_row<L>(x + column_of(csr, later_entry(csr, entry, ahead)) * width, tile);
}
/// The same for an edge tensor that is walked by source, and so out of order.
template <int L, int V, class T>
[[gnu::always_inline]] inline void fetch_edge(const Csr& csr, std::int64_t entry, std::int64_t ahead, const T* e,
                                              std::int64_t width, const Tile<V>& tile) {
  if (ahead != 0) fetch_row<L>(e + edge_of(csr, later_entry(csr, entry, ahead)) * width, tile);
}

}  // namespace atto::simd
