#include "ops/head_linear/head_linear.hpp"

#include "autograd/accumulate.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dispatch.hpp"
#include "ops/reduce/reduce.hpp"
#include "ops/shape/shape.hpp"

namespace atto {

const Schema head_linear_schema{{
    .name = "head_linear",
    .signature = "x[N,H,I], weight[H,O,I], bias?[H,O] -> y[N,H,O]",
    .formula = "y_nh = W_h x_nh + b_h",
    .gradient = "dx_nh = W_h^T dy_nh, dW_h = sum_n dy_nh x_nh^T, db_h = sum_n dy_nh",
    .cost = "2 N H I O FLOP, N H (I + O) + H I O values moved",
}};

namespace {

class HeadLinear final : public Op {
 public:
  const Schema& schema() const override { return head_linear_schema; }

  Tensor forward(Inputs in) override {
    x_ = in[0];
    weight_ = in[1];
    Tensor y = Tensor::empty(x_.shape().with(2, weight_.size(1)), x_.dtype(), x_.device());
    dispatch(x_, "head_linear", [&]<class T>(auto device) {
      kernels::head_linear(device, x_.size(0), x_.size(1), weight_.size(1), x_.size(2), x_.data<T>(), weight_.data<T>(),
                           in[2].defined() ? in[2].data<T>() : nullptr, y.data<T>());
    });
    if (!will_want(1)) x_.let_go();
    if (!will_want(0)) weight_.let_go();
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    const std::int64_t rows = x_.size(0), heads = x_.size(1), outputs = weight_.size(1), inputs = x_.size(2);
    dispatch(gradient, "head_linear", [&]<class T>(auto device) {
      if (gradients.wants(0)) {
        Tensor dx = Tensor::empty(x_.shape(), gradient.dtype(), gradient.device());
        kernels::head_linear_gradient(device, rows, heads, outputs, inputs, weight_.data<T>(), gradient.data<T>(),
                                      dx.data<T>());
        gradients.add(0, dx);
      }
      if (gradients.wants(1)) {
        Tensor dw = Tensor::empty(weight_.shape(), gradient.dtype(), gradient.device());
        kernels::head_linear_weight_gradient(device, rows, heads, outputs, inputs, x_.data<T>(), gradient.data<T>(),
                                             dw.data<T>());
        gradients.add(1, dw);
      }
    });
    if (gradients.wants(2)) gradients.add(2, sum_to(gradient, Shape{heads, outputs}));
  }

  Cost cost() const override {
    const auto n = static_cast<double>(x_.size(0)), h = static_cast<double>(x_.size(1)),
               i = static_cast<double>(x_.size(2)), o = static_cast<double>(weight_.size(1));
    return {.flops = 2 * n * h * i * o, .bytes = static_cast<double>(size_of(x_.dtype())) * h * (n * (i + o) + i * o)};
  }

 private:
  Tensor x_, weight_;
};

}  // namespace

Var head_linear(const Var& x, const Var& weight, const Var& bias) {
  return apply<HeadLinear>({x, weight, bias});
}

Var head_linear_reference(const Var& x, const Var& weight, const Var& bias) {
  const Var products = reshape(x, {x.size(0), x.size(1), 1, x.size(2)}) * weight;
  const Var y = sum(products, -1);
  return bias.defined() ? y + bias : y;
}

}  // namespace atto
