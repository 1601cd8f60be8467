#include "ops/pointwise/pointwise.hpp"

#include <string>

#include "core/error.hpp"
#include "ops/dispatch.hpp"
#include "ops/pointwise/functors.hpp"

namespace atto {
namespace {

constexpr Schema::Text text(std::string_view name, std::string_view formula, std::string_view gradient) {
  return {.name = name,
          .signature = "x[...] -> y[...]",
          .formula = formula,
          .gradient = gradient,
          .cost = "some FLOP and 2 values moved per element"};
}

template <class F>
class Pointwise final : public Op {
 public:
  Pointwise(const Schema& schema, F f) : schema_(&schema), f_(f) {}
  const Schema& schema() const override { return *schema_; }

  Tensor forward(Inputs in) override {
    Tensor y = Tensor::empty(in[0].shape(), in[0].dtype(), in[0].device());
    dispatch(y, schema_->name(),
             [&]<class T>(auto device) { kernels::pointwise(device, f_, y.numel(), in[0].data<T>(), y.data<T>()); });
    if (recording() && F::kReadsX) x_ = in[0];
    if (recording() && F::kReadsY) y_ = y;
    elements_ = y.numel();
    bytes_ = 2 * y.bytes();
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    Tensor dx = Tensor::empty(gradient.shape(), gradient.dtype(), gradient.device());
    // The gradient stands in for an argument that is not read.
    const Tensor &x = x_.defined() ? x_ : gradient, &y = y_.defined() ? y_ : gradient;
    dispatch(dx, schema_->name(), [&]<class T>(auto device) {
      kernels::pointwise_gradient(device, f_, dx.numel(), x.data<T>(), y.data<T>(), gradient.data<T>(), dx.data<T>());
    });
    gradients.add(0, std::move(dx));
  }

  Cost cost() const override {
    return {.flops = static_cast<double>(F::kFlops * elements_), .bytes = static_cast<double>(bytes_)};
  }
  double backward_factor() const override { return 1.5; }  // dy and x or y in, dx out

