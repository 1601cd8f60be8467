// Gradients of some query rows of one (graph, head), the fast kernel.
// Probabilities are recomputed from row_max and row_inverse in tiles that stay in the first-level cache; five products,
// all with operands held in registers; table gradients are histograms of four copies, so that equal buckets in a row do
// not wait for each other.

#include "ops/ragged_attention/scores.hpp"

namespace atto::kernels {
namespace {

constexpr int kCopies = 4;
constexpr int kHistogram = kCopies * 256;

// histogram[copy, bucket[j]] += values[j]
template <class T>
[[gnu::noinline]] void count(T* histogram, const std::uint8_t* bucket, const T* values, std::int64_t n) {
  std::int64_t j = 0;
  for (; j + kCopies <= n; j += kCopies) {
    histogram[bucket[j]] += values[j];
    histogram[256 + bucket[j + 1]] += values[j + 1];
    histogram[512 + bucket[j + 2]] += values[j + 2];
    histogram[768 + bucket[j + 3]] += values[j + 3];
  }
  for (; j < n; ++j) histogram[bucket[j]] += values[j];
}

template <class F>
void for_each_bucket(int largest, std::int64_t table_size, F&& f) {
  for (std::int64_t b = 0; b <= largest; ++b) f(b);
  if (table_size == 256 && largest < 255) f(std::int64_t{255});
}

// Adds the copies, times a factor, to the table's gradient.
template <class T>
void collect(const T* histogram, int largest, std::int64_t table_size, T factor, T* gradient) {
  for_each_bucket(largest, table_size, [&](std::int64_t b) {
    gradient[b] += factor * ((histogram[b] + histogram[256 + b]) + (histogram[512 + b] + histogram[768 + b]));
  });
}
template <class T>
void clear(T* histogram, int largest, std::int64_t table_size) {
  for_each_bucket(largest, table_size, [&](std::int64_t b) {
    for (int c = 0; c < kCopies; ++c) histogram[c * 256 + b] = 0;
  });
}

}  // namespace

// One tile of query rows and keys.
template <class Isa, class T>
struct AttentionTile {
  static constexpr int N = kLanes<Isa, T>;
  using V = Lanes<T, N>;

  const PairTerms<Isa, T>& terms;
  std::int64_t first_row, rows, first_key, keys;  // what is seen; columns are padded
  std::int64_t columns, stride;
  T* s;   // dot products q.k, then their gradients
  T* dw;  // dot products dout.v = gradients of the weights, then the weights
  const T* keep;
  const T *top, *inverse;  // with stride heads
  std::int64_t heads;
  const T* delta;
  T* spare;  // [kKeyBlock], twice
  T *at_multiply, *at_add,
      *at_gate;  // [kKeyBlock] what a row adds to the tables, without the factor scale; null: not wanted
  T* histograms;
  T* dense;  // gradient, at (0, 0) of the head; null: not wanted

