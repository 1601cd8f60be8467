#include "nn/attention/weights.hpp"

#include "nn/attention/edge_features.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/pointwise/pointwise.hpp"

namespace atto {
namespace {

class SoftmaxStage final : public SlotModule {
 public:
  explicit SoftmaxStage(double sharpness) : sharpness_(sharpness) {}
  std::string name() const override { return "edge_softmax"; }
  Var operator()(const EdgeView& view, const Var& logits) const override {
    return edge_softmax(view.graph, sharpness_ == 1 ? logits : logits * sharpness_);
  }
  bool fits(FusedOp) const override { return sharpness_ == 1; }

 private:
  double sharpness_;
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

SlotPointer Softmax::build(const Scope&, const AttentionSizes&) const {
  return std::make_shared<SoftmaxStage>(sharpness);
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
