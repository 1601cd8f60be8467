#include "ops/edge/simd.hpp"
#include "ops/edge_attention/heads.hpp"
#include "ops/edge_attention/logits.hpp"

namespace atto::simd {
namespace {

// Some heads in three steps over a block of rows, as forward: both dot products of every edge, the weights, and what
// the logits send on. A key is read twice, the second time out of the cache.
template <class Heads, class T>
struct Backward {
  static constexpr int L = Heads::L, G = Heads::G, V = Heads::V;
  using Numbers = Lanes<T, G>;

  const Csr& csr;
  const EdgeAttentionRows<T>& rows;
  const EdgeAttentionSent<T>& sent;
  std::int64_t begin, end, head, ahead;
  T* numbers;  // [edges of the block, 3 G]: the score's dot product or the weight, its gradient, the dot product

  [[gnu::noinline]] void score(const T* g) const {
    const Backward f = *this;  // by value: no store can change it
    const EdgeAttentionRows<T> c = f.rows;
    const std::int64_t width = c.heads * c.depth, start = f.head * c.depth;
    const std::int64_t fetched = f.ahead == 0 ? 0 : f.csr.entries - f.ahead;
    const std::int32_t *offsets = f.csr.offsets, *column = f.csr.column;
    T* to = f.numbers;
    for (std::int64_t r = f.begin; r < f.end; ++r) {
      Lanes<T, L> query[V], gradient[V];
      unrolled<V>([&]<int v>() __attribute__((always_inline)) {
        query[v] = load<L>(c.q + r * width + start + v * L);
        gradient[v] = load<L>(g + r * width + start + v * L);
      });
      for (std::int64_t t = offsets[r]; t < offsets[r + 1]; ++t, to += 3 * G) {
        if (t < fetched) {
          const std::int64_t later = column[t + f.ahead] * width + start;
          fetch_heads<Heads>(c.k + later);
          fetch_heads<Heads>(c.v + later);
        }
        const std::int64_t from = column[t] * width + start;
        store(to + G, Heads::dots(gradient, c.v + from));
        store(to + 2 * G, Heads::dots(query, c.k + from));
      }
    }
  }

  [[gnu::noinline]] void raise(const T* lse) const {
    const Backward f = *this;
    const EdgeAttentionRows<T> c = f.rows;
    T *to = f.numbers, *pairs = f.sent.pairs;
    for (std::int64_t t = f.csr.offsets[f.begin]; t < f.csr.offsets[f.end]; ++t, to += 3 * G) {
      const Numbers z = logit_of<G>(c, score_of<G>(c, load<G>(to + 2 * G)), t, f.head);
      const Numbers p = exp<T, G>(z - load<G>(lse + c.row[t] * c.heads + f.head));
      store(to, p);
      Numbers kept = p;
      if (c.keep) {
        const Numbers keep = load<G>(c.keep + t * c.heads + f.head);
        kept = p * keep;
        store(to + G, load<G>(to + G) * keep);
      }
      store(pairs + 2 * t * c.heads + f.head, kept);
    }
  }

  [[gnu::noinline]] void send() const {
    const Backward f = *this;
    const EdgeAttentionRows<T> c = f.rows;
    const EdgeAttentionSent<T> out = f.sent;
    const std::int64_t width = c.heads * c.depth, start = f.head * c.depth;
    const std::int32_t *offsets = f.csr.offsets, *column = f.csr.column;
    const T* from = f.numbers;
    const auto all = Numbers{} == Numbers{};
    for (std::int64_t r = f.begin; r < f.end; ++r) {
      const std::int64_t first = offsets[r], last = offsets[r + 1];
      Numbers delta = {};  // sum of a da over the row
      for (std::int64_t t = 0; t < last - first; ++t)
        delta += load<G>(from + 3 * t * G) * load<G>(from + (3 * t + 1) * G);
      Lanes<T, L> sum[V] = {};
      for (std::int64_t t = first; t < last; ++t, from += 3 * G) {
        const Numbers dz = load<G>(from) * (load<G>(from + G) - delta);
        const Numbers ds = send_back<G>(c, out, dz, load<G>(from + 2 * G), t, f.head, all);
        store(out.pairs + (2 * t + 1) * c.heads + f.head, ds);
        const T* key = c.k + column[t] * width + start;
        unrolled<V>([&]<int v>() __attribute__((always_inline)) {
          sum[v] += Heads::template spread<v>(ds) * load<L>(key + v * L);
        });
      }
      if (out.dq)
        unrolled<V>([&]<int v>() __attribute__((always_inline)) { store(out.dq + r * width + start + v * L, sum[v]); });
    }
  }
};

// Any shape, lanes are heads: from dot products and da to the pairs, and in the place of da the gradients of the dot
// products.
template <class Isa, class T, int L>
[[gnu::noinline]] void send_scores(const Csr& csr, std::int64_t begin, std::int64_t end, const EdgeAttentionRows<T>& c,
                                   const T* lse, const T* dots, const T* da, T* ds, const EdgeAttentionSent<T>& out) {
  const std::int64_t vectors = lane_count<L>(c.heads);
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t k = 0; k < vectors; ++k) {
      const std::int64_t head = lane_start<L>(k, c.heads);
      const auto fresh = fresh_lanes<T, L>(k, c.heads);
      const Lanes<T, L> row_lse = load<L>(lse + r * c.heads + head);
      Lanes<T, L> delta = {};
      const auto gradient = [&](std::int64_t at) __attribute__((always_inline)) {
        return c.keep ? load<L>(da + at) * load<L>(c.keep + at) : load<L>(da + at);
      };
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
        const std::int64_t at = t * c.heads + head;
        const Lanes<T, L> p = exp<T, L>(logit_of<L>(c, score_of<L>(c, load<L>(dots + at)), t, head) - row_lse);
        delta += p * gradient(at);
        store(ds + at, p);
        store(out.pairs + 2 * t * c.heads + head, c.keep ? p * load<L>(c.keep + at) : p);
      }
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
        const std::int64_t at = t * c.heads + head;
        const Lanes<T, L> dz = load<L>(ds + at) * (gradient(at) - delta);
        const Lanes<T, L> sent = send_back<L>(c, out, dz, load<L>(dots + at), t, head, fresh);
        store(ds + at, sent);
        store(out.pairs + (2 * t + 1) * c.heads + head, sent);
      }
    }
}

