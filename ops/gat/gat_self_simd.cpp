#include "ops/edge/tiles.hpp"
#include "ops/gat/simd.hpp"

namespace atto::simd {
namespace {

// Products are added up lane by lane, the lanes of four heads at once. The last vector of a head may overlap the one
// before it, so what they share is masked.
template <class Isa, class T, int L>
[[gnu::noinline]] void products(std::int64_t begin, std::int64_t end, std::int64_t heads, std::int64_t depth,
                                const T* x, const T* vector, T* term) {
  const std::int64_t vectors = lane_count<L>(depth), last = depth - L;
  const auto fresh = fresh_lanes<T, L>(vectors - 1, depth);
  for (std::int64_t r = begin; r < end; ++r) {
    const T *row = x + r * heads * depth, *by = vector;
    const auto next = [&]() __attribute__((always_inline)) {
      Lanes<T, L> dot = load<L>(by + last) * load<L>(row + last);
      if (vectors > 1) dot = fresh ? dot : Lanes<T, L>{};
      for (std::int64_t v = 0; v + 1 < vectors; ++v) dot += load<L>(by + v * L) * load<L>(row + v * L);
      by += depth;
      row += depth;
      return dot;
    };
    std::int64_t h = 0;
    if constexpr (L >= 4)
      for (; h + 4 <= heads; h += 4) {
        const auto a = next(), b = next(), c = next(), d = next();
        store(term + r * heads + h, sum_four<T, L>(a, b, c, d));
      }
    for (; h < heads; ++h) term[r * heads + h] = sum<T, L>(next());
  }
}

// Heads lie side by side. Whole: they are exactly one vector, as they often are.
template <class Isa, class T, int L, bool Whole>
[[gnu::noinline]] void sums_of(const Csr& csr, std::int64_t begin, std::int64_t end, const GatScore<T>& score,
                               T* sums) {
  const std::int64_t heads = Whole ? L : score.heads, vectors = Whole ? 1 : lane_count<L>(heads);
  const T *source = score.source, *edge = score.edge;
  const std::int32_t* column = csr.column;
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t k = 0; k < vectors; ++k) {
      const std::int64_t at = lane_start<L>(k, heads);
      const Lanes<T, L> own = load<L>(score.destination + r * heads + at);
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
        const Lanes<T, L> both = load<L>(source + column[t] * heads + at) + own;
        store(sums + t * heads + at, edge ? both + load<L>(edge + t * heads + at) : both);
      }
    }
}

template <class Isa, class T, int L, bool Whole>
[[gnu::noinline]] void score_rows(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t given, T slope,
                                  const T* kept, const T* dropped, const T* dweight, T* pairs, T* ddestination,
                                  T* dedge) {
  const std::int64_t heads = Whole ? L : given, vectors = Whole ? 1 : lane_count<L>(heads);
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t k = 0; k < vectors; ++k) {
      const std::int64_t at = lane_start<L>(k, heads), first = csr.offsets[r], last = csr.offsets[r + 1];
      Lanes<T, L> mean = {}, sum = {};
      for (std::int64_t t = first; t < last; ++t) {
        const Lanes<T, L> mark = load<L>(kept + t * heads + at);
        mean += (mark < T(0) ? -mark : mark) * load<L>(dweight + t * heads + at);
      }
      for (std::int64_t t = first; t < last; ++t) {
        const Lanes<T, L> mark = load<L>(kept + t * heads + at), weight = mark < T(0) ? -mark : mark;
        const Lanes<T, L> dscore = weight * (load<L>(dweight + t * heads + at) - mean);
        const Lanes<T, L> d = mark < T(0) ? slope * dscore : dscore;
        sum += d;
        T* pair = pairs + 2 * t * heads + at;
        store(pair, dropped ? load<L>(dropped + t * heads + at) : weight);
        store(pair + heads, d);
        if (dedge) store(dedge + t * heads + at, d);
      }
      store(ddestination + r * heads + at, sum);
    }
}

template <class Isa, class T, int L, bool Whole>
[[gnu::noinline]] void source_rows(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t given,
                                   const T* pairs, T* dsource, std::int64_t ahead) {
  const std::int64_t heads = Whole ? L : given, vectors = Whole ? 1 : lane_count<L>(heads);
  const std::int64_t fetched = ahead == 0 ? 0 : csr.entries - ahead;
  const std::int32_t* edge = csr.edge;
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t k = 0; k < vectors; ++k) {
      const std::int64_t at = lane_start<L>(k, heads);
      Lanes<T, L> sum = {};
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
        if (t < fetched) __builtin_prefetch(pairs + (2 * std::int64_t{edge[t + ahead]} + 1) * heads + at);
        sum += load<L>(pairs + (2 * std::int64_t{edge[t]} + 1) * heads + at);
      }
      store(dsource + r * heads + at, sum);
    }
}

