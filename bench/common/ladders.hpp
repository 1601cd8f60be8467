#pragma once
// The versions that a kernel went through, from the loops or operations of its formula to what runs today. What
// bench/ladder times.

#include <functional>
#include <string>
#include <vector>

#include "core/tensor.hpp"

namespace atto::bench {

struct Step {
  std::string name;
  std::function<std::vector<Tensor>()> run;  ///< gives what it computed, in which all steps must agree at first
};

/// Each step does the same as the one before it, in a better way.
struct Ladder {
  std::string title;
  std::vector<Step> steps;
};

/// SpMM, GAT, attention over all pairs, the sums of GINE and GatedGCN, both passes of a linear layer, a norm with its
/// residual; tiny ones for a smoke test.
std::vector<Ladder> all_ladders(bool quick);

}  // namespace atto::bench
