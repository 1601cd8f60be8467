#pragma once
// Edge features on their way into a slot.

#include <string>

#include "core/error.hpp"
#include "nn/attention/slot.hpp"
#include "nn/init.hpp"
#include "ops/linear/linear.hpp"
#include "ops/shape/shape.hpp"

namespace atto {

/// e -> W e as [E,H,width], without bias; parameter edge_weight [H width,F]. ValueError when the call passes no edge
/// features.
class EdgeProjection {
 public:
  EdgeProjection(const Scope& scope, std::int64_t heads, std::int64_t width, std::int64_t edge_channels)
      : heads_(heads),
        width_(width),
        channels_(edge_channels),
        weight_(
            scope.parameter("edge_weight", Shape{heads * width, edge_channels}, init::kaiming_uniform(edge_channels))) {
    if (edge_channels == 0)
      throw ValueError({.op = scope.path(),
                        .argument = "edge_channels",
                        .got = "0",
                        .expected = "the width of the edge features",
                        .hint = "this slot reads edge features"});
  }
  Var operator()(const EdgeView& view) const {
    if (!view.edge.defined())
      throw ValueError({.op = "GraphAttention",
                        .argument = "edge",
                        .got = "no edge features",
                        .expected = "[E," + std::to_string(channels_) + "]",
                        .hint = "this attention was built for edge features"});
    const Var projected = linear(view.edge, weight_, {});
    return reshape(projected, Shape{view.edge.size(0), heads_, width_});
  }

 private:
  std::int64_t heads_, width_, channels_;
  Parameter weight_;
};

}  // namespace atto
