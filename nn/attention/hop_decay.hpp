#pragma once
// The decay mask of Gradformer (arXiv 2404.15729): M_k(t) = gamma^phi(t - h_k) at hop distance t, with phi(x) = x for x > 0 and
// slope x otherwise, and 0 for pairs that no path joins. It learns hop [H], the distance at which a head begins to decay.

#include "nn/attention/slot.hpp"

namespace atto {

/// The mask as a PAIR term: z M, the published code; or, with `logarithm`, z + ln M.
struct HopDecay {
  using Kind = PairKind;
  double gamma = 0.5;
  double hop = 5;     ///< initial value, for every head
  double slope = 0;
  bool logarithm = false;
  bool learn = true;  ///< false keeps hop where it is
  Var shared{};       ///< a hop [H] that belongs to somebody else (one for all layers); undefined = one of its own
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// The mask as a GATE: a M, whose rows sum to less than one; or, with `renormalise`, a M / sum a M (the same function as
/// HopDecay with `logarithm`).
struct HopDecayGate {
  using Kind = GateKind;
  double gamma = 0.5;
  double hop = 5;
  double slope = 0;
  bool renormalise = false;
  bool learn = true;
  Var shared{};
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

}  // namespace atto