  template <class K>
  [[gnu::noinline]] void differentiate(K kind) const {
#pragma GCC unroll 1
    for (std::int64_t r = 0; r < rows; ++r) {
      T* s_row = s + r * stride;
      T* dw_row = dw + r * stride;
      const std::int64_t i = first_row + r;
      const std::int64_t seen = terms.visible(i) - first_key;
      const std::uint8_t* bucket = terms.bucket_row(i, first_key, columns, reinterpret_cast<std::uint8_t*>(spare));
      const T* dense_logits = terms.dense_row(i, first_key, columns, spare + kKeyBlock);
      const V row_top = splat<N>(top[r * heads]), row_inverse = splat<N>(inverse[r * heads]),
              row_delta = splat<N>(delta[r]);
      for (std::int64_t j = 0; j < columns; j += N) {
        const V dot = load<N>(s_row + j);
        const V factor = terms.multiplier(kind, bucket, j);
        const V p =
            exp_below<T, N>(terms.logits(kind, dot, factor, bucket, dense_logits, j, seen) - row_top) * row_inverse;
        V w = p, dp = load<N>(dw_row + j);
        if (kind.dropout(terms)) {
          const V kept = load<N>(keep + r * stride + j);
          w *= kept;
          dp *= kept;
        }
        if (kind.other() && terms.has_gate) {
          if (at_gate) store(at_gate + j, p * dp);
          const V gate = look_up<Isa>(terms.gate, bucket + j);
          w *= gate;
          dp *= gate;
        }
        const V dz = p * (dp - row_delta);
        if (kind.multiply(terms) && at_multiply) store(at_multiply + j, dz * dot);
        if (kind.other() && at_add) store(at_add + j, dz);
        store(s_row + j, dz * factor);
        store(dw_row + j, w);
      }
      const std::int64_t n = seen < 0 ? 0 : seen < keys ? seen : keys;
      if (kind.multiply(terms) && at_multiply) count(histograms, bucket, at_multiply, n);
      if (!kind.other()) continue;
      if (terms.has_add && at_add) count(histograms + kHistogram, bucket, at_add, n);
      if (terms.has_gate && at_gate) count(histograms + 2 * kHistogram, bucket, at_gate, n);
      if (dense)
        for (std::int64_t j = 0; j < n; ++j) dense[i * terms.keys + first_key + j] = at_add[j];
    }
  }
};

template <class Isa, class T>
void ragged_attention_backward_piece(const RaggedAttentionCall<T>& call, const RaggedAttentionGradients<T>& gradients,
                                     const RaggedAttentionPiece& piece, const RaggedAttentionPartial<T>& partial,
                                     T* scratch) {
  const std::int64_t query0 = call.query_offsets[piece.graph], key0 = call.key_offsets[piece.graph];
  const std::int64_t keys = call.key_offsets[piece.graph + 1] - key0;
  const std::int64_t width = call.width, value_width = call.value_width;
  const std::int64_t columns = padded(keys, kColumnPad);
  const std::int64_t features = padded(width, kWidthPad), values = padded(value_width, kWidthPad);
  const std::int64_t q_stride = call.heads * width, o_stride = call.heads * value_width;
  const std::int64_t block = backward_rows(columns), stride = columns < kKeyBlock ? columns : kKeyBlock;

  Bump<Isa, T> memory{scratch};
  T* keys_t = memory.take(width * columns);
  T* values_t = memory.take(value_width * columns);
  T* key_copy = memory.take(keys * features);
  T* dk = memory.take(keys * features);
  T* dv = memory.take(keys * values);
  T* q_copy = memory.take(block * features);
  T* dq = memory.take(block * features);
  T* go_copy = memory.take(block * values);
  T* s = memory.take(block * stride);
  T* dw = memory.take(block * stride);
  T* keep = memory.take(block * stride);
  T* at_multiply = memory.take(kKeyBlock);
  T* at_add = memory.take(kKeyBlock);
  T* at_gate = memory.take(kKeyBlock);
  T* spare = memory.take(2 * kKeyBlock);
  T* tables = memory.take(3 * 256);
  T* histograms = memory.take(3 * kHistogram);

  if (const std::int64_t next = piece.next_graph; next >= 0) {
    const std::int64_t q0 = call.query_offsets[next], q1 = call.query_offsets[next + 1];
    const std::int64_t k0 = call.key_offsets[next], k1 = call.key_offsets[next + 1];
    const auto fetch = [&](const T* a, const T* b, std::int64_t begin, std::int64_t end, std::int64_t row_size) {
      fetch_ahead(a, begin, end, row_size, piece.kv_head, call.kv_heads);
      fetch_ahead(b, begin, end, row_size, piece.kv_head, call.kv_heads);
    };
    fetch(call.k, gradients.k, k0, k1, call.kv_heads * width);
    fetch(call.v, gradients.v, k0, k1, call.kv_heads * value_width);
    fetch(call.q, gradients.q, q0, q1, q_stride);
    fetch(call.out, gradients.out, q0, q1, o_stride);
  }
  const std::int64_t kv0 = key0 * call.kv_heads + piece.kv_head;
  transpose_rows<Isa>(call.k + kv0 * width, call.kv_heads * width, keys, width, keys_t, columns);
  transpose_rows<Isa>(call.v + kv0 * value_width, call.kv_heads * value_width, keys, value_width, values_t, columns);
  const RowsOf<T> k = wide_rows(call.k + kv0 * width, call.kv_heads * width, keys, width, key_copy);
  const int largest = call.largest ? call.largest[piece.graph] : 0;

  // Gradients of keys and values that are wide enough for whole vectors and complete after one tile go where they
  // belong at once.
  const std::int64_t group = call.heads / call.kv_heads;
  const std::int64_t piece_rows = piece.row_end - piece.row_begin;
  const bool at_once = features == width && values == value_width && group == 1 && piece_rows > 0 &&
                       piece_rows <= block &&
                       (!call.causal || piece.row_end == call.query_offsets[piece.graph + 1] - query0);
  T* const dk_rows = at_once ? partial.k : dk;
  T* const dv_rows = at_once ? partial.v : dv;
  const std::int64_t dk_stride = at_once ? partial.k_stride : features, dv_stride = at_once ? partial.v_stride : values;
  if (!at_once) {
    for (std::int64_t x = 0; x < keys * features; ++x) dk[x] = 0;
    for (std::int64_t x = 0; x < keys * values; ++x) dv[x] = 0;
  }

  for (std::int64_t head = piece.kv_head * group; head < (piece.kv_head + 1) * group; ++head) {
    const PairTerms<Isa, T> terms(call, piece.graph, head, tables);
    if (partial.multiply) clear(histograms, largest, call.table_size);
    if (partial.add) clear(histograms + kHistogram, largest, call.table_size);
    if (partial.gate) clear(histograms + 2 * kHistogram, largest, call.table_size);
    for (std::int64_t i0 = piece.row_begin; i0 < piece.row_end; i0 += block) {
      const std::int64_t rows = piece.row_end - i0 < block ? piece.row_end - i0 : block;
      const std::int64_t row0 = (query0 + i0) * call.heads + head;
      const RowsOf<T> q = wide_rows(call.q + row0 * width, q_stride, rows, width, q_copy);
      const RowsOf<T> go = wide_rows(gradients.out + row0 * value_width, o_stride, rows, value_width, go_copy);
      T delta[32];
      for (std::int64_t r = 0; r < rows; ++r)
        delta[r] = dot_row(call.out + row0 * value_width + r * o_stride, go.data + r * go.stride, value_width);
      // The gradient of q goes where it belongs at once, if it is wide enough for whole vectors.
      T* dq_rows = features == width ? gradients.q + row0 * width : dq;
      const std::int64_t dq_stride = features == width ? q_stride : features;

      const std::int64_t seen = terms.visible(i0 + rows - 1);
      for (std::int64_t j0 = 0; j0 < seen || j0 == 0; j0 += kKeyBlock) {
        const std::int64_t seen_here = seen - j0 < kKeyBlock ? seen - j0 : kKeyBlock;
        const std::int64_t cols = padded(seen_here, kColumnPad);
        multiply<Isa>(rows, cols, width, q.data, q.stride, keys_t + j0, columns, s, stride);
        multiply<Isa>(rows, cols, value_width, go.data, go.stride, values_t + j0, columns, dw, stride);
        if (terms.has_dropout)
          for (std::int64_t r = 0; r < rows; r += kRowGroup)
            draw_keep<Isa>(call, dropout_row(call, piece.graph, head, i0 + r), j0, cols, keep + r * stride, stride);
        const AttentionTile<Isa, T> tile{
            .terms = terms,
            .first_row = i0,
            .rows = rows,
            .first_key = j0,
            .keys = seen_here,
            .columns = cols,
            .stride = stride,
            .s = s,
            .dw = dw,
            .keep = keep,
            .top = call.row_max + row0,
            .inverse = call.row_inverse + row0,
            .heads = call.heads,
            .delta = delta,
            .spare = spare,
            .at_multiply = partial.multiply ? at_multiply : nullptr,
            .at_add = partial.add || gradients.dense ? at_add : nullptr,
            .at_gate = partial.gate ? at_gate : nullptr,
            .histograms = histograms,
            .dense = gradients.dense ? gradients.dense + (terms.dense - call.dense) : nullptr};
        with_kind(terms, [&](auto kind) { tile.differentiate(kind); });
        if (gradients.q)
          combine<Isa>(rows, s, stride, 1, seen_here, k.data + j0 * k.stride, k.stride, features, j0 > 0, dq_rows,
                       dq_stride);
        if (gradients.k)
          combine<Isa>(seen_here, s, 1, stride, rows, q.data, q.stride, features, !at_once, dk_rows + j0 * dk_stride,
                       dk_stride);
        if (gradients.v)
          combine<Isa>(seen_here, dw, 1, stride, rows, go.data, go.stride, values, !at_once, dv_rows + j0 * dv_stride,
                       dv_stride);
      }
      if (gradients.q && dq_rows == dq)
        for (std::int64_t r = 0; r < rows; ++r)
          copy_row(dq + r * features, width, gradients.q + row0 * width + r * q_stride, 0);
    }
    const std::int64_t table = head * call.table_size;
    if (partial.multiply) collect(histograms, largest, call.table_size, call.scale, partial.multiply + table);
    if (partial.add) collect(histograms + kHistogram, largest, call.table_size, T{1}, partial.add + table);
    if (partial.gate) collect(histograms + 2 * kHistogram, largest, call.table_size, T{1}, partial.gate + table);
  }
  if (at_once) return;
  if (gradients.k)
    for (std::int64_t j = 0; j < keys; ++j) copy_row(dk + j * features, width, partial.k + j * partial.k_stride, 0);
  if (gradients.v)
    for (std::int64_t j = 0; j < keys; ++j) copy_row(dv + j * values, value_width, partial.v + j * partial.v_stride, 0);
}

template void ragged_attention_backward_piece<ATTO_ISA>(const RaggedAttentionCall<float>&,
                                                        const RaggedAttentionGradients<float>&,
                                                        const RaggedAttentionPiece&,
                                                        const RaggedAttentionPartial<float>&, float*);
template void ragged_attention_backward_piece<ATTO_ISA>(const RaggedAttentionCall<double>&,
                                                        const RaggedAttentionGradients<double>&,
                                                        const RaggedAttentionPiece&,
                                                        const RaggedAttentionPartial<double>&, double*);

}  // namespace atto::kernels
