#include "nn/layers/linear.hpp"

namespace atto {

Linear::Linear(const Scope& scope, std::int64_t in, std::int64_t out, const LinearOptions& options)
    : Module(scope),
      activation_(options.activation),
      weight_(scope.parameter("weight", Shape{out, in},
                              options.weight_init ? options.weight_init : init::kaiming_uniform(in))),
      bias_(options.bias
                ? scope.parameter("bias", Shape{out}, options.bias_init ? options.bias_init : init::kaiming_uniform(in))
                : Parameter::none()) {}

Var Linear::operator()(const Var& x) const {
  const auto here = enter();
  return linear(x, weight_, bias_, activation_);
}

}  // namespace atto