template <class Isa, class T, int L, int V, bool Halves, class Place>
[[gnu::noinline]] void value_rows(const Csr& csr, std::int64_t begin, std::int64_t end, const GatSelfValues<T>& values,
                                  const Place& place, std::int64_t ahead) {
  const Place tile = place;  // by value: no store can change them
  const GatSelfValues<T> s = values;
  const std::int64_t heads = s.heads, width = heads * s.depth, fetched = ahead == 0 ? 0 : csr.entries - ahead;
  const std::int32_t *column = csr.column, *edge = csr.edge;
  const bool past = s.dx && past_caches<L, V>(2 * csr.rows + csr.columns, width, s.dx, tile);
  Lanes<T, L> source_sum[V] = {}, destination_sum[V] = {};
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, L> sum[V] = {};
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const T* from = s.g + column[t] * width;
      const T* weight = s.pairs + 2 * std::int64_t{edge[t]} * heads;
      if (t < fetched) fetch_row<L, V>(s.g + column[t + ahead] * width, tile);
      unrolled<V>([&]<int v>() __attribute__((always_inline)) {
        sum[v] += of_head<Halves, v>(weight, tile) * load<L>(from + tile.at(v));
      });
    }
    unrolled<V>([&]<int v>() __attribute__((always_inline)) {
      const std::int64_t at = tile.at(v);
      const Lanes<T, L> own = load<L>(s.x + r * width + at);
      const auto by_source = of_head<Halves, v>(s.dsource + r * heads, tile);
      const auto by_destination = of_head<Halves, v>(s.ddestination + r * heads, tile);
      source_sum[v] += by_source * own;
      destination_sum[v] += by_destination * own;
      sum[v] += by_source * load<L>(s.source + at) + by_destination * load<L>(s.destination + at);
      if (s.dx) past ? store_past(s.dx + r * width + at, sum[v]) : store(s.dx + r * width + at, sum[v]);
    });
  }
  if (past) settle_stores();
  for (int v = 0; v < V; ++v) {
    store(s.source_sum + tile.at(v), source_sum[v]);
    store(s.destination_sum + tile.at(v), destination_sum[v]);
  }
}

// Calls f.template operator()<L, Whole>().
template <class Isa, class T, class F>
[[gnu::always_inline]] inline void for_heads(std::int64_t heads, F&& f) {
  with_lanes<Isa, T>(heads, [&]<int L>() {
    if (heads == L) f.template operator()<L, true>();
    else f.template operator()<L, false>();
  });
}

}  // namespace

template <class Isa, class T>
void gat_products(std::int64_t begin, std::int64_t end, std::int64_t heads, std::int64_t depth, const T* x,
                  const T* source, const T* destination, T* source_term, T* destination_term) {
  with_lanes<Isa, T>(depth, [&]<int L>() {
    products<Isa, T, L>(begin, end, heads, depth, x, source, source_term);
    products<Isa, T, L>(begin, end, heads, depth, x, destination, destination_term);
  });
}

template <class Isa, class T>
void gat_sums(const Csr& csr, std::int64_t begin, std::int64_t end, const GatScore<T>& score, T* sums) {
  for_heads<Isa, T>(score.heads, [&]<int L, bool Whole>() { sums_of<Isa, T, L, Whole>(csr, begin, end, score, sums); });
}

template <class Isa, class T>
void gat_leaky(std::int64_t count, T slope, const T* __restrict sums, T* __restrict scores) {
  for (std::int64_t i = 0; i < count; ++i) scores[i] = sums[i] > T(0) ? sums[i] : slope * sums[i];
}
template <class Isa, class T>
void gat_mark(std::int64_t count, const T* __restrict sums, const T* __restrict weights, T* __restrict kept) {
  for (std::int64_t i = 0; i < count; ++i) kept[i] = sums[i] > T(0) ? weights[i] : -weights[i];
}
template <class Isa, class T>
void gat_unmark(std::int64_t count, const T* __restrict kept, T* __restrict weights) {
  for (std::int64_t i = 0; i < count; ++i) weights[i] = kept[i] < T(0) ? -kept[i] : kept[i];
}

template <class Isa, class T>
void gat_self_scores(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads, T slope, const T* kept,
                     const T* dropped, const T* dweight, T* pairs, T* ddestination, T* dedge) {
  for_heads<Isa, T>(heads, [&]<int L, bool Whole>() {
    score_rows<Isa, T, L, Whole>(csr, begin, end, heads, slope, kept, dropped, dweight, pairs, ddestination, dedge);
  });
}

template <class Isa, class T>
void gat_self_sources(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads, const T* pairs,
                      T* dsource, std::int64_t ahead) {
  for_heads<Isa, T>(heads, [&]<int L, bool Whole>() {
    source_rows<Isa, T, L, Whole>(csr, begin, end, heads, pairs, dsource, ahead);
  });
}

template <class Isa, class T>
void gat_self_values(const Csr& csr, std::int64_t begin, std::int64_t end, const GatSelfValues<T>& values,
                     std::int64_t ahead) {
  if constexpr (kLanes<Isa, T> == 16)
    if (heads_are_halves<Isa, T>(values.heads, values.depth)) {
      for (std::int64_t h = 0; h < values.heads; h += 8)
        value_rows<Isa, T, 16, 4, true>(csr, begin, end, values, tile_of_halves(h), ahead);
      return;
    }
  for_tiles<Isa, T>(values.heads, values.depth, [&]<int L, int V>(const Tile<V>& tile) {
    if (values.depth % L == 0) value_rows<Isa, T, L, V, false>(csr, begin, end, values, Run<L, V>(tile), ahead);
    else value_rows<Isa, T, L, V, false>(csr, begin, end, values, tile, ahead);
  });
}

#define ATTO_INSTANTIATE(T)                                                                                            \
  template void gat_products<ATTO_ISA>(std::int64_t, std::int64_t, std::int64_t, std::int64_t, const T*, const T*,     \
                                       const T*, T*, T*);                                                              \
  template void gat_sums<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, const GatScore<T>&, T*);                    \
  template void gat_leaky<ATTO_ISA>(std::int64_t, T, const T*, T*);                                                    \
  template void gat_mark<ATTO_ISA>(std::int64_t, const T*, const T*, T*);                                              \
  template void gat_unmark<ATTO_ISA>(std::int64_t, const T*, T*);                                                      \
  template void gat_self_scores<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, T, const T*, const T*, \
                                          const T*, T*, T*, T*);                                                       \
  template void gat_self_sources<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, const T*, T*,         \
                                           std::int64_t);                                                              \
  template void gat_self_values<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, const GatSelfValues<T>&,             \
                                          std::int64_t);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::simd
