#pragma once
// PAIR: what a pair of nodes adds to a logit beside its features.

#include "nn/attention/slot.hpp"

namespace atto {

/// Leaves the logits alone.
struct NoPair {
  using Kind = PairKind;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// A learned number per head and bucket, added to the logits (Graphormer's spatial encoding, relative positions).
/// Parameter table [H,buckets], normal(0, 0.02); at most 256 buckets.
struct BucketBias {
  using Kind = PairKind;
  std::int64_t buckets = 256;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// z_e + W e: a number per head from the edge's features. Parameter edge_weight [H,F].
struct EdgeBias {
  using Kind = PairKind;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

}  // namespace atto
