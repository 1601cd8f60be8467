#pragma once
// Where the nodes of a support stand.

#include "core/tensor.hpp"
#include "graph/support.hpp"

namespace atto {

/// int64 [N_dst]: which sending node each receiving node is; -1 where it is none of them. On causal supports queries
/// are the last keys of their sequence, on pairs and edges both are the same nodes or have nothing to do with each
/// other.
Tensor own_places(const Support& support);

/// The same where `own_places` of every node is its own number, without making it.
bool are_their_own(const Support& support);

}  // namespace atto
