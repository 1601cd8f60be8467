// Gradients of some query rows of one (graph, head), the fast kernel.
// Probabilities are recomputed from row_max and row_inverse in tiles that stay in the first-level cache: two products,
// whose results become gradients before they leave the registers, and then three more; table gradients are histograms
// of eight copies, so that equal buckets in a row do not wait for each other.

#include "ops/ragged_attention/scores.hpp"

namespace atto::kernels {
namespace {

constexpr int kCopies = 8;
constexpr int kHistogram = kCopies * 256;

// histogram[copy, bucket[j]] += values[j]. Bound by the number of loads and stores, so buckets are loaded in eights.
template <class T>
[[gnu::noinline]] void count(T* histogram, const std::uint8_t* bucket, const T* values, std::int64_t n) {
  std::int64_t j = 0;
  for (; j + kCopies <= n; j += kCopies) {
    std::uint64_t codes;
    static_assert(sizeof codes == kCopies);
    __builtin_memcpy(&codes, bucket + j, sizeof codes);
#pragma GCC unroll 8
    for (int c = 0; c < kCopies; ++c) histogram[c * 256 + (codes >> 8 * c & 255)] += values[j + c];
  }
  for (int c = 0; j < n; ++j, ++c) histogram[c * 256 + bucket[j]] += values[j];
}

template <class T>
void clear(T* histogram, int largest) {
  for (int c = 0; c < kCopies; ++c) {
    for (std::int64_t b = 0; b <= largest; ++b) histogram[c * 256 + b] = 0;
    histogram[c * 256 + 255] = 0;
  }
}

// Adds the copies, times a factor, to the slots of RaggedAttentionPartial.
template <class T>
void collect(T* histogram, int largest, std::int64_t slots, T factor, T* gradient) {
  const auto sum = [&](std::int64_t b) {
    T total = 0;
    for (int c = 0; c < kCopies; ++c) total += histogram[c * 256 + b];
    return factor * total;
  };
  for (std::int64_t b = 0; b <= largest; ++b) gradient[b] += sum(b);
  if (largest < 255) gradient[slots - 1] += sum(255);
}

}  // namespace

// One tile of query rows and keys.
template <class Isa, class T>
struct AttentionTile {
  static constexpr int N = kLanes<Isa, T>;
  using V = Lanes<T, N>;

  const PairTerms<Isa, T>& terms;
  std::int64_t first_row, rows, first_key, keys, columns;  // keys: what is seen; columns are padded
  RowsOf<T> q, go;
  const T *keys_t, *values_t;
  std::int64_t width, value_width;
  T *ds, *w;  // gradients of the dot products q.k; weights
  const T* keep;
  const T *top, *inverse, *delta;
  T* spare;  // [kRowGroup, kKeyBlock], twice
  // What rows add to the tables, [kRowGroup, kKeyBlock], without the factor scale; null: not wanted.
  T *at_multiply, *at_add, *at_gate;
  T* histograms;
  T* dense;  // gradient, at (0, 0) of the head; null: not wanted

  template <class K>
  void differentiate(K kind) const {
    for_row_tiles<kTileRows<Isa>>(rows, [&]<int R>(std::int64_t r, std::int64_t fresh) {
      differentiate_rows<R>(kind, r, static_cast<int>(fresh - r));
    });
  }

  template <int R, class K>
  [[gnu::noinline]] void differentiate_rows(K kind, std::int64_t r, int done) const {
    Place<T> seen[R];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) seen[i] = static_cast<Place<T>>(terms.visible(first_row + r + i) - first_key);
    const RowsOf<std::uint8_t> bucket = terms.bucket_rows(first_row + r, R, first_key, columns, spare);
    AttentionTile(*this).find_gradients<R>(PairVectors<K, Isa, T>(kind, terms), r, seen, bucket);  // see PairVectors
    add_to_tables<R>(kind, r, done, seen, bucket);
  }

