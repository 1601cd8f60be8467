#include "core/simd_random.hpp"
#include "ops/edge/tiles.hpp"
#include "ops/gat/simd.hpp"

namespace atto::simd {
namespace {

template <class V, class T>
[[gnu::always_inline]] inline V leaky(V x, T slope) {
  return x > T(0) ? x : slope * x;
}
// dy LeakyReLU'(x)
template <class V, class T>
[[gnu::always_inline]] inline V leaky_gradient(V x, V dy, T slope) {
  return x > T(0) ? dy : slope * dy;
}

// The sum under the leaky ReLU, from place `at` of the rows on.
template <int L, class T>
[[gnu::always_inline]] inline Lanes<T, L> under(const T* source, const T* destination, const T* edge, std::int64_t at) {
  const Lanes<T, L> both = load<L>(source + at) + load<L>(destination + at);
  return edge ? both + load<L>(edge + at) : both;
}

template <class T, class V, class M>
[[gnu::always_inline]] inline void store_fresh(T* to, V value, M fresh) {
  constexpr int L = sizeof(V) / sizeof(T);
  store(to, fresh ? value : load<L>(to));
}

// GAT: heads lie side by side, so a vector holds several.
template <class Isa, class T, int L>
[[gnu::noinline]] void scores(const Csr& csr, std::int64_t begin, std::int64_t end, const GatScore<T>& s, T* z) {
  const std::int64_t heads = s.heads, vectors = lane_count<L>(heads);
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const T* source = s.source + column_of(csr, t) * heads;
      const T* edge = s.edge ? s.edge + t * heads : nullptr;
      for (std::int64_t k = 0; k < vectors; ++k) {
        const std::int64_t at = lane_start<L>(k, heads);
        store(z + t * heads + at, leaky(under<L>(source, s.destination + r * heads, edge, at), s.slope));
      }
    }
}

template <class Isa, class T, int L, bool Leaky>
[[gnu::noinline]] void scores_gradient(const Csr& csr, std::int64_t begin, std::int64_t end, const GatScore<T>& s,
                                       const T* a, T* dz, T* ddestination) {
  const std::int64_t heads = s.heads, vectors = lane_count<L>(heads);
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t k = 0; k < vectors; ++k) {
      const std::int64_t at = lane_start<L>(k, heads), first = csr.offsets[r], last = csr.offsets[r + 1];
      // The last vector overlaps the one before it, whose work must not be done twice.
      const auto fresh = fresh_lanes<T, L>(k, heads);
      Lanes<T, L> mean = {}, sum = {};
      for (std::int64_t t = first; t < last; ++t) mean += load<L>(a + t * heads + at) * load<L>(dz + t * heads + at);
      for (std::int64_t t = first; t < last; ++t) {
        const Lanes<T, L> da = load<L>(dz + t * heads + at);
        Lanes<T, L> d = load<L>(a + t * heads + at) * (da - mean);
        if constexpr (Leaky) {
          const T* edge = s.edge ? s.edge + t * heads : nullptr;
          d = leaky_gradient(under<L>(s.source + column_of(csr, t) * heads, s.destination + r * heads, edge, at), d,
                             s.slope);
          sum += d;
        }
        store(dz + t * heads + at, fresh ? d : da);
      }
      if constexpr (Leaky)
        if (ddestination) store_fresh(ddestination + r * heads + at, sum, fresh);
    }
}

