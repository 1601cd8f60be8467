#pragma once
// REDUCE of PNA-Attention: several statistics of a node's neighbours side by side (Buehler, arXiv 2501.02393; Corso et
// al. 2020). Their widths add up, so a finish that brings a head back to its width belongs behind them (PerHead).

#include "nn/attention/slot.hpp"

namespace atto {

/// Whose values the maximum is taken over.
enum class MaximumOf {
  neighbours,  ///< as intended: max over the neighbours j of v_jc
  self,        ///< the published code: v_i itself where there is a neighbour
};

/// Who is a neighbour, as far as a maximum is concerned.
enum class Neighbours {
  positive,  ///< a_e > 0: what a threshold or a ReLU leaves
  listed,    ///< every pair of the support; right where all weights are above 0 (a softmax may round them to it)
};

/// What a node without neighbours has for a maximum.
enum class WithoutNeighbours {
  zero,
  own,  ///< v_i; zero where the node is not among the senders
};

/// out_ih = [ sum ; mean ; max ; var ] of width 4 V, with d_i = sum_j a_ij, or 1 where that is exactly 0:
///
///     sum = sum_j a_ij v_j,   mean = sum / d_i,   var = max( sum_j a_ij v_j^2 / d_i - mean^2, 0 )
///
/// max by channel, unweighted; its gradient goes to the first neighbour that attains it and none to a. Where d_i is
/// replaced there is no gradient through it.
struct Pna {
  using Kind = AggregatorKind;
  MaximumOf maximum = MaximumOf::neighbours;
  Neighbours neighbours = Neighbours::positive;
  WithoutNeighbours empty = WithoutNeighbours::zero;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// out_ih = [ mean ; max ; var ; min ] of width 4 V, mean and var as above; max (min) is the whole value v_j of the
/// neighbour with the longest (shortest) one among those with a_ij > threshold. Where there is none it is that of the
/// first pair listed (the first token of a sequence), and where d_i = 0 it is v_i. Of equal lengths the first wins; the
/// gradient goes into the value alone, not through the choice.
struct PnaLm {
  using Kind = AggregatorKind;
  double threshold = 0.2;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

}  // namespace atto
