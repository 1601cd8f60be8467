#pragma once
// GATE: from attention weights to the weights of a graph (process_adjacency of GIN- and PNA-Attention, Buehler, arXiv
// 2501.02393). They act on what the support lists; rows are not renormalised.

#include <string_view>

#include "nn/attention/slot.hpp"
#include "ops/adjacency/adjacency.hpp"

namespace atto {

/// a_e -> f(a_e; tau), element by element: the modes of ops/adjacency. With `learn_threshold` tau is parameter
/// threshold [1]. Hard modes have a gradient of exactly zero.
struct Adjacency {
  using Kind = GateKind;
  AdjacencyMode mode = AdjacencyMode::sharp_softplus;
  double threshold = 0.2;  ///< tau
  bool learn_threshold = false;
  double sharpness = 10;    ///< beta
  double binary_scale = 1;  ///< s
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// 1 on the k largest a_e into every node and head, 0 elsewhere, k = max(int(f L), 1) of the L senders of its segment
/// (all of them where the support is edges); of equals the first listed. Gradient zero. k grows with the segment, so an
/// output changes when tokens are appended: a causal attention refuses it unless `insist`.
struct TopK {
  using Kind = GateKind;
  double fraction = 0.1;  ///< f, in (0, 1]
  bool insist = false;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// 1 on the k largest a_e from other nodes than itself, k = max(1, ceil(f n)) of the n such edges into a node; entries
/// below `threshold` count as zeros, so that where fewer are left the first of those are chosen too; of equals the
/// first listed. Gradient zero. On causal supports these are the strict predecessors (scaled_topk_causal_4d of the
/// published code), and nothing looks ahead; the first token of a sequence has no edge.
struct PrecedingTopK {
  using Kind = GateKind;
  double fraction = 0.1;   ///< f, in (0, 1]
  double threshold = 0.2;  ///< tau
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

struct AdjacencyGateOptions {
  double threshold = 0.2;
  bool learn_threshold = false;
  double sharpness = 10;
  double binary_scale = 1;
  double fraction = 0.1;
  bool insist = false;  ///< on top_k in a causal attention
};

/// A gate by its name in the published code: "none", "relu", "silu", "softplus", "sharp_softplus",
/// "sigmoid_elementwise", "flowthreshold", "binary", "top_k", "scaled_topk_causal_4d", "silu+binary",
/// "silu_below_binary_above", "relu_below_binary_above", "softplus_below_binary_above". ValueError listing them for
/// another.
Choice<GateKind> adjacency_gate(std::string_view name, const AdjacencyGateOptions& options = {});

}  // namespace atto
