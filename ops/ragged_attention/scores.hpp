#pragma once
// From dot products to logits: the pair terms of attention, for its `*_simd.cpp` files.

#include "ops/ragged_attention/pairs.hpp"
#include "ops/ragged_attention/tiles.hpp"

namespace atto::kernels {

/// The terms of one (graph, head): tables arranged for look-up, and where its buckets and dense logits lie.
template <class Isa, class T>
struct PairTerms {
  static constexpr int N = kLanes<Isa, T>;
  using V = Lanes<T, N>;

  std::int64_t queries, keys;
  bool causal, has_multiply, has_add, has_gate, has_dense, has_dropout;
  T scale;
  const std::uint8_t* buckets;      // [queries, keys]
  const std::uint8_t* buckets_end;  // of the whole plane: what lies before may be read
  const T* dense;                   // [queries, keys]
  const T* dense_end;
  Lookup<T> multiply, add, gate;

  /// `memory` holds 3 kTableMemory aligned elements.
  PairTerms(const RaggedAttentionCall<T>& call, std::int64_t graph, std::int64_t head, T* memory) {
    queries = call.query_offsets[graph + 1] - call.query_offsets[graph];
    keys = call.key_offsets[graph + 1] - call.key_offsets[graph];
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
      return table ? make_lookup<Isa>(table + head * call.table_size, call.table_size, largest, factor, slots)
                   : Lookup<T>{};
    };
    multiply = arrange(call.multiply, call.scale, memory);
    add = arrange(call.add, T{1}, memory + kTableMemory);
    gate = arrange(call.gate, T{1}, memory + 2 * kTableMemory);
  }

  /// Number of keys that query i sees.
  std::int64_t visible(std::int64_t i) const { return visible_keys(causal, queries, keys, i); }
  /// What is seen of the tile that begins at query i and key j.
  Seen seen(std::int64_t i, std::int64_t j) const { return {causal ? i + keys - queries + 1 - j : keys}; }

  /// Buckets of queries i to i + rows and of keys from `first` on, `columns` of which may be read; `spare` [rows,
  /// columns] serves the end of the plane. Where there are none, some memory that nobody reads.
  RowsOf<std::uint8_t> bucket_rows(std::int64_t i, std::int64_t rows, std::int64_t first, std::int64_t columns,
                                   T* spare) const {
    auto* bytes = reinterpret_cast<std::uint8_t*>(spare);
    if (!buckets) return {bytes, 0};
    return readable(buckets, buckets_end, i, rows, first, columns, bytes);
  }
  RowsOf<T> dense_rows(std::int64_t i, std::int64_t rows, std::int64_t first, std::int64_t columns, T* spare) const {
    if (!has_dense) return {spare, 0};
    return readable(dense, dense_end, i, rows, first, columns, spare);
  }
  template <class X>
  RowsOf<X> readable(const X* plane, const X* end, std::int64_t i, std::int64_t rows, std::int64_t first,
                     std::int64_t columns, X* spare) const {
    const X* row = plane + i * keys + first;
    if ((rows - 1) * keys + columns <= end - row) return {row, keys};
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t j = 0; j < columns; ++j) spare[r * columns + j] = j < keys - first ? row[r * keys + j] : X{0};
    return {spare, columns};
  }
};

/// The terms of vectors of pairs, with what is needed for them at hand. (In values of its own: every store through a
/// pointer would make the compiler load the members of PairTerms anew.)
template <class K, class Isa, class T>
struct PairVectors {
  static constexpr int N = kLanes<Isa, T>;
  using V = Lanes<T, N>;

  K kind;
  bool with_add, with_gate, with_dense;
  T scale;
  Reader<Isa, K::kSmall, T> multiply;
  Reader<Isa, false, T> add, gate;

  [[gnu::always_inline]] PairVectors(K k, const PairTerms<Isa, T>& terms)
      : kind(k),
        with_add(terms.has_add),
        with_gate(terms.has_gate),
        with_dense(terms.has_dense),
        scale(terms.scale),
        multiply(terms.multiply),
        add(terms.add),
        gate(terms.gate) {}

  [[gnu::always_inline]] bool has_gate() const { return kind.other() && with_gate; }

  /// What multiplies the dot product q_i . k_j: scale, times the table's value. For row i of R: the rows of a pair are
  /// looked up together. (i is a constant once the loop is unrolled.)
  template <int R>
  [[gnu::always_inline]] V multiplier_of(int i, const std::uint8_t* bucket, std::int64_t stride, V (&pair)[2]) const {
    if (!kind.multiply()) return splat<N>(scale);
    if (R == 1 || K::kSmall) return multiply(bucket + i * stride);
    if (i % 2 == 0) multiply.two(bucket + i * stride, bucket + (i + 1) * stride, pair[0], pair[1]);
    return pair[i % 2];
  }
  /// Logits of N keys: z = dot multiplier + add + dense, and -infinity from `seen` on.
  [[gnu::always_inline]] V logits(V dot, V factor, const std::uint8_t* bucket, const T* dense, IntLanes<T, N> key,
                                  Place<T> seen) const {
    V z = dot * factor;
    if (kind.other() && with_add) z += add(bucket);
    if (kind.other() && with_dense) z += load<N>(dense);
    return key < seen ? z : splat<N>(-static_cast<T>(__builtin_inf()));
  }
};

/// Which terms there are, as far as the compiler knows: the common ones get loops of their own.
enum class Table { none, small, any };
template <Table Multiply, bool Dropout>
struct Only {
  static constexpr bool kSmall = Multiply == Table::small;
  constexpr bool multiply() const { return Multiply != Table::none; }
  constexpr bool dropout() const { return Dropout; }
  constexpr bool other() const { return false; }  // add, gate, dense
};
struct Any {
  static constexpr bool kSmall = false;
  bool has_multiply, has_dropout;
  bool multiply() const { return has_multiply; }
  bool dropout() const { return has_dropout; }
  constexpr bool other() const { return true; }
};
template <class Isa, class T, class F>
[[gnu::always_inline]] static inline void with_kind(const PairTerms<Isa, T>& terms, F&& f) {
  if (terms.has_add || terms.has_gate || terms.has_dense) return f(Any{terms.has_multiply, terms.has_dropout});
  const auto with_table = [&]<Table Multiply>() {
    terms.has_dropout ? f(Only<Multiply, true>{}) : f(Only<Multiply, false>{});
  };
  if (!terms.has_multiply) return with_table.template operator()<Table::none>();
  if (terms.multiply.size == kSmallTable<Isa>) return with_table.template operator()<Table::small>();
  with_table.template operator()<Table::any>();
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
