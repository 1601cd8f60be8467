#pragma once
// REDUCE with its MESSAGE, and FINISH.

#include "nn/attention/slot.hpp"

namespace atto {

/// What travels along an edge.
enum class Message {
  value,           ///< v_j
  value_and_edge,  ///< v_j + W e; parameter edge_weight [H V,F]
};

/// out_i = sum a_e m_e.
struct Sum {
  using Kind = AggregatorKind;
  Message message = Message::value;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// out_i = (1/deg_i) sum a_e m_e.
struct Mean {
  using Kind = AggregatorKind;
  Message message = Message::value;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// out_i = max over the edges of a_e m_e, by channel; the first edge wins a tie.
struct Max {
  using Kind = AggregatorKind;
  Message message = Message::value;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// out_i as it is.
struct Identity {
  using Kind = FinishKind;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// out_i + (1 + epsilon) x_i: the self term of GIN (Xu et al. 2019, eq. 4.1). Needs C = H V. With `learn` epsilon is a
/// parameter.
struct SelfTerm {
  using Kind = FinishKind;
  double epsilon = 0;
  bool learn = false;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// out_i log(1 + deg_i) (EGT, PNA's amplification without its constant).
struct LogDegree {
  using Kind = FinishKind;
  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const;
};

}  // namespace atto
