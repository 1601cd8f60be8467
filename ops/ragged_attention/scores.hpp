#pragma once
// From dot products to logits: the pair terms of attention, row by row, for its `*_simd.cpp` files.

#include "ops/ragged_attention/pairs.hpp"
#include "ops/ragged_attention/tiles.hpp"

namespace atto::kernels {

/// The terms of one (graph, head): tables arranged for look-up, and where its buckets and dense logits lie.
template <class Isa, class T>
struct PairTerms {
  static constexpr int N = kLanes<Isa, T>;
  using V = Lanes<T, N>;

  std::int64_t queries, keys, offset;  // the last key that causal query i sees is i + offset
  bool causal, has_multiply, has_add, has_gate, has_dense, has_dropout;
  T scale;
  const std::uint8_t* buckets;      // [queries, keys]
  const std::uint8_t* buckets_end;  // of the whole plane: what lies before may be read
  const T* dense;                   // [queries, keys]
  const T* dense_end;
  Lookup<T> multiply, add, gate;

  /// `memory` holds 3 * 256 aligned elements.
  PairTerms(const RaggedAttentionCall<T>& call, std::int64_t graph, std::int64_t head, T* memory) {
    queries = call.query_offsets[graph + 1] - call.query_offsets[graph];
    keys = call.key_offsets[graph + 1] - call.key_offsets[graph];
    offset = keys - queries;
    causal = call.causal;
    has_multiply = call.multiply != nullptr;
    has_add = call.add != nullptr;
    has_gate = call.gate != nullptr;
    has_dense = call.dense != nullptr;
    has_dropout = call.threshold > 0;
    scale = call.scale;
    buckets = call.buckets ? call.buckets + call.pair_offsets[graph] : nullptr;
    buckets_end = call.buckets ? call.buckets + call.pair_offsets[call.graphs] : nullptr;
    dense = has_dense ? call.dense + call.heads * call.pair_offsets[graph] + head * queries * keys : nullptr;
    dense_end = has_dense ? call.dense + call.heads * call.pair_offsets[call.graphs] : nullptr;
    const int largest = call.largest ? call.largest[graph] : 0;
    const auto arrange = [&](const T* table, T factor, T* slots) {
      return table ? make_lookup(table + head * call.table_size, call.table_size, largest, factor, slots) : Lookup<T>{};
    };
    multiply = arrange(call.multiply, call.scale, memory);
    add = arrange(call.add, T{1}, memory + 256);
    gate = arrange(call.gate, T{1}, memory + 512);
  }

  /// Number of keys that query i sees.
  std::int64_t visible(std::int64_t i) const {
    if (!causal) return keys;
    const std::int64_t seen = i + offset + 1;
    return seen < 0 ? 0 : seen > keys ? keys : seen;
  }

  /// Buckets of query i from key `first` on, `columns` of which may be read; `spare` [kColumnPad + columns] serves the
  /// last row.
  const std::uint8_t* bucket_row(std::int64_t i, std::int64_t first, std::int64_t columns, std::uint8_t* spare) const {
    if (!buckets) return nullptr;
    const std::uint8_t* row = buckets + i * keys + first;
    if (row + columns <= buckets_end) return row;
    const std::int64_t rest = keys - first;
    for (std::int64_t j = 0; j < columns; ++j) spare[j] = j < rest ? row[j] : std::uint8_t{0};
    return spare;
  }
  const T* dense_row(std::int64_t i, std::int64_t first, std::int64_t columns, T* spare) const {
    if (!has_dense) return nullptr;
    const T* row = dense + i * keys + first;
    if (row + columns <= dense_end) return row;
    const std::int64_t rest = keys - first;
    for (std::int64_t j = 0; j < columns; ++j) spare[j] = j < rest ? row[j] : T{0};
    return spare;
  }

  /// What multiplies the dot product q_i . k_j: scale, times the table's value.
  template <class K>
  [[gnu::always_inline]] V multiplier(K kind, const std::uint8_t* bucket, std::int64_t j) const {
    return kind.multiply(*this) ? look_up<Isa>(multiply, bucket + j) : splat<N>(scale);
  }
  /// Logits of N keys from key j of a row on: z = dot multiplier + add + dense, and -infinity from `seen` on.
  template <class K>
  [[gnu::always_inline]] V logits(K kind, V dot, V factor, const std::uint8_t* bucket, const T* dense_logits,
                                  std::int64_t j, std::int64_t seen) const {
    V z = dot * factor;
    if (kind.other()) {
      if (has_add) z += look_up<Isa>(add, bucket + j);
      if (has_dense) z += load<N>(dense_logits + j);
    }
    if (j + N > seen) {
      IntLanes<T, N> lane{};
#pragma GCC unroll 16
      for (int i = 0; i < N; ++i) lane[i] = i;
      z = lane < static_cast<decltype(lane[0] + 0)>(seen - j) ? z : splat<N>(-static_cast<T>(__builtin_inf()));
    }
    return z;
  }
};

/// Which terms there are, as far as the compiler knows: the common ones get loops of their own.
template <bool Multiply, bool Dropout>
struct Only {
  template <class Terms>
  constexpr bool multiply(const Terms&) const {
    return Multiply;
  }
  template <class Terms>
  constexpr bool dropout(const Terms&) const {
    return Dropout;
  }
  constexpr bool other() const { return false; }  // add, gate, dense
};
struct Any {
  template <class Terms>
  constexpr bool multiply(const Terms& terms) const {
    return terms.has_multiply;
  }
  template <class Terms>
  constexpr bool dropout(const Terms& terms) const {
    return terms.has_dropout;
  }
  constexpr bool other() const { return true; }
};
template <class Terms, class F>
[[gnu::always_inline]] static inline void with_kind(const Terms& terms, F&& f) {
  if (terms.has_add || terms.has_gate || terms.has_dense) return f(Any{});
  if (terms.has_multiply) return terms.has_dropout ? f(Only<true, true>{}) : f(Only<true, false>{});
  return terms.has_dropout ? f(Only<false, true>{}) : f(Only<false, false>{});
}

/// Aligned memory handed out piece by piece.
template <class Isa, class T>
struct Bump {
  T* next;
  T* take(std::int64_t count) {
    T* result = next;
    next += padded(count, 64 / static_cast<std::int64_t>(sizeof(T)));
    return result;
  }
};

}  // namespace atto::kernels
