#pragma once
// A graph in which every node hears itself exactly once, for the convolutions that count a node among its neighbours.

#include <cstdint>
#include <vector>

#include "autograd/var.hpp"
#include "graph/graph.hpp"

namespace atto {

/// A graph with exactly one self-loop per node, and 1/sqrt(deg_i deg_j) for every edge, loops counted.
struct NormalisedGraph {
  Graph graph;
  Tensor weights;  ///< float [E,1]
  std::vector<std::int32_t>
      edge_map;  ///< edge of the old graph that each edge takes its features from, -1 for the loops
};
/// Graph::with_one_self_loop() with its weights: listed loops are dropped, duplicates of other edges stay. Made once
/// per batch, for all layers. Cost: O(N + E).
NormalisedGraph normalise(const Graph& graph, DType dtype = DType::float32);

/// The features e [E,F] of the old graph's edges on those of the new one: an edge that stays keeps its own, the loop of
/// a node gets the mean over the other edges into the node, 0 where there is none. Cost: O(E F).
Var follow_loops(const NormalisedGraph& looped, const Var& e);

}  // namespace atto
