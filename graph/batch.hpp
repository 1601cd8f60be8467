// Several graphs as one: their disjoint union, with the borders of each. Nothing is padded.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor.hpp"
#include "graph/graph.hpp"
#include "graph/ragged.hpp"

namespace atto {

/// The disjoint union of graphs. Node i of graph g is node nodes().begin(g) + i of the union, canonical edge e of graph
/// g is canonical edge edges().begin(g) + e; so features of the union are those of the graphs below each other (its
/// edge_order() is of no use). An empty batch and graphs without nodes are legal. Copying copies handles.
class GraphBatch {
 public:
  /// No graphs.
  GraphBatch() = default;
  /// ShapeError when the union has more than 2^31 - 1 nodes or edges, or mixes square and bipartite graphs. Cost: O(N +
  /// E).
  explicit GraphBatch(std::span<const Graph> graphs);
  /// A batch of one.
  explicit GraphBatch(const Graph& graph) : GraphBatch(std::span(&graph, 1)) {}

  /// Number of graphs.
  std::int64_t size() const noexcept { return destinations_.count(); }
  const Graph& graph() const noexcept { return graph_; }
  /// Nodes of each graph; ShapeError for bipartite graphs.
  const Ragged& nodes() const;
  const Ragged& sources() const noexcept { return sources_; }
  const Ragged& destinations() const noexcept { return destinations_; }
  const Ragged& edges() const noexcept { return edges_; }

 private:
  Graph graph_;
  Ragged sources_;
  Ragged destinations_;
  Ragged edges_;
};

/// One small integer per ordered pair of nodes of each graph: hop distances, edge types. Graph g holds n_g x n_g
/// values, row-major (row = query, column = key), from values[offsets[g]] on.
struct BucketPlane {
  Tensor values;                         ///< uint8, flat
  std::vector<std::int64_t> offsets{0};  ///< [B + 1]
};

/// The planes of `chosen` graphs, in that order (repeats allowed). IndexError when there is no such graph.
BucketPlane take_planes(const BucketPlane& planes, std::span<const std::int64_t> chosen);
/// One after another: for planes that were computed graph by graph.
BucketPlane concatenate_planes(std::span<const BucketPlane> parts);
/// ShapeError naming `op` unless the plane of every graph has the size of its nodes squared.
void check_plane(const BucketPlane& planes, const Ragged& nodes, const char* op);

}  // namespace atto