// Both sums over the edges of a source in one walk, because they need the same pairs.
template <class Isa, class T, int L, int V, bool Halves, class Place>
[[gnu::noinline]] void sum_sources(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads,
                                   std::int64_t width, const T* pairs, const T* q, const T* g, T* dk, T* dv,
                                   const Place& place, std::int64_t ahead) {
  const Place tile = place;  // by value: no store can change it
  const std::int64_t fetched = ahead == 0 ? 0 : csr.entries - ahead;
  const std::int32_t *column = csr.column, *edge = csr.edge;
  for (std::int64_t r = begin; r < end; ++r) {
    Lanes<T, L> keys[V] = {}, values[V] = {};
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      if (t < fetched) {
        fetch_row<L, V>(g + column[t + ahead] * width, tile);
        fetch_row<L, V>(q + column[t + ahead] * width, tile);
        __builtin_prefetch(pairs + 2 * heads * edge[t + ahead] + tile.head[0]);
      }
      const T *weights = pairs + 2 * heads * edge[t], *scores = weights + heads;
      const std::int64_t from = column[t] * width;
      unrolled<V>([&]<int v>() __attribute__((always_inline)) {
        values[v] += of_head<Halves, v>(weights, tile) * load<L>(g + from + tile.at(v));
        keys[v] += of_head<Halves, v>(scores, tile) * load<L>(q + from + tile.at(v));
      });
    }
    unrolled<V>([&]<int v>() __attribute__((always_inline)) {
      if (dk) store(dk + r * width + tile.at(v), keys[v]);
      if (dv) store(dv + r * width + tile.at(v), values[v]);
    });
  }
}

}  // namespace

template <class Isa, class T>
void edge_attention_scores(const Csr& csr, std::int64_t begin, std::int64_t end, const EdgeAttentionRows<T>& rows,
                           const T* lse, const T* g, T* scratch, const EdgeAttentionSent<T>& out, std::int64_t ahead) {
  const std::int64_t heads = rows.heads, first = csr.offsets[begin], count = csr.offsets[end] - first;
  const bool filled = with_heads<Isa, T>(heads, rows.depth, [&]<class Heads>() {
    for (std::int64_t head = 0; head < heads; head += Heads::G) {
      const Backward<Heads, T> some{csr, rows, out, begin, end, head, ahead, scratch};
      some.score(g);
      some.raise(lse);
      some.send();
    }
  });
  if (filled) return;
  T *dots = scratch - first * heads, *da = dots + count * heads, *ds = da + count * heads;
  edge_dot<Isa>(csr, begin, end, heads, rows.depth, rows.q, rows.k, dots, ahead);
  edge_dot<Isa>(csr, begin, end, heads, rows.depth, g, rows.v, da, ahead);
  with_lanes<Isa, T>(heads, [&]<int L>() { send_scores<Isa, T, L>(csr, begin, end, rows, lse, dots, da, ds, out); });
  if (out.dq)
    spmm<Isa>(csr, begin, end, heads, rows.depth, ds, rows.k, false, static_cast<const T*>(nullptr), out.dq, ahead);
}

template <class Isa, class T>
void edge_attention_sources(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads,
                            std::int64_t depth, const T* pairs, const T* q, const T* g, T* dk, T* dv,
                            std::int64_t ahead) {
  const std::int64_t width = heads * depth;
  if constexpr (kLanes<Isa, T> == 16)
    if (heads_are_halves<Isa, T>(heads, depth)) {
      for (std::int64_t h = 0; h < heads; h += 8)
        sum_sources<Isa, T, 16, 4, true>(csr, begin, end, heads, width, pairs, q, g, dk, dv, tile_of_halves(h), ahead);
      return;
    }
  // Four vectors at a time: twice as many sums, and more would not stay in registers.
  with_lanes<Isa, T>(depth, [&]<int L>() {
    const auto sum = [&]<int V>(const Tile<V>& tile) {
      sum_sources<Isa, T, L, V, false>(csr, begin, end, heads, width, pairs, q, g, dk, dv, tile, ahead);
    };
    std::int64_t vector = 0;
    tiles_of<L, 4>(vector, heads, depth, sum);
    tiles_of<L, 1>(vector, heads, depth, sum);
  });
}

#define ATTO_INSTANTIATE(T)                                                                                          \
  template void edge_attention_scores<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, const EdgeAttentionRows<T>&, \
                                                const T*, const T*, T*, const EdgeAttentionSent<T>&, std::int64_t);  \
  template void edge_attention_sources<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, std::int64_t, \
                                                 const T*, const T*, const T*, T*, T*, std::int64_t);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::simd
