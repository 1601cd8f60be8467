// The structure of a graph: who sends to whom. Immutable; copying a Graph copies a handle, features live in tensors
// beside it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace atto {

struct GraphEdit;

/// Directed edges from sources 0..num_src-1 to destinations 0..num_dst-1; an edge (j, i) carries a message from j to i.
/// In a graph made by from_edges() both are the same nodes; a bipartite graph has two sets of different sizes.
///
/// **Canonical order.** Edges are numbered by destination, and among the edges into one destination in the order in
/// which the caller listed them, so that kernels stream through an edge tensor [E, ...] row by row. Every edge tensor
/// is in this order; `edge_order()` says how to bring the caller's features into it, once.
///
/// Edges are kept as they were listed: self-loops and duplicates stay, no reverse edge is added (see the edits below).
/// A node without edges is legal, and so is a graph without nodes.
///
/// Indices are int32, so each set of nodes and the edges are limited to 2^31 - 1.
class Graph {
 public:
  /// No nodes, no edges.
  Graph();

  /// Edge number k of the caller goes from src[k] to dst[k]. IndexError naming the first edge whose end lies outside,
  /// ShapeError when src and dst differ in length. Cost: O(N + E) time, 20 bytes per edge and 8 per node.
  static Graph from_edges(std::int64_t num_nodes, std::span<const std::int32_t> src, std::span<const std::int32_t> dst);
  /// The same from pairs (src, dst), for graphs that are written by hand: `Graph::from_edges(3, {{0, 1}, {1, 2}})`.
  static Graph from_edges(std::int64_t num_nodes, std::initializer_list<std::pair<std::int32_t, std::int32_t>> edges);
  /// Sources and destinations are different sets.
  static Graph bipartite(std::int64_t num_src, std::int64_t num_dst, std::span<const std::int32_t> src,
                         std::span<const std::int32_t> dst);
  /// From arrays that already are in canonical order: edges into i are in_src[in_offsets[i]] .. in_src[in_offsets[i+1]
  /// - 1]. Offsets must begin with 0, never decrease and end with the length of in_src (ValueError, IndexError
  /// otherwise). With as many sources as destinations they are the same nodes.
  static Graph from_in_csr(std::int64_t num_src, std::vector<std::int32_t> in_offsets,
                           std::vector<std::int32_t> in_src);

  std::int64_t num_src() const noexcept { return data_->num_src; }
  std::int64_t num_dst() const noexcept { return data_->num_dst; }
  std::int64_t num_edges() const noexcept { return static_cast<std::int64_t>(data_->in_src.size()); }
  /// True when sources and destinations are the same nodes.
  bool is_square() const noexcept { return data_->square; }
  /// Number of nodes of a square graph; ShapeError for a bipartite one.
  std::int64_t num_nodes() const;

  // By destination. Canonical edges into i: in_offsets()[i] .. in_offsets()[i + 1] - 1.
  std::span<const std::int32_t> in_offsets() const noexcept { return data_->in_offsets; }  ///< [num_dst + 1]
  std::span<const std::int32_t> in_src() const noexcept { return data_->in_src; }          ///< [E] source of each edge
  std::span<const std::int32_t> edge_dst() const noexcept { return data_->edge_dst; }  ///< [E] destination of each edge
  std::int32_t in_degree(std::int64_t i) const noexcept { return data_->in_offsets[i + 1] - data_->in_offsets[i]; }

  // By source, for backward passes. Entries of j: out_offsets()[j] .. out_offsets()[j + 1] - 1, in canonical order.
  std::span<const std::int32_t> out_offsets() const noexcept { return data_->out_offsets; }  ///< [num_src + 1]
  std::span<const std::int32_t> out_dst() const noexcept { return data_->out_dst; }  ///< [E] destination of each entry
  std::span<const std::int32_t> out_edge() const noexcept {
    return data_->out_edge;
  }  ///< [E] canonical edge of each entry
  std::int32_t out_degree(std::int64_t j) const noexcept { return data_->out_offsets[j + 1] - data_->out_offsets[j]; }

  /// [E] The number, in the list that the graph was built from, of each canonical edge; -1 for an edge that an edit
  /// added.
  std::span<const std::int32_t> edge_order() const noexcept { return data_->edge_order; }

  /// Borders of ranges of destinations (or sources) with about equal numbers of edges, for loops in parallel: range b
  /// is in_blocks()[b] .. in_blocks()[b + 1] - 1. They depend on the graph alone; a node is never split, so a hub is a
  /// range of its own. A graph without nodes has no range: the span is {0}.
  std::span<const std::int32_t> in_blocks() const noexcept { return data_->in_blocks; }
  std::span<const std::int32_t> out_blocks() const noexcept { return data_->out_blocks; }

  // Edits return a new graph and the map that features follow. Those that speak of a node and itself, or of an edge and
  // its reverse, need a square graph (ShapeError otherwise). Cost: O(N + E).

  /// Every node has at least one self-loop: those that a node lists stay, one is added where there is none, after the
  /// other edges into the node. For exactly one see with_one_self_loop().
  GraphEdit with_self_loops() const;
  /// Every node has exactly one self-loop, after the other edges into the node: a new one (-1 in the map) in place of
  /// those that were listed.
  GraphEdit with_one_self_loop() const;
  /// No self-loops.
  GraphEdit without_self_loops() const;
  /// Of edges with the same ends only the first stays.
  GraphEdit coalesced() const;
  /// Coalesced, and with every edge (j, i) there is (i, j). An added edge follows the features of the edge that it
  /// reverses.
  GraphEdit undirected() const;

  /// Same numbers of nodes and the same edges in the same canonical order (edge_order() does not count).
  friend bool operator==(const Graph& a, const Graph& b);

  /// One line for people: "Graph: 188 nodes, 404 edges, in-degree 1..4 (mean 2.15), 0 self-loops, undirected, 1
  /// component". Cost: O(N + E).
  std::string describe() const;

 private:
  struct Data {
    std::int64_t num_src = 0;
    std::int64_t num_dst = 0;
    bool square = true;
    std::vector<std::int32_t> in_offsets{0}, in_src, edge_dst;
    std::vector<std::int32_t> out_offsets{0}, out_dst, out_edge;
    std::vector<std::int32_t> edge_order;
    std::vector<std::int32_t> in_blocks{0}, out_blocks{0};
  };
  explicit Graph(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  friend class GraphBatch;
  friend class GraphEditor;
  static Graph from_list(std::int64_t num_src, std::int64_t num_dst, bool square, std::span<const std::int32_t> src,
                         std::span<const std::int32_t> dst);
  static Graph from_canonical(std::int64_t num_src, bool square, std::vector<std::int32_t> in_offsets,
                              std::vector<std::int32_t> in_src, std::vector<std::int32_t> edge_order);
  static std::int32_t checked_index(std::int64_t size, const char* what);
  GraphEdit merged(bool with_reverse) const;
  void require_square(const char* op) const;

  std::shared_ptr<const Data> data_;
};

/// A changed graph, and for each of its canonical edges the canonical edge of the old graph whose features it takes, or
/// -1. `take_rows(features, edge_map)` of graph/rows.hpp moves the features.
struct GraphEdit {
  Graph graph;
  std::vector<std::int32_t> edge_map;
};

}  // namespace atto
