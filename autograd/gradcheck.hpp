#pragma once
// Compares a gradient with finite differences.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "autograd/var.hpp"

namespace atto {

struct GradcheckOptions {
  int directions = 3;       ///< random directions per input
  double step = 1e-4;       ///< of the five-point difference, relative to inputs of order one
  double tolerance = 1e-7;  ///< on |analytic - numeric| / max(1, |numeric|, sum of |terms|)
  std::uint64_t seed = 1;
};

struct GradcheckResult {
  bool passed = true;
  double worst_error = 0;  ///< the largest of the errors that `tolerance` bounds
  std::string report;      ///< a line per failure: input, direction, both values
  explicit operator bool() const noexcept { return passed; }
};

/// Checks d<c, f(x)>/dx for a random cotangent c, along random directions: for each input on its own and for all at
/// once. (A cotangent of ones would be blind to everything whose sum is fixed, such as softmax.) All inputs must be
/// float64 and are copied; f must be deterministic and smooth near them. Cost: 4 (inputs + 1) directions evaluations of
/// f.
GradcheckResult gradcheck(const std::function<Var(std::span<const Var>)>& f, const std::vector<Tensor>& inputs,
                          GradcheckOptions options = {});

}  // namespace atto