  template <int R, class K>
  [[gnu::always_inline]] void find_gradients(const PairVectors<K, Isa, T> pairs, std::int64_t r,
                                             const Place<T> (&seen)[R], RowsOf<std::uint8_t> bucket) const {
    const K kind = pairs.kind;
    const RowsOf<T> logits = terms.dense_rows(first_row + r, R, first_key, columns, spare + kRowGroup * kKeyBlock);
    auto key = first_lanes<T, N>();
    const std::int64_t last = padded(terms.visible(first_row + r + R - 1) - first_key, kColumnPad);
    const std::int64_t needed = last < 0 ? 0 : last < columns ? last : columns;
    for (std::int64_t j = needed; j < columns; j += N)
#pragma GCC unroll 8
      for (int i = 0; i < R; ++i) store(ds + (r + i) * kStride + j, V{}), store(w + (r + i) * kStride + j, V{});
    for (std::int64_t j = 0; j < needed; j += N, key += N) {
      V dots[R], dps[R];
      dot_tile<N, R>(q.data + r * q.stride, q.stride, width, in_panels(keys_t, width, j), dots);
      dot_tile<N, R>(go.data + r * go.stride, go.stride, value_width, in_panels(values_t, value_width, j), dps);
      V pair[2] = {};
#pragma GCC unroll 8
      for (int i = 0; i < R; ++i) {
        const std::uint8_t* codes = bucket.data + i * bucket.stride + j;
        const std::int64_t at = (r + i) * kStride + j;
        const V dot = dots[i];
        const V factor = pairs.template multiplier_of<R>(i, bucket.data + j, bucket.stride, pair);
        const V z = pairs.logits(dot, factor, codes, logits.data + i * logits.stride + j, key, seen[i]);
        const V p = exp_below<T, N>(z - top[r + i]) * inverse[r + i];
        V weight = p, dp = dps[i];
        if (kind.dropout()) {
          const V kept = load<N>(keep + at);
          weight *= kept;
          dp *= kept;
        }
        if (pairs.has_gate()) {
          if (at_gate) store(at_gate + i * kKeyBlock + j, p * dp);
          const V gate = pairs.gate(codes);
          weight *= gate;
          dp *= gate;
        }
        const V dz = p * (dp - delta[r + i]);
        if (kind.multiply() && at_multiply) store(at_multiply + i * kKeyBlock + j, dz * dot);
        if (kind.other() && at_add) store(at_add + i * kKeyBlock + j, dz);
        store(ds + at, dz * factor);
        store(w + at, weight);
      }
    }
  }

