#include "nn/conv/gcn_conv.hpp"

#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/shape/shape.hpp"

namespace atto {

GcnConv::GcnConv(const Scope& scope, std::int64_t in, std::int64_t out)
    : Module(scope),
      linear_(scope, in, out, {.bias = false}),
      bias_(scope.parameter("bias", Shape{out}, init::zeros())) {}

Var GcnConv::operator()(const Var& x, const NormalisedGraph& graph) const {
  const auto here = enter();
  const Var projected = linear_(x);
  const Shape flat = projected.shape();
  const Var summed = spmm(graph.graph, graph.weights, reshape(projected, Shape{flat[0], 1, flat[1]}));
  return reshape(summed, flat) + bias_;
}

}  // namespace atto
