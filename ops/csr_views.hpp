#pragma once
// Graphs as kernels see them, and the loop over their rows.

#include <algorithm>
#include <cstdint>
#include <span>

#include "core/parallel.hpp"
#include "core/sum.hpp"
#include "core/tensor.hpp"
#include "graph/graph.hpp"
#include "ops/csr.hpp"

namespace atto {

/// Bytes of the index that names the row at the other end of an edge: what an operation reads per edge beside values.
inline constexpr double kIndexBytes = sizeof(std::int32_t);

/// Rows are destinations, columns sources; entries are the edges in canonical order.
inline Csr by_destination(const Graph& g) {
  return {.rows = g.num_dst(),
          .columns = g.num_src(),
          .entries = g.num_edges(),
          .offsets = g.in_offsets().data(),
          .column = g.in_src().data()};
}
/// Rows are sources, columns destinations: what backward passes walk, so that they too only gather.
inline Csr by_source(const Graph& g) {
  return {.rows = g.num_src(),
          .columns = g.num_dst(),
          .entries = g.num_edges(),
          .offsets = g.out_offsets().data(),
          .column = g.out_dst().data(),
          .edge = g.out_edge().data()};
}
/// Rows are destinations (sources), columns the edges themselves: edge tensors as what is gathered.
inline Csr edges_by_destination(const Graph& g) {
  return {.rows = g.num_dst(), .columns = g.num_edges(), .entries = g.num_edges(), .offsets = g.in_offsets().data()};
}
inline Csr edges_by_source(const Graph& g) {
  return {.rows = g.num_src(),
          .columns = g.num_edges(),
          .entries = g.num_edges(),
          .offsets = g.out_offsets().data(),
          .column = g.out_edge().data(),
          .edge = g.out_edge().data()};
}

/// How many entries ahead a kernel fetches the rows of `width` numbers that it gathers: none where all of them fit the
/// caches next to the core; for others, a dozen hide the latency of main memory.
template <class T>
std::int64_t fetch_ahead(const Csr& csr, std::int64_t width) {
  constexpr std::int64_t near = 1 << 20;
  return csr.columns * width * static_cast<std::int64_t>(sizeof(T)) > near ? 12 : 0;
}

/// Calls f(block, begin, end) for the ranges of Graph::in_blocks() or out_blocks(), which depend on the graph alone, in
/// parallel when it is worth it. `work` counts the elementary operations of all of them, as in parallel_for().
template <class F>
void for_blocks(std::span<const std::int32_t> blocks, std::int64_t work, F&& f) {
  const auto count = static_cast<std::int64_t>(blocks.size()) - 1;
  const std::int64_t each = std::max<std::int64_t>(1, work / std::max<std::int64_t>(1, count));
  parallel_chunks(count, 1, each, [&](std::int64_t block, std::int64_t, std::int64_t) {
    f(block, std::int64_t{blocks[static_cast<std::size_t>(block)]},
      std::int64_t{blocks[static_cast<std::size_t>(block) + 1]});
  });
}

/// sums[size] = what f(begin, end, part) adds to `part`, over the blocks of for_blocks(): each has a part of its own,
/// and the parts are added up in order.
template <class T, class F>
void sum_over_blocks(std::span<const std::int32_t> blocks, std::int64_t work, std::int64_t size, T* sums, F&& f) {
  const auto count = static_cast<std::int64_t>(blocks.size()) - 1;
  const Tensor parts = Tensor::zeros(Shape{count, size}, dtype_of<T>);
  for_blocks(blocks, work, [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
    f(begin, end, parts.data<T>() + block * size);
  });
  sum_middle(1, count, size, parts.data<T>(), sums);
}

/// Calls f(begin, end) for ranges of rows with about equal work, in parallel when it is worth it. `work_per_entry`
/// counts elementary operations as in parallel_for(); a row counts like one more entry. A row is never split, and the
/// borders depend on the rows and on the work alone. Cost: two binary searches per range, as much as some dozen entries
/// take, so ranges grow to eight chunks' work where there are many.
template <class F>
void for_row_ranges(const Csr& csr, std::int64_t work_per_entry, F&& f) {
  const std::int64_t work = std::max<std::int64_t>(1, work_per_entry), total = csr.entries + csr.rows;
  const std::int64_t least = std::max<std::int64_t>(1, kChunkWork / work);
  const std::int64_t share = std::clamp(total / 64, least, 8 * least);
  // Rows before row r weigh offsets[r] + r; the range of a share begins at the first row that weighs as much.
  auto first_row = [&](std::int64_t weight) {
    std::int64_t low = 0, high = csr.rows;
    while (low < high) {
      const std::int64_t middle = (low + high) / 2;
      if (csr.offsets[middle] + middle < weight) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  if (total <= share) return csr.rows > 0 ? f(std::int64_t{0}, csr.rows) : void();
  parallel_chunks((total + share - 1) / share, 1, share * work, [&](std::int64_t chunk, std::int64_t, std::int64_t) {
    const std::int64_t begin = first_row(chunk * share), end = first_row(std::min(total, (chunk + 1) * share));
    if (begin < end) f(begin, end);
  });
}

}  // namespace atto
