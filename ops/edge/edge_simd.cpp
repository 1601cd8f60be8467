#include "ops/edge/simd.hpp"
#include "ops/edge/tiles.hpp"

namespace atto::simd {
namespace {

template <class Isa, class T, int L>
[[gnu::noinline]] void join_rows(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width,
                                 bool multiply, const T* src, const T* dst, T* e) {
  const std::int64_t vectors = lane_count<L>(width);
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const T* a = src ? src + column_of(csr, t) * width : nullptr;
      const T* b = dst ? dst + r * width : nullptr;
      T* to = e + edge_of(csr, t) * width;
      for (std::int64_t k = 0; k < vectors; ++k) {
        const std::int64_t at = lane_start<L>(k, width);
        if (a && b) store(to + at, multiply ? load<L>(a + at) * load<L>(b + at) : load<L>(a + at) + load<L>(b + at));
        else store(to + at, load<L>((a ? a : b) + at));
      }
    }
}

template <class T>
[[gnu::always_inline]] inline void fetch_later(const Csr& csr, std::int64_t entry, std::int64_t ahead, const T* x,
                                               std::int64_t width) {
  if (ahead == 0) return;
  const T* row = x + column_of(csr, later_entry(csr, entry, ahead)) * width;
  for (std::int64_t at = 0; at < width; at += 64 / static_cast<int>(sizeof(T))) __builtin_prefetch(row + at);
}

// Products are added up lane by lane, the lanes once per edge and head. The last vector of a head overlaps the one
// before it, so what they share is masked. A single head of V vectors stays in registers while its edges go by.
template <class Isa, class T, int L, int V>
[[gnu::noinline]] void dot_single(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t depth, const T* q,
                                  const T* k, T* e, std::int64_t ahead) {
  const std::int64_t last = depth - L;
  const auto fresh = fresh_lanes<T, L>(V - 1, depth);
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, L> own[V];
    for (int v = 0; v < V; ++v) own[v] = load<L>(q + r * depth + (v + 1 < V ? v * L : last));
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      fetch_later(csr, t, ahead, k, depth);
      const T* from = k + column_of(csr, t) * depth;
      const Lanes<T, L> tail = own[V - 1] * load<L>(from + last);
      Lanes<T, L> dot = fresh ? tail : Lanes<T, L>{};
#pragma GCC unroll 4
      for (int v = 0; v + 1 < V; ++v) dot += own[v] * load<L>(from + v * L);
      e[edge_of(csr, t)] = sum<T, L>(dot);
    }
  }
}

// Several heads of V vectors each; V = 0: as many as it takes.
template <class Isa, class T, int L, int V>
[[gnu::noinline]] void dot_heads(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads,
                                 std::int64_t depth, const T* q, const T* k, T* e, std::int64_t ahead) {
  const std::int64_t vectors = V > 0 ? V : lane_count<L>(depth), width = heads * depth, last = depth - L;
  const auto fresh = fresh_lanes<T, L>(vectors - 1, depth);
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      fetch_later(csr, t, ahead, k, width);
      const T* from = k + column_of(csr, t) * width;
      const T* by = q + r * width;
      T* to = e + edge_of(csr, t) * heads;
      const auto next = [&]() __attribute__((always_inline)) {
        Lanes<T, L> dot = load<L>(by + last) * load<L>(from + last);
        if constexpr (V != 1) dot = fresh ? dot : Lanes<T, L>{};
#pragma GCC unroll 2
        for (std::int64_t v = 0; v + 1 < vectors; ++v) dot += load<L>(by + v * L) * load<L>(from + v * L);
        by += depth;
        from += depth;
        return dot;
      };
      std::int64_t h = 0;
      if constexpr (L >= 4)
        for (; h + 4 <= heads; h += 4) {
          const auto a = next(), b = next(), c = next(), d = next();
          store(to + h, sum_four<T, L>(a, b, c, d));
        }
      for (; h < heads; ++h) to[h] = sum<T, L>(next());
    }
}

}  // namespace

template <class Isa, class T>
void edge_join(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width, bool multiply, const T* src,
               const T* dst, T* e) {
  with_lanes<Isa, T>(width, [&]<int L>() { join_rows<Isa, T, L>(csr, begin, end, width, multiply, src, dst, e); });
}

template <class Isa, class T>
void edge_dot(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads, std::int64_t depth, const T* q,
              const T* k, T* e, std::int64_t ahead) {
  with_lanes<Isa, T>(depth, [&]<int L>() {
    const std::int64_t vectors = lane_count<L>(depth);
    if (heads == 1 && vectors == 1) dot_single<Isa, T, L, 1>(csr, begin, end, depth, q, k, e, ahead);
    else if (heads == 1 && vectors == 2) dot_single<Isa, T, L, 2>(csr, begin, end, depth, q, k, e, ahead);
    else if (heads == 1 && vectors == 3) dot_single<Isa, T, L, 3>(csr, begin, end, depth, q, k, e, ahead);
    else if (heads == 1 && vectors == 4) dot_single<Isa, T, L, 4>(csr, begin, end, depth, q, k, e, ahead);
    else if (vectors == 1) dot_heads<Isa, T, L, 1>(csr, begin, end, heads, depth, q, k, e, ahead);
    else if (vectors == 2) dot_heads<Isa, T, L, 2>(csr, begin, end, heads, depth, q, k, e, ahead);
    else dot_heads<Isa, T, L, 0>(csr, begin, end, heads, depth, q, k, e, ahead);
  });
}

#define ATTO_INSTANTIATE(T)                                                                                         \
  template void edge_join<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, bool, const T*, const T*, \
                                    T*);                                                                            \
  template void edge_dot<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, std::int64_t, const T*,    \
                                   const T*, T*, std::int64_t);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::simd
