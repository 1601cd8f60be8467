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

// Products are added up lane by lane, the lanes once per edge and head. The last vector of a head may overlap the one
// before it, so what they share is masked. A single head of V vectors stays in registers while its edges go by.
template <class Isa, class T, int L, int V>
[[gnu::noinline]] void dot_single(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t depth, const T* q,
                                  const T* k, T* e, std::int64_t ahead) {
  const std::int64_t last = depth - L, fetched = ahead == 0 ? 0 : csr.entries - ahead;
  const auto fresh = fresh_lanes<T, L>(V - 1, depth);
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, L> own[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) own[v] = load<L>(q + r * depth + (v + 1 < V ? v * L : last));
    own[V - 1] = fresh ? own[V - 1] : Lanes<T, L>{};
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      if (t < fetched) {
        const T* later = k + column_of(csr, t + ahead) * depth;
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) __builtin_prefetch(later + v * L);
      }
      const T* from = k + column_of(csr, t) * depth;
      Lanes<T, L> even = own[V - 1] * load<L>(from + last), odd = {};
#pragma GCC unroll 8
      for (int v = 0; v + 1 < V; ++v)
        if (v % 2 == 0) odd += own[v] * load<L>(from + v * L);
        else even += own[v] * load<L>(from + v * L);
      e[edge_of(csr, t)] = sum<T, L>(even + odd);
    }
  }
}

// Several heads of V vectors each; V = 0: as many as it takes. Whole: vectors do not overlap, and places within a row
// are known at compile time.
template <class Isa, class T, int L, int V, bool Whole>
[[gnu::noinline]] void dot_heads(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads,
                                 std::int64_t given, const T* q, const T* k, T* e, std::int64_t ahead) {
  const std::int64_t depth = Whole ? V * L : given, vectors = V > 0 ? V : lane_count<L>(depth);
  const std::int64_t width = heads * depth, last = depth - L, fetched = ahead == 0 ? 0 : csr.entries - ahead;
  const auto fresh = fresh_lanes<T, L>(vectors - 1, depth);
  const auto dot = [&](const T* by, const T* from) __attribute__((always_inline)) {
    Lanes<T, L> sum = load<L>(by + last) * load<L>(from + last);
    if constexpr (!Whole && V != 1) sum = fresh ? sum : Lanes<T, L>{};
#pragma GCC unroll 2
    for (std::int64_t v = 0; v + 1 < vectors; ++v) sum += load<L>(by + v * L) * load<L>(from + v * L);
    return sum;
  };
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      if (t < fetched) {
        const T* later = k + column_of(csr, t + ahead) * width;
        for (std::int64_t at = 0; at < width; at += 64 / static_cast<int>(sizeof(T))) __builtin_prefetch(later + at);
      }
      const T *from = k + column_of(csr, t) * width, *by = q + r * width;
      T* to = e + edge_of(csr, t) * heads;
      std::int64_t h = 0;
      if constexpr (L >= 4)
        for (; h + 4 <= heads; h += 4, from += 4 * depth, by += 4 * depth)
          store(to + h, sum_four<T, L>(dot(by, from), dot(by + depth, from + depth),
                                       dot(by + 2 * depth, from + 2 * depth), dot(by + 3 * depth, from + 3 * depth)));
      for (; h < heads; ++h, from += depth, by += depth) to[h] = sum<T, L>(dot(by, from));
    }
}

// Heads that fill half a register, eight of them from `head` on: a register holds two.
template <class Isa, class T>
[[gnu::noinline]] void dot_halves(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads,
                                  std::int64_t head, const T* q, const T* k, T* e, std::int64_t ahead) {
  const std::int64_t width = heads * 8, start = head * 8, fetched = ahead == 0 ? 0 : csr.entries - ahead;
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, 16> own[4];
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) own[v] = load<16>(q + r * width + start + v * 16);
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      if (t < fetched) {
        const T* later = k + column_of(csr, t + ahead) * width + start;
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) __builtin_prefetch(later + v * 16);
      }
      const T* from = k + column_of(csr, t) * width + start;
      store(e + edge_of(csr, t) * heads + head,
            sum_halves<T>(own[0] * load<16>(from), own[1] * load<16>(from + 16), own[2] * load<16>(from + 32),
                          own[3] * load<16>(from + 48)));
    }
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
  if constexpr (kLanes<Isa, T> == 16)
    if (heads_are_halves<Isa, T>(heads, depth)) {
      for (std::int64_t h = 0; h < heads; h += 8) dot_halves<Isa>(csr, begin, end, heads, h, q, k, e, ahead);
      return;
    }
  with_lanes<Isa, T>(depth, [&]<int L>() {
    const std::int64_t vectors = lane_count<L>(depth);
    const auto heads_of = [&]<int V, bool Whole>() {
      dot_heads<Isa, T, L, V, Whole>(csr, begin, end, heads, depth, q, k, e, ahead);
    };
    if (heads == 1 && vectors == 1) dot_single<Isa, T, L, 1>(csr, begin, end, depth, q, k, e, ahead);
    else if (heads == 1 && vectors == 2) dot_single<Isa, T, L, 2>(csr, begin, end, depth, q, k, e, ahead);
    else if (heads == 1 && vectors == 3) dot_single<Isa, T, L, 3>(csr, begin, end, depth, q, k, e, ahead);
    else if (heads == 1 && vectors == 4) dot_single<Isa, T, L, 4>(csr, begin, end, depth, q, k, e, ahead);
    else if (heads == 1 && vectors == 8) dot_single<Isa, T, L, 8>(csr, begin, end, depth, q, k, e, ahead);
    else if (depth == L) heads_of.template operator()<1, true>();
    else if (depth == 2 * L) heads_of.template operator()<2, true>();
    else if (vectors == 2) heads_of.template operator()<2, false>();
    else heads_of.template operator()<0, false>();
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
