// Hop distances between all pairs of nodes, as one byte each.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor.hpp"
#include "graph/batch.hpp"
#include "graph/graph.hpp"

namespace atto {

inline constexpr std::uint8_t kUnreachable = 255;  ///< there is no path
inline constexpr std::uint8_t kFarthest = 254;     ///< this many hops or more

struct DistanceOptions {
  std::int64_t max_bytes = std::int64_t{8} << 30;  ///< refuse graphs that need more
};

/// D[i,j] = number of edges on a shortest path from i to j along the listed edges (row i = query, column j = key);
/// nothing is made symmetric, so a directed list gives an asymmetric D. D[i,i] = 0; kUnreachable where there is no
/// path; distances above kFarthest are stored as kFarthest. Self-loops and duplicate edges change nothing. (Gradformer,
/// arXiv 2404.15729, 3.1, with one byte instead of a large integer, and a mark instead of a large number where there is
/// no path.)
///
/// Breadth-first search from every source, in parallel: O(N (N + E)) time, or O(N^3 / 64) where that is less; n^2
/// bytes. ShapeError for a bipartite graph, ValueError when more than max_bytes are needed.
Tensor hop_distances(const Graph& graph, const DistanceOptions& options = {});

/// The same for each of several graphs. Isolated nodes, graphs without nodes and no graphs at all are legal.
BucketPlane hop_distances(std::span<const Graph> graphs, const DistanceOptions& options = {});

/// offsets[g] is where the distances of graph g begin, the last offset their number. ValueError as above.
std::vector<std::int64_t> distance_offsets(std::span<const Graph> graphs, const DistanceOptions& options = {});

}  // namespace atto
