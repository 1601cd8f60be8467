#include "nn/layers/norm.hpp"

#include "autograd/accumulate.hpp"
#include "ops/arithmetic/arithmetic.hpp"

namespace atto {

LayerNorm::LayerNorm(const Scope& scope, std::int64_t width, double epsilon)
    : Module(scope),
      epsilon_(epsilon),
      weight_(scope.parameter("weight", Shape{width}, init::ones())),
      bias_(scope.parameter("bias", Shape{width}, init::zeros())) {}

Var LayerNorm::operator()(const Var& x) const {
  const auto here = enter();
  return layer_norm(x, weight_, bias_, epsilon_);
}

RmsNorm::RmsNorm(const Scope& scope, std::int64_t width, double epsilon)
    : Module(scope), epsilon_(epsilon), weight_(scope.parameter("weight", Shape{width}, init::ones())) {}

Var RmsNorm::operator()(const Var& x) const {
  const auto here = enter();
  return rms_norm(x, weight_, epsilon_);
}

BatchNorm::BatchNorm(const Scope& scope, std::int64_t width, BatchNormOptions options)
    : Module(scope),
      options_(options),
      weight_(scope.parameter("weight", Shape{width}, init::ones())),
      bias_(scope.parameter("bias", Shape{width}, init::zeros())),
      running_mean_(scope.buffer("running_mean", Tensor::zeros(Shape{width}, scope.dtype()))),
      running_var_(scope.buffer("running_var", Tensor::full(Shape{width}, 1.0, scope.dtype()))) {}

Var BatchNorm::operator()(const Var& x, const Residuals& residuals) const {
  const auto here = enter();
  if (!training()) {
    const Var y = batch_norm_inference(residuals.before.defined() ? x + residuals.before : x, weight_, bias_,
                                       running_mean_.tensor().clone(), running_var_, options_.epsilon);
    return residuals.after.defined() ? y + residuals.after : y;
  }
  BatchStatistics batch;
  const Var y = batch_norm(x, weight_, bias_, options_.epsilon, &batch, residuals);
  if (scope().replaying()) return y;
  // What is not finite would stay in the running statistics for good, though the step itself ends in an error.
  if (batch.rows < 2 || first_non_finite(batch.mean) >= 0 || first_non_finite(batch.variance) >= 0) return y;
  visit_float(batch.mean.dtype(), "BatchNorm", [&]<class T>() {
    const T m = static_cast<T>(options_.momentum);
    const T unbiased = static_cast<T>(static_cast<double>(batch.rows) / static_cast<double>(batch.rows - 1));
    for (std::int64_t d = 0; d < batch.mean.numel(); ++d) {
      T& mean = running_mean_.tensor().data<T>()[d];
      T& variance = running_var_.tensor().data<T>()[d];
      mean = (T{1} - m) * mean + m * batch.mean.data<T>()[d];
      variance = (T{1} - m) * variance + m * unbiased * batch.variance.data<T>()[d];
    }
  });
  return y;
}

}  // namespace atto
