// What can be said about a graph by looking at its edges once.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.hpp"
#include "graph/graph.hpp"

namespace atto {

/// int64 [num_dst] and [num_src]: how many listed edges, loops and duplicates too, lead into and out of each node.
Tensor in_degrees(const Graph& graph);
Tensor out_degrees(const Graph& graph);

/// Number of listed edges (i, i).
std::int64_t count_self_loops(const Graph& graph);

/// True when with every edge (j, i) the edge (i, j) is listed too; how often does not matter. ShapeError for a
/// bipartite graph. Cost: O(N + E).
bool is_symmetric(const Graph& graph);

/// The number of the connected component of each node, counted from 0 in the order of their first nodes. Directions do
/// not matter. ShapeError for a bipartite graph. Cost: O(N + E).
std::vector<std::int32_t> components(const Graph& graph);
std::int64_t count_components(const Graph& graph);

}  // namespace atto
