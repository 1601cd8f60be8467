#pragma once
// SCORE: how well a key answers a query, one number per edge and head.

#include "nn/attention/slot.hpp"

namespace atto {

/// z_e = scale q_i . k_j; scale defaults to 1/sqrt(D). With clip > 0 limited to [-clip, clip] (GT, SAN, EGT).
struct Dot {
  using Kind = ScoreKind;
  std::optional<double> scale = std::nullopt;
  double clip = 0;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// z_e = LeakyReLU(a_src . k_j + a_dst . q_i + a_edge . W_e e): the static attention of GAT (Velickovic et al. 2018,
/// eq. 3). Parameters source [H,D], destination [H,D]; with edge features edge_weight [H D,F] and edge [H,D].
struct Additive {
  using Kind = ScoreKind;
  double slope = 0.2;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// z_e = a . LeakyReLU(k_j + q_i + W_e e): the dynamic attention of GATv2 (Brody et al. 2022, eq. 7). Parameter vector
/// [H,D]; with edge features edge_weight [H D,F].
struct DynamicAdditive {
  using Kind = ScoreKind;
  double slope = 0.2;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// z_e = sum_d clip(scale q_i k_j)_d (W_e e)_d: dot product gated by channel by the edge (GT with edges, Dwivedi and
/// Bresson 2021). Needs edge features. Parameter edge_weight [H D,F].
struct ChannelWise {
  using Kind = ScoreKind;
  std::optional<double> scale = std::nullopt;
  double clip = 5;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// z_e = w_2 . ReLU(W_1 [q_i || k_j] + b_1) + b_2, one perceptron for all heads. W_1 is kept
/// as its two halves: parameters hidden.query and hidden.key [width,D], hidden.bias, output.weight [1,width],
/// output.bias.
struct PairPerceptron {
  using Kind = ScoreKind;
  std::int64_t width = 16;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// z_e = w_h . SiLU(W_1 [x_i || x_j] + b_1) + b_h on the nodes as they came in, an output for each head (the scoring
/// function of GIN-Attention, Buehler, arXiv 2501.02393). W_1 is kept as its two halves: parameters hidden.query
/// [width,C] and hidden.key [width,C_src], hidden.bias, output.weight [H,width], output.bias [H]. Memory: E width
/// values.
struct NodePerceptron {
  using Kind = ScoreKind;
  std::int64_t width = 512;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

}  // namespace atto
