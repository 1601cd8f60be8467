#include "nn/attention/aggregators.hpp"

#include <cmath>
#include <vector>

#include "nn/attention/edge_features.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/shape/shape.hpp"

namespace atto {
namespace {

enum class Reduction { sum, mean, max };

class Reduce final : public SlotModule {
 public:
  Reduce(const Scope& scope, const AttentionSizes& sizes, Reduction reduction, Message message)
      : reduction_(reduction) {
    if (message == Message::value_and_edge)
      edge_projection_.emplace(scope, sizes.heads, sizes.value_width, sizes.edge_channels);
  }
  std::string name() const override {
    const std::string base = reduction_ == Reduction::sum ? "sum" : reduction_ == Reduction::mean ? "mean" : "max";
    if (edge_projection_) return "edge_" + base + " (value + edge)";
    return reduction_ == Reduction::sum ? "spmm" : "spmm_" + base;
  }
  Var operator()(const EdgeView& view, const Var& weights) const override {
    if (!edge_projection_) return reduce_values(view, weights);
    const Var message = edge_add(view.graph, view.value, {}) + (*edge_projection_)(view);
    const Var weighted = message * reshape(weights, Shape{weights.size(0), weights.size(1), 1});
    switch (reduction_) {
      case Reduction::sum:
        return edge_sum(view.graph, weighted);
      case Reduction::mean:
        return edge_mean(view.graph, weighted);
      case Reduction::max:
        break;
    }
    return edge_max(view.graph, weighted);
  }
  bool fits(FusedOp) const override { return reduction_ == Reduction::sum && !edge_projection_; }

 private:
  Var reduce_values(const EdgeView& view, const Var& weights) const {
    switch (reduction_) {
      case Reduction::sum:
        return spmm(view.graph, weights, view.value);
      case Reduction::mean:
        return spmm_mean(view.graph, weights, view.value);
      case Reduction::max:
        break;
    }
    return spmm_max(view.graph, weights, view.value);
  }

  Reduction reduction_;
  std::optional<EdgeProjection> edge_projection_;
};

class IdentityFinish final : public SlotModule {
 public:
  std::string name() const override { return {}; }
  Var operator()(const EdgeView&, const Var& out) const override { return out; }
  bool fits(FusedOp) const override { return true; }
};

class SelfTermFinish final : public SlotModule {
 public:
  SelfTermFinish(const Scope& scope, const AttentionSizes& sizes, const SelfTerm& options)
      : epsilon_(options.epsilon),
        learned_(options.learn ? scope.parameter("epsilon", Shape{1}, init::constant(options.epsilon))
                               : Parameter::none()) {
    if (sizes.channels != sizes.heads * sizes.value_width)
      throw ValueError({.op = "SelfTerm",
                        .argument = "channels",
                        .got = std::to_string(sizes.channels),
                        .expected = "heads x value width = " + std::to_string(sizes.heads * sizes.value_width),
                        .hint = {}});
  }
  std::string name() const override { return "self_term"; }
  bool needs_graph() const override { return false; }
  Var operator()(const EdgeView& view, const Var& out) const override {
    const Var self = reshape(view.self, out.shape());
    return learned_.defined() ? out + self * (learned_ + 1.0) : out + self * (1.0 + epsilon_);
  }

 private:
  double epsilon_;
  Parameter learned_;
};

class LogDegreeFinish final : public SlotModule {
 public:
  std::string name() const override { return "log_degree"; }
  Var operator()(const EdgeView& view, const Var& out) const override {
    std::vector<double> scale(static_cast<std::size_t>(view.graph.num_dst()));
    for (std::size_t i = 0; i < scale.size(); ++i)
      scale[i] = std::log1p(static_cast<double>(view.graph.in_degree(static_cast<std::int64_t>(i))));
    return out * Var(Tensor::from(scale, Shape{view.graph.num_dst(), 1, 1}).to(out.dtype()));
  }
};

}  // namespace

SlotPointer Sum::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<Reduce>(scope, sizes, Reduction::sum, message);
}
SlotPointer Mean::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<Reduce>(scope, sizes, Reduction::mean, message);
}
SlotPointer Max::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<Reduce>(scope, sizes, Reduction::max, message);
}
SlotPointer Identity::build(const Scope&, const AttentionSizes&) const {
  return std::make_shared<IdentityFinish>();
}
SlotPointer SelfTerm::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<SelfTermFinish>(scope, sizes, *this);
}
SlotPointer LogDegree::build(const Scope&, const AttentionSizes&) const {
  return std::make_shared<LogDegreeFinish>();
}

}  // namespace atto
