#pragma once

#include <memory>

#include "nn/attention/graph_attention.hpp"
#include "nn/attention/layer_socket.hpp"
#include "nn/gradformer/local.hpp"
#include "nn/layers/norm.hpp"

namespace atto {

struct GraphTransformerLayerOptions {
  std::int64_t channels = 64;
  std::int64_t heads = 4;
  Local local = Local::gin;
  Choice<PairKind> pair = NoPair{};  ///< HopDecay{} makes the layer Gradformer's; none, that of GPS
  Choice<GateKind> gate = NoGate{};
  bool same_start = true;   ///< attention projections begin as copies of one, as in the published code
  bool edge_state = false;  ///< GatedGCN hands its edges to the next layer (GPS) instead of dropping them (Gradformer)
  double dropout = 0;
  double attention_dropout = 0.5;
};

/// A local and a global branch side by side (GraphGPS, Rampasek et al. 2022; Gradformer, arXiv 2404.15729):
///
///     l = BN(Drop(Conv(x)) + x),   g = BN(Drop(Attention(x)) + x),   y = BN(u + FFN(u)) with u = l + g
///     FFN(u) = Drop(W_2 Drop(ReLU(W_1 u))), width 2d
///
/// Without a local branch u = g. Adapters find u before the feed-forward network and u + FFN(u) after it, and no norm
/// of its own. x [N,d], e [E,d] or undefined -> the same shapes. Cost per layer: 16 N d^2 FLOP in the products of
/// attention and FFN, 4 sum(n^2) d in the attention itself, plus the convolution.
class GraphTransformerLayer : public Module {
 public:
  GraphTransformerLayer(const Scope& scope, const GraphTransformerLayerOptions& options);
  NodesAndEdges operator()(const NodesAndEdges& in, const Batch& batch) const;

  const GraphAttention& attention() const { return attention_; }

 private:
  Var drop(const Var& x) const;

  GraphTransformerLayerOptions options_;
  std::unique_ptr<LocalConv> local_;
  std::optional<BatchNorm> local_norm_;
  GraphAttention attention_;
  BatchNorm attention_norm_;
  Linear widen_, narrow_;
  BatchNorm output_norm_;
  std::shared_ptr<LayerSocket> socket_ = std::make_shared<LayerSocket>();
};

/// A message-passing layer as the benchmarks of Dwivedi et al. (2020) use it: x + Drop(ReLU(BN(Conv(x)))).
class ConvLayer : public Module {
 public:
  ConvLayer(const Scope& scope, Local local, const LocalOptions& options, double dropout);
  NodesAndEdges operator()(const NodesAndEdges& in, const Batch& batch) const;

 private:
  Local kind_;
  double dropout_;
  std::unique_ptr<LocalConv> conv_;
  std::optional<BatchNorm> norm_;  // GatedGCN has norm and residual of its own
};

}  // namespace atto
