#include "nn/conv/looped_graph.hpp"

#include <algorithm>
#include <cmath>

#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/index/index.hpp"

namespace atto {

NormalisedGraph normalise(const Graph& graph, DType dtype) {
  GraphEdit looped = graph.with_one_self_loop();
  std::vector<double> weights(static_cast<std::size_t>(looped.graph.num_edges()));
  for (std::size_t e = 0; e < weights.size(); ++e) {
    const auto degree = [&](std::int32_t node) { return static_cast<double>(looped.graph.in_degree(node)); };
    weights[e] = 1.0 / std::sqrt(degree(looped.graph.edge_dst()[e]) * degree(looped.graph.in_src()[e]));
  }
  return {.graph = looped.graph,
          .weights = Tensor::from(weights, Shape{looped.graph.num_edges(), 1}).to(dtype),
          .edge_map = std::move(looped.edge_map)};
}

Var follow_loops(const NormalisedGraph& looped, const Var& e) {
  const Graph& graph = looped.graph;
  std::vector<double> shares(static_cast<std::size_t>(graph.num_nodes()));
  for (std::size_t i = 0; i < shares.size(); ++i)
    shares[i] = 1.0 / std::max(1, graph.in_degree(static_cast<std::int64_t>(i)) - 1);
  std::vector<std::int32_t> node_of_loop(looped.edge_map.size(), -1);
  for (std::size_t k = 0; k < node_of_loop.size(); ++k)
    if (looped.edge_map[k] < 0) node_of_loop[k] = graph.edge_dst()[k];

  // The loops' rows are zero at first, so a sum over all edges into a node is one over the others.
  const Var kept = gather_rows(e, Tensor::from(looped.edge_map), {.missing = true});
  const Var means = edge_sum(graph, kept) * Var(Tensor::from(shares, Shape{graph.num_nodes(), 1}).to(e.dtype()));
  return kept + gather_rows(means, Tensor::from(node_of_loop), {.missing = true});
}

}  // namespace atto
