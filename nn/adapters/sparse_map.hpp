#pragma once
// The sparse graph of a frozen attention (Buehler, arXiv 2501.02393, Sparse-GIN): which pairs matter, and how much.

#include <cstdint>
#include <optional>

#include "nn/attention/graph_attention.hpp"
#include "nn/layers/dropout.hpp"

namespace atto {

/// From the weights of all heads to one number per pair.
enum class CombineHeads {
  sum,              ///< min( sum_h A_h, 1 )
  mean,             ///< mean_h A_h
  threshold_any,    ///< max_h sigmoid( (A_h - threshold) / any_temperature )
  learned,          ///< sigmoid( w2 . ReLU(W1 [A_1 .. A_H] + b1) + b2 ), 128 hidden numbers
  learned_softmax,  ///< the same numbers, softmax over the pairs of a row
};

/// A weight for the distance |i - j| s of a pair, divided by the largest of its sequence.
enum class DistanceScaling { none, sigmoid, exponential, power };

struct SparseMapOptions {
  CombineHeads combine = CombineHeads::sum;
  double any_temperature = 10;
  DistanceScaling distance = DistanceScaling::none;
  double distance_scale = 1;         ///< s; of `power` the exponent: (|i - j| s + 1)^s
  double sharpness = 10;             ///< alpha_c; 0 or less: the combined weights as they are
  double threshold = 0.1;            ///< thr
  std::optional<double> gate = 0.6;  ///< eps_t: pairs at or below it are dropped; nothing: every listed pair stays
  bool remove_self = false;          ///< no pair of a node and itself
  bool causal = true;                ///< no pair whose sender stands behind its receiver
  std::int64_t tile_pairs = std::int64_t{1} << 20;  ///< pairs whose weights exist at a time
};

/// S_ij = a if a > eps_t else 0, a = sigmoid( alpha_c (combine_h A_hij - thr) ): what of it is not zero.
struct SparseMap {
  Graph graph;  ///< square, over the nodes of the call
  Var weights;  ///< [E] on the tape
};

/// Builds it. Parameters of the learned combinations: hidden.* and output.*.
///
/// The gradient reaches the attention's inputs through the pairs that stay, as far as the formulas let it: where the
/// sum of heads is above 1 or the gate drops a pair there is none, and none through the choice. Maps are made a tile of
/// rows at a time, forward and again in backward, so that no [L,L,H] is stored; an attention whose rows are not
/// independent (GraphAttention::by_row()) is refused when its map has more than one tile. ShapeError unless receivers
/// and senders are the same nodes. Cost: that of the lowered map, twice in training.
class SparseMapBuilder : public Module {
 public:
  SparseMapBuilder(const Scope& scope, std::int64_t heads, const SparseMapOptions& options);
  SparseMap operator()(const GraphAttention& attention, const AttentionInputs& inputs, const Support& support) const;
  /// The same from weights [E,H] over the edges of a square graph, whose nodes stand in segments of sequences.
  SparseMap operator()(const Var& weights, const Graph& graph, const Ragged& sequences) const;

 private:
  struct Part;
  Var combined(const Var& heads, const Graph& graph) const;
  Var scores(const Var& heads, const Part& part) const;
  void choose(Part& part, const Tensor& scores) const;

  SparseMapOptions options_;
  std::optional<Linear> hidden_, output_;
  Dropout dropout_;
};

}  // namespace atto
