#include "ops/edge/simd.hpp"
#include "ops/edge/tiles.hpp"

namespace atto::simd {
namespace {

// Gates and gated features are added up together, so that both edge and node features are read once.
template <class Isa, class T, int L, int V>
[[gnu::noinline]] void gated_tile(const Csr& csr, std::int64_t begin, std::int64_t end, const Tile<V>& tile,
                                  std::int64_t width, const T* s, const T* x, T epsilon, T* y, T* inverse,
                                  std::int64_t ahead) {
  const Run<L, V> run(tile);
  const Lanes<T, L> one = splat<L>(T(1)), least = splat<L>(epsilon);
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, L> sum[V] = {}, gates[V] = {};
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const T* from = x + column_of(csr, t) * width;
      const T* gate = s + edge_of(csr, t) * width;
      fetch<L, V>(csr, t, ahead, x, width, run);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        const Lanes<T, L> g = load<L>(gate + run.at(v));
        sum[v] += g * load<L>(from + run.at(v));
        gates[v] += g;
      }
    }
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      const Lanes<T, L> by = one / (gates[v] + least);
      store(inverse + r * width + run.at(v), by);
      store(y + r * width + run.at(v), sum[v] * by);
    }
  }
}

template <class Isa, class T, int L, int V>
[[gnu::noinline]] void gine_tile(const Csr& csr, std::int64_t begin, std::int64_t end, const Tile<V>& tile,
                                 std::int64_t width, const T* x, const T* e, T* y, std::int64_t ahead) {
  const Run<L, V> run(tile);
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, L> sum[V] = {};
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const T* from = x + column_of(csr, t) * width;
      const T* edge = e + edge_of(csr, t) * width;
      fetch<L, V>(csr, t, ahead, x, width, run);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        const Lanes<T, L> m = load<L>(from + run.at(v)) + load<L>(edge + run.at(v));
        sum[v] += m < T(0) ? Lanes<T, L>{} : m;  // a NaN passes
      }
    }
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) store(y + r * width + run.at(v), sum[v]);
  }
}

template <class Isa, class T, int L, int V>
[[gnu::noinline]] void gine_dx_tile(const Csr& csr, std::int64_t begin, std::int64_t end, const Tile<V>& tile,
                                    std::int64_t width, const T* x, const T* e, const T* g, T* dx, std::int64_t ahead) {
  const Run<L, V> run(tile);
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, L> sum[V] = {};
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const T* from = g + column_of(csr, t) * width;
      const T* edge = e + edge_of(csr, t) * width;
      fetch<L, V>(csr, t, ahead, g, width, run);
      fetch_edge<L, V>(csr, t, ahead, e, width, run);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        const Lanes<T, L> m = load<L>(x + r * width + run.at(v)) + load<L>(edge + run.at(v));
        sum[v] += m > T(0) ? load<L>(from + run.at(v)) : Lanes<T, L>{};
      }
    }
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) store(dx + r * width + run.at(v), sum[v]);
  }
}

// Calls f(row, entry, place in the row, vectors...) for results of the edges' own: nothing is summed.
template <int L, class T, class F>
[[gnu::always_inline]] inline void for_edges(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width,
                                             const T* gathered, std::int64_t ahead, F&& f) {
  const std::int64_t vectors = lane_count<L>(width);
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      if (ahead != 0) {
        const T* row = gathered + column_of(csr, later_entry(csr, t, ahead)) * width;
        for (std::int64_t at = 0; at < width; at += 64 / static_cast<int>(sizeof(T))) __builtin_prefetch(row + at);
      }
      const std::int64_t row = r * width, column = column_of(csr, t) * width, edge = edge_of(csr, t) * width;
      for (std::int64_t k = 0; k < vectors; ++k) {
        const std::int64_t at = lane_start<L>(k, width);
        f(row + at, column + at, edge + at);
      }
    }
}

template <class Isa, class T, int L>
[[gnu::noinline]] void gated_ds_rows(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width,
                                     const T* x, const T* y, const T* scaled, T* ds, std::int64_t ahead) {
  for_edges<L>(csr, begin, end, width, x, ahead, [&](std::int64_t row, std::int64_t column, std::int64_t edge) {
    store(ds + edge, load<L>(scaled + row) * (load<L>(x + column) - load<L>(y + row)));
  });
}

