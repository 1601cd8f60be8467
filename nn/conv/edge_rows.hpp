#pragma once
// Features of edges on their way through a model.

#include <utility>

#include "autograd/var.hpp"
#include "ops/index/index.hpp"

namespace atto {

/// A row for each edge, or, where edges come in a few kinds, a row for each kind: a layer then computes once per kind
/// what it would compute once per edge.
struct EdgeRows {
  EdgeRows() = default;
  EdgeRows(const Tensor& row) : rows(row) {}  // NOLINT: constants, a row for each edge
  EdgeRows(Var row, Tensor kinds = {})
      : rows(std::move(row)), kind(std::move(kinds)) {}  // NOLINT: a Var is a row for each edge

  Var rows;     ///< [E,F], or [kinds,F]
  Tensor kind;  ///< int64 [E], the row of each edge; undefined when row e belongs to edge e

  bool defined() const noexcept { return rows.defined(); }
  /// [E,F]
  Var laid_out() const { return kind.defined() ? embedding(rows, kind) : rows; }
};

/// Nodes and edges between two layers; `edge` is undefined when a layer keeps no edge state.
struct NodesAndEdges {
  Var node;
  EdgeRows edge;
};

}  // namespace atto
