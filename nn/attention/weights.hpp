#pragma once
// NORMALISE and GATE: from logits to weights.

#include "nn/attention/slot.hpp"

namespace atto {

/// a_e = exp(alpha z_e / T) / sum over the edges into i, alpha the sharpness. A node without edges has no weights, and
/// z_e = -infinity stays a weight of 0 whatever alpha is (Buehler, arXiv 2501.02393, where alpha is learned for each
/// layer). With `learn` parameter sharpness [1], which nothing keeps above 0: 0 makes a row uniform, less turns it
/// round.
struct Softmax {
  using Kind = NormaliserKind;
  double sharpness = 1;
  bool learn = false;
  bool random = false;     ///< alpha begins uniform in 0.5..1.5 instead of at `sharpness`; implies `learn`
  double temperature = 1;  ///< T, fixed
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// a_e = max(z_e, 0).
struct ReluNormaliser {
  using Kind = NormaliserKind;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// a_e = z_e / (sum over the edges into i of z + epsilon): for scores that are positive already (kernels, sigmoids).
struct SumNormaliser {
  using Kind = NormaliserKind;
  double epsilon = 1e-6;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// a_e = z_e.
struct NoNormaliser {
  using Kind = NormaliserKind;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// a_e unchanged.
struct NoGate {
  using Kind = GateKind;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// a_e sigmoid(steepness (a_e - threshold)): a soft threshold on the weights themselves.
struct SigmoidGate {
  using Kind = GateKind;
  double threshold = 0.1;
  double steepness = 10;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// a_e sigmoid(W e): the edge decides for every head (EGT). Parameters weight [H,F], bias [H].
struct EdgeGate {
  using Kind = GateKind;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

}  // namespace atto
