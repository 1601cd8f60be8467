#include "ops/edge/tiles.hpp"
#include "ops/gated_conv/simd.hpp"

// The gate of an edge and channel costs an exponential and a division, about as much as reading it back from memory
// would; so it is computed three times, forward, by destination and by source, and never stored.

namespace atto::simd {
namespace {

template <class T, int L>
[[gnu::always_inline]] inline Lanes<T, L> sigmoid(Lanes<T, L> z) {
  return T(1) / (T(1) + exp<T, L>(-z));
}

// The row of edge features of an entry; null when there are none.
template <class T>
[[gnu::always_inline]] inline const T* edge_row(const GatedConv<T>& c, std::int64_t edge) {
  if (!c.edge) return nullptr;
  return c.edge + (c.kind ? c.kind[edge] : edge) * c.width;
}
template <int L, class T>
[[gnu::always_inline]] inline Lanes<T, L> plus(Lanes<T, L> sum, const T* row, std::int64_t at) {
  return row ? sum + load<L>(row + at) : sum;
}

template <class Isa, class T, int L, int V>
[[gnu::noinline]] void forward_tile(const Csr& csr, std::int64_t begin, std::int64_t end, const Tile<V>& tile,
                                    const GatedConv<T>& c, T* y, T* inverse) {
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, L> own[V], sum[V] = {}, gates[V] = {};
    for (int v = 0; v < V; ++v) own[v] = load<L>(c.dst + r * c.width + tile.start[v]);
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const std::int64_t from = column_of(csr, t) * c.width;
      const T* edge = edge_row(c, edge_of(csr, t));
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const std::int64_t at = tile.start[v];
        const Lanes<T, L> s = sigmoid<T, L>(plus<L>(own[v] + load<L>(c.src + from + at), edge, at));
        sum[v] += s * load<L>(c.value + from + at);
        gates[v] += s;
      }
    }
    for (int v = 0; v < V; ++v) {
      const Lanes<T, L> by = T(1) / (gates[v] + c.epsilon);
      store(inverse + r * c.width + tile.start[v], by);
      store(y + r * c.width + tile.start[v], sum[v] * by);
    }
  }
}

// All ones in the lanes of a vector that the one before it does not cover: sums in memory must not be added to twice.
template <class T, int L>
[[gnu::always_inline]] inline auto fresh_at(std::int64_t start, std::int64_t width) {
  return fresh_lanes<T, L>((start + L - 1) / L, width);
}

template <class Isa, class T, int L, int V>
[[gnu::noinline]] void destination_tile(const Csr& csr, std::int64_t begin, std::int64_t end, const Tile<V>& tile,
                                        const GatedConv<T>& c, const T* y, const T* inverse, const T* g, T* scaled,
                                        T* ddst, T* dedge) {
  decltype(fresh_at<T, L>(0, 0)) fresh[V];
  for (int v = 0; v < V; ++v) fresh[v] = fresh_at<T, L>(tile.start[v], c.width);
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, L> own[V], mean[V], h[V], sum[V] = {};
    for (int v = 0; v < V; ++v) {
      const std::int64_t at = r * c.width + tile.start[v];
      own[v] = load<L>(c.dst + at);
      mean[v] = load<L>(y + at);
      h[v] = load<L>(g + at) * load<L>(inverse + at);
      store(scaled + at, h[v]);
    }
    if (!ddst && !dedge) continue;
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const std::int64_t from = column_of(csr, t) * c.width, e = edge_of(csr, t);
      const T* edge = edge_row(c, e);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const std::int64_t at = tile.start[v];
        const Lanes<T, L> s = sigmoid<T, L>(plus<L>(own[v] + load<L>(c.src + from + at), edge, at));
        const Lanes<T, L> dz = h[v] * (load<L>(c.value + from + at) - mean[v]) * (s * (T(1) - s));
        sum[v] += dz;
        if (!dedge) continue;
        if (T* to = dedge + (c.kind ? c.kind[e] : e) * c.width + at; c.kind)
          store(to, load<L>(to) + (fresh[v] ? dz : Lanes<T, L>{}));
        else store(to, dz);
      }
    }
    if (ddst)
      for (int v = 0; v < V; ++v) store(ddst + r * c.width + tile.start[v], sum[v]);
  }
}

