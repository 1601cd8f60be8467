#include "nn/attention/weights.hpp"

#include <limits>

#include "autograd/accumulate.hpp"
#include "core/error.hpp"
#include "nn/attention/edge_features.hpp"
#include "nn/init.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/pointwise/pointwise.hpp"

namespace atto {
namespace {

// factor z, where -infinity is a mask and stays one: scaled as a number it would turn into +infinity or NaN.
Var scaled_logits(const Var& z, const Var& factor) {
  if (!has_masks(z.value())) return z * factor;
  constexpr double kFarOut = 1e30;  // of the masked ones, for the product alone
  const Tensor masks = Tensor::zeros(z.shape(), z.dtype());
  visit_float(z.dtype(), "Softmax", [&]<class T>() {
    constexpr T masked = -std::numeric_limits<T>::infinity();
    for (std::int64_t i = 0; i < z.value().numel(); ++i)
      if (z.value().data<T>()[i] == masked) masks.data<T>()[i] = masked;
  });
  return clamp(z, -kFarOut, kFarOut) * factor + Var(masks);
}

// Uniform around 1.
Initialiser around_one(double bound) {
  return [bound](const Tensor& tensor, Generator& random) {
    const Tensor offset = Tensor::empty(tensor.shape(), tensor.dtype());
    init::uniform(bound)(offset, random);
    tensor.fill(1);
    add_into(tensor, offset);
  };
}

class SoftmaxStage final : public SlotModule {
 public:
  SoftmaxStage(const Scope& scope, const Softmax& options)
      : factor_(options.sharpness / options.temperature),
        temperature_(options.temperature),
        sharpness_(options.learn || options.random
                       ? scope.parameter("sharpness", Shape{1},
                                         options.random ? around_one(0.5) : init::constant(options.sharpness))
                       : Parameter::none()) {
    if (!(options.temperature > 0))
      throw ValueError({.op = "Softmax",
                        .argument = "temperature",
                        .got = std::to_string(options.temperature),
                        .expected = "above 0",
                        .hint = {}});
  }
  std::string name() const override { return "edge_softmax"; }
  Var operator()(const EdgeView& view, const Var& logits) const override {
    if (plain()) return edge_softmax(view.graph, logits);
    return edge_softmax(view.graph, scaled_logits(logits, factor(logits.dtype())));
  }
  bool fits(FusedOp op) const override { return plain() || op == FusedOp::ragged_attention; }
  void fill(RaggedForm& form) const override {
    if (plain()) return;
    if (!sharpness_.defined() && !form.tables.add.defined()) {
      form.options.scale = form.options.scale.value() * factor_;
      return;
    }
    const Var factor = this->factor(sharpness_.defined() ? sharpness_.var().dtype() : form.tables.add.dtype());
    form.query_scale = factor;
    if (form.tables.add.defined()) form.tables.add = scaled_logits(form.tables.add, factor);
  }

 private:
  bool plain() const { return factor_ == 1 && !sharpness_.defined(); }
  Var factor(DType dtype) const {
    if (!sharpness_.defined()) return Tensor::full(Shape{1}, factor_, dtype);
    return temperature_ == 1 ? sharpness_.var() : sharpness_ / temperature_;
  }

  double factor_, temperature_;
  Parameter sharpness_;
};

class ReluStage final : public SlotModule {
 public:
  std::string name() const override { return "relu"; }
  Var operator()(const EdgeView&, const Var& logits) const override { return relu(logits); }
};

class SumStage final : public SlotModule {
 public:
  explicit SumStage(double epsilon) : epsilon_(epsilon) {}
  std::string name() const override { return "edge_sum"; }
  Var operator()(const EdgeView& view, const Var& scores) const override {
    return scores / edge_add(view.graph, {}, edge_sum(view.graph, scores) + epsilon_);
  }

 private:
  double epsilon_;
};

// Stands in an empty normaliser or gate: passes on what it gets.
class PassStage final : public SlotModule {
 public:
  explicit PassStage(bool fits_fused) : fits_fused_(fits_fused) {}
  std::string name() const override { return {}; }
  Var operator()(const EdgeView&, const Var& weights) const override { return weights; }
  bool fits(FusedOp) const override { return fits_fused_; }

 private:
  bool fits_fused_;
};

class SigmoidGateStage final : public SlotModule {
 public:
  explicit SigmoidGateStage(const SigmoidGate& options) : options_(options) {}
  std::string name() const override { return "sigmoid_gate"; }
  Var operator()(const EdgeView&, const Var& weights) const override {
    return weights * sigmoid((weights - options_.threshold) * options_.steepness);
  }

 private:
  SigmoidGate options_;
};

class EdgeGateStage final : public SlotModule {
 public:
  EdgeGateStage(const Scope& scope, const AttentionSizes& sizes)
      : projection_(scope, sizes.heads, 1, sizes.edge_channels),
        bias_(scope.parameter("bias", Shape{sizes.heads}, init::zeros())) {}
  std::string name() const override { return "edge_gate"; }
  Var operator()(const EdgeView& view, const Var& weights) const override {
    return weights * sigmoid(reshape(projection_(view), weights.shape()) + bias_);
  }

 private:
  EdgeProjection projection_;
  Parameter bias_;
};

}  // namespace

SlotPointer Softmax::build(const Scope& scope, const AttentionSizes&) const {
  return std::make_shared<SoftmaxStage>(scope, *this);
}
SlotPointer ReluNormaliser::build(const Scope&, const AttentionSizes&) const {
  return std::make_shared<ReluStage>();
}
SlotPointer SumNormaliser::build(const Scope&, const AttentionSizes&) const {
  return std::make_shared<SumStage>(epsilon);
}
SlotPointer NoNormaliser::build(const Scope&, const AttentionSizes&) const {
  return std::make_shared<PassStage>(false);
}
SlotPointer NoGate::build(const Scope&, const AttentionSizes&) const {
  return std::make_shared<PassStage>(true);
}
SlotPointer SigmoidGate::build(const Scope&, const AttentionSizes&) const {
  return std::make_shared<SigmoidGateStage>(*this);
}
SlotPointer EdgeGate::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<EdgeGateStage>(scope, sizes);
}

}  // namespace atto
