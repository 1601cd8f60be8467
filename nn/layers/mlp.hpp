#pragma once

#include <vector>

#include "nn/layers/dropout.hpp"
#include "nn/layers/linear.hpp"
#include "nn/layers/norm.hpp"

namespace atto {

struct MlpOptions {
  Activation activation = Activation::relu;
  bool batch_norm = false;  ///< between each hidden layer and its activation
  double dropout = 0.0;     ///< after each hidden activation
  bool bias = true;
};

/// Linear layers of the widths given, [in, hidden..., out], with an activation after each but the last. Modules "0",
/// "1", ... are the Linears, "0.norm" the norm after the first. ValueError for fewer than two widths.
class Mlp : public Module {
 public:
  Mlp(const Scope& scope, const std::vector<std::int64_t>& widths, const MlpOptions& options = {});
  Var operator()(const Var& x) const;

 private:
  MlpOptions options_;
  Modules<Linear> layers_;
  Modules<BatchNorm> norms_;
  Dropout dropout_;
};

}  // namespace atto
