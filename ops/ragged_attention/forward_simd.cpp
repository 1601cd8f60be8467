// Attention of some query rows of one (graph, head), the fast kernel.
// Keys are transposed once, so that a row of scores is a product of registers with vectors over keys; several query
// rows share every load; logits live in a scratch of a few rows, and the sums of eight rows are reduced together.

#include "ops/ragged_attention/scores.hpp"

namespace atto::kernels {

// Up to kRowGroup query rows of a tile.
template <class Isa, class T>
struct AttentionRows {
  static constexpr int N = kLanes<Isa, T>;
  using V = Lanes<T, N>;

  const PairTerms<Isa, T>& terms;
  std::int64_t first, count;  // queries
  std::int64_t columns, stride;
  T* s;           // dot products, then logits, then weights
  const T* keep;  // what dropout multiplies by
  T* spare;       // [stride], twice

  auto* spare_bytes() const { return reinterpret_cast<std::uint8_t*>(spare); }

  // s becomes logits; top[r] is the largest of row r, or 0 where there is none.
  template <class K>
  [[gnu::noinline]] void find_logits(K kind, T* top) const {
    const V nothing = splat<N>(-static_cast<T>(__builtin_inf()));
    V tops[kRowGroup];
#pragma GCC unroll 1
    for (std::int64_t r = 0; r < count; ++r) {
      T* row = s + r * stride;
      const std::int64_t seen = terms.visible(first + r);
      const std::uint8_t* bucket = terms.bucket_row(first + r, 0, columns, spare_bytes());
      const T* dense = terms.dense_row(first + r, 0, columns, spare + stride);
      V largest_so_far = nothing;
      for (std::int64_t j = 0; j < columns; j += N) {
        const V z = terms.logits(kind, load<N>(row + j), terms.multiplier(kind, bucket, j), bucket, dense, j, seen);
        store(row + j, z);
        largest_so_far = z > largest_so_far ? z : largest_so_far;
      }
      tops[r] = largest_so_far;
    }
    for (std::int64_t r = count; r < kRowGroup; ++r) tops[r] = nothing;
    reduce_rows<false, T, N>(tops, top);
    for (int r = 0; r < kRowGroup; ++r) top[r] = top[r] == -static_cast<T>(__builtin_inf()) ? T{0} : top[r];
  }

