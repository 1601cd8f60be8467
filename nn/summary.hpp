#pragma once
// Looking at a model.

#include <string>
#include <vector>

#include "nn/module.hpp"

namespace atto {

/// A table with a line per parameter and buffer (name, shape, values, trained or not), and the sums.
std::string summary(const Model& model);

struct Audit {
  std::vector<std::string> unreached;  ///< trainable parameters that the loss does not depend on
  std::vector<std::string> zero;       ///< trainable parameters whose gradient is exactly zero
  bool clean() const noexcept { return unreached.empty() && zero.empty(); }
  std::string str() const;
};

/// Differentiates the loss once and tells which parameters it cannot train: forgotten on the way from inputs to loss,
/// or cut off by something that has no slope. The graph can still be differentiated afterwards, and gradients are as
/// they were.
Audit audit(const Model& model, const Var& loss);

}  // namespace atto
