// Random-walk structural encoding: how likely a walk is back where it began after k steps.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor.hpp"
#include "graph/graph.hpp"

namespace atto {

/// pe[i,k-1] = (P^k)[i,i] for k = 1..steps, with P = Deg^-1 A (Dwivedi et al., "Graph neural networks with learnable
/// structural and positional representations", ICLR 2022, section 3). A is the adjacency matrix of the listed edges
/// with duplicates counted once, self-loops on its diagonal; Deg the out-degree in A, at least 1. Walks follow the
/// edges j -> i as listed. An isolated node gets zeros; in a bipartite graph odd steps are exactly 0.
///
/// float32 [N, steps], computed in float64, in parallel. ShapeError for a bipartite Graph (two sets of nodes),
/// ValueError when steps < 1. Cost: steps * N * E additions per graph, half of that for undirected graphs; no N x N
/// matrix is stored.
Tensor rwse(const Graph& graph, std::int64_t steps);

/// The same for several graphs, rows below each other.
Tensor rwse(std::span<const Graph> graphs, std::int64_t steps);

}  // namespace atto