  template <int R, class K>
  [[gnu::always_inline]] void add_to_tables(K kind, std::int64_t r, int done, const Place<T> (&seen)[R],
                                            RowsOf<std::uint8_t> bucket) const {
#pragma GCC unroll 1
    for (int i = done; i < R; ++i) {
      const std::int64_t n = seen[i] < 0 ? 0 : seen[i] < keys ? seen[i] : keys;
      const std::uint8_t* codes = bucket.data + i * bucket.stride;
      const std::int64_t at = i * kKeyBlock;
      if (kind.multiply() && at_multiply) count(histograms, codes, at_multiply + at, n);
      if (!kind.other()) continue;
      if (terms.has_add && at_add) count(histograms + kHistogram, codes, at_add + at, n);
      if (terms.has_gate && at_gate) count(histograms + 2 * kHistogram, codes, at_gate + at, n);
      if (dense)
        for (std::int64_t j = 0; j < n; ++j) dense[(first_row + r + i) * terms.keys + first_key + j] = at_add[at + j];
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
  const std::int64_t block = block_rows(columns, width + value_width);

  Bump<Isa, T> memory{scratch};
  T* keys_t = memory.take(width * columns);
  T* values_t = memory.take(value_width * columns);
  T* key_copy = memory.take(keys * features);
  T* dk = memory.take(keys * features);
  T* dv = memory.take(keys * values);
  T* q_copy = memory.take(kBlockRows * features);
  T* dq = memory.take(kBlockRows * features);
  T* go_copy = memory.take(kBlockRows * values);
  T* ds = memory.take(kBlockRows * kStride);
  T* w = memory.take(kBlockRows * kStride);
  T* keep = memory.take(kBlockRows * kStride);
  T* at_multiply = memory.take(kRowGroup * kKeyBlock);
  T* at_add = memory.take(kRowGroup * kKeyBlock);
  T* at_gate = memory.take(kRowGroup * kKeyBlock);
  T* spare = memory.take(2 * kRowGroup * kKeyBlock);
  T* tables = memory.take(3 * kTableMemory);
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
  const std::int64_t needed =
      visible_keys(call.causal, call.query_offsets[piece.graph + 1] - query0, keys, piece.row_end - 1);
  transpose_rows<Isa>(call.k + kv0 * width, call.kv_heads * width, needed, width, keys_t);
  transpose_rows<Isa>(call.v + kv0 * value_width, call.kv_heads * value_width, needed, value_width, values_t);
  const RowsOf<T> k = wide_rows(call.k + kv0 * width, call.kv_heads * width, needed, width, key_copy);
  const int largest = call.largest ? call.largest[piece.graph] : 0;

  // Gradients of keys and values that are wide enough for whole vectors go where they belong at once, if they are
  // complete after one tile or lie close together there.
  const std::int64_t group = call.heads / call.kv_heads;
  const std::int64_t piece_rows = piece.row_end - piece.row_begin;
  const bool at_once = group == 1 && piece_rows > 0 && piece_rows <= block && needed == keys;
  const bool in_place = features == width && values == value_width &&
                        (at_once || (partial.k_stride == features && partial.v_stride == values));
  const bool add = !(in_place && at_once);
  T* const dk_rows = in_place ? partial.k : dk;
  T* const dv_rows = in_place ? partial.v : dv;
  const std::int64_t dk_stride = in_place ? partial.k_stride : features;
  const std::int64_t dv_stride = in_place ? partial.v_stride : values;
  if (add) {
    for (std::int64_t x = 0; gradients.k && x < keys * features; ++x) dk_rows[x] = 0;
    for (std::int64_t x = 0; gradients.v && x < keys * values; ++x) dv_rows[x] = 0;
  }

  for (std::int64_t head = piece.kv_head * group; head < (piece.kv_head + 1) * group; ++head) {
    const PairTerms<Isa, T> terms(call, piece.graph, head, tables);
    if (partial.multiply) clear(histograms, largest);
    if (partial.add) clear(histograms + kHistogram, largest);
    if (partial.gate) clear(histograms + 2 * kHistogram, largest);
    for (std::int64_t i0 = piece.row_begin; i0 < piece.row_end; i0 += block) {
      const std::int64_t rows = piece.row_end - i0 < block ? piece.row_end - i0 : block;
      const std::int64_t row0 = (query0 + i0) * call.heads + head;
      const RowsOf<T> q = wide_rows(call.q + row0 * width, q_stride, rows, width, q_copy);
      const RowsOf<T> go = wide_rows(gradients.out + row0 * value_width, o_stride, rows, value_width, go_copy);
      alignas(64) T top[kBlockRows], inverse[kBlockRows], delta[kBlockRows];
      for (std::int64_t r = 0; r < rows; ++r) {
        top[r] = call.row_max[row0 + r * call.heads];
        inverse[r] = call.row_inverse[row0 + r * call.heads];
      }
      dot_rows<Isa>(rows, value_width, call.out + row0 * value_width, o_stride, go.data, go.stride, delta);
      // The gradient of q goes where it belongs at once, if it is wide enough for whole vectors.
      const bool in_its_place = gradients.q && features == width;
      T* dq_rows = in_its_place ? gradients.q + row0 * width : dq;
      const std::int64_t dq_stride = in_its_place ? q_stride : features;

      const std::int64_t seen = terms.visible(i0 + rows - 1);
      for (std::int64_t j0 = 0; j0 < seen || j0 == 0; j0 += kKeyBlock) {
        const std::int64_t seen_here = seen - j0 < kKeyBlock ? seen - j0 : kKeyBlock;
        const std::int64_t cols = padded(seen_here, kColumnPad);
        if (terms.has_dropout)
          for (std::int64_t r = 0; r < rows; r += kRowGroup)
            draw_keep<Isa>(call, dropout_row(call, piece.graph, head, i0 + r), j0, cols, keep + r * kStride, kStride);
        const AttentionTile<Isa, T> tile{
            .terms = terms,
            .first_row = i0,
            .rows = rows,
            .first_key = j0,
            .keys = seen_here,
            .columns = cols,
            .q = q,
            .go = go,
            .keys_t = keys_t + j0 * width,
            .values_t = values_t + j0 * value_width,
            .width = width,
            .value_width = value_width,
            .ds = ds,
            .w = w,
            .keep = keep,
            .top = top,
            .inverse = inverse,
            .delta = delta,
            .spare = spare,
            .at_multiply = partial.multiply ? at_multiply : nullptr,
            .at_add = partial.add || gradients.dense ? at_add : nullptr,
            .at_gate = partial.gate ? at_gate : nullptr,
            .histograms = histograms,
            .dense = gradients.dense ? gradients.dense + (terms.dense - call.dense) : nullptr};
        with_kind(terms, [&](auto kind) { tile.differentiate(kind); });
        constexpr const T* plain = nullptr;
        const Seen part = terms.seen(i0, j0);
        if (gradients.q)
          combine<Isa, Per::query>(rows, ds, seen_here, part, k.data + j0 * k.stride, k.stride, features, j0 > 0, plain,
                                   dq_rows, dq_stride);
        if (gradients.k)
          combine<Isa, Per::key>(seen_here, ds, rows, part, q.data, q.stride, features, add, plain,
                                 dk_rows + j0 * dk_stride, dk_stride);
        if (gradients.v)
          combine<Isa, Per::key>(seen_here, w, rows, part, go.data, go.stride, values, add, plain,
                                 dv_rows + j0 * dv_stride, dv_stride);
      }
      if (gradients.q && !in_its_place)
        for (std::int64_t r = 0; r < rows; ++r)
          copy_row(dq + r * features, width, gradients.q + row0 * width + r * q_stride, 0);
    }
    const std::int64_t table = head * partial.slots;
    if (partial.multiply) collect(histograms, largest, partial.slots, call.scale, partial.multiply + table);
    if (partial.add) collect(histograms + kHistogram, largest, partial.slots, T{1}, partial.add + table);
    if (partial.gate) collect(histograms + 2 * kHistogram, largest, partial.slots, T{1}, partial.gate + table);
  }
  if (in_place) return;
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
