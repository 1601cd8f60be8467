#include "nn/layers/linear.hpp"

#include "ops/arithmetic/arithmetic.hpp"

namespace atto {

Linear::Linear(const Scope& scope, std::int64_t in, std::int64_t out, const LinearOptions& options)
    : Module(scope),
      activation_(options.activation),
      weight_(scope.parameter("weight", Shape{out, in},
                              options.weight_init ? options.weight_init : init::kaiming_uniform(in))),
      bias_(options.bias
                ? scope.parameter("bias", Shape{out}, options.bias_init ? options.bias_init : init::kaiming_uniform(in))
                : Parameter::none()) {
  socket_->weight = weight_;
  scope.offer(socket_);
}

Var Linear::operator()(const Var& x) const {
  const auto here = enter();
  if (!adapted()) return linear(x, weight_, bias_, activation_);
  return activate(linear(x, weight_, bias_) + socket_->addend(x), activation_);
}

}  // namespace atto
