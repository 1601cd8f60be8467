#include "core/error.hpp"
#include "ops/dispatch.hpp"
#include "ops/norm/norm.hpp"

namespace atto {

const Schema batch_norm_schema{{
    .name = "batch_norm",
    .signature = "x[N,D], weight[D], bias[D], before?[N,D], after?[N,D] -> y[N,D]",
    .formula = "y_nd = weight_d xhat_nd + bias_d + after_nd, xhat_nd = (s_nd - mean_d) / sqrt(var_d + epsilon), "
               "s = x + before",
    .gradient = "dx = dbefore = weight / sqrt(var + epsilon) (dy - mean_n dy - xhat mean_n(dy xhat)), dafter = dy, "
                "dweight = sum_n dy xhat, dbias = sum_n dy",
    .cost = "8 N D FLOP, 4 N D values moved, N D more for every residual",
}};
const Schema batch_norm_inference_schema{{
    .name = "batch_norm_inference",
    .signature = "x[N,D], weight[D], bias[D] -> y[N,D]",
    .formula = "y_nd = weight_d (x_nd - mean_d) / sqrt(var_d + epsilon) + bias_d with given mean and variance",
    .gradient = "dx = weight / sqrt(var + epsilon) dy, dweight = sum_n dy xhat, dbias = sum_n dy",
    .cost = "4 N D FLOP, 2 N D values moved",
}};

namespace {

// Both forms: `given_` statistics are constants and come without residuals, those of the batch depend on x.
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
    const Tensor before = given_ ? Tensor() : in[3], after = given_ ? Tensor() : in[4];
    x_ = before.defined() ? Tensor::empty(in[0].shape(), in[0].dtype(), in[0].device()) : in[0];
    weight_ = in[1];
    residuals_ = (before.defined() ? 1 : 0) + (after.defined() ? 1 : 0);
    const std::int64_t rows = x_.size(0), columns = x_.size(1);
    Tensor y = Tensor::empty(x_.shape(), x_.dtype(), x_.device());
    if (!given_) {
      mean_ = Tensor::empty(Shape{columns}, x_.dtype(), x_.device());
      variance_ = Tensor::empty(Shape{columns}, x_.dtype(), x_.device());
      if (statistics_) *statistics_ = {.mean = mean_, .variance = variance_, .rows = rows};
    }
    dispatch(x_, schema().name(), [&]<class T>(auto device) {
      const auto pointer = [](const Tensor& tensor) { return tensor.defined() ? tensor.data<T>() : nullptr; };
      if (!given_)
        kernels::column_moments(device, rows, columns, in[0].data<T>(), pointer(before), x_.data<T>(), mean_.data<T>(),
                                variance_.data<T>());
      kernels::normalise_columns(device, rows, columns, epsilon_, x_.data<T>(), mean_.data<T>(), variance_.data<T>(),
                                 weight_.data<T>(), in[2].data<T>(), pointer(after), y.data<T>());
    });
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    const auto wanted = [&](std::size_t i, const Shape& shape) {
      return gradients.wants(i) ? Tensor::empty(shape, x_.dtype(), x_.device()) : Tensor();
    };
    const bool wants_before = !given_ && gradients.wants(3);
    const Tensor dx = wanted(wants_before ? 3 : 0, x_.shape()), dweight = wanted(1, weight_.shape()),
                 dbias = wanted(2, weight_.shape());
    // What the residual has collected already is added to on the way.
    const Tensor more = wants_before ? gradients.collected(3) : Tensor();
    dispatch(x_, schema().name(), [&]<class T>(auto device) {
      const auto pointer = [](const Tensor& tensor) { return tensor.defined() ? tensor.data<T>() : nullptr; };
      kernels::column_norm_gradient(device, x_.size(0), x_.size(1), epsilon_, given_, gradient.data<T>(), x_.data<T>(),
                                    mean_.data<T>(), variance_.data<T>(), weight_.data<T>(), pointer(dx), pointer(more),
                                    pointer(dweight), pointer(dbias));
    });
    if (dx.defined()) gradients.add(0, dx);
    if (wants_before && !more.defined()) gradients.add(3, dx);
    if (!given_ && gradients.wants(4)) gradients.add(4, gradient);
    if (dweight.defined()) gradients.add(1, dweight);
    if (dbias.defined()) gradients.add(2, dbias);
  }

  Cost cost() const override {
    const double factor = given_ ? 4 : 8;
    return {.flops = (factor + residuals_) * static_cast<double>(x_.numel()),
            .bytes = (factor / 2 + residuals_) * static_cast<double>(x_.bytes())};
  }

 private:
  double epsilon_;
  bool given_ = false;
  int residuals_ = 0;
  BatchStatistics* statistics_ = nullptr;  // of the caller; used in forward only
  Tensor x_, weight_, mean_, variance_;
};

}  // namespace

Var batch_norm(const Var& x, const Var& weight, const Var& bias, double epsilon, BatchStatistics* statistics,
               const Residuals& residuals) {
  return apply<BatchNormOp>({x, weight, bias, residuals.before, residuals.after}, epsilon, statistics);
}

Var batch_norm_inference(const Var& x, const Var& weight, const Var& bias, const Tensor& mean, const Tensor& variance,
                         double epsilon) {
  return apply<BatchNormOp>({x, weight, bias}, epsilon, mean, variance);
}

}  // namespace atto
