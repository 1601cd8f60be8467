#pragma once

#include <functional>
#include <memory>

#include "nn/module.hpp"
#include "ops/linear/linear.hpp"

namespace atto {

struct LinearOptions {
  bool bias = true;
  Activation activation = Activation::none;
  Initialiser weight_init = {};  ///< empty: uniform in +-1/sqrt(in)
  Initialiser bias_init = {};    ///< empty: uniform in +-1/sqrt(in)
};

/// What may be added to a linear layer: a function of its input, before its activation.
class LinearSocket final : public Socket {
 public:
  Var weight;                               ///< [out,in]
  std::function<Var(const Var& x)> addend;  ///< empty: none
};

/// y = activation(x W^T + b) over the last dimension. x [...,in] -> [...,out]; parameters weight [out,in], bias [out].
class Linear : public Module {
 public:
  Linear(const Scope& scope, std::int64_t in, std::int64_t out, const LinearOptions& options = {});
  Var operator()(const Var& x) const;

  const Parameter& weight() const { return weight_; }
  /// Undefined without bias.
  const Parameter& bias() const { return bias_; }
  /// Whether something is attached: then weight and bias are not all there is.
  bool adapted() const noexcept { return static_cast<bool>(socket_->addend); }

 private:
  Activation activation_;
  Parameter weight_, bias_;
  std::shared_ptr<LinearSocket> socket_ = std::make_shared<LinearSocket>();
};

}  // namespace atto
