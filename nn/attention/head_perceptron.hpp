#pragma once
// A perceptron of each head's own.

#include "nn/init.hpp"
#include "nn/module.hpp"

namespace atto {

struct HeadPerceptronOptions {
  std::int64_t hidden = 0;  ///< m, above 0
  bool bias = true;
  bool norm = true;       ///< between the first map and its activation
  double dropout = 0;     ///< of what the first map gives, before the norm; in training
  double epsilon = 1e-5;  ///< of the norm
  Initialiser weight_init = init::normal(0.02);
};

/// y_h = W2_h SiLU( RMSNorm( Dropout( W1_h x_h + b1_h ); g_h ) ) + b2_h (Buehler, arXiv 2501.02393).
/// x [N,H,in] -> [N,H,out]; parameters hidden.weight [H,m,in], hidden.bias [H,m], norm.weight [H,m], output.weight
/// [H,out,m], output.bias [H,out]. ValueError for a width below 1. Cost: 2 N H m (in + out) FLOP.
class HeadPerceptron : public Module {
 public:
  HeadPerceptron(const Scope& scope, std::int64_t heads, std::int64_t in, std::int64_t out,
                 const HeadPerceptronOptions& options);
  Var operator()(const Var& x) const;

 private:
  HeadPerceptronOptions options_;
  Parameter hidden_weight_, hidden_bias_, norm_weight_, output_weight_, output_bias_;
};

}  // namespace atto