 private:
  const Schema* schema_;
  F f_;
  Tensor x_, y_;  // as f' reads them
  std::int64_t elements_ = 0, bytes_ = 0;
};

template <class F>
Var pointwise_op(const Var& x, const Schema& schema, F f = {}) {
  return apply<Pointwise<F>>({x}, schema, f);
}

}  // namespace

const Schema scale_schema{text("scale", "y = a x + b", "dx = a dy")};
Var scale(const Var& x, double a, double b) {
  return pointwise_op(x, scale_schema, pointwise::Scale{a, b});
}
Var neg(const Var& x) {
  return scale(x, -1);
}

const Schema abs_schema{text("abs", "y = |x|", "dx = sign(x) dy, sign(0) = 0")};
Var abs(const Var& x) {
  return pointwise_op<pointwise::Abs>(x, abs_schema);
}

const Schema square_schema{text("square", "y = x^2", "dx = 2 x dy")};
Var square(const Var& x) {
  return pointwise_op<pointwise::Square>(x, square_schema);
}

const Schema sqrt_schema{text("sqrt", "y = sqrt(x)", "dx = dy / (2 y)")};
Var sqrt(const Var& x) {
  return pointwise_op<pointwise::Sqrt>(x, sqrt_schema);
}

const Schema rsqrt_schema{text("rsqrt", "y = 1 / sqrt(x)", "dx = -y^3 dy / 2")};
Var rsqrt(const Var& x) {
  return pointwise_op<pointwise::Rsqrt>(x, rsqrt_schema);
}

const Schema reciprocal_schema{text("reciprocal", "y = 1 / x", "dx = -y^2 dy")};
Var reciprocal(const Var& x) {
  return pointwise_op<pointwise::Reciprocal>(x, reciprocal_schema);
}

const Schema pow_schema{text("pow", "y = x^p", "dx = p x^(p-1) dy")};
Var pow(const Var& x, double exponent) {
  if (exponent == 2) return square(x);
  if (exponent == 0.5) return sqrt(x);
  if (exponent == -0.5) return rsqrt(x);
  if (exponent == -1) return reciprocal(x);
  return pointwise_op(x, pow_schema, pointwise::Pow{exponent});
}

const Schema clamp_schema{text("clamp", "y = min(max(x, low), high)", "dx = dy where low <= x <= high, else 0")};
Var clamp(const Var& x, double low, double high) {
  if (!(low <= high))
    throw ValueError({.op = "clamp",
                      .argument = "low, high",
                      .got = std::to_string(low) + ", " + std::to_string(high),
                      .expected = "low <= high",
                      .hint = {}});
  return pointwise_op(x, clamp_schema, pointwise::Clamp{low, high});
}

const Schema exp_schema{text("exp", "y = e^x", "dx = y dy")};
Var exp(const Var& x) {
  return pointwise_op<pointwise::Exp>(x, exp_schema);
}

const Schema log_schema{text("log", "y = ln x", "dx = dy / x")};
Var log(const Var& x) {
  return pointwise_op<pointwise::Log>(x, log_schema);
}

const Schema log1p_schema{text("log1p", "y = ln(1 + x)", "dx = dy / (1 + x)")};
Var log1p(const Var& x) {
  return pointwise_op<pointwise::Log1p>(x, log1p_schema);
}

const Schema sigmoid_schema{text("sigmoid", "y = 1 / (1 + e^-x)", "dx = y (1 - y) dy")};
Var sigmoid(const Var& x) {
  return pointwise_op<pointwise::Sigmoid>(x, sigmoid_schema);
}

const Schema log_sigmoid_schema{text("log_sigmoid", "y = -ln(1 + e^-x)", "dx = sigmoid(-x) dy")};
Var log_sigmoid(const Var& x) {
  return pointwise_op<pointwise::LogSigmoid>(x, log_sigmoid_schema);
}

const Schema tanh_schema{text("tanh", "y = tanh x", "dx = (1 - y^2) dy")};
Var tanh(const Var& x) {
  return pointwise_op<pointwise::Tanh>(x, tanh_schema);
}

const Schema softplus_schema{text("softplus", "y = ln(1 + e^x)", "dx = sigmoid(x) dy")};
Var softplus(const Var& x) {
  return pointwise_op<pointwise::Softplus>(x, softplus_schema);
}

const Schema relu_schema{text("relu", "y = max(x, 0)", "dx = dy where x > 0, else 0")};
Var relu(const Var& x) {
  return pointwise_op<pointwise::Relu>(x, relu_schema);
}

const Schema leaky_relu_schema{
    text("leaky_relu", "y = x where x > 0, else slope x", "dx = dy where x > 0, else slope dy")};
Var leaky_relu(const Var& x, double slope) {
  return pointwise_op(x, leaky_relu_schema, pointwise::LeakyRelu{slope});
}

const Schema elu_schema{
    text("elu", "y = x where x > 0, else alpha (e^x - 1)", "dx = dy where x > 0, else alpha e^x dy")};
Var elu(const Var& x, double alpha) {
  return pointwise_op(x, elu_schema, pointwise::Elu{alpha});
}

const Schema gelu_schema{
    text("gelu", "y = x Phi(x), Phi(x) = (1 + erf(x / sqrt 2)) / 2", "dx = (Phi(x) + x phi(x)) dy")};
Var gelu(const Var& x) {
  return pointwise_op<pointwise::Gelu>(x, gelu_schema);
}

const Schema gelu_tanh_schema{text("gelu_tanh", "y = x sigmoid(2 u), u = sqrt(2/pi) (x + 0.044715 x^3)",
                                   "dx = (s + 2 x s (1 - s) u') dy, s = sigmoid(2 u)")};
Var gelu_tanh(const Var& x) {
  return pointwise_op<pointwise::GeluTanh>(x, gelu_tanh_schema);
}

const Schema silu_schema{text("silu", "y = x sigmoid(x)", "dx = (s + y (1 - s)) dy, s = sigmoid(x)")};
Var silu(const Var& x) {
  return pointwise_op<pointwise::Silu>(x, silu_schema);
}

}  // namespace atto