template <class Isa, class T, int L, int V>
[[gnu::noinline]] void source_tile(const Csr& csr, std::int64_t begin, std::int64_t end, const Tile<V>& tile,
                                   const GatedConv<T>& c, const T* y, const T* scaled, T* dsrc, T* dvalue) {
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, L> own[V], value[V], dz[V] = {}, dv[V] = {};
    for (int v = 0; v < V; ++v) {
      own[v] = load<L>(c.src + r * c.width + tile.start[v]);
      value[v] = load<L>(c.value + r * c.width + tile.start[v]);
    }
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const std::int64_t to = column_of(csr, t) * c.width;
      const T* edge = edge_row(c, edge_of(csr, t));
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const std::int64_t at = tile.start[v];
        const Lanes<T, L> s = sigmoid<T, L>(plus<L>(own[v] + load<L>(c.dst + to + at), edge, at));
        const Lanes<T, L> h = load<L>(scaled + to + at);
        dv[v] += s * h;
        dz[v] += h * (value[v] - load<L>(y + to + at)) * (s * (T(1) - s));
      }
    }
    for (int v = 0; v < V; ++v) {
      store(dsrc + r * c.width + tile.start[v], dz[v]);
      store(dvalue + r * c.width + tile.start[v], dv[v]);
    }
  }
}

// Four vectors at a time, then two and one: more would not stay in registers beside the exponential's constants.
template <class Isa, class T, class F>
[[gnu::always_inline]] inline void for_gated_tiles(std::int64_t width, F&& f) {
  with_lanes<Isa, T>(width, [&]<int L>() {
    const auto call = [&]<int V>(const Tile<V>& tile) { f.template operator()<L, V>(tile); };
    std::int64_t vector = 0;
    tiles_of<L, 4>(vector, 1, width, call);
    tiles_of<L, 2>(vector, 1, width, call);
    tiles_of<L, 1>(vector, 1, width, call);
  });
}

}  // namespace

template <class Isa, class T>
void gated_conv(const Csr& csr, std::int64_t begin, std::int64_t end, const GatedConv<T>& c, T* y, T* inverse) {
  for_gated_tiles<Isa, T>(c.width, [&]<int L, int V>(const Tile<V>& tile) {
    forward_tile<Isa, T, L, V>(csr, begin, end, tile, c, y, inverse);
  });
}

template <class Isa, class T>
void gated_conv_by_destination(const Csr& csr, std::int64_t begin, std::int64_t end, const GatedConv<T>& c, const T* y,
                               const T* inverse, const T* g, T* scaled, T* ddst, T* dedge) {
  for_gated_tiles<Isa, T>(c.width, [&]<int L, int V>(const Tile<V>& tile) {
    destination_tile<Isa, T, L, V>(csr, begin, end, tile, c, y, inverse, g, scaled, ddst, dedge);
  });
}

template <class Isa, class T>
void gated_conv_by_source(const Csr& csr, std::int64_t begin, std::int64_t end, const GatedConv<T>& c, const T* y,
                          const T* scaled, T* dsrc, T* dvalue) {
  for_gated_tiles<Isa, T>(c.width, [&]<int L, int V>(const Tile<V>& tile) {
    source_tile<Isa, T, L, V>(csr, begin, end, tile, c, y, scaled, dsrc, dvalue);
  });
}

#define ATTO_INSTANTIATE(T)                                                                                           \
  template void gated_conv<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, const GatedConv<T>&, T*, T*);            \
  template void gated_conv_by_destination<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, const GatedConv<T>&,      \
                                                    const T*, const T*, const T*, T*, T*, T*);                        \
  template void gated_conv_by_source<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, const GatedConv<T>&, const T*, \
                                               const T*, T*, T*);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::simd
