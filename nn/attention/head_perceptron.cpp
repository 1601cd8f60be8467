#include "nn/attention/head_perceptron.hpp"

#include "core/error.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dropout/dropout.hpp"
#include "ops/head_linear/head_linear.hpp"
#include "ops/norm/norm.hpp"
#include "ops/pointwise/pointwise.hpp"

namespace atto {
namespace {

const HeadPerceptronOptions& checked(const Scope& scope, const HeadPerceptronOptions& o, std::int64_t in) {
  if (o.hidden < 1 || in < 1 || !(o.dropout >= 0 && o.dropout < 1))
    throw ValueError({.op = scope.path().empty() ? "HeadPerceptron" : scope.path(),
                      .argument = "hidden, in, dropout",
                      .got = std::to_string(o.hidden) + ", " + std::to_string(in) + ", " + std::to_string(o.dropout),
                      .expected = "widths of at least 1 and 0 <= dropout < 1",
                      .hint = "a width that is a fraction of another is rounded down"});
  return o;
}

}  // namespace

HeadPerceptron::HeadPerceptron(const Scope& scope, std::int64_t heads, std::int64_t in, std::int64_t out,
                               const HeadPerceptronOptions& options)
    : Module(scope),
      options_(checked(scope, options, in)),
      hidden_weight_((scope / "hidden").parameter("weight", Shape{heads, options.hidden, in}, options.weight_init)),
      hidden_bias_(options.bias ? (scope / "hidden").parameter("bias", Shape{heads, options.hidden}, init::zeros())
                                : Parameter::none()),
      norm_weight_(options.norm ? (scope / "norm").parameter("weight", Shape{heads, options.hidden}, init::ones())
                                : Parameter::none()),
      output_weight_((scope / "output").parameter("weight", Shape{heads, out, options.hidden}, options.weight_init)),
      output_bias_(options.bias ? (scope / "output").parameter("bias", Shape{heads, out}, init::zeros())
                                : Parameter::none()) {}

Var HeadPerceptron::operator()(const Var& x) const {
  const auto here = enter();
  Var u = head_linear(x, hidden_weight_, hidden_bias_);
  if (training() && options_.dropout > 0) u = dropout(u, options_.dropout, scope().dropout_stream());
  if (options_.norm) {
    // The norm knows one gain for all rows; those of the heads follow it.
    const Var one = Tensor::full(Shape{options_.hidden}, 1.0, u.dtype());
    u = rms_norm(u, one, options_.epsilon) * norm_weight_.var();
  }
  return head_linear(silu(u), output_weight_, output_bias_);
}

}  // namespace atto
