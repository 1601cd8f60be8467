#include "nn/attention/scores.hpp"

#include <cmath>

#include "core/error.hpp"
#include "nn/attention/edge_features.hpp"
#include "nn/init.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/linear/linear.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/reduce/reduce.hpp"
#include "ops/shape/shape.hpp"

namespace atto {
namespace {

double scale_of(const std::optional<double>& scale, std::int64_t width) {
  return scale.value_or(1.0 / std::sqrt(static_cast<double>(width)));
}

class DotScore final : public SlotModule {
 public:
  DotScore(const Dot& options, std::int64_t width) : scale_(scale_of(options.scale, width)), clip_(options.clip) {}
  std::string name() const override { return clip_ > 0 ? "edge_dot (clipped)" : "edge_dot"; }
  Var operator()(const EdgeView& view, const Var&) const override {
    const Var z = edge_dot(view.graph, view.query, view.key) * scale_;
    return clip_ > 0 ? clamp(z, -clip_, clip_) : z;
  }
  bool fits(FusedOp op) const override { return op == FusedOp::ragged_attention && clip_ == 0; }
  void fill(RaggedForm& form) const override { form.options.scale = scale_; }

 private:
  double scale_, clip_;
};

/// <x_h, vector_h> for every node and head.
Var head_dot(const Var& x, const Var& vector) {
  return sum(x * vector, -1);
}

class AdditiveScore final : public SlotModule {
 public:
  AdditiveScore(const Scope& scope, const AttentionSizes& sizes, const Additive& options)
      : slope_(options.slope),
        source_(scope.parameter("source", Shape{sizes.heads, sizes.head_width}, init::xavier_uniform())),
        destination_(scope.parameter("destination", Shape{sizes.heads, sizes.head_width}, init::xavier_uniform())),
        edge_(sizes.edge_channels > 0
                  ? scope.parameter("edge", Shape{sizes.heads, sizes.head_width}, init::xavier_uniform())
                  : Parameter::none()) {
    if (sizes.edge_channels > 0) edge_projection_.emplace(scope, sizes.heads, sizes.head_width, sizes.edge_channels);
  }
  std::string name() const override { return "additive"; }
  Var operator()(const EdgeView& view, const Var&) const override {
    Var z = edge_add(view.graph, head_dot(view.key, source_), head_dot(view.query, destination_));
    if (edge_projection_) z = z + head_dot((*edge_projection_)(view), edge_);
    return leaky_relu(z, slope_);
  }
  bool fits(FusedOp op) const override { return op == FusedOp::gat; }
  void fill(const EdgeView& view, GatForm& form) const override {
    form.self = view.query.node() == view.key.node() && view.value.node() == view.key.node();
    form.source = form.self ? source_ : head_dot(view.key, source_);
    form.destination = form.self ? destination_ : head_dot(view.query, destination_);
    if (edge_projection_) form.edge = head_dot((*edge_projection_)(view), edge_);
    form.slope = slope_;
  }

 private:
  double slope_;
  Parameter source_, destination_, edge_;
  std::optional<EdgeProjection> edge_projection_;
};

class DynamicAdditiveScore final : public SlotModule {
 public:
  DynamicAdditiveScore(const Scope& scope, const AttentionSizes& sizes, const DynamicAdditive& options)
      : slope_(options.slope),
        vector_(scope.parameter("vector", Shape{sizes.heads, sizes.head_width}, init::xavier_uniform())) {
    if (sizes.edge_channels > 0) edge_projection_.emplace(scope, sizes.heads, sizes.head_width, sizes.edge_channels);
  }
  std::string name() const override { return "dynamic_additive"; }
  Var operator()(const EdgeView& view, const Var&) const override {
    Var hidden = edge_add(view.graph, view.key, view.query);
    if (edge_projection_) hidden = hidden + (*edge_projection_)(view);
    return head_dot(leaky_relu(hidden, slope_), vector_);
  }
  bool fits(FusedOp op) const override { return op == FusedOp::gatv2; }
  void fill(const EdgeView& view, GatForm& form) const override {
    form.vector = vector_;
    if (edge_projection_) form.edge = (*edge_projection_)(view);
    form.slope = slope_;
  }

