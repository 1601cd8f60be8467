#include "core/lanes.hpp"
#include "ops/edge/simd.hpp"

// Most nodes have a handful of in-edges. A loop over so few costs more in mispredicted branches than in arithmetic, so
// rows of up to six edges run through code for their very length, and with a single head a row of up to eight is one
// vector.

namespace atto::simd {
namespace {

// Lanes for rows of a single head. Rows are short, and half a register is reduced in fewer steps.
template <class Isa, class T>
constexpr int kShortRow = kLanes<Isa, T> > 8 ? 8 : kLanes<Isa, T>;
template <class T>
constexpr T kInfinity = static_cast<T>(__builtin_inf());

// Calls f.template operator()<D>() with D = degree for short rows, and D = 0 for longer ones.
template <class F>
[[gnu::always_inline]] inline void with_degree(std::int64_t degree, F&& f) {
  switch (degree) {
    case 0:
      return;
    case 1:
      return f.template operator()<1>();
    case 2:
      return f.template operator()<2>();
    case 3:
      return f.template operator()<3>();
    case 4:
      return f.template operator()<4>();
    case 5:
      return f.template operator()<5>();
    case 6:
      return f.template operator()<6>();
    default:
      return f.template operator()<0>();
  }
}

// A NaN may get lost here, but not in the sum of the exponentials, by which its whole row is divided.
template <class V>
[[gnu::always_inline]] inline V higher(V a, V b) {
  return a > b ? a : b;
}
template <class T, int N>
[[gnu::always_inline]] inline T highest(Lanes<T, N> v) {
  if constexpr (N == 1) return v;
  else if constexpr (N == 2) return higher(v[0], v[1]);
  else if constexpr (N == 4)
    return highest<T, 2>(higher(__builtin_shufflevector(v, v, 0, 1), __builtin_shufflevector(v, v, 2, 3)));
  else
    return highest<T, 4>(higher(__builtin_shufflevector(v, v, 0, 1, 2, 3), __builtin_shufflevector(v, v, 4, 5, 6, 7)));
}

// A row whose logits are all -infinity is shifted by nothing: the exponentials are 0 then, and so is their sum.
template <int L, class T>
[[gnu::always_inline]] inline Lanes<T, L> shift_of(Lanes<T, L> top) {
  return top == -kInfinity<T> ? Lanes<T, L>{} : top;
}
template <int L, class T>
[[gnu::always_inline]] inline Lanes<T, L> inverse_of(Lanes<T, L> total) {
  return total == T(0) ? Lanes<T, L>{} : T(1) / total;
}

// ---- Several heads: lanes are heads, z and a point to the first of them
// ------------------------------------------------------

template <class T, int L, int D>
[[gnu::always_inline]] inline void softmax_short(std::int64_t heads, const T* z, T* a) {
  Lanes<T, L> value[D];
  Lanes<T, L> top = load<L>(z), total = {};
  for (int t = 1; t < D; ++t) top = higher(load<L>(z + t * heads), top);
  const Lanes<T, L> shift = shift_of<L, T>(top);
#pragma GCC unroll 6
  for (int t = 0; t < D; ++t) {
    value[t] = exp<T, L>(load<L>(z + t * heads) - shift);
    total += value[t];
  }
  const Lanes<T, L> inverse = inverse_of<L, T>(total);
#pragma GCC unroll 6
  for (int t = 0; t < D; ++t) store(a + t * heads, value[t] * inverse);
}

// Vectors that overlap write the same numbers: each of them begins with the logits.
template <class T, int L>
[[gnu::always_inline]] inline void softmax_long(std::int64_t degree, std::int64_t heads, const T* z, T* a) {
  Lanes<T, L> top = load<L>(z), total = {};
  for (std::int64_t t = 1; t < degree; ++t) top = higher(load<L>(z + t * heads), top);
  const Lanes<T, L> shift = shift_of<L, T>(top);
  for (std::int64_t t = 0; t < degree; ++t) {
    const Lanes<T, L> value = exp<T, L>(load<L>(z + t * heads) - shift);
    store(a + t * heads, value);
    total += value;
  }
  const Lanes<T, L> inverse = inverse_of<L, T>(total);
  for (std::int64_t t = 0; t < degree; ++t) store(a + t * heads, load<L>(a + t * heads) * inverse);
}

template <class Isa, class T, int L>
[[gnu::noinline]] void softmax_heads(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads,
                                     const T* z, T* a) {
  const std::int64_t vectors = lane_count<L>(heads);
  for (std::int64_t r = begin; r < end; ++r) {
    const std::int64_t first = csr.offsets[r], degree = csr.offsets[r + 1] - first;
    for (std::int64_t k = 0; k < vectors; ++k) {
      const std::int64_t at = first * heads + lane_start<L>(k, heads);
      with_degree(degree, [&]<int D>() {
        if constexpr (D > 0) softmax_short<T, L, D>(heads, z + at, a + at);
        else softmax_long<T, L>(degree, heads, z + at, a + at);
      });
    }
  }
}

template <class T, int L, int D>
[[gnu::always_inline]] inline void gradient_row(std::int64_t length, std::int64_t heads, const T* a, const T* da,
                                                T* dz) {
  const std::int64_t degree = D > 0 ? D : length;
  Lanes<T, L> dot = {};
#pragma GCC unroll 6
  for (std::int64_t t = 0; t < degree; ++t) dot += load<L>(a + t * heads) * load<L>(da + t * heads);
#pragma GCC unroll 6
  for (std::int64_t t = 0; t < degree; ++t)
    store(dz + t * heads, load<L>(a + t * heads) * (load<L>(da + t * heads) - dot));
}

template <class Isa, class T, int L>
[[gnu::noinline]] void gradient_heads(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads,
                                      const T* a, const T* da, T* dz) {
  const std::int64_t vectors = lane_count<L>(heads);
  for (std::int64_t r = begin; r < end; ++r) {
    const std::int64_t first = csr.offsets[r], degree = csr.offsets[r + 1] - first;
    for (std::int64_t k = 0; k < vectors; ++k) {
      const std::int64_t at = first * heads + lane_start<L>(k, heads);
      with_degree(degree, [&]<int D>() { gradient_row<T, L, D>(degree, heads, a + at, da + at, dz + at); });
    }
  }
}

// ---- One head: lanes are edges
// -----------------------------------------------------------------------------------------------

template <class T, int L>
[[gnu::always_inline]] inline IntLanes<T, L> first_lanes(std::int64_t count) {
  using Int = typename detail::MaskOf<T>::type;
  IntLanes<T, L> lane;
  for (int i = 0; i < L; ++i) lane[i] = i;
  return lane < IntLanes<T, L>{} + static_cast<Int>(count);
}

// Calls f(row, degree, whole) for rows in order. `whole`: the row is at most one vector, which may be read and written
// in full, for what lies behind the row belongs to later rows of the range and is not computed yet.
template <int L, class F>
[[gnu::always_inline]] inline void for_rows(const Csr& csr, std::int64_t begin, std::int64_t end, F&& f) {
  const std::int64_t limit = csr.offsets[end];
  for (std::int64_t r = begin; r < end; ++r) {
    const std::int64_t first = csr.offsets[r], degree = csr.offsets[r + 1] - first;
    if (degree > 0) f(first, degree, degree <= L && first + L <= limit);
  }
}

template <class Isa, class T>
[[gnu::noinline]] void softmax_single(const Csr& csr, std::int64_t begin, std::int64_t end, const T* z, T* a) {
  constexpr int L = kShortRow<Isa, T>;
  using V = Lanes<T, L>;
  for_rows<L>(csr, begin, end, [&](std::int64_t first, std::int64_t degree, bool whole) {
    if (whole) {
      const auto mine = first_lanes<T, L>(degree);
      const V row = mine ? load<L>(z + first) : splat<L>(-kInfinity<T>);
      const V value = exp<T, L>(row - splat<L>(shift_of<1, T>(highest<T, L>(row))));
      store(a + first, value * splat<L>(inverse_of<1, T>(sum<T, L>(value))));
    } else {
      const std::int64_t last = first + degree;
      T top = z[first];
      std::int64_t t = first;
      if (degree >= L) {
        V tops = load<L>(z + first);
        for (t += L; t + L <= last; t += L) tops = higher(load<L>(z + t), tops);
        top = highest<T, L>(tops);
      }
      for (; t < last; ++t) top = higher(z[t], top);
      const T shift = shift_of<1, T>(top);
      V totals = {};
      for (t = first; t + L <= last; t += L) {
        const V value = exp<T, L>(load<L>(z + t) - splat<L>(shift));
        store(a + t, value);
        totals += value;
      }
      T total = sum<T, L>(totals);
      for (; t < last; ++t) total += a[t] = exp<T, 1>(z[t] - shift);
      const T inverse = inverse_of<1, T>(total);
      for (t = first; t < last; ++t) a[t] *= inverse;
    }
  });
}

template <class Isa, class T>
[[gnu::noinline]] void gradient_single(const Csr& csr, std::int64_t begin, std::int64_t end, const T* a, const T* da,
                                       T* dz) {
  constexpr int L = kShortRow<Isa, T>;
  using V = Lanes<T, L>;
  for_rows<L>(csr, begin, end, [&](std::int64_t first, std::int64_t degree, bool whole) {
    if (whole) {
      const V weight = load<L>(a + first), gradient = load<L>(da + first), product = weight * gradient;
      const T dot = sum<T, L>(first_lanes<T, L>(degree) ? product : V{});
      store(dz + first, weight * (gradient - splat<L>(dot)));
    } else {
      const std::int64_t last = first + degree;
      V dots = {};
      std::int64_t t = first;
      for (; t + L <= last; t += L) dots += load<L>(a + t) * load<L>(da + t);
      T dot = sum<T, L>(dots);
      for (; t < last; ++t) dot += a[t] * da[t];
      for (t = first; t < last; ++t) dz[t] = a[t] * (da[t] - dot);
    }
  });
}

}  // namespace

template <class Isa, class T>
void edge_softmax(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads, const T* z, T* a) {
  if (heads == 1) return softmax_single<Isa>(csr, begin, end, z, a);
  with_lanes<Isa, T>(heads, [&]<int L>() { softmax_heads<Isa, T, L>(csr, begin, end, heads, z, a); });
}

template <class Isa, class T>
void edge_softmax_gradient(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads, const T* a,
                           const T* da, T* dz) {
  if (heads == 1) return gradient_single<Isa>(csr, begin, end, a, da, dz);
  with_lanes<Isa, T>(heads, [&]<int L>() { gradient_heads<Isa, T, L>(csr, begin, end, heads, a, da, dz); });
}

#define ATTO_INSTANTIATE(T)                                                                                     \
  template void edge_softmax<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, const T*, T*);     \
  template void edge_softmax_gradient<ATTO_ISA>(const Csr&, std::int64_t, std::int64_t, std::int64_t, const T*, \
                                                const T*, T*);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::simd
