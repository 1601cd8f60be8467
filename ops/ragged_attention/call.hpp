#pragma once
// One call of ragged attention as raw memory: what the kernels of every device and instruction set work on. Plain data
// only, so that `*_simd.cpp` files may include it.

#include <cstdint>

namespace atto::kernels {

/// N queries and M keys in `graphs` segments, H heads; `kv_heads` heads of keys and values, each shared by H / kv_heads
/// query heads in a row. All row-major.
template <class T>
struct RaggedAttentionCall {
  std::int64_t graphs = 0;
  const std::int64_t* query_offsets = nullptr;  // [graphs + 1]
  const std::int64_t* key_offsets = nullptr;    // [graphs + 1]
  const std::int64_t* pair_offsets = nullptr;   // [graphs + 1]: sum of n_q n_k of the graphs before
  std::int64_t heads = 0, kv_heads = 0, width = 0, value_width = 0;
  const T* q = nullptr;  // [N, H, width]
  const T* k = nullptr;  // [M, kv_heads, width]
  const T* v = nullptr;  // [M, kv_heads, value_width]

  const std::uint8_t* buckets = nullptr;  // flat, block of graph g at pair_offsets[g]; null without tables
  const std::uint8_t* largest = nullptr;  // [graphs]: the largest bucket below 255 of each graph
  std::int64_t table_size = 0;            // B
  const T* multiply = nullptr;            // [H, B], or null; likewise:
  const T* add = nullptr;
  const T* gate = nullptr;
  const T* dense = nullptr;  // flat, block [H, n_q, n_k] of graph g at H pair_offsets[g]; or null

  T scale = 1;
  bool causal = false;
  // Dropout: a probability is kept, and multiplied by keep_scale, when its 16 random bits are >= threshold; 0 = none.
  std::uint32_t threshold = 0;
  T keep_scale = 1;
  std::uint64_t seed = 0, stream = 0;

  T* out = nullptr;  // [N, H, value_width]
  // The log-sum-exp of every row in two parts, [N, H]: p_ij = exp(z_ij - row_max) row_inverse. A row without anything
  // to attend to has 0 and 0.
  T* row_max = nullptr;
  T* row_inverse = nullptr;
};

/// What backward writes; a null pointer is a gradient that nobody wants.
template <class T>
struct RaggedAttentionGradients {
  const T* out = nullptr;  // of the result
  T* q = nullptr;
  T* k = nullptr;
  T* v = nullptr;
  T* multiply = nullptr;  // [H, B], likewise:
  T* add = nullptr;
  T* gate = nullptr;
  T* dense = nullptr;
};

/// Query rows that share one draw of random bits, and whose sums are reduced together.
inline constexpr std::int64_t kRowGroup = 8;
/// Long graphs are cut at multiples of this.
inline constexpr std::int64_t kRowCut = 32;

/// One more than the largest group number below, of any head.
static constexpr std::int64_t row_groups(std::int64_t queries, std::int64_t graphs) {
  return queries / kRowGroup + graphs;
}

/// Number of keys that query i of a graph sees.
static constexpr std::int64_t visible_keys(bool causal, std::int64_t queries, std::int64_t keys, std::int64_t i) {
  if (!causal) return keys;
  const std::int64_t seen = i + keys - queries + 1;
  return seen < 0 ? 0 : seen > keys ? keys : seen;
}

/// The counter of the random bits of a row group is (key, this number): eight rows' bits of 16 for each key.
template <class T>
static inline std::uint32_t dropout_row(const RaggedAttentionCall<T>& call, std::int64_t graph, std::int64_t head,
                                        std::int64_t row) {
  const std::int64_t group = call.query_offsets[graph] / kRowGroup + graph + row / kRowGroup;
  return static_cast<std::uint32_t>(group * call.heads + head);
}

/// A run of query rows of one graph and one head of keys and values: the unit of work.
struct RaggedAttentionPiece {
  std::int64_t graph = 0;
  std::int64_t kv_head = 0;
  std::int64_t row_begin = 0, row_end = 0;
  std::int64_t next_graph = -1;  // whose rows this piece fetches ahead of time, its share of them; or -1
};

/// Where the gradients of keys and values of a piece go: [n_k, width] and [n_k, value_width] with a stride between
/// rows, and the histograms [H, slots] of the piece's chunk, which are added to: slot b for bucket b, and the last one
/// for bucket 255, because a few buckets are all that a batch has of 256.
template <class T>
struct RaggedAttentionPartial {
  T* k = nullptr;
  std::int64_t k_stride = 0;
  T* v = nullptr;
  std::int64_t v_stride = 0;
  std::int64_t slots = 0;
  T* multiply = nullptr;
  T* add = nullptr;
  T* gate = nullptr;
};

// Sizes of scratch memory, in elements. (Static: see core/simd.hpp about inline functions and instruction sets.)
inline constexpr std::int64_t kColumnPad = 16;  // logits of a row are padded to a multiple of this: keys of a panel
inline constexpr std::int64_t kWidthPad = 8;    // features likewise
inline constexpr std::int64_t kKeyBlock = 128;  // most keys of a tile
inline constexpr std::int64_t kBlockRows = 64;  // most query rows of a tile
/// Between the rows of a tile. A constant, so that the products' loops need one pointer for all rows; an odd number of
/// cache lines, so that the rows do not fall onto each other.
inline constexpr std::int64_t kStride = kKeyBlock + 16;
static constexpr std::int64_t padded(std::int64_t n, std::int64_t to) {
  return (n + to - 1) / to * to;
}

/// Query rows of a tile of so many columns: few enough for the first-level cache; but where the keys of a head do not
/// fit into the second one, a tile should use what it reads of them for many rows.
static constexpr std::int64_t block_rows(std::int64_t columns, std::int64_t features) {
  return columns <= 64 ? 32 : columns * features <= 1 << 13 ? 16 : kBlockRows;
}

inline constexpr std::int64_t kTableMemory = 512;  // of a table arranged for look-up

/// Scratch for graphs of at most `keys` keys.
static constexpr std::int64_t forward_scratch(std::int64_t keys, std::int64_t width, std::int64_t value_width) {
  const std::int64_t columns = padded(keys, kColumnPad), values = padded(value_width, kWidthPad);
  return columns * width + keys * values + 2 * kBlockRows * kStride + kBlockRows * values + 2 * kRowGroup * kKeyBlock +
         3 * kTableMemory + 160;
}
static constexpr std::int64_t backward_scratch(std::int64_t keys, std::int64_t width, std::int64_t value_width) {
  const std::int64_t columns = padded(keys, kColumnPad);
  const std::int64_t features = padded(width, kWidthPad), values = padded(value_width, kWidthPad);
  return columns * (width + value_width + 2 * features + values) + kBlockRows * (2 * features + values) +
         3 * kBlockRows * kStride + 5 * kRowGroup * kKeyBlock + 3 * kTableMemory + 3 * 8 * 256 + 256;
}

}  // namespace atto::kernels