template <class Isa, class T, int L>
[[gnu::noinline]] void gine_de_rows(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width,
                                    const T* x, const T* e, const T* g, T* de, std::int64_t ahead) {
  for_edges<L>(csr, begin, end, width, x, ahead, [&](std::int64_t row, std::int64_t column, std::int64_t edge) {
    const Lanes<T, L> m = load<L>(x + column) + load<L>(e + edge);
    store(de + edge, m > T(0) ? load<L>(g + row) : Lanes<T, L>{});
  });
}

template <class Isa, class T, int L>
[[gnu::noinline]] void gine_dkinds_rows(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width,
                                        const T* x, const T* e, const T* g, T* de) {
  const std::int64_t vectors = lane_count<L>(width);
  const auto fresh = fresh_lanes<T, L>(vectors - 1, width);  // the last vector may overlap the one before it
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const T* from = x + column_of(csr, t) * width;
      const std::int64_t kind = edge_of(csr, t) * width;
      for (std::int64_t k = 0; k < vectors; ++k) {
        const std::int64_t at = lane_start<L>(k, width);
        const Lanes<T, L> m = load<L>(from + at) + load<L>(e + kind + at);
        Lanes<T, L> sent = m > T(0) ? load<L>(g + r * width + at) : Lanes<T, L>{};
        if (k + 1 == vectors) sent = fresh ? sent : Lanes<T, L>{};
        store(de + kind + at, load<L>(de + kind + at) + sent);
      }
    }
}

}  // namespace

template <class Isa, class T>
void gated_sum(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width, const T* s, const T* x,
               T epsilon, T* y, T* inverse, std::int64_t ahead) {
  for_tiles<Isa, T>(1, width, [&]<int L, int V>(const Tile<V>& tile) {
    gated_tile<Isa, T, L, V>(csr, begin, end, tile, width, s, x, epsilon, y, inverse, ahead);
  });
}

template <class Isa, class T>
void gated_sum_ds(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width, const T* x, const T* y,
                  const T* scaled, T* ds, std::int64_t ahead) {
  with_lanes<Isa, T>(width,
                     [&]<int L>() { gated_ds_rows<Isa, T, L>(csr, begin, end, width, x, y, scaled, ds, ahead); });
}

template <class Isa, class T>
void gine_sum(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width, const T* x, const T* e, T* y,
              std::int64_t ahead) {
  for_tiles<Isa, T>(1, width, [&]<int L, int V>(const Tile<V>& tile) {
    gine_tile<Isa, T, L, V>(csr, begin, end, tile, width, x, e, y, ahead);
  });
}

template <class Isa, class T>
void gine_sum_dx(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width, const T* x, const T* e,
                 const T* g, T* dx, std::int64_t ahead) {
  for_tiles<Isa, T>(1, width, [&]<int L, int V>(const Tile<V>& tile) {
    gine_dx_tile<Isa, T, L, V>(csr, begin, end, tile, width, x, e, g, dx, ahead);
  });
}

template <class Isa, class T>
void gine_sum_de(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width, const T* x, const T* e,
                 const T* g, T* de, std::int64_t ahead) {
  with_lanes<Isa, T>(width, [&]<int L>() { gine_de_rows<Isa, T, L>(csr, begin, end, width, x, e, g, de, ahead); });
}

template <class Isa, class T>
void gine_sum_dkinds(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width, const T* x, const T* e,
                     const T* g, T* de) {
  with_lanes<Isa, T>(width, [&]<int L>() { gine_dkinds_rows<Isa, T, L>(csr, begin, end, width, x, e, g, de); });
}

#define ATTO_INSTANTIATE(T)                                                                                          \
  template void gated_sum<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, const T*, const T*, T, T*, \
                                    T*, std::int64_t);                                                               \
  template void gated_sum_ds<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, const T*, const T*,     \
                                       const T*, T*, std::int64_t);                                                  \
  template void gine_sum<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, const T*, const T*, T*,     \
                                   std::int64_t);                                                                    \
  template void gine_sum_dx<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, const T*, const T*,      \
                                      const T*, T*, std::int64_t);                                                   \
  template void gine_sum_de<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, const T*, const T*,      \
                                      const T*, T*, std::int64_t);                                                   \
  template void gine_sum_dkinds<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, const T*, const T*,  \
                                          const T*, T*);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::simd
