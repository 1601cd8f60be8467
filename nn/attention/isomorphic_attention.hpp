#pragma once
// Graph-aware isomorphic attention (Buehler, arXiv 2501.02393), and the differential attention that it can be built on.

#include <string>

#include "nn/attention/adjacency_gates.hpp"
#include "nn/attention/differential.hpp"
#include "nn/attention/gin.hpp"
#include "nn/attention/graph_attention.hpp"
#include "nn/attention/pna.hpp"

namespace atto {

struct GinAttentionOptions {
  std::int64_t heads = 8;
  Choice<ScoreKind> score = Dot{};                ///< NodePerceptron{} scores pairs by a perceptron
  Choice<NormaliserKind> normaliser = Softmax{};  ///< Softmax{.learn = true} sharpens; Differential{}; NoNormaliser{}
  Choice<GateKind> gate = NoGate{};               ///< adjacency_gate(name)
  Gin gin = {};
  bool output = false;  ///< a projection of the heads' results
  double dropout = 0;   ///< of the weights, in training
  bool causal = true;   ///< refuses slots that look ahead and supports that are not causal
};

/// Fills the slots of an attention as GinAttention does, for models that build theirs themselves: its channels, heads,
/// dropout, positions and the like stay.
void fill_slots(AttentionOptions& attention, const GinAttentionOptions& options);

/// GIN-Attention: attention whose values are the nodes themselves, and a graph isomorphism network in place of their
/// projection,
///
///     A_h = GATE( softmax_j( alpha q_i . k_j / (sqrt(d) T) ) ),   y_ih = MLP_h( eps_h x_ih + sum_j A_hij x_jh )
///
/// with the heads side by side. x [N,channels] -> [N,channels]; no grouped queries. Without a gate the sum runs fused
/// and its map is not stored. Parameters query.weight, key.weight, normaliser.*, gate.*, finish.* (Gin), with `output`
/// output.weight: 2 C^2 + H (2 d m + 2 m + d + 1) numbers, and one for each scalar.
class GinAttention : public Module {
 public:
  GinAttention(const Scope& scope, std::int64_t channels, const GinAttentionOptions& options = {});
  Var operator()(const Var& x, const Support& support) const { return attention_(x, support); }
  /// The map A [E,H] over the edges of support.graph(), on the tape.
  Var map(const Var& x, const Support& support) const { return attention_.map(x, support); }

  GraphAttention& attention() { return attention_; }
  const GraphAttention& attention() const { return attention_; }

 private:
  GraphAttention attention_;
};

struct PnaAttentionOptions {
  std::int64_t heads = 8;
  std::int64_t key_heads = 0;  ///< grouped queries: heads of keys and values; 0 = heads
  bool softmax = true;         ///< false: a_ij = max(z_ij, 0)
  double temperature = 1;      ///< of the softmax
  std::string mode = "none";   ///< of adjacency_gate()
  AdjacencyGateOptions adjacency = {};
  MaximumOf maximum = MaximumOf::neighbours;
  WithoutNeighbours empty = WithoutNeighbours::zero;
  bool lm = false;        ///< [mean; max; var; min] by token (PnaLm) in place of [sum; mean; max; var] by channel
  double multiplier = 2;  ///< gamma: the hidden width is int(gamma d)
  double dropout = 0;
  bool causal = true;
};

/// As above, for PnaAttention.
void fill_slots(AttentionOptions& attention, const PnaAttentionOptions& options);

/// PNA-Attention: y_h = W2_h SiLU( W1_h f_ih ) with several statistics f_ih of the values that a node attends to (Pna,
/// PnaLm), and a projection of the heads' results. x [N,channels] -> [N,channels]. With the softmax and without a mode
/// the sums run fused, and the maximum is a running one. Who counts as a neighbour follows from softmax and mode: all
/// that the support lists where every weight is above 0, else those with a weight above 0.
class PnaAttention : public Module {
 public:
  PnaAttention(const Scope& scope, std::int64_t channels, const PnaAttentionOptions& options = {});
  Var operator()(const Var& x, const Support& support) const { return attention_(x, support); }
  GraphAttention& attention() { return attention_; }
  const GraphAttention& attention() const { return attention_; }

 private:
  GraphAttention attention_;
};

struct DifferentialAttentionOptions {
  std::int64_t heads = 8;
  std::int64_t key_heads = 0;
  Differential differential = {};
  bool bias = false;
  double dropout = 0;
  bool causal = true;
};

/// Attention by the difference of two maps (Ye et al. 2024, arXiv 2410.05258): out = concat_h( (A1_h - lambda A2_h) v_h
/// ) W_o, without their norm of the heads. Without a group norm both maps run fused. x [N,channels] -> [N,channels];
/// query.weight [2 H D,C] and key.weight hold both sets of projections, one below the other.
class DifferentialAttention : public Module {
 public:
  DifferentialAttention(const Scope& scope, std::int64_t channels, const DifferentialAttentionOptions& options = {});
  Var operator()(const Var& x, const Support& support) const { return attention_(x, support); }
  GraphAttention& attention() { return attention_; }
  const GraphAttention& attention() const { return attention_; }

 private:
  GraphAttention attention_;
};

}  // namespace atto
