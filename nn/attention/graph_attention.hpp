#pragma once
// Every attention of the library: six slots and the projections around them.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "graph/support.hpp"
#include "nn/attention/attention_options.hpp"
#include "nn/attention/projections.hpp"
#include "nn/layers/linear.hpp"
#include "nn/module.hpp"

namespace atto {

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
  Parameter bias_;
  Projections projections_;
  std::optional<Linear> output_;
  SlotPointer score_, pair_, gate_, aggregator_, finish_;
  mutable std::optional<std::pair<AttentionInputs, Support>> last_call_;
  bool keep_last_call_ = false;
};

}  // namespace atto
