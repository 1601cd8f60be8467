// Attention of some query rows of one (graph, head), the fast kernel.
// Keys are transposed once, so that a row of scores is a product of registers with vectors over keys; several query
// rows share every load, and their scores become logits before they leave the registers. Tiles of some rows and at most
// kKeyBlock keys stay in the first-level cache; over the blocks of a long row the softmax is carried along (Milakov and
// Gimelshein 2018, arXiv 1805.02867). The sums of eight rows are reduced together.

#include "ops/ragged_attention/scores.hpp"

namespace atto::kernels {

// One tile of query rows and keys.
template <class Isa, class T>
struct AttentionBlock {
  static constexpr int N = kLanes<Isa, T>;
  using V = Lanes<T, N>;

  const PairTerms<Isa, T>& terms;
  std::int64_t first_row, rows, first_key, columns;
  const T* q;
  std::int64_t q_stride;
  const T* keys_t;
  bool dotted;  // keys_t holds the dot products of the only row instead
  std::int64_t width;
  T* s;           // logits, then weights
  const T* keep;  // what dropout multiplies by
  T* spare;       // [kRowGroup, kKeyBlock], twice

  // Those that row r sees, padded.
  [[gnu::always_inline]] std::int64_t columns_of(std::int64_t r) const {
    const std::int64_t seen = padded(terms.visible(first_row + r) - first_key, kColumnPad);
    return seen < 0 ? 0 : seen < columns ? seen : columns;
  }

  // s becomes logits, of which top[r] is the largest in row r.
  template <class K>
  [[gnu::noinline]] void find_logits(K kind, T* top) const {
    alignas(64) T tops[kBlockRows * N];
    for_row_tiles<kTileRows<Isa>>(
        rows, [&]<int R>(std::int64_t r, std::int64_t) { find_logits_of<R>(kind, r, tops + r * N); });
    reduce<false>(tops, top);
  }

  template <int R, class K>
  [[gnu::noinline]] void find_logits_of(K kind, std::int64_t r, T* tops) const {
    const AttentionBlock at = *this;  // see PairVectors
    const PairVectors<K, Isa, T> pairs(kind, terms);
    const RowsOf<std::uint8_t> bucket = terms.bucket_rows(first_row + r, R, first_key, columns, spare);
    const RowsOf<T> dense = terms.dense_rows(first_row + r, R, first_key, columns, spare + kRowGroup * kKeyBlock);
    Place<T> seen[R];
    V largest[R];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      seen[i] = static_cast<Place<T>>(terms.visible(first_row + r + i) - first_key);
      largest[i] = splat<N>(-static_cast<T>(__builtin_inf()));
    }
    auto key = first_lanes<T, N>();
    const std::int64_t needed = columns_of(r + R - 1);
    for (std::int64_t j = 0; j < needed; j += N, key += N) {
      V z[R];
      if (R == 1 && at.dotted) z[0] = load<N>(at.keys_t + j);
      else dot_tile<N, R>(at.q + r * at.q_stride, at.q_stride, at.width, in_panels(at.keys_t, at.width, j), z);
      V pair[2] = {};
#pragma GCC unroll 8
      for (int i = 0; i < R; ++i) {
        const std::uint8_t* codes = bucket.data + i * bucket.stride + j;
        const V factor = pairs.template multiplier_of<R>(i, bucket.data + j, bucket.stride, pair);
        z[i] = pairs.logits(z[i], factor, codes, dense.data + i * dense.stride + j, key, seen[i]);
        store(at.s + (r + i) * kStride + j, z[i]);
        largest[i] = z[i] > largest[i] ? z[i] : largest[i];
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) store(tops + i * N, largest[i]);
  }

  // s becomes weights without their common factor, and total[r] their sum before gate and dropout.
  template <class K>
  [[gnu::noinline]] void find_weights(K kind, const T* top, T* total) const {
    alignas(64) T totals[kBlockRows * N];
    const AttentionBlock at = *this;
    const PairVectors<K, Isa, T> pairs(kind, terms);
#pragma GCC unroll 1
    for (std::int64_t r = 0; r < at.rows; ++r) {
      T* row = at.s + r * kStride;
      const T* kept = at.keep + r * kStride;
      const std::uint8_t* bucket =
          kind.other() ? terms.bucket_rows(at.first_row + r, 1, at.first_key, at.columns, at.spare).data : nullptr;
      const V shift = splat<N>(top[r]);
      V sum{};
      const std::int64_t needed = at.columns_of(r);
      for (std::int64_t j = 0; j < needed; j += N) {
        V e = exp_below<T, N>(load<N>(row + j) - shift);
        sum += e;
        if (pairs.has_gate()) e *= pairs.gate(bucket + j);
        if (kind.dropout()) e *= load<N>(kept + j);
        store(row + j, e);
      }
      for (std::int64_t j = needed; j < at.columns; j += N) store(row + j, V{});
      store(totals + r * N, sum);
    }
    reduce<true>(totals, total);
  }

