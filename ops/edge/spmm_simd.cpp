#include "ops/edge/simd.hpp"
#include "ops/edge/tiles.hpp"

namespace atto::simd {
namespace {

// What w[edge] is to a vector of features.
enum class Weight {
  none,      // 1
  single,    // one number for all of them
  per_head,  // one number for each vector
  channel,   // one number for each feature
};

template <Weight weight, int L, class T>
[[gnu::always_inline]] inline Lanes<T, L> message(const T* w, std::int64_t head, std::int64_t start, Lanes<T, L> x) {
  if constexpr (weight == Weight::none) return x;
  else if constexpr (weight == Weight::single) return w[0] * x;
  else if constexpr (weight == Weight::per_head) return w[head] * x;
  else return load<L>(w + start) * x;
}

// The sums stay in registers over the whole row: an entry costs its loads and one multiply-add per vector. Tiles
// outside, rows inside: which vectors a tile holds is then worked out once.
template <class Isa, class T, int L, int V, Weight weight>
[[gnu::noinline]] void sum_tile(const Csr& csr, std::int64_t begin, std::int64_t end, const Tile<V>& tile,
                                std::int64_t width, std::int64_t heads, const T* w, const T* x, bool mean, T* y,
                                std::int64_t ahead) {
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, L> sum[V] = {};
    const std::int64_t first = csr.offsets[r], last = csr.offsets[r + 1];
    for (std::int64_t t = first; t < last; ++t) {
      const T* from = x + column_of(csr, t) * width;
      const T* by = w + edge_of(csr, t) * heads;
      fetch<L>(csr, t, ahead, x, width, tile);
      if constexpr (weight == Weight::channel)
        if (csr.edge) fetch_edge<L>(csr, t, ahead, w, heads, tile);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v)
        sum[v] += message<weight, L>(by, tile.head[v], tile.start[v], load<L>(from + tile.start[v]));
    }
    const Lanes<T, L> count = splat<L>(mean && last > first ? static_cast<T>(last - first) : T(1));
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) store(y + r * width + tile.start[v], mean ? sum[v] / count : sum[v]);
  }
}

// The same with the winner beside the best value. The smallest is the largest of the negated.
template <class Isa, class T, int L, int V, Weight weight>
[[gnu::noinline]] void extreme_tile(const Csr& csr, std::int64_t begin, std::int64_t end, const Tile<V>& tile,
                                    std::int64_t width, std::int64_t heads, const T* w, const T* x, bool largest, T* y,
                                    std::int32_t* winner) {
  using Int = typename detail::MaskOf<T>::type;
  const T sign = largest ? T(1) : T(-1);
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, L> best[V] = {};
    IntLanes<T, L> won[V];
    for (int v = 0; v < V; ++v) won[v] = IntLanes<T, L>{} - Int(1);
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const std::int64_t edge = edge_of(csr, t);
      const T* from = x + column_of(csr, t) * width;
      const IntLanes<T, L> here = IntLanes<T, L>{} + static_cast<Int>(edge);
      for (int v = 0; v < V; ++v) {
        const Lanes<T, L> m =
            sign * message<weight, L>(w + edge * heads, tile.head[v], tile.start[v], load<L>(from + tile.start[v]));
        const auto better = (won[v] < 0) | (m > best[v]) | ((m != m) & (best[v] == best[v]));  // a NaN wins
        best[v] = better ? m : best[v];
        won[v] = better ? here : won[v];
      }
    }
    for (int v = 0; v < V; ++v) {
      store(y + r * width + tile.start[v],
            won[v] < 0 ? Lanes<T, L>{} : sign * best[v]);  // no -0 where nothing was sent
      Int index[L];
      store(index, won[v]);
      for (int i = 0; i < L; ++i) winner[r * width + tile.start[v] + i] = static_cast<std::int32_t>(index[i]);
    }
  }
}

// Vectors may cross heads wherever the weight does not change from head to head.
template <class T, class F>
[[gnu::always_inline]] inline void with_weight(const T* w, std::int64_t heads, std::int64_t depth, F&& f) {
  if (w == nullptr) f.template operator()<Weight::none>(1, heads * depth);
  else if (heads == 1) f.template operator()<Weight::single>(1, depth);
  else if (depth == 1) f.template operator()<Weight::channel>(1, heads);
  else f.template operator()<Weight::per_head>(heads, depth);
}

}  // namespace

template <class Isa, class T>
void spmm(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads, std::int64_t depth, const T* w,
          const T* x, bool mean, T* y, std::int64_t ahead) {
  with_weight(w, heads, depth, [&]<Weight weight>(std::int64_t runs, std::int64_t run) {
    for_tiles<Isa, T>(runs, run, [&]<int L, int V>(const Tile<V>& tile) {
      sum_tile<Isa, T, L, V, weight>(csr, begin, end, tile, heads * depth, heads, w, x, mean, y, ahead);
    });
  });
}

template <class Isa, class T>
void spmm_extreme(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads, std::int64_t depth,
                  const T* w, const T* x, bool largest, T* y, std::int32_t* winner) {
  with_weight(w, heads, depth, [&]<Weight weight>(std::int64_t runs, std::int64_t run) {
    with_lanes<Isa, T>(run, [&]<int L>() {
      auto tile = [&]<int V>(const Tile<V>& part) {
        extreme_tile<Isa, T, L, V, weight>(csr, begin, end, part, heads * depth, heads, w, x, largest, y, winner);
      };
      std::int64_t vector = 0;
      tiles_of<L, 1>(vector, runs, run, tile);
    });
  });
}

#define ATTO_INSTANTIATE(T)                                                                                            \
  template void spmm<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, std::int64_t, const T*, const T*, \
                               bool, T*, std::int64_t);                                                                \
  template void spmm_extreme<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, std::int64_t, const T*,   \
                                       const T*, bool, T*, std::int32_t*);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::simd