 private:
  double slope_;
  Parameter vector_;
  std::optional<EdgeProjection> edge_projection_;
};

class ChannelWiseScore final : public SlotModule {
 public:
  ChannelWiseScore(const Scope& scope, const AttentionSizes& sizes, const ChannelWise& options)
      : scale_(scale_of(options.scale, sizes.head_width)),
        clip_(options.clip),
        edge_projection_(scope, sizes.heads, sizes.head_width, sizes.edge_channels) {}
  std::string name() const override { return "channel_wise"; }
  Var operator()(const EdgeView& view, const Var&) const override {
    Var product = edge_mul(view.graph, view.key, view.query) * scale_;
    if (clip_ > 0) product = clamp(product, -clip_, clip_);
    return sum(product * edge_projection_(view), -1);
  }

 private:
  double scale_, clip_;
  EdgeProjection edge_projection_;
};

class PairPerceptronScore final : public SlotModule {
 public:
  PairPerceptronScore(const Scope& scope, const AttentionSizes& sizes, const PairPerceptron& options)
      : from_query_((scope / "hidden")
                        .parameter("query", Shape{options.width, sizes.head_width},
                                   init::kaiming_uniform(2 * sizes.head_width))),
        from_key_(
            (scope / "hidden")
                .parameter("key", Shape{options.width, sizes.head_width}, init::kaiming_uniform(2 * sizes.head_width))),
        hidden_bias_(
            (scope / "hidden").parameter("bias", Shape{options.width}, init::kaiming_uniform(2 * sizes.head_width))),
        output_weight_(
            (scope / "output").parameter("weight", Shape{1, options.width}, init::kaiming_uniform(options.width))),
        output_bias_((scope / "output").parameter("bias", Shape{1}, init::kaiming_uniform(options.width))) {}
  std::string name() const override { return "pair_perceptron"; }
  Var operator()(const EdgeView& view, const Var&) const override {
    // W_1 [q || k] = W_q q + W_k k, each on its own nodes instead of on every edge.
    const Var hidden =
        relu(edge_add(view.graph, linear(view.key, from_key_, {}), linear(view.query, from_query_, hidden_bias_)));
    const Var z = linear(hidden, output_weight_, output_bias_);
    return reshape(z, Shape{z.size(0), z.size(1)});
  }

 private:
  Parameter from_query_, from_key_, hidden_bias_, output_weight_, output_bias_;
};

class NodePerceptronScore final : public SlotModule {
 public:
  NodePerceptronScore(const Scope& scope, const AttentionSizes& sizes, const NodePerceptron& options)
      : from_query_((scope / "hidden").parameter("query", Shape{options.width, sizes.channels}, init::normal(0.02))),
        from_key_((scope / "hidden").parameter("key", Shape{options.width, sizes.source_channels}, init::normal(0.02))),
        hidden_bias_((scope / "hidden").parameter("bias", Shape{options.width}, init::zeros())),
        output_weight_((scope / "output").parameter("weight", Shape{sizes.heads, options.width}, init::normal(0.02))),
        output_bias_((scope / "output").parameter("bias", Shape{sizes.heads}, init::zeros())) {}
  std::string name() const override { return "node_perceptron"; }
  bool incremental() const override { return false; }  // it reads the nodes themselves
  Var operator()(const EdgeView& view, const Var&) const override {
    const Var hidden =
        edge_add(view.graph, linear(view.source, from_key_, {}), linear(view.self, from_query_, hidden_bias_));
    return linear(silu(hidden), output_weight_, output_bias_);
  }

 private:
  Parameter from_query_, from_key_, hidden_bias_, output_weight_, output_bias_;
};

}  // namespace

SlotPointer Dot::build(const Scope&, const AttentionSizes& sizes) const {
  return std::make_shared<DotScore>(*this, sizes.head_width);
}
SlotPointer Additive::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<AdditiveScore>(scope, sizes, *this);
}
SlotPointer DynamicAdditive::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<DynamicAdditiveScore>(scope, sizes, *this);
}
SlotPointer ChannelWise::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<ChannelWiseScore>(scope, sizes, *this);
}
SlotPointer PairPerceptron::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<PairPerceptronScore>(scope, sizes, *this);
}
SlotPointer NodePerceptron::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<NodePerceptronScore>(scope, sizes, *this);
}

}  // namespace atto
