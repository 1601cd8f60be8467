#pragma once
// Less memory for more time: a part of a computation that keeps only its inputs and is run again in backward.

#include <functional>
#include <span>

#include "autograd/var.hpp"

namespace atto {

extern const Schema recompute_schema;

/// function(inputs), without what its operations would save for backward; backward runs it a second time and
/// differentiates that (Chen et al. 2016, "Training deep nets with sublinear memory cost"). The function must do the
/// same both times: random numbers and running statistics are its own business (nn/recompute.hpp takes care of a
/// module's). Leaves that it captures, such as parameters, get their gradients too, but only if an input needs one; if
/// none does, the function is simply called. Same values and gradients as the plain call, bit for bit. Cost: one more
/// forward.
Var recompute(std::function<Var(std::span<const Var>)> function, std::span<const Var> inputs);

}  // namespace atto
