#pragma once

#include "nn/module.hpp"
#include "ops/linear/linear.hpp"

namespace atto {

struct LinearOptions {
  bool bias = true;
  Activation activation = Activation::none;
  Initialiser weight_init = {};  ///< empty: uniform in +-1/sqrt(in)
  Initialiser bias_init = {};    ///< empty: uniform in +-1/sqrt(in)
};

/// y = activation(x W^T + b) over the last dimension. x [...,in] -> [...,out]; parameters weight [out,in], bias [out].
class Linear : public Module {
 public:
  Linear(const Scope& scope, std::int64_t in, std::int64_t out, const LinearOptions& options = {});
  Var operator()(const Var& x) const;

  const Parameter& weight() const { return weight_; }
  /// Undefined without bias.
  const Parameter& bias() const { return bias_; }

 private:
  Activation activation_;
  Parameter weight_, bias_;
};

}  // namespace atto
