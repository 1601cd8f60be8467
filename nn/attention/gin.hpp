#pragma once
// FINISH of GIN-Attention, and perceptrons per head for any other.

#include "nn/attention/head_perceptron.hpp"
#include "nn/attention/slot.hpp"

namespace atto {

/// How much of a node itself goes into its sum.
enum class SelfWeight {
  epsilon,           ///< eps: the published code, where the node is among its own neighbours already
  one_plus_epsilon,  ///< 1 + eps: GIN as it was (Xu et al. 2019, eq. 4.1)
};

/// out_ih = MLP_h( eps_h x_ih + sum_ih ), x_ih the part of the node that belongs to head h (GIN-Attention, Buehler,
/// arXiv 2501.02393). Needs C = H V. Parameters epsilon [H,1] and those of HeadPerceptron.
struct Gin {
  using Kind = FinishKind;
  double multiplier = 2;  ///< gamma: the hidden width is int(gamma V)
  SelfWeight self = SelfWeight::epsilon;
  double epsilon = 0;    ///< initial value
  double dropout = 0.1;  ///< in the perceptron
  Initialiser weight_init = init::normal(0.02);
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// out_ih = W2_h SiLU(W1_h sum_ih), back to the width D of a head, whatever the aggregator gives (the finish of
/// PNA-Attention). Parameters hidden.weight [H,int(gamma D),V], output.weight [H,D,int(gamma D)].
struct PerHead {
  using Kind = FinishKind;
  double multiplier = 2;  ///< gamma
  Initialiser weight_init = init::normal(0.02);
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

}  // namespace atto
