#include "core/simd_math.hpp"
#include "ops/edge/simd.hpp"
#include "ops/edge_attention/heads.hpp"
#include "ops/edge_attention/logits.hpp"

namespace atto::simd {
namespace {

// A row whose logits are all -infinity is shifted by nothing: the exponentials are 0 then, and so is their sum.
template <int G, class T>
[[gnu::always_inline]] inline Lanes<T, G> shift_of(Lanes<T, G> top) {
  return top == -kInfinity<T> ? Lanes<T, G>{} : top;
}
template <int G, class T>
[[gnu::always_inline]] inline Lanes<T, G> inverse_of(Lanes<T, G> total) {
  return total == T(0) ? Lanes<T, G>{} : T(1) / total;
}

// Where what is kept of a row is not computed yet: its shift in lse, and its sum beside it.
template <class Isa, class T>
[[gnu::noinline]] void finish_lse(std::int64_t count, const T* total, T* lse) {
  for (std::int64_t i = 0; i < count; ++i) lse[i] = total[i] == T(0) ? kInfinity<T> : lse[i] + Math<Isa>::log(total[i]);
}

// Some heads in three steps over a block of rows, because one row has too few edges to keep a processor busy: the
// logits and their maxima, their exponentials, and what these weigh. Only the first and the last walk row by row.
template <class Heads, class T>
struct Forward {
  static constexpr int L = Heads::L, G = Heads::G, V = Heads::V;
  using Numbers = Lanes<T, G>;

  const Csr& csr;
  const EdgeAttentionRows<T>& rows;
  std::int64_t begin, end, head, ahead;
  T* logits;  // [edges of the block, G]
  T* shifts;  // [rows of the block, G]

  [[gnu::noinline]] void score() const {
    const Forward f = *this;  // by value: no store can change it
    const EdgeAttentionRows<T> c = f.rows;
    const std::int64_t width = c.heads * c.depth, start = f.head * c.depth;
    const std::int64_t fetched = f.ahead == 0 ? 0 : f.csr.entries - f.ahead;
    const std::int32_t *offsets = f.csr.offsets, *column = f.csr.column;
    T *to = f.logits, *shift = f.shifts;
    for (std::int64_t r = f.begin; r < f.end; ++r, shift += G) {
      Lanes<T, L> own[V];
      unrolled<V>([&]<int v>() __attribute__((always_inline)) { own[v] = load<L>(c.q + r * width + start + v * L); });
      Numbers top = splat<G>(-kInfinity<T>);
      for (std::int64_t t = offsets[r]; t < offsets[r + 1]; ++t, to += G) {
        if (t < fetched) fetch_heads<Heads>(c.k + column[t + f.ahead] * width + start);
        const Numbers dots = Heads::dots(own, c.k + column[t] * width + start);
        const Numbers z = logit_of<G>(c, score_of<G>(c, dots), t, f.head);
        store(to, z);
        top = higher(z, top);
      }
      store(shift, shift_of<G, T>(top));
    }
  }

  // Values are on their way into the cache meanwhile.
  [[gnu::noinline]] void raise() const {
    const Forward f = *this;
    const EdgeAttentionRows<T> c = f.rows;
    const std::int64_t width = c.heads * c.depth, start = f.head * c.depth, last = f.csr.offsets[f.end];
    const std::int32_t* column = f.csr.column;
    T* to = f.logits;
    for (std::int64_t t = f.csr.offsets[f.begin]; t < last; ++t, to += G) {
      if (f.ahead != 0) fetch_heads<Heads>(c.v + column[t] * width + start);
      store(to, exp<T, G>(load<G>(to) - load<G>(f.shifts + (c.row[t] - f.begin) * G)));
    }
  }

