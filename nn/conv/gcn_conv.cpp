#include "nn/conv/gcn_conv.hpp"

#include <cmath>

#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/shape/shape.hpp"

namespace atto {

NormalisedGraph normalise(const Graph& graph, DType dtype) {
  const GraphEdit bare = graph.without_self_loops();
  GraphEdit looped = bare.graph.with_self_loops();
  std::vector<double> weights(static_cast<std::size_t>(looped.graph.num_edges()));
  for (std::size_t e = 0; e < weights.size(); ++e) {
    const auto degree = [&](std::int32_t node) { return static_cast<double>(looped.graph.in_degree(node)); };
    weights[e] = 1.0 / std::sqrt(degree(looped.graph.edge_dst()[e]) * degree(looped.graph.in_src()[e]));
  }
  for (std::int32_t& edge : looped.edge_map)
    if (edge >= 0) edge = bare.edge_map[static_cast<std::size_t>(edge)];
  return {.graph = looped.graph,
          .weights = Tensor::from(weights, Shape{looped.graph.num_edges(), 1}).to(dtype),
          .edge_map = std::move(looped.edge_map)};
}

GcnConv::GcnConv(const Scope& scope, std::int64_t in, std::int64_t out)
    : Module(scope), linear_(scope, in, out, {.bias = false}), bias_(scope.parameter("bias", Shape{out}, init::zeros())) {}

Var GcnConv::operator()(const Var& x, const NormalisedGraph& graph) const {
  const auto here = enter();
  const Var projected = linear_(x);
  const Shape flat = projected.shape();
  const Var summed = spmm(graph.graph, graph.weights, reshape(projected, Shape{flat[0], 1, flat[1]}));
  return reshape(summed, flat) + bias_;
}

}  // namespace atto