  template <bool Sum>
  [[gnu::always_inline]] void reduce(const T* lanes, T* out) const {
    for (std::int64_t r = 0; r < rows; r += kRowGroup) {
      V x[kRowGroup];
#pragma GCC unroll 8
      for (int i = 0; i < kRowGroup; ++i) x[i] = load<N>(lanes + (r + i < rows ? r + i : r) * N);
      reduce_rows<Sum, T, N>(x, out + r);
    }
  }
};

// The softmax of some rows, so far.
template <class T>
struct RunningSoftmax {
  alignas(64) T top[kBlockRows], total[kBlockRows];
  alignas(64) T block_top[kBlockRows], block_total[kBlockRows];
  alignas(64) T factor[kBlockRows];  // of what was summed before, or at last of the whole

  // Where nothing was to be seen, the top is -infinity and the shift 0.
  void raise(std::int64_t rows, bool first) {
    constexpr T nothing = -static_cast<T>(__builtin_inf());
    for (std::int64_t r = 0; r < rows; ++r) {
      const T before = first ? nothing : top[r], now = block_top[r] > before ? block_top[r] : before;
      top[r] = now;
      block_top[r] = now == nothing ? T{0} : now;
      factor[r] = first ? T{0} : exp_below<T, 16 / sizeof(T)>(splat<16 / sizeof(T)>(before - block_top[r]))[0];
    }
  }
  void add(std::int64_t rows, bool first) {
    for (std::int64_t r = 0; r < rows; ++r) total[r] = first ? block_total[r] : total[r] * factor[r] + block_total[r];
  }
  void finish(std::int64_t rows) {
    for (std::int64_t r = 0; r < rows; ++r) factor[r] = total[r] == 0 ? T{0} : 1 / total[r];
  }
};

template <class Isa, class T>
void ragged_attention_forward_piece(const RaggedAttentionCall<T>& call, const RaggedAttentionPiece& piece, T* scratch) {
  if (piece.row_begin == piece.row_end) return;  // keys that nobody asks for: the free rows of a cache
  const std::int64_t query0 = call.query_offsets[piece.graph], key0 = call.key_offsets[piece.graph];
  const std::int64_t keys = call.key_offsets[piece.graph + 1] - key0;
  const std::int64_t width = call.width, value_width = call.value_width;
  const std::int64_t columns = padded(keys, kColumnPad), values = padded(value_width, kWidthPad);
  const std::int64_t q_stride = call.heads * width, o_stride = call.heads * value_width;
  const std::int64_t block = block_rows(columns, width + value_width);

  Bump<Isa, T> memory{scratch};
  T* keys_t = memory.take(width * columns);
  T* value_copy = memory.take(keys * values);
  T* s = memory.take(kBlockRows * kStride);
  T* keep = memory.take(kBlockRows * kStride);
  T* o_copy = memory.take(kBlockRows * values);
  T* spare = memory.take(2 * kRowGroup * kKeyBlock);
  T* tables = memory.take(3 * kTableMemory);

  if (const std::int64_t next = piece.next_graph; next >= 0) {
    const std::int64_t q0 = call.query_offsets[next], q1 = call.query_offsets[next + 1];
    const std::int64_t k0 = call.key_offsets[next], k1 = call.key_offsets[next + 1];
    fetch_ahead(call.k, k0, k1, call.kv_heads * width, piece.kv_head, call.kv_heads);
    fetch_ahead(call.v, k0, k1, call.kv_heads * value_width, piece.kv_head, call.kv_heads);
    fetch_ahead(call.q, q0, q1, q_stride, piece.kv_head, call.kv_heads);
    fetch_ahead(call.out, q0, q1, o_stride, piece.kv_head, call.kv_heads);
  }
  const std::int64_t kv0 = key0 * call.kv_heads + piece.kv_head;
  const std::int64_t needed =
      visible_keys(call.causal, call.query_offsets[piece.graph + 1] - query0, keys, piece.row_end - 1);
  const std::int64_t group = call.heads / call.kv_heads;
  // To transpose keys for one or two rows (a step of generation) would take longer than what follows.
  const bool dotted = width > 0 && group <= 2 && piece.row_end - piece.row_begin == 1;
  if (!dotted) transpose_rows<Isa>(call.k + kv0 * width, call.kv_heads * width, needed, width, keys_t);
  const RowsOf<T> v =
      wide_rows(call.v + kv0 * value_width, call.kv_heads * value_width, needed, value_width, value_copy);

  for (std::int64_t head = piece.kv_head * group; head < (piece.kv_head + 1) * group; ++head) {
    const PairTerms<Isa, T> terms(call, piece.graph, head, tables);
    for (std::int64_t i0 = piece.row_begin; i0 < piece.row_end; i0 += block) {
      const std::int64_t rows = piece.row_end - i0 < block ? piece.row_end - i0 : block;
      const std::int64_t row0 = (query0 + i0) * call.heads + head;
      const std::int64_t seen = terms.visible(i0 + rows - 1);
      T* out = call.out + row0 * value_width;
      T* o = values == value_width ? out : o_copy;
      const std::int64_t ldo = values == value_width ? o_stride : values;
      RunningSoftmax<T> softmax;
      if (dotted) {
        for (std::int64_t j = needed & -kRowGroup; j < padded(needed, kColumnPad); ++j) keys_t[j] = 0;
        dot_rows<Isa>(needed, width, call.k + kv0 * width, call.kv_heads * width, call.q + row0 * width, 0, keys_t);
      }
      for (std::int64_t j0 = 0; j0 < seen || j0 == 0; j0 += kKeyBlock) {
        const std::int64_t seen_here = seen - j0 < kKeyBlock ? seen - j0 : kKeyBlock;
        const std::int64_t cols = padded(seen_here, kColumnPad);
        const bool first = j0 == 0, last = j0 + kKeyBlock >= seen;
        if (terms.has_dropout)
          for (std::int64_t r = 0; r < rows; r += kRowGroup)
            draw_keep<Isa>(call, dropout_row(call, piece.graph, head, i0 + r), j0, cols, keep + r * kStride, kStride);
        const AttentionBlock<Isa, T> tile{.terms = terms,
                                          .first_row = i0,
                                          .rows = rows,
                                          .first_key = j0,
                                          .columns = cols,
                                          .q = call.q + row0 * width,
                                          .q_stride = q_stride,
                                          .keys_t = keys_t + (dotted ? j0 : j0 * width),
                                          .dotted = dotted,
                                          .width = width,
                                          .s = s,
                                          .keep = keep,
                                          .spare = spare};
        with_kind(terms, [&](auto kind) {
          tile.find_logits(kind, softmax.block_top);
          softmax.raise(rows, first);
          tile.find_weights(kind, softmax.block_top, softmax.block_total);
        });
        softmax.add(rows, first);
        if (!first)
          for (std::int64_t r = 0; r < rows; ++r)
            for (std::int64_t d = 0; d < values; ++d) o[r * ldo + d] *= softmax.factor[r];
        if (last) softmax.finish(rows);
        combine<Isa, Per::query>(rows, s, seen_here, terms.seen(i0, j0), v.data + j0 * v.stride, v.stride, values,
                                 !first, last ? softmax.factor : nullptr, o, ldo);
      }
      for (std::int64_t r = 0; r < rows; ++r) {
        call.row_max[row0 + r * call.heads] = softmax.block_top[r];
        call.row_inverse[row0 + r * call.heads] = softmax.factor[r];
      }
      if (o == out) continue;
      for (std::int64_t r = 0; r < rows; ++r) copy_row(o + r * values, value_width, out + r * o_stride, 0);
    }
  }
}

template void ragged_attention_forward_piece<ATTO_ISA>(const RaggedAttentionCall<float>&, const RaggedAttentionPiece&,
                                                       float*);
template void ragged_attention_forward_piece<ATTO_ISA>(const RaggedAttentionCall<double>&, const RaggedAttentionPiece&,
                                                       double*);

}  // namespace atto::kernels
