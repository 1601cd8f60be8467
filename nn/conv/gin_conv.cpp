#include "nn/conv/gin_conv.hpp"

#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge/message.hpp"
#include "ops/shape/shape.hpp"

namespace atto {

GinConv::GinConv(const Scope& scope, std::int64_t in, std::int64_t out, GinOptions options)
    : Module(scope),
      options_(options),
      epsilon_(options.learn_epsilon ? scope.parameter("epsilon", Shape{1}, init::constant(options.epsilon))
                                     : Parameter::none()),
      hidden_(scope / "hidden", in, out, {.activation = Activation::relu}),
      output_(scope / "output", out, out) {}

Var GinConv::self(const Var& x) const {
  if (epsilon_.defined()) return x * (epsilon_ + 1.0);
  return options_.epsilon == 0 ? x : x * (1.0 + options_.epsilon);
}

Var GinConv::operator()(const Var& x, const Graph& graph) const {
  const auto here = enter();
  const Var neighbours = spmm(graph, {}, reshape(x, Shape{x.size(0), 1, x.size(1)}));
  return output_(hidden_(self(x) + reshape(neighbours, x.shape())));
}

GineConv::GineConv(const Scope& scope, std::int64_t in, std::int64_t out, std::int64_t edge_channels,
                   GinOptions options)
    : Module(scope), gin_(scope, in, out, options) {
  if (edge_channels != in) edge_.emplace(scope / "edge", edge_channels, in);
}

Var GineConv::operator()(const Var& x, const Graph& graph, const EdgeRows& e) const {
  const auto here = enter();
  const Var neighbours = gine_sum(graph, x, edge_ ? (*edge_)(e.rows) : e.rows, e.kind);
  return gin_.output_(gin_.hidden_(gin_.self(x) + neighbours));
}

}  // namespace atto
