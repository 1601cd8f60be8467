#pragma once
// Decoder language models: from tokens to the logits of the token that follows each of them.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "graph/ragged.hpp"
#include "nn/attention/graph_attention.hpp"
#include "nn/attention/layer_socket.hpp"
#include "nn/language/feed_forward.hpp"
#include "nn/layers/embedding.hpp"
#include "nn/layers/norm.hpp"

namespace atto {

struct LanguageModelOptions {
  std::int64_t vocabulary = 256;  ///< V
  std::int64_t channels = 128;    ///< D
  std::int64_t layers = 4;
  std::int64_t heads = 4;       ///< H
  std::int64_t key_heads = 0;   ///< grouped queries: heads of keys and values, a divisor of heads; 0 = heads
  std::int64_t head_width = 0;  ///< d; 0 = channels / heads
  std::int64_t hidden = 0;      ///< I, of the feed-forward block; 0 = 8/3 channels, rounded up to a multiple of 16
  bool tied = false;            ///< the head is the table of embeddings
  bool attention_bias = false;
  bool feed_forward_bias = false;
  double epsilon = 1e-5;  ///< of the norms
  double attention_dropout = 0;
  RotaryOptions rotary = {};
  FeedForwardChoice feed_forward = SwiGlu{};
  /// Changes the attention of a layer before it is built: another score, gate or aggregator. Empty: softmax attention.
  std::function<void(AttentionOptions& options, std::int64_t layer)> attention = {};
  double deviation = 0.02;  ///< initial weights are normal(0, deviation), biases 0
  bool recompute = false;   ///< keep only the states between layers for backward and run each layer again
};

/// n = RMSNorm(h), h1 = h + Attention(n), h' = h1 + FeedForward(RMSNorm(h1)); without a feed-forward block h' =
/// RMSNorm(h1). Adapters attach at a LayerSocket. h [N,D] -> [N,D].
class DecoderLayer : public Module {
 public:
  DecoderLayer(const Scope& scope, const AttentionOptions& attention, const FeedForwardChoice& feed_forward,
               const FeedForwardSizes& sizes, double epsilon);
  Var operator()(const Var& h, const Support& support, KeyValueCache::Layer* cache = nullptr) const;

  const GraphAttention& attention() const { return attention_; }
  bool reads_map() const { return feed_forward_ && feed_forward_->reads_map(); }
  /// Whether new tokens need no more of earlier ones than their keys and values.
  bool incremental() const { return !reads_map() && !socket_->in_use() && attention_.incremental(); }

 private:
  RmsNorm attention_norm_;
  GraphAttention attention_;
  RmsNorm feed_forward_norm_;
  FeedForwardPointer feed_forward_;
  std::shared_ptr<LayerSocket> socket_ = std::make_shared<LayerSocket>();
};

/// A decoder as Llama has it (Touvron et al. 2023): embedding, layers with rotary positions and causal attention, norm,
/// head. Tokens int32 or int64 [N], sequences side by side without padding, each from position 0 -> logits [N,V]. A
/// batch without tokens gives no rows. IndexError for a token outside the vocabulary, ShapeError when tokens and
/// sequences differ. Cost per token and layer: 2 (2 D H d + 2 D G d + 3 D I) FLOP in the products and 4 n H d / 2 in
/// the attention of a sequence of n; 2 D V in the head.
class LanguageModel : public Module {
 public:
  LanguageModel(const Scope& scope, const LanguageModelOptions& options);

  Var operator()(const Tensor& tokens, const Ragged& sequences) const { return logits(states(tokens, sequences)); }
  /// What the head reads, [N,D].
  Var states(const Tensor& tokens, const Ragged& sequences) const;
  /// The same for the tokens that follow those in the cache, which then holds them, too: fresh.size(s) more of sequence
  /// s. StateError unless incremental().
  Var states(const Tensor& tokens, const Ragged& fresh, KeyValueCache& cache) const;
  /// [M,D] -> [M,V]
  Var logits(const Var& states) const;

  const LanguageModelOptions& options() const { return options_; }
  const DecoderLayer& layer(std::int64_t index) const { return layers_.at(static_cast<std::size_t>(index)); }
  /// Whether the model can go on from a cache: every layer reads of earlier tokens their keys and values only.
  bool incremental() const;

 private:
  Var run(const Tensor& tokens, const Support& support, KeyValueCache* cache) const;

  LanguageModelOptions options_;
  Embedding embedding_;
  Modules<DecoderLayer> layers_;
  RmsNorm norm_;
  std::optional<Linear> head_;
};

/// int64 [N]: the token after each one in its sequence, and -100, which no loss counts, after the last.
Tensor next_tokens(const Tensor& tokens, const Ragged& sequences);

}  // namespace atto