// GATv2: a vector holds channels of one head.
template <class Isa, class T, int L>
[[gnu::noinline]] void dynamic_scores(const Csr& csr, std::int64_t begin, std::int64_t end, const GatScore<T>& s, T* z,
                                      std::int64_t ahead) {
  const std::int64_t depth = s.depth, width = s.heads * depth, vectors = lane_count<L>(depth);
  const auto fresh = fresh_lanes<T, L>(vectors - 1, depth);
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const T* source = s.source + column_of(csr, t) * width;
      const T* edge = s.edge ? s.edge + t * width : nullptr;
      if (ahead != 0) {
        const T* row = s.source + column_of(csr, t + ahead < csr.entries ? t + ahead : csr.entries - 1) * width;
        for (std::int64_t at = 0; at < width; at += 64 / static_cast<int>(sizeof(T))) __builtin_prefetch(row + at);
      }
      for (std::int64_t h = 0; h < s.heads; ++h) {
        const auto term = [&](std::int64_t at) {
          return load<L>(s.vector + at) * leaky(under<L>(source, s.destination + r * width, edge, at), s.slope);
        };
        const Lanes<T, L> tail = term((h + 1) * depth - L);
        Lanes<T, L> dot = fresh ? tail : Lanes<T, L>{};
        for (std::int64_t v = 0; v + 1 < vectors; ++v) dot += term(h * depth + v * L);
        z[t * s.heads + h] = sum<T, L>(dot);
      }
    }
}

template <class Isa, class T, int L, int V>
[[gnu::noinline]] void dynamic_gradient(const Csr& csr, std::int64_t begin, std::int64_t end, const GatScore<T>& s,
                                        const T* dz, T* ddestination, T* dedge, T* dvector, const Tile<V>& tile,
                                        std::int64_t ahead) {
  const std::int64_t width = s.heads * s.depth;
  Lanes<T, L> vector[V], vector_sum[V] = {};
  for (int v = 0; v < V; ++v) vector[v] = load<L>(s.vector + tile.start[v]);
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, L> sum[V] = {};
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const T* source = s.source + column_of(csr, t) * width;
      const T* edge = s.edge ? s.edge + t * width : nullptr;
      fetch<L, V>(csr, t, ahead, s.source, width, tile);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const Lanes<T, L> x = under<L>(source, s.destination + r * width, edge, tile.start[v]);
        const Lanes<T, L> d = splat<L>(dz[t * s.heads + tile.head[v]]);
        const Lanes<T, L> dx = leaky_gradient(x, d * vector[v], s.slope);
        sum[v] += dx;
        vector_sum[v] += d * leaky(x, s.slope);
        if (dedge) store(dedge + t * width + tile.start[v], dx);
      }
    }
    if (ddestination)
      for (int v = 0; v < V; ++v) store(ddestination + r * width + tile.start[v], sum[v]);
  }
  if (dvector)
    for (int v = 0; v < V; ++v) store(dvector + tile.start[v], vector_sum[v]);
}

template <class Isa, class T, int L, int V>
[[gnu::noinline]] void dynamic_source(const Csr& csr, std::int64_t begin, std::int64_t end, const GatScore<T>& s,
                                      const T* weight, const T* dz, const T* g, T* dsource, const Tile<V>& tile,
                                      std::int64_t ahead) {
  const std::int64_t width = s.heads * s.depth;
  Lanes<T, L> vector[V];
  for (int v = 0; v < V; ++v) vector[v] = load<L>(s.vector + tile.start[v]);
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, L> sum[V] = {};
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const std::int64_t i = column_of(csr, t), e = edge_of(csr, t);
      const T* edge = s.edge ? s.edge + e * width : nullptr;
      fetch<L, V>(csr, t, ahead, g, width, tile);
      fetch<L, V>(csr, t, ahead, s.destination, width, tile);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const std::int64_t at = tile.start[v];
        const Lanes<T, L> x = under<L>(s.source + r * width, s.destination + i * width, edge, at);
        sum[v] += weight[e * s.heads + tile.head[v]] * load<L>(g + i * width + at);
        sum[v] += leaky_gradient(x, dz[e * s.heads + tile.head[v]] * vector[v], s.slope);
      }
    }
    for (int v = 0; v < V; ++v) store(dsource + r * width + tile.start[v], sum[v]);
  }
}

