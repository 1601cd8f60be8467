#pragma once
// NORMALISE with two maps, of which the second is taken off the first.

#include "nn/attention/weights.hpp"

namespace atto {

/// Where the count of layers begins in the formula for lambda's initial value.
enum class LayerCount {
  from_one,   ///< 0.8 - 0.6 exp(-0.3 l) for the layers l = 0, 1, ...: 0.2 first (Ye et al. 2024, whose l begins at 1)
  from_zero,  ///< 0.8 - 0.6 exp(-0.3 (l - 1)): -0.0099 first (the published code of arXiv 2501.02393)
};
double initial_lambda(std::int64_t layer, LayerCount count);

/// a = N(z1) - lambda N(z2), z1 and z2 the logits of two sets of queries and keys (Ye et al. 2024, arXiv 2410.05258; in
/// GIN-Attention, Buehler, arXiv 2501.02393): projections, scores and pair terms have 2 H heads, the second map's after
/// the first's. Rows add up to 1 - lambda where N is a softmax. Parameter lambda [1], and those of N, which both maps
/// share.
///
/// With `group_norm` the map of every segment and head is then normalised over all its pairs, those that the support
/// leaves out counting as zeros, scaled by learned numbers per head (parameters norm_weight [H] = 1, norm_bias [H] = 0)
/// and by 1 - initial lambda. Its statistics look ahead: a causal attention refuses it unless `insist`.
struct Differential {
  using Kind = NormaliserKind;
  Choice<NormaliserKind> map = Softmax{};  ///< N
  std::int64_t layer = 0;                  ///< l = 0, 1, ..., for lambda's initial value
  LayerCount count = LayerCount::from_one;
  std::optional<double> lambda = std::nullopt;  ///< its initial value itself
  bool group_norm = false;
  bool insist = false;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

}  // namespace atto
