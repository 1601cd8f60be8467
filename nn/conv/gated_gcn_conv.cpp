#include "nn/conv/gated_gcn_conv.hpp"

#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dropout/dropout.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge/message.hpp"
#include "ops/gated_conv/gated_conv.hpp"
#include "ops/pointwise/pointwise.hpp"

namespace atto {

GatedGcnConv::GatedGcnConv(const Scope& scope, std::int64_t channels, GatedGcnOptions options)
    : Module(scope),
      options_(options),
      a_(scope / "a", channels, channels),
      b_(scope / "b", channels, channels),
      c_(scope / "c", channels, channels),
      d_(scope / "d", channels, channels),
      e_(scope / "e", channels, channels),
      node_norm_(scope / "node_norm", channels) {
  if (options.edge_state) edge_norm_.emplace(scope / "edge_norm", channels);
}

NodesAndEdges GatedGcnConv::operator()(const Var& x, const Graph& graph, const EdgeRows& e) const {
  const auto here = enter();
  const auto drop = [&](const Var& value) {
    return training() && options_.dropout > 0 ? dropout(value, options_.dropout, scope().dropout_stream()) : value;
  };
  const EdgeRows from_edges(c_(e.rows), e.kind);
  NodesAndEdges result;
  Var gathered;
  if (edge_norm_) {
    const Var gate_logits = edge_add(graph, e_(x), d_(x)) + from_edges.laid_out();
    gathered = gated_sum(graph, sigmoid(gate_logits), b_(x));
    result.edge = e.laid_out() + drop(relu((*edge_norm_)(gate_logits)));
  } else {
    gathered = gated_conv(graph, d_(x), e_(x), b_(x), from_edges.rows, {.kind = from_edges.kind});
  }
  result.node = x + drop(relu(node_norm_(a_(x), {.before = gathered})));
  return result;
}

}  // namespace atto