// Four vectors at a time: more sums than that would not stay in registers.
template <class Isa, class T, class F>
[[gnu::always_inline]] inline void for_dynamic_tiles(const GatScore<T>& s, F&& f) {
  with_lanes<Isa, T>(s.depth, [&]<int L>() {
    const auto call = [&]<int V>(const Tile<V>& tile) { f.template operator()<L, V>(tile); };
    std::int64_t vector = 0;
    tiles_of<L, 4>(vector, s.heads, s.depth, call);
    tiles_of<L, 1>(vector, s.heads, s.depth, call);
  });
}

}  // namespace

template <class Isa, class T>
void gat_scores(const Csr& csr, std::int64_t begin, std::int64_t end, const GatScore<T>& s, T* z, std::int64_t ahead) {
  if (s.vector) with_lanes<Isa, T>(s.depth, [&]<int L>() { dynamic_scores<Isa, T, L>(csr, begin, end, s, z, ahead); });
  else with_lanes<Isa, T>(s.heads, [&]<int L>() { scores<Isa, T, L>(csr, begin, end, s, z); });
}

template <class Isa, class T>
void gat_scores_gradient(const Csr& csr, std::int64_t begin, std::int64_t end, const GatScore<T>& s, const T* a, T* dz,
                         T* ddestination) {
  with_lanes<Isa, T>(s.heads, [&]<int L>() {
    if (s.vector) scores_gradient<Isa, T, L, false>(csr, begin, end, s, a, dz, ddestination);
    else scores_gradient<Isa, T, L, true>(csr, begin, end, s, a, dz, ddestination);
  });
}

template <class Isa, class T>
void gatv2_scores_gradient(const Csr& csr, std::int64_t begin, std::int64_t end, const GatScore<T>& s, const T* dz,
                           T* ddestination, T* dedge, T* dvector, std::int64_t ahead) {
  for_dynamic_tiles<Isa, T>(s, [&]<int L, int V>(const Tile<V>& tile) {
    dynamic_gradient<Isa, T, L, V>(csr, begin, end, s, dz, ddestination, dedge, dvector, tile, ahead);
  });
}

template <class Isa, class T>
void gatv2_source_gradient(const Csr& csr, std::int64_t begin, std::int64_t end, const GatScore<T>& s, const T* weight,
                           const T* dz, const T* g, T* dsource, std::int64_t ahead) {
  for_dynamic_tiles<Isa, T>(s, [&]<int L, int V>(const Tile<V>& tile) {
    dynamic_source<Isa, T, L, V>(csr, begin, end, s, weight, dz, g, dsource, tile, ahead);
  });
}

template <class Isa, class T>
void drop(std::uint64_t seed, std::uint64_t stream, std::uint32_t threshold, T keep, std::int64_t first,
          std::int64_t last, T* values) {
  constexpr std::int64_t numbers = 4 * kRandomBlocks;
  std::uint32_t bits[numbers];
  for (std::int64_t start = first / 4 * 4; start < last; start += numbers) {
    draw_blocks<Isa>(seed, stream, static_cast<std::uint64_t>(start / 4), bits);
    const std::int64_t from = start < first ? first : start, to = start + numbers < last ? start + numbers : last;
    for (std::int64_t i = from; i < to; ++i) values[i] *= bits[i - start] < threshold ? T(0) : keep;
  }
}

#define ATTO_INSTANTIATE(T)                                                                                           \
  template void gat_scores<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, const GatScore<T>&, T*, std::int64_t);   \
  template void gat_scores_gradient<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, const GatScore<T>&, const T*,   \
                                              T*, T*);                                                                \
  template void gatv2_scores_gradient<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, const GatScore<T>&, const T*, \
                                                T*, T*, T*, std::int64_t);                                            \
  template void gatv2_source_gradient<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, const GatScore<T>&, const T*, \
                                                const T*, const T*, T*, std::int64_t);                                \
  template void drop<ATTO_ISA>(std::uint64_t, std::uint64_t, std::uint32_t, T, std::int64_t, std::int64_t, T*);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::simd
