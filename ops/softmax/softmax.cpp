#include "ops/softmax/softmax.hpp"

#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dispatch.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/reduce/reduce.hpp"

namespace atto {

const Schema softmax_schema{{
    .name = "softmax",
    .signature = "x[...,D] -> y[...,D]",
    .formula = "y_nd = exp(x_nd) / sum_d exp(x_nd)",
    .gradient = "dx_nd = y_nd (dy_nd - sum_d dy_nd y_nd)",
    .cost = "20 FLOP per value, 2 values moved",
}};
const Schema log_softmax_schema{{
    .name = "log_softmax",
    .signature = "x[...,D] -> y[...,D]",
    .formula = "y_nd = x_nd - log(sum_d exp(x_nd))",
    .gradient = "dx_nd = dy_nd - softmax(x)_nd sum_d dy_nd",
    .cost = "20 FLOP per value, 2 values moved",
}};
const Schema log_sum_exp_schema{{
    .name = "log_sum_exp",
    .signature = "x[...,D] -> y[...]",
    .formula = "y_n = log(sum_d exp(x_nd))",
    .gradient = "dx_nd = softmax(x)_nd dy_n",
    .cost = "20 FLOP per value, every value moved once",
}};

namespace {

using Kind = kernels::Softmax;

class SoftmaxOp final : public Op {
 public:
  explicit SoftmaxOp(Kind kind) : kind_(kind) {}
  const Schema& schema() const override {
    return kind_ == Kind::probability ? softmax_schema
           : kind_ == Kind::logarithm ? log_softmax_schema
                                      : log_sum_exp_schema;
  }

  Tensor forward(Inputs in) override {
    const Tensor& x = in[0];
    columns_ = x.size(-1);
    rows_ = 1;
    for (int d = 0; d + 1 < x.rank(); ++d) rows_ *= x.size(d);
    const Shape rows(std::span<const std::int64_t>(x.shape().begin(), static_cast<std::size_t>(x.rank() - 1)));
    Tensor y = Tensor::empty(kind_ == Kind::normaliser ? rows : x.shape(), x.dtype(), x.device());
    dispatch(x, schema().name(),
             [&]<class T>(auto device) { kernels::softmax(device, kind_, rows_, columns_, x.data<T>(), y.data<T>()); });
    if (recording()) saved_ = kind_ == Kind::probability ? y : x;
    cost_ = {.flops = 20.0 * static_cast<double>(x.numel()), .bytes = static_cast<double>(x.bytes() + y.bytes())};
    return y;
  }

  // From x rather than from the result: a logarithm far from zero has lost the digits that its exponential needs.
  void backward(const Tensor& gradient, Gradients& gradients) override {
    Tensor dx = Tensor::empty(saved_.shape(), saved_.dtype(), saved_.device());
    dispatch(saved_, schema().name(), [&]<class T>(auto device) {
      kernels::softmax_gradient(device, kind_, rows_, columns_, saved_.data<T>(), gradient.data<T>(), dx.data<T>());
    });
    gradients.add(0, dx);
  }

  Cost cost() const override { return cost_; }
  double backward_factor() const override { return 1.5; }

 private:
  Kind kind_;
  std::int64_t rows_ = 0, columns_ = 0;
  Tensor saved_;
  Cost cost_;
};

}  // namespace

Var softmax(const Var& x) {
  return apply<SoftmaxOp>({x}, Kind::probability);
}
Var log_softmax(const Var& x) {
  return apply<SoftmaxOp>({x}, Kind::logarithm);
}
Var log_sum_exp(const Var& x) {
  return apply<SoftmaxOp>({x}, Kind::normaliser);
}

// All three are the same for any shift of a row; by its largest value exp does not overflow.
Var softmax_reference(const Var& x) {
  const Var y = exp(x - max(x.detach(), -1, true));
  return y / sum(y, -1, true);
}
Var log_softmax_reference(const Var& x) {
  const Var shifted = x - max(x.detach(), -1, true);
  return shifted - log(sum(exp(shifted), -1, true));
}
Var log_sum_exp_reference(const Var& x) {
  const Var top = max(x.detach(), -1, true);
  return log(sum(exp(x - top), -1)) + max(x.detach(), -1);
}

}  // namespace atto
