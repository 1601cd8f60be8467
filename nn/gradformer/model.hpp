#pragma once
// Graph transformers and message-passing networks from input features to predictions.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/dataset.hpp"
#include "nn/attention/gradformer_attention.hpp"
#include "nn/gradformer/layer.hpp"
#include "nn/layers/embedding.hpp"
#include "nn/layers/mlp.hpp"

namespace atto {

enum class Architecture {
  gradformer,   ///< local branch and attention under the decay mask
  gps,          ///< the same without a mask
  transformer,  ///< attention alone
  gat,
  gatv2,
  gcn,
  gin,
  gatedgcn  ///< message passing alone
};
std::string_view name_of(Architecture architecture);
Architecture architecture(std::string_view name);

enum class Pooling { none, sum, mean };

struct GraphModelOptions {
  Architecture architecture = Architecture::gradformer;
  Local local = Local::gin;  ///< of gradformer and gps
  MaskMode mask = MaskMode::logit_mul;
  double gamma = 0.5;
  double hop = 5;
  double slope = 0;
  bool learn_gamma = false;
  bool share_mask = true;  ///< one mask for all layers (the published code); false: hop and gamma of each layer's own
  Disconnected disconnected = Disconnected::mask_zero;
  std::int64_t layers = 4;
  std::int64_t channels = 64;
  std::int64_t heads = 4;
  double dropout = 0;
  double attention_dropout = 0.5;
  bool same_start = true;
  bool edge_state = false;
  bool recompute =
      false;  ///< keep only the states between layers for backward and run each layer again: less memory, more time

  Features node_features;  ///< of the data set
  Features edge_features;
  std::int64_t encoding_width = 0;  ///< K, columns of the encoding; 0 = none
  std::int64_t encoding_channels =
      0;  ///< 0: Linear(x) + Linear(encoding); p: Linear(x) to d - p, beside p channels of encoding under a batch norm
  Pooling pooling = Pooling::sum;  ///< none: an output per node
  std::int64_t outputs = 2;
  bool deep_head = false;  ///< perceptron d, d/2, d/4, outputs instead of one linear layer
};

/// Node features and encoding to d channels; edge features to d channels, or one learned vector for every edge.
class InputEncoder : public Module {
 public:
  InputEncoder(const Scope& scope, const GraphModelOptions& options, Local local);
  NodesAndEdges operator()(const Batch& batch) const;

 private:
  std::optional<Linear> node_linear_, encoding_linear_, edge_linear_;
  std::optional<Embedding> node_embedding_, edge_embedding_;
  std::optional<BatchNorm> encoding_norm_;
  Features node_features_, edge_features_;
  std::int64_t encoding_width_ = 0;
};

/// The whole network: encoder, layers, pooling, head. Output [B, outputs], or [N, outputs] without pooling.
/// A batch of no graphs gives no rows, a graph without nodes the row that its head makes of zeros.
class GraphModel : public Module {
 public:
  GraphModel(const Scope& scope, const GraphModelOptions& options);
  Var operator()(const Batch& batch) const;

  const GraphModelOptions& options() const { return options_; }
  /// Whether a call needs batch.pairs (and, with a mask, its hop distances).
  bool needs_pairs() const;
  bool needs_hops() const { return !masks_.empty(); }
  /// The learned start of the decay for each head, layer after layer where they do not share it; empty without a mask.
  std::vector<double> hops() const;
  /// The base of the decay likewise.
  std::vector<double> gammas() const;
  /// The attention of a layer, for inspection; ValueError for an architecture without.
  const GraphAttention& attention(std::int64_t layer) const;

 private:
  GraphModelOptions options_;
  std::vector<DecayMask> masks_;  // one for all layers, one for each, or none
  InputEncoder encoder_;
  Modules<GraphTransformerLayer> layers_;
  Modules<ConvLayer> conv_layers_;
  Modules<Linear> head_;
};

}  // namespace atto
