#include "ops/loss/loss.hpp"

#include <numeric>
#include <vector>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dispatch.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/reduce/reduce.hpp"
#include "ops/softmax/softmax.hpp"

namespace atto {

const Schema cross_entropy_schema{{
    .name = "cross_entropy",
    .signature = "logits[N,C] -> loss[]",
    .formula = "loss = sum_n w_(t_n) (lse(z_n) - z_n,t_n) / sum_n w_(t_n)",
    .gradient = "dz_nc = w_(t_n) (softmax(z_n)_c - [c = t_n]) / sum w dloss",
    .cost = "25 N C FLOP, N C values moved",
}};

namespace {

constexpr Schema::Text elementwise(std::string_view name, std::string_view formula, std::string_view gradient) {
  return {.name = name,
          .signature = "x[...] -> loss[]",
          .formula = formula,
          .gradient = gradient,
          .cost = "4 FLOP and 2 values moved per element"};
}

// Sum of f(i) over 0 <= i < count, in fixed chunks that are added in order.
template <class F>
double total(std::int64_t count, F&& f) {
  constexpr std::int64_t chunk = 4096;
  std::vector<double> parts(static_cast<std::size_t>((count + chunk - 1) / chunk));
  parallel_chunks(count, chunk, 2, [&](std::int64_t index, std::int64_t begin, std::int64_t end) {
    double sum = 0;
    for (std::int64_t i = begin; i < end; ++i) sum += f(i);
    parts[static_cast<std::size_t>(index)] = sum;
  });
  return std::accumulate(parts.begin(), parts.end(), 0.0);
}

class CrossEntropy final : public Op {
 public:
  CrossEntropy(const Tensor& target, const CrossEntropyOptions& options) : target_(target), options_(options) {}
  const Schema& schema() const override { return cross_entropy_schema; }

  Tensor forward(Inputs in) override {
    logits_ = in[0];
    const std::int64_t rows = logits_.size(0), classes = logits_.size(1);
    check(rows, classes);
    if (recording()) {  // of our own: backward reads them again, and indexes by the targets
      target_ = target_.clone();
      if (options_.class_weights.defined()) options_.class_weights = options_.class_weights.clone();
    }
    Tensor result = Tensor::empty(Shape{}, logits_.dtype(), logits_.device());
    Tensor loss = Tensor::empty(Shape{rows}, logits_.dtype(), logits_.device());
    largest_ = Tensor::empty(Shape{rows}, logits_.dtype(), logits_.device());
    log_sum_ = Tensor::empty(Shape{rows}, logits_.dtype(), logits_.device());
    dispatch(logits_, "cross_entropy", [&]<class T>(auto device) {
      kernels::cross_entropy(device, rows, classes, logits_.data<T>(), target_.data<std::int64_t>(), weights<T>(),
                             options_.ignore_index, loss.data<T>(), largest_.data<T>(), log_sum_.data<T>());
      const std::int64_t* target = target_.data<std::int64_t>();
      const double weight = total(rows, [&](std::int64_t n) {
        return target[n] == options_.ignore_index ? 0.0
               : weights<T>()                     ? static_cast<double>(weights<T>()[target[n]])
                                                  : 1.0;
      });
      factor_ = options_.sum ? 1.0 : weight > 0 ? 1.0 / weight : 0.0;
      const T* losses = loss.data<T>();
      *result.data<T>() =
          static_cast<T>(total(rows, [&](std::int64_t n) { return static_cast<double>(losses[n]); }) * factor_);
    });
    return result;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    Tensor dz = Tensor::empty(logits_.shape(), logits_.dtype(), logits_.device());
    dispatch(logits_, "cross_entropy", [&]<class T>(auto device) {
      kernels::cross_entropy_gradient(device, logits_.size(0), logits_.size(1), logits_.data<T>(),
                                      target_.data<std::int64_t>(), weights<T>(), options_.ignore_index,
                                      largest_.data<T>(), log_sum_.data<T>(), static_cast<T>(gradient.item() * factor_),
                                      dz.data<T>());
    });
    gradients.add(0, dz);
  }

  Cost cost() const override {
    return {.flops = 25.0 * static_cast<double>(logits_.numel()), .bytes = static_cast<double>(logits_.bytes())};
  }

 private:
  template <class T>
  const T* weights() const {
    return options_.class_weights.defined() ? options_.class_weights.data<T>() : nullptr;
  }

  void check(std::int64_t rows, std::int64_t classes) const {
    if (target_.dtype() != DType::int64 || target_.shape() != Shape{rows})
      throw ShapeError({.op = "cross_entropy",
                        .argument = "target",
                        .got = target_.str(),
                        .expected = "int64[" + std::to_string(rows) + "]",
                        .hint = {}});
    if (options_.class_weights.defined() &&
        (options_.class_weights.dtype() != logits_.dtype() || options_.class_weights.shape() != Shape{classes}))
      throw ShapeError({.op = "cross_entropy",
                        .argument = "class_weights",
                        .got = options_.class_weights.str(),
                        .expected = std::string(name_of(logits_.dtype())) + Shape{classes}.str(),
                        .hint = {}});
    for (std::int64_t n = 0; n < rows; ++n) {
      const std::int64_t t = target_.data<std::int64_t>()[n];
      if (t != options_.ignore_index && (t < 0 || t >= classes))
        throw IndexError({.op = "cross_entropy",
                          .argument = "target of row " + std::to_string(n),
                          .got = std::to_string(t),
                          .expected = "0 <= target < " + std::to_string(classes),
                          .hint = {}});
    }
  }

