#include "core/error.hpp"
#include "ops/dispatch.hpp"
#include "ops/norm/norm.hpp"

namespace atto {

const Schema batch_norm_schema{{
    .name = "batch_norm",
    .signature = "x[N,D], weight[D], bias[D] -> y[N,D]",
    .formula = "y_nd = weight_d xhat_nd + bias_d, xhat_nd = (x_nd - mean_d) / sqrt(var_d + epsilon)",
    .gradient = "dx = weight / sqrt(var + epsilon) (dy - mean_n dy - xhat mean_n(dy xhat)), dweight = sum_n dy xhat, "
                "dbias = sum_n dy",
    .cost = "8 N D FLOP, 4 N D values moved",
}};
const Schema batch_norm_inference_schema{{
    .name = "batch_norm_inference",
    .signature = "x[N,D], weight[D], bias[D] -> y[N,D]",
    .formula = "y_nd = weight_d (x_nd - mean_d) / sqrt(var_d + epsilon) + bias_d with given mean and variance",
    .gradient = "dx = weight / sqrt(var + epsilon) dy, dweight = sum_n dy xhat, dbias = sum_n dy",
    .cost = "4 N D FLOP, 2 N D values moved",
}};

namespace {

// Both forms: `given_` statistics are constants, those of the batch depend on x.
class BatchNormOp final : public Op {
 public:
  BatchNormOp(double epsilon, BatchStatistics* statistics) : epsilon_(epsilon), statistics_(statistics) {}
  BatchNormOp(double epsilon, const Tensor& mean, const Tensor& variance)
      : epsilon_(epsilon),
        given_(true),
        mean_(mean.clone()),
        variance_(variance.clone()) {  // a module may update its own
    if (mean.rank() != 1 || variance.shape() != mean.shape())
      throw ShapeError({.op = "batch_norm_inference",
                        .argument = "mean, variance",
                        .got = mean.str() + ", " + variance.str(),
                        .expected = "[D] both",
                        .hint = {}});
  }

  const Schema& schema() const override { return given_ ? batch_norm_inference_schema : batch_norm_schema; }
  void bind(Dims& dims) const override {
    if (given_) dims.set("D", mean_.numel());
  }

  Tensor forward(Inputs in) override {
    x_ = in[0];
    weight_ = in[1];
    const std::int64_t rows = x_.size(0), columns = x_.size(1);
    Tensor y = Tensor::empty(x_.shape(), x_.dtype(), x_.device());
    if (!given_) {
      mean_ = Tensor::empty(Shape{columns}, x_.dtype(), x_.device());
      variance_ = Tensor::empty(Shape{columns}, x_.dtype(), x_.device());
      if (statistics_) *statistics_ = {.mean = mean_, .variance = variance_, .rows = rows};
    }
    dispatch(x_, schema().name(), [&]<class T>(auto device) {
      if (!given_) kernels::column_moments(device, rows, columns, x_.data<T>(), mean_.data<T>(), variance_.data<T>());
      kernels::normalise_columns(device, rows, columns, epsilon_, x_.data<T>(), mean_.data<T>(), variance_.data<T>(),
                                 weight_.data<T>(), in[2].data<T>(), y.data<T>());
    });
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    const auto wanted = [&](std::size_t i, const Shape& shape) {
      return gradients.wants(i) ? Tensor::empty(shape, x_.dtype(), x_.device()) : Tensor();
    };
    const Tensor dx = wanted(0, x_.shape()), dweight = wanted(1, weight_.shape()), dbias = wanted(2, weight_.shape());
    dispatch(x_, schema().name(), [&]<class T>(auto device) {
      const auto pointer = [](const Tensor& tensor) { return tensor.defined() ? tensor.data<T>() : nullptr; };
      kernels::column_norm_gradient(device, x_.size(0), x_.size(1), epsilon_, given_, gradient.data<T>(), x_.data<T>(),
                                    mean_.data<T>(), variance_.data<T>(), weight_.data<T>(), pointer(dx),
                                    pointer(dweight), pointer(dbias));
    });
    if (dx.defined()) gradients.add(0, dx);
    if (dweight.defined()) gradients.add(1, dweight);
    if (dbias.defined()) gradients.add(2, dbias);
  }

  Cost cost() const override {
    const double factor = given_ ? 4 : 8;
    return {.flops = factor * static_cast<double>(x_.numel()), .bytes = factor / 2 * static_cast<double>(x_.bytes())};
  }

 private:
  double epsilon_;
  bool given_ = false;
  BatchStatistics* statistics_ = nullptr;  // of the caller; used in forward only
  Tensor x_, weight_, mean_, variance_;
};

}  // namespace

Var batch_norm(const Var& x, const Var& weight, const Var& bias, double epsilon, BatchStatistics* statistics) {
  return apply<BatchNormOp>({x, weight, bias}, epsilon, statistics);
}

Var batch_norm_inference(const Var& x, const Var& weight, const Var& bias, const Tensor& mean, const Tensor& variance,
                         double epsilon) {
  return apply<BatchNormOp>({x, weight, bias}, epsilon, mean, variance);
}

}  // namespace atto
