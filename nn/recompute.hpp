#pragma once
// recompute() for parts of a model, which draw random numbers and keep running statistics.

#include "autograd/recompute.hpp"
#include "nn/scope.hpp"

namespace atto {

/// As recompute(function, inputs), for a function that calls modules below `scope`: in the second run dropout draws
/// what it drew in the first, and running statistics are left alone.
inline Var recompute(const Scope& scope, std::function<Var(std::span<const Var>)> function,
                     std::span<const Var> inputs) {
  return recompute(
      [scope, function = std::move(function), random = scope.random_state(),
       runs = 0](std::span<const Var> in) mutable {
        if (runs++ == 0) return function(in);
        const Replay replay(scope, random);
        return function(in);
      },
      inputs);
}

}  // namespace atto
