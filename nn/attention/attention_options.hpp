#pragma once
// What an attention is built from and called with.

#include <cstdint>
#include <optional>
#include <string>

#include "nn/attention/aggregators.hpp"
#include "nn/attention/hop_decay.hpp"
#include "nn/attention/key_value_cache.hpp"
#include "nn/attention/pairs.hpp"
#include "nn/attention/rotary.hpp"
#include "nn/attention/scores.hpp"
#include "nn/attention/slot.hpp"
#include "nn/attention/weights.hpp"
#include "nn/init.hpp"

namespace atto {

/// How queries, keys and values come from the nodes.
enum class Projection {
  separate,   ///< W_q, W_k, W_v
  tied,       ///< W_q = W_k, and W_v
  key_value,  ///< W_q, and W_k = W_v (GATv2)
  shared,     ///< one matrix for all three (GAT)
  query_key,  ///< W_q and W_k; values are the nodes as they are (GIN-Attention); needs source_channels = heads x
              ///< head_width
  none,       ///< the nodes as they are; needs channels = heads x head_width
};

/// What becomes of the heads' results.
enum class Output {
  linear,  ///< concatenated, then W_o
  bias,    ///< concatenated, plus a bias (GAT)
  mean,    ///< averaged over the heads, plus a bias (GAT's last layer)
  none,    ///< concatenated
};

struct AttentionOptions {
  std::int64_t channels = 64;        ///< C, of the receiving nodes
  std::int64_t source_channels = 0;  ///< of the sending nodes; 0 = channels
  std::int64_t heads = 4;            ///< H
  std::int64_t head_width = 0;       ///< D; 0 = channels / heads
  std::int64_t key_heads = 0;        ///< grouped queries: heads of keys and values, a divisor of heads; 0 = heads
  std::int64_t output_channels = 0;  ///< of Output::linear; 0 = channels
  std::int64_t edge_channels = 0;    ///< F, of the edge features; 0 = none
  Choice<ScoreKind> score = Dot{};
  Choice<PairKind> pair = NoPair{};
  Choice<NormaliserKind> normaliser = Softmax{};
  Choice<GateKind> gate = NoGate{};
  Choice<AggregatorKind> aggregator = Sum{};
  Choice<FinishKind> finish = Identity{};
  Projection projection = Projection::separate;
  Output output = Output::linear;
  bool bias = true;         ///< in the projections of queries, keys and values
  bool same_start = false;  ///< all projections begin as copies of one (the published code of Gradformer)
  double dropout = 0;       ///< of the weights, in training
  /// Turns projected queries and keys by their place in their segment; needs a support of pairs, causal or not.
  std::optional<RotaryEmbedding> rotary = std::nullopt;
  Initialiser weight_init = {};  ///< of the projections; empty: uniform in +-1/sqrt(in)
  Initialiser bias_init = {};    ///< likewise
  bool causal = false;           ///< refuses slots that look ahead and supports that are not causal
};

/// What an attention is called with. `source` and `value` default to `query`.
struct AttentionInputs {
  Var query;   ///< [N_dst,C]
  Var source;  ///< [N_src,C_src]: keys, and values unless `value` is given
  Var value;   ///< [N_src,C_src]
  Var edge;    ///< [E,F] in the support graph's canonical order
  /// Keys and values of earlier calls: then the source has the rows of the query, and the support is the cache's.
  KeyValueCache::Layer* cache = nullptr;
};

namespace detail {

/// ValueError of the attention at `scope`.
[[noreturn]] void refuse_attention(const Scope& scope, const char* argument, std::string got, std::string expected,
                                   std::string hint = {});
/// With every width filled in; ValueError when they do not fit together.
AttentionOptions complete(AttentionOptions options, const Scope& scope);

}  // namespace detail
}  // namespace atto
