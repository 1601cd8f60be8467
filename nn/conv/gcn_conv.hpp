#pragma once

#include "graph/graph.hpp"
#include "nn/layers/linear.hpp"
#include "nn/module.hpp"

namespace atto {

/// A graph with exactly one self-loop per node, and 1/sqrt(deg_i deg_j) for every edge, loops counted.
struct NormalisedGraph {
  Graph graph;
  Tensor weights;                      ///< float [E,1]
  std::vector<std::int32_t> edge_map;  ///< edge of the old graph that each edge takes its features from, -1 for added loops
};
/// Made once per batch, for all layers. Cost: O(N + E).
NormalisedGraph normalise(const Graph& graph, DType dtype = DType::float32);

/// Graph convolution (Kipf and Welling 2017, eq. 2): x_i' = b + sum over j in N(i) and i of W x_j / sqrt(deg_i deg_j).
/// x [N,in] -> [N,out]; parameters weight [out,in], bias [out]. An isolated node keeps its own W x_i. Cost: 2 N in out + 2 E out FLOP.
class GcnConv : public Module {
 public:
  GcnConv(const Scope& scope, std::int64_t in, std::int64_t out);
  Var operator()(const Var& x, const NormalisedGraph& graph) const;

 private:
  Linear linear_;
  Parameter bias_;
};

}  // namespace atto
