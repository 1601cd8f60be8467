#include "ops/edge/simd.hpp"
#include "ops/edge/tiles.hpp"

namespace atto::simd {
namespace {

// What w[edge] is to a vector of features.
enum class Weight {
  none,      // 1
  single,    // one number for all of them
  per_head,  // one number for each vector
  per_half,  // one number for each half of a vector
  channel,   // one number for each feature
};

// Vector v of a tile of features, times its weight.
template <Weight weight, int L, int v, class T, class Place>
[[gnu::always_inline]] inline Lanes<T, L> message(const T* w, const Place& tile, const T* x) {
  const Lanes<T, L> features = load<L>(x + tile.at(v));
  if constexpr (weight == Weight::none) return features;
  else if constexpr (weight == Weight::single) return w[0] * features;
  else if constexpr (weight == Weight::channel) return load<L>(w + tile.at(v)) * features;
  else return of_head<weight == Weight::per_half, v>(w, tile) * features;
}

// The sums stay in registers over the whole row: an entry costs its loads and one multiply-add per vector. Tiles
// outside, rows inside: which vectors a tile holds is then worked out once.
template <class Isa, class T, int L, int V, Weight weight, class Place>
[[gnu::noinline]] void sum_tile(const Csr& csr, std::int64_t begin, std::int64_t end, const Place& place,
                                std::int64_t width, std::int64_t heads, const T* w, const T* x, bool mean,
                                const T* bias, T* y, std::int64_t ahead) {
  const Place tile = place;  // by value: no store can change it
  const bool past = past_caches<L, V>(csr.rows + csr.columns, width, y, tile);
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, L> sum[V] = {};
    const std::int64_t first = csr.offsets[r], last = csr.offsets[r + 1];
    for (std::int64_t t = first; t < last; ++t) {
      const T* from = x + column_of(csr, t) * width;
      const T* by = weight == Weight::none ? w : w + edge_of(csr, t) * heads;
      fetch<L, V>(csr, t, ahead, x, width, tile);
      if constexpr (weight == Weight::channel)
        if (csr.edge) fetch_edge<L, V>(csr, t, ahead, w, heads, tile);
      unrolled<V>([&]<int v>() __attribute__((always_inline)) { sum[v] += message<weight, L, v>(by, tile, from); });
    }
    if (mean && last > first)
      for (int v = 0; v < V; ++v) sum[v] = sum[v] / splat<L>(static_cast<T>(last - first));
    if (bias)
      for (int v = 0; v < V; ++v) sum[v] += load<L>(bias + tile.at(v));
    T* to = y + r * width;
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) past ? store_past(to + tile.at(v), sum[v]) : store(to + tile.at(v), sum[v]);
  }
  if (past) settle_stores();
}

// Both gradients of a sum with one weight per entry: dx_r = sum of w g[column] and dw = <x_r, g[column]> read the same
// row of g, which is what they cost. Every tile adds its part of the dot products, the first one begins them.
template <class Isa, class T, int L, int V>
[[gnu::noinline]] void gradient_tile(const Csr& csr, std::int64_t begin, std::int64_t end, const Tile<V>& tile,
                                     std::int64_t width, const T* w, const T* x, const T* g, T* dx, T* dw,
                                     std::int64_t ahead) {
  const Run<L, V> run(tile);
  const bool first_tile = run.first == 0, past = past_caches<L, V>(2 * csr.rows + csr.columns, width, dx, run);
  const std::int32_t *column = csr.column, *edges = csr.edge;
  const std::int64_t fetched = ahead == 0 ? 0 : csr.entries - ahead;
  // What the last vector shares with the one before it belongs to that one.
  const auto fresh = fresh_lanes<T, L>(lane_count<L>(run.last), run.last + L);
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, L> own[V], sum[V] = {};
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) own[v] = load<L>(x + r * width + run.at(v));
    own[V - 1] = fresh ? own[V - 1] : Lanes<T, L>{};
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const T* from = g + column[t] * width;
      const std::int64_t edge = edges[t];
      const T weight = w[edge];
      if (t < fetched) fetch_row<L, V>(g + column[t + ahead] * width, run);
      Lanes<T, L> even = {}, odd = {};
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        const Lanes<T, L> row = load<L>(from + run.at(v));
        sum[v] += weight * row;
        if (v % 2 == 0) even += own[v] * row;
        else odd += own[v] * row;
      }
      const T dot = atto::simd::sum<T, L>(even + odd);
      dw[edge] = first_tile ? dot : dw[edge] + dot;
    }
    T* to = dx + r * width;
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) past ? store_past(to + run.at(v), sum[v]) : store(to + run.at(v), sum[v]);
  }
  if (past) settle_stores();
}

// As sum_tile() with the winner beside the best value. The smallest is the largest of the negated.
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
        const Lanes<T, L> m = sign * message<weight, L, 0>(w + edge * heads, tile, from);
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
          const T* x, bool mean, const T* bias, T* y, std::int64_t ahead) {
  if constexpr (kLanes<Isa, T> == 16)
    if (w && heads > 1 && heads_are_halves<Isa, T>(heads, depth)) {
      for (std::int64_t h = 0; h < heads; h += 8)
        sum_tile<Isa, T, 16, 4, Weight::per_half>(csr, begin, end, tile_of_halves(h), heads * depth, heads, w, x, mean,
                                                  bias, y, ahead);
      return;
    }
  with_weight(w, heads, depth, [&]<Weight weight>(std::int64_t runs, std::int64_t run) {
    for_tiles<Isa, T>(runs, run, [&]<int L, int V>(const Tile<V>& tile) {
      const auto sum = [&](const auto& place) {
        sum_tile<Isa, T, L, V, weight>(csr, begin, end, place, heads * depth, heads, w, x, mean, bias, y, ahead);
      };
      if (runs == 1 || run % L == 0) sum(Run<L, V>(tile));
      else if constexpr (weight == Weight::per_head) sum(tile);
    });
  });
}

template <class Isa, class T>
void spmm_gradient(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width, const T* w, const T* x,
                   const T* g, T* dx, T* dw, std::int64_t ahead) {
  for_tiles<Isa, T>(1, width, [&]<int L, int V>(const Tile<V>& tile) {
    gradient_tile<Isa, T, L, V>(csr, begin, end, tile, width, w, x, g, dx, dw, ahead);
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
                               bool, const T*, T*, std::int64_t);                                                      \
  template void spmm_gradient<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, const T*, const T*,      \
                                        const T*, T*, T*, std::int64_t);                                               \
  template void spmm_extreme<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, std::int64_t, const T*,   \
                                       const T*, bool, T*, std::int32_t*);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::simd
