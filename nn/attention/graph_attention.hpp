#pragma once
// Every attention of the library: six slots and the projections around them.

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "graph/support.hpp"
#include "nn/attention/aggregators.hpp"
#include "nn/attention/hop_decay.hpp"
#include "nn/attention/key_value_cache.hpp"
#include "nn/attention/pairs.hpp"
#include "nn/attention/rotary.hpp"
#include "nn/attention/scores.hpp"
#include "nn/attention/slot.hpp"
#include "nn/attention/weights.hpp"
#include "nn/layers/linear.hpp"
#include "nn/module.hpp"

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

/// out = FINISH(REDUCE(GATE(NORMALISE(PAIR(SCORE))), MESSAGE)) over a support; the slots' own headers give their
/// formulas.
///
/// Any combination runs through the edge algebra, whose cost is O(E H D) time and O(E H) memory on a support of E
/// pairs. Combinations that a fused operation stands for run through that instead; plan() tells. Result [N_dst, H V] or
/// [N_dst, output_channels]. A node without edges receives zeros (plus bias). Errors: ValueError when slots do not fit
/// together (when built), ShapeError for inputs that do not fit the support.
class GraphAttention : public Module {
 public:
  GraphAttention(const Scope& scope, const AttentionOptions& options);

  Var operator()(const AttentionInputs& inputs, const Support& support) const;
  Var operator()(const Var& x, const Support& support) const {
    return (*this)(AttentionInputs{.query = x, .source = {}, .value = {}, .edge = {}}, support);
  }
  /// The same through the edge algebra, whatever the combination: the meaning of the layer, slow and easy to read.
  /// `map` receives the weights a_e [E,H] that made the result, in the order of support.graph(), for blocks that go on
  /// with them.
  Var lowered(const AttentionInputs& inputs, const Support& support, Var* map = nullptr) const;

  /// What a call on this support runs, and why: "ragged_attention, fused" or "edge_dot > hop_decay > edge_softmax >
  /// spmm, composed: ...".
  std::string plan(const Support& support) const;

  /// The weights a_e [E,H] of a call as a value on the tape, in the order of support.graph(), through the lowering and
  /// without dropout: for what computes with the map itself.
  Var map(const AttentionInputs& inputs, const Support& support) const;
  Var map(const Var& x, const Support& support) const {
    return map(AttentionInputs{.query = x, .source = {}, .value = {}, .edge = {}}, support);
  }
  /// The weights a_e [E,H] of a call, in the order of support.graph(), through the lowering and without dropout.
  Tensor weights(const AttentionInputs& inputs, const Support& support) const;
  /// The weights of the last call made after keep_last_call(true); StateError when there was none.
  Tensor weights() const;
  void keep_last_call(bool keep);
  /// That call.
  const std::pair<AttentionInputs, Support>& last_call() const;

  /// The parts of map(): queries, keys and values of a call with all heads, not listed as edges yet, and the weights of
  /// the edges that a view lists, which may be some rows of the whole (row_tiles.hpp) if by_row().
  EdgeView view(const AttentionInputs& inputs, const Support& support) const;
  Var map(const EdgeView& listed) const { return edge_weights(listed); }
  bool by_row() const;
  /// Whether calls with a cache give what calls with the whole give.
  bool incremental() const;
  std::int64_t heads() const noexcept { return options_.heads; }

 private:
  void remember(const AttentionInputs& inputs, const Support& support) const;
  EdgeView project(const AttentionInputs& inputs, const Support& support) const;
  Var lower(EdgeView view, const Support& support, Var* map = nullptr) const;
  Var edge_weights(const EdgeView& view) const;
  Var combine(const Var& heads) const;
  std::string refusal(FusedOp op, const Support& support) const;
  std::optional<FusedOp> fused_op(const Support& support) const;
  Var run(FusedOp op, const EdgeView& view, const Support& support, const Var& bias) const;
  std::array<const SlotModule*, 5> stages() const;
  void check_support(const Support& support) const;

  AttentionOptions options_;
  AttentionSizes sizes_;
  SlotPointer normaliser_;  // before the projections, which it may want for several maps
  std::optional<Linear> query_, key_, value_, output_;
  Parameter bias_;
  SlotPointer score_, pair_, gate_, aggregator_, finish_;
  mutable std::optional<std::pair<AttentionInputs, Support>> last_call_;
  bool keep_last_call_ = false;
};

}  // namespace atto
