#include "nn/gradformer/layer.hpp"

#include "core/error.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dropout/dropout.hpp"
#include "ops/pointwise/pointwise.hpp"

namespace atto {

GraphTransformerLayer::GraphTransformerLayer(const Scope& scope, const GraphTransformerLayerOptions& o)
    : Module(scope),
      options_(o),
      local_(make_local(o.local, scope / "local",
                        {.channels = o.channels, .heads = o.heads, .dropout = 0, .edge_state = o.edge_state})),
      attention_(scope / "attention", AttentionOptions{.channels = o.channels,
                                                       .heads = o.heads,
                                                       .pair = o.pair,
                                                       .gate = o.gate,
                                                       .same_start = o.same_start,
                                                       .dropout = o.attention_dropout}),
      attention_norm_(scope / "attention_norm", o.channels),
      widen_(scope / "feed_forward" / "widen", o.channels, 2 * o.channels, {.activation = Activation::relu}),
      narrow_(scope / "feed_forward" / "narrow", 2 * o.channels, o.channels),
      output_norm_(scope / "output_norm", o.channels) {
  if (local_) local_norm_.emplace(scope / "local_norm", o.channels);
  socket_->attention = &attention_;
  scope.offer(socket_);
}

Var GraphTransformerLayer::drop(const Var& x) const {
  return training() && options_.dropout > 0 ? dropout(x, options_.dropout, scope().dropout_stream()) : x;
}

NodesAndEdges GraphTransformerLayer::operator()(const NodesAndEdges& in, const Batch& batch) const {
  const auto here = enter();
  const Var& x = in.node;
  NodesAndEdges out{.node = {}, .edge = in.edge};
  Var u = attention_norm_(drop(attention_(x, batch.pairs)), {.before = x});
  if (local_) {
    NodesAndEdges conv = (*local_)(x, batch, in.edge);
    if (conv.edge.defined()) out.edge = conv.edge;
    u = (*local_norm_)(drop(conv.node), {.before = x, .after = u});
  }
  u = socket_->pass(Station::after_attention, u);
  const Var step = drop(narrow_(drop(widen_(socket_->pass(Station::before_feed_forward, u)))));
  // The norm adds the two itself as long as nobody edits their sum.
  out.node = socket_->at(Station::after_feed_forward)
                 ? output_norm_(socket_->pass(Station::after_feed_forward, u + step))
                 : output_norm_(step, {.before = u});
  return out;
}

ConvLayer::ConvLayer(const Scope& scope, Local local, const LocalOptions& options, double dropout)
    : Module(scope), kind_(local), dropout_(dropout), conv_(make_local(local, scope / "conv", options)) {
  if (!conv_)
    throw ValueError({.op = "ConvLayer", .argument = "local", .got = "none", .expected = "a convolution", .hint = {}});
  if (local != Local::gatedgcn) norm_.emplace(scope / "norm", options.channels);
}

NodesAndEdges ConvLayer::operator()(const NodesAndEdges& in, const Batch& batch) const {
  const auto here = enter();
  NodesAndEdges out = (*conv_)(in.node, batch, in.edge);
  if (!out.edge.defined()) out.edge = in.edge;
  if (!norm_) return out;
  out.node = relu((*norm_)(out.node));
  if (training() && dropout_ > 0) out.node = dropout(out.node, dropout_, scope().dropout_stream());
  out.node = out.node + in.node;
  return out;
}

}  // namespace atto
