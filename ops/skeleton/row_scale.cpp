#include "ops/skeleton/row_scale.hpp"

#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dispatch.hpp"
#include "ops/shape/shape.hpp"

namespace atto {

const Schema row_scale_schema{{
    .name = "row_scale",
    .signature = "x[N,D], s[N] -> y[N,D]",
    .formula = "y_nd = s_n x_nd",
    .gradient = "dx_nd = s_n dy_nd, ds_n = sum_d dy_nd x_nd",
    .cost = "N D FLOP, 2 N D values moved",
}};

namespace {

Tensor scaled(const Tensor& x, const Tensor& s) {
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  dispatch(x, "row_scale", [&]<class T>(auto device) {
    kernels::row_scale(device, x.size(0), x.size(1), x.data<T>(), s.data<T>(), y.data<T>());
  });
  return y;
}

class RowScale final : public Op {
 public:
  const Schema& schema() const override { return row_scale_schema; }

  Tensor forward(Inputs in) override {
    x_ = in[0];
    s_ = in[1];
    cost_ = {.flops = static_cast<double>(x_.numel()), .bytes = static_cast<double>(2 * x_.bytes() + s_.bytes())};
    Tensor y = scaled(x_, s_);
    // What backward does not read may go; shape and type are still told.
    if (!will_want(0)) s_.let_go();
    if (!will_want(1)) x_.let_go();
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    if (gradients.wants(0)) gradients.add(0, scaled(gradient, s_));
    if (gradients.wants(1)) {
      Tensor ds = Tensor::empty(s_.shape(), s_.dtype(), gradient.device());
      dispatch(x_, "row_scale", [&]<class T>(auto device) {
        kernels::row_dot(device, x_.size(0), x_.size(1), gradient.data<T>(), x_.data<T>(), ds.data<T>());
      });
      gradients.add(1, ds);
    }
  }

  Cost cost() const override { return cost_; }

 private:
  Tensor x_, s_;
  Cost cost_;
};

}  // namespace

Var row_scale(const Var& x, const Var& s) {
  return apply<RowScale>({x, s});
}

Var row_scale_reference(const Var& x, const Var& s) {
  return x * reshape(s, {s.size(0), 1});
}

}  // namespace atto
