#pragma once
// Edges that come in a few kinds: one row of features for each kind instead of one for each edge.

#include "core/tensor.hpp"
#include "graph/graph.hpp"
#include "ops/csr.hpp"

namespace atto {

/// More kinds than that are laid out edge by edge: sums over kinds need a table for every block of rows.
inline constexpr std::int64_t kMostKinds = 64;

/// `kind`, int64 [E], as int32, every value in 0..rows-1; undefined when it is undefined. TypeError, or IndexError for
/// a kind without a row, that name `op`.
Tensor checked_kinds(const Tensor& kind, std::int64_t edges, std::int64_t rows, const char* op);

/// The views of a graph that walk over its edges (ops/csr_views.hpp) with the row of an edge's kind in place of its
/// own: a kernel that reads edge tensors reads the table of kinds. Without kinds they are those views themselves.
class EdgeKinds {
 public:
  /// `kind` as checked_kinds() gives it.
  EdgeKinds(const Graph& graph, Tensor kind) : graph_(&graph), kind_(std::move(kind)) {}
  bool defined() const noexcept { return kind_.defined(); }
  Csr by_destination() const;
  /// Cost: a pass over the edges, the first time.
  Csr by_source();

 private:
  const Graph* graph_;
  Tensor kind_, kind_by_source_;
};

}  // namespace atto