  // s becomes weights without their common factor, inverse[r].
  template <class K>
  [[gnu::noinline]] void find_weights(K kind, const T* top, T* inverse) const {
    V totals[kRowGroup];
#pragma GCC unroll 1
    for (std::int64_t r = 0; r < count; ++r) {
      T* row = s + r * stride;
      const std::uint8_t* bucket = kind.other() ? terms.bucket_row(first + r, 0, columns, spare_bytes()) : nullptr;
      const V shift = splat<N>(top[r]);
      V total{};
      for (std::int64_t j = 0; j < columns; j += N) {
        V e = exp_below<T, N>(load<N>(row + j) - shift);
        total += e;
        if (kind.other())
          if (terms.has_gate) e *= look_up<Isa>(terms.gate, bucket + j);
        if (kind.dropout(terms)) e *= load<N>(keep + r * stride + j);
        store(row + j, e);
      }
      totals[r] = total;
    }
    for (std::int64_t r = count; r < kRowGroup; ++r) totals[r] = V{};
    reduce_rows<true, T, N>(totals, inverse);
    for (int r = 0; r < kRowGroup; ++r) inverse[r] = inverse[r] == 0 ? T{0} : 1 / inverse[r];
  }
};

template <class Isa, class T>
void ragged_attention_forward_piece(const RaggedAttentionCall<T>& call, const RaggedAttentionPiece& piece, T* scratch) {
  const std::int64_t query0 = call.query_offsets[piece.graph], key0 = call.key_offsets[piece.graph];
  const std::int64_t keys = call.key_offsets[piece.graph + 1] - key0;
  const std::int64_t width = call.width, value_width = call.value_width;
  const std::int64_t columns = padded(keys, kColumnPad), values = padded(value_width, kWidthPad);
  const std::int64_t q_stride = call.heads * width, o_stride = call.heads * value_width;
  const std::int64_t block = forward_rows(columns);

  Bump<Isa, T> memory{scratch};
  T* keys_t = memory.take(width * columns);
  T* value_copy = memory.take(keys * values);
  T* s = memory.take(block * columns);
  T* keep = memory.take(block * columns);
  T* o = memory.take(block * values);
  T* spare = memory.take(2 * columns);
  T* tables = memory.take(3 * 256);

  if (const std::int64_t next = piece.next_graph; next >= 0) {
    const std::int64_t q0 = call.query_offsets[next], q1 = call.query_offsets[next + 1];
    const std::int64_t k0 = call.key_offsets[next], k1 = call.key_offsets[next + 1];
    fetch_ahead(call.k, k0, k1, call.kv_heads * width, piece.kv_head, call.kv_heads);
    fetch_ahead(call.v, k0, k1, call.kv_heads * value_width, piece.kv_head, call.kv_heads);
    fetch_ahead(call.q, q0, q1, q_stride, piece.kv_head, call.kv_heads);
    fetch_ahead(call.out, q0, q1, o_stride, piece.kv_head, call.kv_heads);
  }
  const std::int64_t kv0 = key0 * call.kv_heads + piece.kv_head;
  transpose_rows<Isa>(call.k + kv0 * width, call.kv_heads * width, keys, width, keys_t, columns);
  const RowsOf<T> v = wide_rows(call.v + kv0 * value_width, call.kv_heads * value_width, keys, value_width, value_copy);

  const std::int64_t group = call.heads / call.kv_heads;
  for (std::int64_t head = piece.kv_head * group; head < (piece.kv_head + 1) * group; ++head) {
    const PairTerms<Isa, T> terms(call, piece.graph, head, tables);
    for (std::int64_t i0 = piece.row_begin; i0 < piece.row_end; i0 += block) {
      const std::int64_t rows = piece.row_end - i0 < block ? piece.row_end - i0 : block;
      const std::int64_t row0 = (query0 + i0) * call.heads + head;
      const std::int64_t seen = terms.visible(i0 + rows - 1);
      const std::int64_t cols = padded(seen, kColumnPad);
      multiply<Isa>(rows, cols, width, call.q + row0 * width, q_stride, keys_t, columns, s, columns);
      alignas(64) T top[32], inverse[32];
      const auto for_each_group = [&](auto&& f) {
        for (std::int64_t r = 0; r < rows; r += kRowGroup) {
          const std::int64_t count = rows - r < kRowGroup ? rows - r : kRowGroup;
          f(AttentionRows<Isa, T>{terms, i0 + r, count, cols, columns, s + r * columns, keep + r * columns, spare}, r);
        }
      };
      if (terms.has_dropout)
        for (std::int64_t r = 0; r < rows; r += kRowGroup)
          draw_keep<Isa>(call, dropout_row(call, piece.graph, head, i0 + r), 0, cols, keep + r * columns, columns);
      with_kind(terms, [&](auto kind) {
        for_each_group([&](const AttentionRows<Isa, T>& rows8, std::int64_t r) { rows8.find_logits(kind, top + r); });
        for_each_group([&](const AttentionRows<Isa, T>& rows8, std::int64_t r) {
          rows8.find_weights(kind, top + r, inverse + r);
        });
      });
      for (std::int64_t r = 0; r < rows; ++r) {
        call.row_max[row0 + r * call.heads] = top[r];
        call.row_inverse[row0 + r * call.heads] = inverse[r];
      }
      T* out = call.out + row0 * value_width;
      if (values == value_width) {
        combine_scaled<Isa>(rows, s, columns, 1, seen, v.data, v.stride, values, inverse, out, o_stride);
      } else {
        combine_scaled<Isa>(rows, s, columns, 1, seen, v.data, v.stride, values, inverse, o, values);
        for (std::int64_t r = 0; r < rows; ++r) copy_row(o + r * values, value_width, out + r * o_stride, 0);
      }
    }
  }
}

template void ragged_attention_forward_piece<ATTO_ISA>(const RaggedAttentionCall<float>&, const RaggedAttentionPiece&,
                                                       float*);
template void ragged_attention_forward_piece<ATTO_ISA>(const RaggedAttentionCall<double>&, const RaggedAttentionPiece&,
                                                       double*);

}  // namespace atto::kernels
