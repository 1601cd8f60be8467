// Who may attend to whom: every pair of a batch of graphs, every earlier position, the edges of a graph. A value that
// says so without listing the pairs, and can list them when asked.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "graph/batch.hpp"
#include "graph/graph.hpp"
#include "graph/ragged.hpp"

namespace atto {

/// The support of an attention. Receiving nodes (queries) and sending nodes (keys) may be different sets of different
/// sizes. Immutable; copying copies a handle.
class Support {
 public:
  enum class Kind { pairs, causal, edges };

  /// Every node of a graph attends to every node of the same graph, itself included.
  static Support pairs(const Ragged& nodes) { return pairs(nodes, nodes); }
  /// Queries of one set, keys of another, segment by segment (cross attention). ShapeError when the numbers of segments
  /// differ.
  static Support pairs(const Ragged& queries, const Ragged& keys);
  /// Query i of a sequence attends to the keys j <= i + n_keys - n_queries: to itself and what came before; with more
  /// keys than queries (cached generation) the queries are the last ones.
  static Support causal(const Ragged& positions) { return causal(positions, positions); }
  static Support causal(const Ragged& queries, const Ragged& keys);
  /// Along the edges of a graph.
  static Support edges(const Graph& graph);
  /// Along the edges of several graphs over the same nodes. The bucket of an edge is the number of the graph it comes
  /// from, and graph().edge_order() its place in the concatenation of their edge features. ShapeError when the nodes
  /// differ.
  static Support unite(const std::vector<Graph>& graphs);

  /// The same pairs with a small integer each (hop distances, relative positions). Pairs and causal: one plane of
  /// n_queries x n_keys values per segment, row = query; ShapeError when it does not fit.
  Support with_buckets(const BucketPlane& planes) const;
  /// Edges: uint8 [E] in canonical order.
  Support with_buckets(const Tensor& edge_buckets) const;

  Kind kind() const noexcept { return data_->kind; }
  /// "pairs", "causal" or "edges".
  std::string name() const;
  bool has_buckets() const noexcept { return data_->planes.values.defined() || data_->edge_buckets.defined(); }
  std::int64_t num_dst() const noexcept;
  std::int64_t num_src() const noexcept;
  /// Pairs and causal: the segments.
  const Ragged& queries() const noexcept { return data_->queries; }
  const Ragged& keys() const noexcept { return data_->keys; }
  const BucketPlane& planes() const noexcept { return data_->planes; }

  /// The support listed as edges j -> i, made at the first call and kept. ShapeError when there are more than 2^31 - 1.
  /// Cost: 28 bytes per pair.
  const Graph& graph() const;
  /// uint8 [E], the bucket of every edge of graph(); undefined when there are no buckets.
  const Tensor& edge_buckets() const;

 private:
  struct Data {
    Kind kind = Kind::pairs;
    Ragged queries, keys;
    BucketPlane planes;
    Graph graph;
    Tensor edge_buckets;
    std::once_flag listed;
  };
  explicit Support(std::shared_ptr<Data> data) : data_(std::move(data)) {}
  std::shared_ptr<Data> copy() const;
  void list() const;

  std::shared_ptr<Data> data_;
};

}  // namespace atto