  Tensor target_;
  CrossEntropyOptions options_;
  Tensor logits_, largest_, log_sum_;
  double factor_ = 0;
};

class ElementwiseLoss final : public Op {
 public:
  ElementwiseLoss(const Schema& schema, kernels::PairLoss kind, const Tensor& target)
      : schema_(&schema), kind_(kind), target_(target) {}
  const Schema& schema() const override { return *schema_; }

  Tensor forward(Inputs in) override {
    x_ = in[0];
    if (target_.shape() != x_.shape() || !is_floating(target_.dtype()))
      throw ShapeError({.op = std::string(schema_->name()),
                        .argument = "target",
                        .got = target_.str(),
                        .expected = x_.str(),
                        .hint = {}});
    target_ = recording() && target_.dtype() == x_.dtype() ? target_.clone() : target_.to(x_.dtype());
    Tensor loss = Tensor::empty(x_.shape(), x_.dtype(), x_.device());
    Tensor result = Tensor::empty(Shape{}, x_.dtype(), x_.device());
    dispatch(x_, schema_->name(), [&]<class T>(auto device) {
      kernels::pair_loss(device, kind_, x_.numel(), x_.data<T>(), target_.data<T>(), loss.data<T>());
      const T *losses = loss.data<T>(), *target = target_.data<T>();
      const double count = total(x_.numel(), [&](std::int64_t i) { return target[i] == target[i] ? 1.0 : 0.0; });
      factor_ = count > 0 ? 1.0 / count : 0.0;
      *result.data<T>() =
          static_cast<T>(total(x_.numel(), [&](std::int64_t i) { return static_cast<double>(losses[i]); }) * factor_);
    });
    return result;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    Tensor dx = Tensor::empty(x_.shape(), x_.dtype(), x_.device());
    dispatch(x_, schema_->name(), [&]<class T>(auto device) {
      kernels::pair_loss_gradient(device, kind_, x_.numel(), x_.data<T>(), target_.data<T>(),
                                  static_cast<T>(gradient.item() * factor_), dx.data<T>());
    });
    gradients.add(0, dx);
  }

  Cost cost() const override {
    return {.flops = 4.0 * static_cast<double>(x_.numel()), .bytes = 2.0 * static_cast<double>(x_.bytes())};
  }

 private:
  const Schema* schema_;
  kernels::PairLoss kind_;
  Tensor target_, x_;
  double factor_ = 0;
};

}  // namespace

Var cross_entropy(const Var& logits, const Tensor& target, const CrossEntropyOptions& options) {
  return apply<CrossEntropy>({logits}, target, options);
}

Tensor class_balance_weights(const Tensor& target, std::int64_t classes, DType dtype) {
  std::vector<double> weights(static_cast<std::size_t>(classes), 0.0);
  for (std::int64_t row = 0; row < target.numel(); ++row) {
    const std::int64_t t = target.data<std::int64_t>()[row];
    if (t < 0 || t >= classes)
      throw IndexError({.op = "class_balance_weights",
                        .argument = "target of row " + std::to_string(row),
                        .got = std::to_string(t),
                        .expected = "0 <= target < " + std::to_string(classes),
                        .hint = {}});
    weights[static_cast<std::size_t>(t)] += 1;
  }
  const double all = static_cast<double>(target.numel());
  for (double& weight : weights) weight = weight > 0 ? (all - weight) / all : 0.0;
  return Tensor::from(weights).to(dtype);
}

const Schema l1_loss_schema{elementwise("l1_loss", "loss = mean |x - t|", "dx = sign(x - t) / count dloss")};
Var l1_loss(const Var& x, const Tensor& target) {
  return apply<ElementwiseLoss>({x}, l1_loss_schema, kernels::PairLoss::l1, target);
}

const Schema mse_loss_schema{elementwise("mse_loss", "loss = mean (x - t)^2", "dx = 2 (x - t) / count dloss")};
Var mse_loss(const Var& x, const Tensor& target) {
  return apply<ElementwiseLoss>({x}, mse_loss_schema, kernels::PairLoss::mse, target);
}

const Schema bce_with_logits_schema{elementwise(
    "bce_with_logits", "loss = mean of max(x, 0) - x t + log(1 + exp(-|x|))", "dx = (sigmoid(x) - t) / count dloss")};
Var bce_with_logits(const Var& x, const Tensor& target) {
  return apply<ElementwiseLoss>({x}, bce_with_logits_schema, kernels::PairLoss::bce, target);
}

Var cross_entropy_reference(const Var& logits, const Tensor& target, const CrossEntropyOptions& options) {
  Tensor hot = Tensor::zeros(logits.shape(), DType::float64);
  const Tensor weights = options.class_weights.defined() ? options.class_weights.to(DType::float64)
                                                         : Tensor::full(Shape{logits.size(1)}, 1, DType::float64);
  double all = 0;
  for (std::int64_t n = 0; n < logits.size(0); ++n) {
    const std::int64_t t = target.data<std::int64_t>()[n];
    if (t == options.ignore_index) continue;
    all += weights.data<double>()[t];
    hot.data<double>()[n * logits.size(1) + t] = weights.data<double>()[t];
  }
  const Var loss = -sum(log_softmax(logits) * Var(hot.to(logits.dtype())));
  return options.sum || all == 0 ? loss : loss / all;
}

Var l1_loss_reference(const Var& x, const Tensor& target) {
  return mean(abs(x - Var(target)));
}
Var mse_loss_reference(const Var& x, const Tensor& target) {
  return mean(square(x - Var(target)));
}
Var bce_with_logits_reference(const Var& x, const Tensor& target) {
  return mean(softplus(x) - x * Var(target));
}

}  // namespace atto