  [[gnu::noinline]] void sum(T* y, T* lse, T* totals) const {
    const Forward f = *this;
    const EdgeAttentionRows<T> c = f.rows;
    const std::int64_t width = c.heads * c.depth, start = f.head * c.depth;
    const std::int32_t *offsets = f.csr.offsets, *column = f.csr.column;
    const T* weight = f.logits;
    for (std::int64_t r = f.begin; r < f.end; ++r) {
      Numbers total = {};
      Lanes<T, L> sum[V] = {};
      for (std::int64_t t = offsets[r]; t < offsets[r + 1]; ++t, weight += G) {
        Numbers p = load<G>(weight);
        total += p;
        if (c.keep) p = p * load<G>(c.keep + t * c.heads + f.head);
        const T* from = c.v + column[t] * width + start;
        unrolled<V>([&]<int v>() __attribute__((always_inline)) {
          sum[v] += Heads::template spread<v>(p) * load<L>(from + v * L);
        });
      }
      const Numbers inverse = inverse_of<G, T>(total);
      unrolled<V>([&]<int v>() __attribute__((always_inline)) {
        store(y + r * width + start + v * L, Heads::template spread<v>(inverse) * sum[v]);
      });
      if (lse) {
        store(lse + r * c.heads + f.head, load<G>(f.shifts + (r - f.begin) * G));
        store(totals + (r - f.begin) * c.heads + f.head, total);
      }
    }
  }
};

// Any shape, lanes are heads: dot products become logits less their maximum, which goes to `shifts` [rows, heads].
template <class Isa, class T, int L>
[[gnu::noinline]] void shift_rows(const Csr& csr, std::int64_t begin, std::int64_t end, const EdgeAttentionRows<T>& c,
                                  const T* dots, T* logits, T* shifts) {
  const std::int64_t vectors = lane_count<L>(c.heads);
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t k = 0; k < vectors; ++k) {
      const std::int64_t head = lane_start<L>(k, c.heads);
      Lanes<T, L> top = splat<L>(-kInfinity<T>);
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
        const std::int64_t at = t * c.heads + head;
        const Lanes<T, L> z = logit_of<L>(c, score_of<L>(c, load<L>(dots + at)), t, head);
        store(logits + at, z);
        top = higher(z, top);
      }
      const Lanes<T, L> shift = shift_of<L, T>(top);
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
        const std::int64_t at = t * c.heads + head;
        store(logits + at, load<L>(logits + at) - shift);
      }
      store(shifts + (r - begin) * c.heads + head, shift);
    }
}
template <class Isa, class T>
[[gnu::noinline]] void raise_all(std::int64_t count, T* numbers) {
  constexpr int L = kLanes<Isa, T>;
  std::int64_t i = 0;
  for (; i + L <= count; i += L) store(numbers + i, exp<T, L>(load<L>(numbers + i)));
  if (i < count) store_part(numbers + i, exp<T, L>(load_part<L>(numbers + i, count - i, T(0))), count - i);
}
// Exponentials become weights, and their sums go to `totals` [rows, heads].
template <class Isa, class T, int L>
[[gnu::noinline]] void divide_rows(const Csr& csr, std::int64_t begin, std::int64_t end, const EdgeAttentionRows<T>& c,
                                   const T* raised, T* weights, T* totals) {
  const std::int64_t vectors = lane_count<L>(c.heads);
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t k = 0; k < vectors; ++k) {
      const std::int64_t head = lane_start<L>(k, c.heads);
      Lanes<T, L> total = {};
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) total += load<L>(raised + t * c.heads + head);
      const Lanes<T, L> inverse = inverse_of<L, T>(total);
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
        const std::int64_t at = t * c.heads + head;
        const Lanes<T, L> a = load<L>(raised + at) * inverse;
        store(weights + at, c.keep ? a * load<L>(c.keep + at) : a);
      }
      store(totals + (r - begin) * c.heads + head, total);
    }
}

}  // namespace

template <class Isa, class T>
void edge_attention_forward(const Csr& csr, std::int64_t begin, std::int64_t end, const EdgeAttentionRows<T>& rows,
                            T* scratch, T* totals, T* y, T* lse, std::int64_t ahead) {
  const std::int64_t first = csr.offsets[begin], count = csr.offsets[end] - first;
  const bool filled = with_heads<Isa, T>(rows.heads, rows.depth, [&]<class Heads>() {
    for (std::int64_t head = 0; head < rows.heads; head += Heads::G) {
      const Forward<Heads, T> heads{csr, rows, begin, end, head, ahead, scratch + (end - begin) * Heads::G, scratch};
      heads.score();
      heads.raise();
      heads.sum(y, lse, totals);
    }
  });
  if (!filled) {
    T *shifts = scratch, *weights = shifts + (end - begin) * rows.heads - first * rows.heads;
    T* raised = weights + count * rows.heads;
    edge_dot<Isa>(csr, begin, end, rows.heads, rows.depth, rows.q, rows.k, weights, ahead);
    with_lanes<Isa, T>(rows.heads, [&]<int L>() {
      shift_rows<Isa, T, L>(csr, begin, end, rows, weights, raised, shifts);
      raise_all<Isa>(count * rows.heads, raised + first * rows.heads);
      divide_rows<Isa, T, L>(csr, begin, end, rows, raised, weights, totals);
    });
    spmm<Isa>(csr, begin, end, rows.heads, rows.depth, weights, rows.v, false, static_cast<const T*>(nullptr), y,
              ahead);
    for (std::int64_t i = 0; lse && i < (end - begin) * rows.heads; ++i) lse[begin * rows.heads + i] = shifts[i];
  }
  if (lse) finish_lse<Isa>((end - begin) * rows.heads, totals, lse + begin * rows.heads);
}

#define ATTO_INSTANTIATE(T)                                                                                           \
  template void edge_attention_forward<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, const EdgeAttentionRows<T>&, \
                                                 T*, T*, T*, T*, std::int64_t);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::simd
