#include "graph/distances.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "core/error.hpp"
#include "graph/parallel_nodes.hpp"

namespace atto {
namespace {

std::uint8_t stored(std::int64_t hops) {
  return static_cast<std::uint8_t>(std::min<std::int64_t>(hops, kFarthest));
}

// The plain search: a queue of nodes, level by level. Good for sparse graphs.
class QueueSearch {
 public:
  explicit QueueSearch(const Graph& graph) : offsets_(graph.out_offsets()), dst_(graph.out_dst()) {
    queue_.reserve(static_cast<std::size_t>(graph.num_nodes()));
  }

  void from(std::int64_t source, std::span<std::uint8_t> row) {
    std::ranges::fill(row, kUnreachable);
    row[source] = 0;
    queue_.assign(1, static_cast<std::int32_t>(source));
    std::size_t begin = 0;
    for (std::int64_t hops = 1; begin < queue_.size(); ++hops)
      for (const std::size_t level_end = queue_.size(); begin < level_end; ++begin) {
        const std::int32_t i = queue_[begin];
        for (std::int32_t k = offsets_[i]; k < offsets_[i + 1]; ++k) {
          if (row[dst_[k]] != kUnreachable) continue;
          row[dst_[k]] = stored(hops);
          queue_.push_back(dst_[k]);
        }
      }
  }

 private:
  std::span<const std::int32_t> offsets_, dst_;
  std::vector<std::int32_t> queue_;
};

// The same search on sets of 64 nodes per word: what a node adds to the next level is one OR per word, however many
// edges it has. Good where the mean degree is larger than n / 64, which holds for every graph of at most 64 nodes with
// a few edges.
class BitsetSearch {
 public:
  static std::int64_t words(const Graph& graph) { return (graph.num_nodes() + 63) / 64; }

  explicit BitsetSearch(const Graph& graph) : words_(words(graph)) {
    neighbours_.assign(static_cast<std::size_t>(graph.num_nodes() * words_), 0);
    for (std::int64_t e = 0; e < graph.num_edges(); ++e) {
      const std::int32_t j = graph.edge_dst()[e];
      neighbours_[graph.in_src()[e] * words_ + j / 64] |= std::uint64_t{1} << (j % 64);
    }
    unseen_.resize(static_cast<std::size_t>(words_));
    level_.resize(static_cast<std::size_t>(words_));
    next_.resize(static_cast<std::size_t>(words_));
  }

  void from(std::int64_t source, std::span<std::uint8_t> row) {
    std::ranges::fill(row, kUnreachable);
    row[source] = 0;
    std::ranges::fill(unseen_, ~std::uint64_t{0});
    std::ranges::fill(level_, 0);
    level_[source / 64] = std::uint64_t{1} << (source % 64);
    unseen_[source / 64] &= ~level_[source / 64];
    bool more = true;
    for (std::int64_t hops = 1; more; ++hops) {
      std::ranges::fill(next_, 0);
      for_each_bit(level_, [&](std::int64_t i) {
        for (std::int64_t w = 0; w < words_; ++w) next_[w] |= neighbours_[i * words_ + w];
      });
      more = false;
      for (std::int64_t w = 0; w < words_; ++w) {
        level_[w] = next_[w] & unseen_[w];
        unseen_[w] &= ~level_[w];
        more = more || level_[w] != 0;
      }
      for_each_bit(level_, [&](std::int64_t i) { row[i] = stored(hops); });
    }
  }

 private:
  template <class F>
  void for_each_bit(const std::vector<std::uint64_t>& set, F&& f) {
    for (std::int64_t w = 0; w < words_; ++w)
      for (std::uint64_t bits = set[w]; bits != 0; bits &= bits - 1) f(w * 64 + std::countr_zero(bits));
  }

  std::int64_t words_;
  std::vector<std::uint64_t> neighbours_, unseen_, level_, next_;
};

bool dense_enough(const Graph& graph) {
  return graph.num_edges() >= graph.num_nodes() * (BitsetSearch::words(graph) - 1);
}

std::int64_t work_per_source(const Graph& graph) {
  return graph.num_nodes() +
         (dense_enough(graph) ? 2 * graph.num_nodes() * BitsetSearch::words(graph) : 2 * graph.num_edges());
}

template <class Search>
void search(const Graph& graph, std::int64_t begin, std::int64_t end, std::uint8_t* plane) {
  Search search(graph);
  const auto n = static_cast<std::size_t>(graph.num_nodes());
  for (std::int64_t i = begin; i < end; ++i) search.from(i, {plane + i * graph.num_nodes(), n});
}

}  // namespace

std::vector<std::int64_t> distance_offsets(std::span<const Graph> graphs, const DistanceOptions& options) {
  std::vector<std::int64_t> offsets{0};
  for (const Graph& graph : graphs) {
    offsets.push_back(offsets.back() + graph.num_nodes() * graph.num_nodes());
    if (offsets.back() > options.max_bytes)
      throw ValueError(
          {.op = "hop_distances",
           .argument = "graphs",
           .got = fmt::format("{} nodes, with more than {} bytes of distances", graph.num_nodes(), options.max_bytes),
           .expected = "at most max_bytes",
           .hint = "all pairs of nodes need n^2 bytes"});
  }
  return offsets;
}

BucketPlane hop_distances(std::span<const Graph> graphs, const DistanceOptions& options) {
  BucketPlane planes;
  planes.offsets = distance_offsets(graphs, options);
  planes.values = Tensor::empty({planes.offsets.back()}, DType::uint8);
  std::uint8_t* values = planes.values.data<std::uint8_t>();
  parallel_nodes(graphs, work_per_source, [&](std::int64_t g, std::int64_t begin, std::int64_t end) {
    std::uint8_t* plane = values + planes.offsets[g];
    dense_enough(graphs[g]) ? search<BitsetSearch>(graphs[g], begin, end, plane)
                            : search<QueueSearch>(graphs[g], begin, end, plane);
  });
  return planes;
}

Tensor hop_distances(const Graph& graph, const DistanceOptions& options) {
  const std::int64_t n = graph.num_nodes();
  return hop_distances(std::span(&graph, 1), options).values.reshape({n, n});
}

}  // namespace atto
