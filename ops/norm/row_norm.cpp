#include "ops/dispatch.hpp"
#include "ops/norm/norm.hpp"

namespace atto {

const Schema layer_norm_schema{{
    .name = "layer_norm",
    .signature = "x[...,D], weight[D], bias?[D] -> y[...,D]",
    .formula = "y_nd = weight_d xhat_nd + bias_d, xhat_nd = (x_nd - mean_n) / sqrt(var_n + epsilon)",
    .gradient = "dx = (h - mean_d h - xhat mean_d(h xhat)) / sqrt(var + epsilon) with h = dy weight; dweight = sum_n "
                "dy xhat, dbias = sum_n dy",
    .cost = "8 N D FLOP, 2 N D values moved",
}};
const Schema rms_norm_schema{{
    .name = "rms_norm",
    .signature = "x[...,D], weight[D] -> y[...,D]",
    .formula = "y_nd = weight_d xhat_nd, xhat_nd = x_nd / sqrt(mean_d x_nd^2 + epsilon)",
    .gradient =
        "dx = (h - xhat mean_d(h xhat)) / sqrt(mean_d x^2 + epsilon) with h = dy weight; dweight = sum_n dy xhat",
    .cost = "6 N D FLOP, 2 N D values moved",
}};

namespace {

class RowNorm final : public Op {
 public:
  RowNorm(bool centre, double epsilon) : centre_(centre), epsilon_(epsilon) {}
  const Schema& schema() const override { return centre_ ? layer_norm_schema : rms_norm_schema; }

  Tensor forward(Inputs in) override {
    x_ = in[0];
    weight_ = in[1];
    columns_ = weight_.numel();
    rows_ = columns_ > 0 ? x_.numel() / columns_ : 0;
    mean_ = centre_ ? Tensor::empty(Shape{rows_}, x_.dtype(), x_.device()) : Tensor();
    inverse_ = Tensor::empty(Shape{rows_}, x_.dtype(), x_.device());
    Tensor y = Tensor::empty(x_.shape(), x_.dtype(), x_.device());
    dispatch(x_, schema().name(), [&]<class T>(auto device) {
      const T* bias = centre_ && in[2].defined() ? in[2].data<T>() : nullptr;
      kernels::normalise_rows(device, rows_, columns_, epsilon_, x_.data<T>(), weight_.data<T>(), bias,
                              centre_ ? mean_.data<T>() : nullptr, inverse_.data<T>(), y.data<T>());
    });
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    const auto wanted = [&](std::size_t i, const Shape& shape) {
      return gradients.wants(i) ? Tensor::empty(shape, x_.dtype(), x_.device()) : Tensor();
    };
    const Tensor dx = wanted(0, x_.shape()), dweight = wanted(1, weight_.shape());
    const Tensor dbias = centre_ ? wanted(2, weight_.shape()) : Tensor();
    dispatch(x_, schema().name(), [&]<class T>(auto device) {
      const auto pointer = [](const Tensor& tensor) { return tensor.defined() ? tensor.data<T>() : nullptr; };
      kernels::row_norm_gradient(device, rows_, columns_, gradient.data<T>(), x_.data<T>(), pointer(mean_),
                                 inverse_.data<T>(), weight_.data<T>(), pointer(dx), pointer(dweight), pointer(dbias));
    });
    if (dx.defined()) gradients.add(0, dx);
    if (dweight.defined()) gradients.add(1, dweight);
    if (dbias.defined()) gradients.add(2, dbias);
  }

  Cost cost() const override {
    return {.flops = (centre_ ? 8.0 : 6.0) * static_cast<double>(x_.numel()),
            .bytes = 2.0 * static_cast<double>(x_.bytes())};
  }

 private:
  bool centre_;
  double epsilon_;
  std::int64_t rows_ = 0, columns_ = 0;
  Tensor x_, weight_, mean_, inverse_;
};

}  // namespace

Var layer_norm(const Var& x, const Var& weight, const Var& bias, double epsilon) {
  return apply<RowNorm>({x, weight, bias}, true, epsilon);
}
Var rms_norm(const Var& x, const Var& weight, double epsilon) {
  return apply<RowNorm>({x, weight}, false, epsilon);
}

}  // namespace atto
